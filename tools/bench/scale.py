# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""What a server with many clients costs: docs/scale.md.

Each of the clients has two forwards to one web server. All clients are in one process; the server
is the tool, in another, and what is measured is the server's unless it says otherwise.
"""

import json
import os
import pathlib
import select
import signal
import subprocess
import time

import load
import targets
from metrics import METRICS, Metric
from programs import Failure, Program, free_port, pss, say, settle

CLIENTS = os.environ.get('VT_BENCH_CLIENTS', 'bench-clients')
USERS = os.environ.get('VT_BENCH_USERS', 'bench-users')
FORWARDS = 2
PING_SECONDS = 30
PATIENCE = 120
MOST_CLIENTS = 5000

TITLES = {
    'scale-connect': ('Until all are connected and listen', 's', 2),
    'scale-memory': ('Memory of a session', 'KiB', 1),
    'scale-memory-used': ('Memory of a session that has moved something', 'KiB', 1),
    'scale-descriptors': ('Descriptors', '', 0),
    'scale-idle': ('Processor time when nothing happens but pings', 'ms/s', 2),
    'scale-back': ('Until all are back after a cut', 's', 2),
    'scale-anew': ('Until all are back after the server was killed', 's', 2),
    'scale-requests': ('Requests, a connection through each client', '1/s', 0),
    'scale-requests-one': ('Requests, as many connections through one client', '1/s', 0),
    'scale-median': ('Median time of a request through each client', 'ms', 1),
    'scale-p99': ('99th percentile of it', 'ms', 1),
}


def declare(counts):
    """The measurements, with the numbers of clients as their cases."""
    cases = {str(count): f'{count:,} clients' for count in counts}
    METRICS.clear()
    for name, (title, unit, digits) in TITLES.items():
        METRICS[name] = Metric(title, unit, [], 'requests' not in name, digits, cases)


def descriptors(count):
    """What the server needs at most: each port is open at 127.0.0.1 and ::1, and has a user."""
    return count * (1 + 3 * FORWARDS) + 500


def processor_seconds(pid):
    """As cpu_seconds (), but not in clock ticks: at rest there is little of it."""
    text = pathlib.Path(f'/proc/{pid}/schedstat').read_text(encoding='ascii')
    return int(text.split()[0]) / 1e9


def start_server(port, count):
    return Program(os.environ.get('VT_TOOL', 'vtunnel-tool'), 'server', '--quiet', '--port', port,
                   '--max-sessions', count, ports=[port])


class Crowd:
    """All the clients, in one process."""

    def __init__(self, port, count, target):
        self.count = count
        self.program = Program(CLIENTS, f'ws://127.0.0.1:{port}/', count, FORWARDS,
                               f'127.0.0.1:{target}', stdout=subprocess.PIPE)

    def wait(self):
        """Until all are there: how many of them went on with their session, and their ports."""
        pipe = self.program.process.stdout
        if not select.select([pipe], [], [], PATIENCE)[0]:
            raise Failure(f'{self.count} clients were not there within {PATIENCE} s')
        line = pipe.readline()
        if not line:
            raise Failure(f'the clients ended: {self.program.said()}')
        return json.loads(line)

    def cut(self):
        self.program.process.send_signal(signal.SIGUSR1)


def timed(function):
    begun = time.monotonic()
    answer = function()
    return time.monotonic() - begun, answer


def ask(ports, seconds):
    """Requests by one user for each of these ports."""
    words = [USERS, str(seconds), str(len(targets.ANSWER)), *(str(port) for port in ports)]
    answer = json.loads(load.run(words, seconds) or 'null')
    if not answer:
        raise Failure('some requests were not answered')
    answer['rate'] = answer['requests'] / answer['microseconds'] * 1e6
    return answer


class Scale:
    """A run with this many clients."""

    def __init__(self, bench, count):
        self.bench = bench
        self.count = count
        self.port = free_port()
        self.server = start_server(self.port, count)
        settle([self.server.pid])
        self.memory_before = pss([self.server.pid])

    def add(self, name, value):
        self.bench.results.add(f'scale-{name}', str(self.count), value)

    def add_memory(self, name):
        settle([self.server.pid])
        self.add(name, (pss([self.server.pid]) - self.memory_before) / self.count / 1024)

    def connect(self):
        self.crowd = Crowd(self.port, self.count, self.bench.targets['http'])
        seconds, answer = timed(self.crowd.wait)
        self.add('connect', seconds)
        self.add_memory('memory')
        self.add('descriptors', len(os.listdir(f'/proc/{self.server.pid}/fd')))
        return answer['ports']

    def rest(self):
        """One interval of pings."""
        used = processor_seconds(self.server.pid)
        time.sleep(PING_SECONDS)
        used = processor_seconds(self.server.pid) - used
        self.add('idle', used / PING_SECONDS * 1000)

    def requests(self, ports):
        for name, chosen in (('requests', ports[::FORWARDS]),
                             ('requests-one', [ports[0]] * self.count)):
            answer = ask(chosen, self.bench.seconds)
            self.add(name, answer['rate'])
            if name == 'requests':
                self.add('median', answer['median'] / 1000)
                self.add('p99', answer['p99'] / 1000)
        self.add_memory('memory-used')

    def come_back(self):
        self.crowd.cut()
        seconds, answer = timed(self.crowd.wait)
        self.add('back', seconds)
        if answer['resumed'] != self.count:
            raise Failure(f'{answer["resumed"]} of {self.count} went on with their session')

    def begin_anew(self):
        self.server.end()
        self.server = start_server(self.port, self.count)
        seconds, _ = timed(self.crowd.wait)
        self.add('anew', seconds)

    def end(self):
        self.crowd.program.end()
        self.server.end()


def run(bench, count):
    say(f'{count} clients')
    scale = Scale(bench, count)
    ports = scale.connect()
    scale.rest()
    scale.requests(ports)
    scale.come_back()
    scale.begin_anew()
    scale.end()
