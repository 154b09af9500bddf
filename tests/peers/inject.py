# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""System calls that fail in a process of ours when a test wants it, by strace.

A replaced call is not made. So what takes something away (close, shutdown) is left alone: that
would not be a failure of the system's, but another program.
"""

import ctypes
import os
import subprocess
import sys
import tempfile

from harness import DEADLINE, wait_until

# Any process may trace what is started with this before it; where only a parent may, one of its
# brothers could not.
TRACEABLE = (sys.executable, os.path.abspath(__file__))
PR_SET_PTRACER, ANY = 0x59616d61, ctypes.c_ulong(-1)


def is_permitted():
    return subprocess.run(['strace', '-o', '/dev/null', 'true'], capture_output=True,
                          check=False).returncode == 0


def words(call, error, when):
    return ['-e', f'trace={call}', '-e', f'inject={call}:error={error}:when={when}', '-e',
            'signal=none']


class Injection:
    """`call` fails with `error` in a process that runs: `when` is `3`, or `2+3` for each third
    from the second on."""

    def __init__(self, tool, call, error, when):
        # Not the name: strace would take another's file.
        self.log = tempfile.NamedTemporaryFile(mode='r', encoding='utf-8')  # noqa: SIM115
        self.process = subprocess.Popen(
            ['strace', '-f', '-p', str(tool.process.pid), '-o', self.log.name,
             *words(call, error, when)], stderr=subprocess.PIPE, text=True)
        line = self.process.stderr.readline()
        assert 'attached' in line, line

    def count(self):
        self.log.seek(0)
        return sum('(INJECTED)' in line for line in self.log)

    def stop(self):
        """How often it has failed."""
        self.process.terminate()
        self.process.stderr.read()
        self.process.wait(DEADLINE)
        count = self.count()
        self.log.close()
        return count


def lowest_free(tool):
    taken = {int(name) for name in os.listdir(f'/proc/{tool.process.pid}/fd')}
    return min(set(range(len(taken) + 1)) - taken)


def check_rest(*tools):
    """They wait for something, and do not turn in circles."""
    def rests():
        before = [tool.cpu_seconds() for tool in tools]
        subprocess.run(['sleep', '0.2'], check=True)
        return all(tool.cpu_seconds() - old < 0.1 for tool, old in zip(tools, before))
    wait_until(rests, timeout=20, what='rest')


def main():
    # Fails where there is nothing to permit.
    ctypes.CDLL(None).prctl(PR_SET_PTRACER, ANY, 0, 0, 0)
    os.execvp(sys.argv[1], sys.argv[1:])


if __name__ == '__main__':
    main()
