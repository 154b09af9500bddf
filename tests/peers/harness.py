# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""Running vtunnel-tool, users and targets, for the tests with real processes."""

import contextlib
import hashlib
import json
import os
import pathlib
import queue
import random
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import traceback

TOOL = os.environ.get('VT_TOOL', 'vtunnel-tool')
DEADLINE = float(os.environ.get('VT_TEST_DEADLINE', '60'))
# How much more memory than it asked for a process has under a sanitizer, at most.
MEMORY_FACTOR = int(os.environ.get('VT_TEST_MEMORY_FACTOR', '1'))

# The state of a socket in /proc/net/tcp.
LISTENING = '0A'

tests = []


def test(function):
    """Marks a function as a test; main () runs them in order."""
    tests.append(function)
    return function


def main():
    """Runs all the tests, or those named on the command line, and prints TAP."""
    # Whoever ends it, such as a deadline, ends what it started too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    wanted = sys.argv[1:]
    chosen = [t for t in tests if not wanted or t.__name__ in wanted]
    print(f'1..{len(chosen)}', flush=True)
    failed = 0
    for number, function in enumerate(chosen, 1):
        name = function.__name__.replace('_', ' ')
        try:
            function()
            print(f'ok {number} {name}', flush=True)
        except Exception:
            failed += 1
            traceback.print_exc()
            print(f'not ok {number} {name}', flush=True)
        finally:
            Tool.end_all()
    Target.end_all()
    sys.exit(1 if failed else 0)


def wait_until(condition, timeout=DEADLINE, what='the condition'):
    """Polls a fact of another process, for which there is no event to wait for."""
    pause = threading.Event()
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f'{what} did not come true within {timeout:g} s')
        pause.wait(0.01)


def in_thread(function, *arguments):
    """Runs it beside; the function that is returned waits for its result."""
    results = []

    def run():
        try:
            results.append((function(*arguments), None))
        except Exception as error:
            results.append((None, error))
    thread = threading.Thread(target=run, daemon=True)
    thread.start()

    def wait():
        thread.join(DEADLINE)
        assert results, f'{function.__name__} hangs'
        result, error = results[0]
        if error:
            raise error
        return result
    return wait


def free_port():
    """A port that is free, and stays so until the test takes it: see tests/free-port.h."""
    for _ in range(1000):
        port = random.randrange(22000, 32768)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(('127.0.0.1', port))
            return port
    raise AssertionError('no port is free')


def cpu_seconds(process):
    with open(f'/proc/{process.pid}/stat', encoding='ascii') as stat:
        fields = stat.read().rsplit(')', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def places_of(process):
    """Where a process listens: addresses and ports of TCP, whoever else has the same ports."""
    links, places = set(), []
    for entry in pathlib.Path(f'/proc/{process.pid}/fd').iterdir():
        with contextlib.suppress(FileNotFoundError):
            links.add(os.readlink(entry))
    for name, family in (('tcp', socket.AF_INET), ('tcp6', socket.AF_INET6)):
        text = pathlib.Path(f'/proc/{process.pid}/net/{name}').read_text(encoding='ascii')
        for row in map(str.split, text.splitlines()[1:]):
            if row[3] != LISTENING or f'socket:[{row[9]}]' not in links:
                continue
            # Words of 32 bits, in the order of this machine.
            address, port = row[1].split(':')
            words = [int(address[i:i + 8], 16) for i in range(0, len(address), 8)]
            packed = b''.join(word.to_bytes(4, sys.byteorder) for word in words)
            places.append((socket.inet_ntop(family, packed), int(port, 16)))
    return places


class Tool:
    """A vtunnel-tool process with --json; its events are kept in the order they came."""

    running = []

    # What breaks stays broken, for tests of how things end: clients do not come back, and servers
    # do not wait for them.
    frail = False

    def __init__(self, *arguments, environment=None, prefix=(), pass_fds=()):
        env = dict(os.environ, **(environment or {}))
        self.process = self.launch([*prefix, TOOL, *arguments], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True, env=env, pass_fds=pass_fds)
        self.events = []
        self.errors = []
        self.changed = threading.Condition()
        self.ended = False
        self.threads = [threading.Thread(target=self._read_events, daemon=True),
                        threading.Thread(target=self._read_errors, daemon=True)]
        for thread in self.threads:
            thread.start()
        Tool.running.append(self)

    def launch(self, words, **options):
        return subprocess.Popen(words, **options)

    @classmethod
    def server(cls, *arguments, **options):
        words = ('--resume-timeout', '0') if cls.frail else ()
        self = cls('server', '--json', '--port', '0', *words, *arguments, **options)
        self.port = self.event('listening')['port']
        return self

    @classmethod
    def client(cls, port, *forwards, arguments=(), **options):
        words = ['--no-reconnect'] if cls.frail else []
        for forward in forwards:
            words += ['--forward', forward]
        return cls('client', '--json', '--server', f'ws://127.0.0.1:{port}/', *words, *arguments,
                   **options)

    def _read_events(self):
        for line in self.process.stdout:
            with self.changed:
                self.events.append(json.loads(line))
                self.changed.notify_all()
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def _read_errors(self):
        for line in self.process.stderr:
            with self.changed:
                self.errors.append(line.rstrip('\n'))
                self.changed.notify_all()

    def wait_events(self, kind, count=1, timeout=DEADLINE, **fields):
        """The first `count` events of a kind with these fields."""
        found = []

        def look():
            found[:] = [e for e in self.events if e['event'] == kind
                        and all(e.get(k) == v for k, v in fields.items())]
            # Not whether the process has ended: what it said last may not have been read yet.
            return len(found) >= count or self.ended
        with self.changed:
            self.changed.wait_for(look, timeout)
            look()
        if len(found) < count:
            raise AssertionError(f'{len(found)} of {count} events {kind} {fields}; '
                                 f'the last were {self.events[-3:]}, {self.errors[-3:]}')
        return found[:count]

    def event(self, kind, timeout=DEADLINE, **fields):
        return self.wait_events(kind, 1, timeout, **fields)[0]

    def forward_port(self, index=0):
        return self.wait_events('forward-opened', index + 1)[index]['port']

    def wait(self, timeout=DEADLINE):
        """The exit status, once the process has ended by itself."""
        status = self.process.wait(timeout)
        for thread in self.threads:
            thread.join(timeout)
        return status

    def stop(self, timeout=DEADLINE):
        """Ends it as a service manager would, and sees that it ends well."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        status = self.wait(timeout)
        assert status == 0, f'exit status {status}: {self.errors[-5:]}'

    def descriptors(self):
        return len(os.listdir(f'/proc/{self.process.pid}/fd'))

    def memory(self):
        """Resident anonymous memory, in bytes, without a sanitizer's share."""
        with open(f'/proc/{self.process.pid}/status', encoding='ascii') as status:
            for line in status:
                if line.startswith('RssAnon:'):
                    return int(line.split()[1]) * 1024 // MEMORY_FACTOR
        raise AssertionError('no RssAnon')

    def cpu_seconds(self):
        return cpu_seconds(self.process)

    @classmethod
    def end_all(cls):
        for tool in cls.running:
            if tool.process.poll() is None:
                tool.process.kill()
                tool.process.wait()
        cls.running.clear()


class Sampler:
    """The most that processes grow by together, until it is asked."""

    def __init__(self, *tools):
        self.tools = tools
        self.most = 0
        self.before = self.now()
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def now(self):
        return sum(tool.memory() for tool in self.tools)

    def run(self):
        while not self.stop.wait(0.01):
            try:
                self.most = max(self.most, self.now() - self.before)
            except (AssertionError, OSError):
                # They are gone; whoever waits for them says why.
                return

    def end(self):
        self.stop.set()
        self.thread.join()
        try:
            return max(self.most, self.now() - self.before)
        except (AssertionError, OSError):
            return self.most


class Target:
    """A service on the client's side: `serve (sock)` runs in a thread for each connection."""

    running = []

    def __init__(self, serve, host='127.0.0.1', port=0):
        family = socket.AF_INET6 if ':' in host else socket.AF_INET
        self.listener = socket.create_server((host, port), family=family, backlog=1024)
        self.port = self.listener.getsockname()[1]
        self.spec = f'[{host}]:{self.port}' if ':' in host else f'{host}:{self.port}'
        self.serve = serve
        self.results = queue.Queue()
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()
        Target.running.append(self)

    @classmethod
    def end_all(cls):
        """No thread may start while the interpreter ends: Python crashes."""
        for target in cls.running:
            target.close()
            target.thread.join(DEADLINE)
        cls.running.clear()

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._run, args=(sock,), daemon=True).start()

    def _run(self, sock):
        with sock:
            try:
                self.results.put(self.serve(sock))
            except OSError as error:
                self.results.put(error)

    def close(self):
        if self.listener.fileno() < 0:
            return
        # Wakes the thread that accepts, which would take one more connection otherwise.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def echo(sock):
    while True:
        data = sock.recv(65536)
        if not data:
            return
        sock.sendall(data)


def swallow(sock):
    """Reads to the end: (bytes, hash)."""
    digest, count = hashlib.sha256(), 0
    while True:
        data = sock.recv(1 << 20)
        if not data:
            return count, digest.hexdigest()
        digest.update(data)
        count += len(data)


def pattern(length, seed=0):
    """Bytes that no shift, loss or repetition leaves the same."""
    block = hashlib.shake_256(struct.pack('!Q', seed)).digest(65537)
    full, rest = divmod(length, len(block))
    for _ in range(full):
        yield block
    yield block[:rest]


def send_pattern(sock, length, seed=0):
    digest = hashlib.sha256()
    for piece in pattern(length, seed):
        sock.sendall(piece)
        digest.update(piece)
    return length, digest.hexdigest()


def user(port, host='127.0.0.1', timeout=DEADLINE):
    return socket.create_connection((host, port), timeout=timeout)


def echoes(port, host='127.0.0.1'):
    """Whether what a user says there comes back."""
    with user(port, host) as sock:
        sock.sendall(b'hello')
        return receive_exactly(sock, 5) == b'hello'


def is_turned_away(port):
    """Whether a user is ended without a byte. A reset can come before connect () has returned."""
    try:
        with user(port) as sock:
            return sock.recv(1) == b''
    except ConnectionResetError:
        return True


def receive_exactly(sock, length):
    data = b''
    while len(data) < length:
        piece = sock.recv(length - len(data))
        if not piece:
            raise AssertionError(f'the end after {len(data)} of {length} bytes')
        data += piece
    return data


def receive_all(sock):
    data = b''
    while True:
        piece = sock.recv(1 << 16)
        if not piece:
            return data
        data += piece


def receive_line(sock):
    line = b''
    while not line.endswith(b'\n'):
        piece = sock.recv(1)
        if not piece:
            return line
        line += piece
    return line
