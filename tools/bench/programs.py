# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""Programs that are started for the benchmark, what they use, and their end."""

import os
import pathlib
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / 'tests' / 'peers'))

from harness import LISTENING, Tool, free_port, wait_until  # noqa: E402, F401

TICKS = os.sysconf('SC_CLK_TCK')
PATH = os.environ.get('PATH', '') + ':/usr/local/sbin:/usr/sbin:/sbin'


class Failure(Exception):
    """Something cannot be measured here, and why."""


def say(*words):
    print(*words, file=sys.stderr, flush=True)


def listening_ports():
    # Not found by connecting: iperf3 serves one at a time, and would take that for a measurement.
    sockets = pathlib.Path('/proc/net/tcp').read_text(encoding='ascii').splitlines()[1:]
    rows = [line.split() for line in sockets]
    return {int(row[1].rsplit(':', 1)[1], 16) for row in rows if row[3] == LISTENING}


class Program:
    """A program in the foreground that listens on these ports; it ends with the benchmark."""

    running = []

    def __init__(self, *arguments, ports=(), environment=None, stdout=subprocess.DEVNULL,
                 stdin=subprocess.DEVNULL):
        env = dict(os.environ, PATH=PATH, **(environment or {}))
        self.name = os.path.basename(str(arguments[0]))
        self.errors = tempfile.TemporaryFile()
        try:
            self.process = subprocess.Popen([str(word) for word in arguments], env=env,
                                            stdin=stdin, stdout=stdout, stderr=self.errors)
        except FileNotFoundError as error:
            raise Failure(f'{error.filename} is not there') from error
        self.pid = self.process.pid
        Program.running.append(self)
        if ports:
            wait_until(lambda: self.listens(ports), what=f'{self.name} listening')

    def listens(self, ports):
        if self.process.poll() is not None:
            raise Failure(f'{self.name} ended: {self.said()}')
        return set(ports) <= listening_ports()

    def said(self):
        self.errors.seek(0)
        return self.errors.read().decode(errors='replace').strip()[-500:]

    def end(self):
        if self in Program.running:
            Program.running.remove(self)
        if self.process.poll() is None:
            # sshd's children outlive it.
            for pid in reversed(family(self.pid)):
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            self.process.wait()
        self.errors.close()

    @classmethod
    def end_all(cls):
        for program in reversed(cls.running[:]):
            program.end()


def stat_fields(pid):
    """The fields of a process's stat from its state on; none once it is gone."""
    try:
        text = pathlib.Path(f'/proc/{pid}/stat').read_text(encoding='ascii', errors='replace')
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text.rsplit(')', 1)[1].split()


def family(pid):
    """This process and all that descend from it, parents first."""
    children = {}
    for name in os.listdir('/proc'):
        fields = stat_fields(name) if name.isdigit() else None
        if fields:
            children.setdefault(int(fields[1]), []).append(int(name))
    found = [pid]
    for parent in found:
        found += children.get(parent, [])
    return found


def cpu_seconds(pids):
    """User and system time of these processes together."""
    fields = [stat_fields(pid) for pid in pids]
    return sum(int(f[11]) + int(f[12]) for f in fields if f) / TICKS


def pss(pids):
    """Bytes of memory of these processes together; what they share with others, in shares."""
    total = 0
    for pid in pids:
        with open(f'/proc/{pid}/smaps_rollup', encoding='ascii') as rollup:
            total += sum(int(line.split()[1]) for line in rollup if line.startswith('Pss:'))
    return total * 1024


def settle(pids, seconds=20):
    """Waits until these processes use no more than a clock tick in a quarter of a second."""
    used = []

    def quiet():
        used.append(cpu_seconds(pids))
        return len(used) > 25 and used[-1] - used[-26] <= 1 / TICKS
    wait_until(quiet, seconds, 'quiet')
