#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""The units of the system, and what vtunnel-tool and a service manager tell each other."""

import fcntl
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile

tests = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(tests / 'peers'))

from harness import (DEADLINE, TOOL, Target, Tool, echo, echoes, free_port, main,  # noqa: E402
                     receive_exactly, test, user, wait_until)

built = pathlib.Path(os.environ.get('VT_SYSTEM_UNITS', 'tools/systemd'))
sources = tests.parent / 'tools' / 'systemd'
scratch = tempfile.TemporaryDirectory()
folder = pathlib.Path(scratch.name)
# What systemd-analyze security says at most, times ten (docs/running.md).
EXPOSURE = {'vtunnel-server.service': 16, 'vtunnel-client@.service': 12}


class Manager:
    """Hears what a service says, at the place that it is told of."""

    count = 0

    def __init__(self):
        Manager.count += 1
        self.path = folder / f'notify-{Manager.count}'
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.path))
        self.socket.settimeout(DEADLINE)
        self.said = []

    def start(self, *arguments, **environment):
        return Tool(*arguments, environment={'NOTIFY_SOCKET': str(self.path), **environment})

    def listen(self):
        self.said.append(self.socket.recv(4096).decode())
        return self.said[-1]

    def wait_for(self, wanted):
        """Gives what was said before it."""
        before = len(self.said)
        while self.listen() != wanted:
            pass
        return self.said[before:-1]

    def says_nothing_more(self):
        self.socket.setblocking(False)
        try:
            while True:
                self.said.append(self.socket.recv(4096).decode())
        except BlockingIOError:
            self.socket.settimeout(DEADLINE)


def unit_files():
    """The units with a program and a configuration that are there: {name: path}."""
    target = pathlib.Path(tempfile.mkdtemp(dir=folder))
    for name in [*EXPOSURE, 'vtunnel-server.socket']:
        path = built / name if (built / name).exists() else sources / name
        text = re.sub(r'(?m)^(Exec\w+)=\S+/vtunnel-tool ', rf'\1={TOOL} ', path.read_text())
        (target / name).write_text(text)
    return {path.name: path for path in target.iterdir()}


@test
def the_units_are_right():
    units = unit_files()
    assert len(units) == 3
    for path in units.values():
        if ' ' in TOOL and path.suffix == '.service':
            continue
        result = subprocess.run(['systemd-analyze', 'verify', '--man=no', '--recursive-errors=no',
                                 path], capture_output=True, text=True)
        assert result.returncode == 0 and str(path) not in result.stderr, result.stderr
    broken = units['vtunnel-server.service']
    broken.write_text(broken.read_text().replace('LockPersonality', 'LockPersonalities'))
    result = subprocess.run(['systemd-analyze', 'verify', '--man=no', broken],
                            capture_output=True, text=True)
    assert 'LockPersonalities' in result.stderr, 'it says nothing of a mistake either'


@test
def they_are_hardened():
    units = unit_files()

    def exposure(path, most):
        return subprocess.run(['systemd-analyze', 'security', '--offline=yes', '--no-pager',
                               f'--threshold={most}', path], capture_output=True, text=True)
    for name, most in EXPOSURE.items():
        result = exposure(units[name], most)
        assert result.returncode == 0, result.stdout
        assert exposure(units[name], 5).returncode != 0, 'it finds all units fine'
        text = units[name].read_text()
        for line in ('DynamicUser=yes', 'ProtectSystem=strict', 'MemoryDenyWriteExecute=yes',
                     'ReadOnlyPaths=/run', 'PrivateIPC=yes', 'InaccessiblePaths=-/dev/shm'):
            assert f'\n{line}\n' in text, line
    # No secret is in the environment, where others of the same user can see it.
    assert 'LoadCredential=vtunnel-token:' in units['vtunnel-client@.service'].read_text()


@test
def they_agree_with_the_tool():
    """What the units call exists, and what the socket is called is what the tool takes."""
    units = unit_files()
    for name in EXPOSURE:
        for words in re.findall(r'(?m)^Exec\w+=\S+/vtunnel-tool (.*)$', units[name].read_text()):
            command, *options = words.split()
            page = subprocess.run([TOOL, command, '--help'], capture_output=True, text=True).stdout
            assert all(option in page for option in options if option.startswith('--')), words
    assert 'FileDescriptorName=tunnel\n' in units['vtunnel-server.socket'].read_text()


@test
def a_server_tells():
    manager = Manager()
    config = folder / 'server.conf'
    config.write_text('[server]\nport=0\njson=true\n')
    server = manager.start('server', '--config', str(config))
    assert manager.listen() == 'READY=1'
    # It was true when it was said.
    port = server.event('listening')['port']
    user(port).close()
    manager.wait_for('STATUS=Clients: 0')
    client = Tool.client(port, '0=localhost:1')
    manager.wait_for('STATUS=Clients: 1')
    client.stop()
    manager.wait_for('STATUS=Clients: 0')
    for text, event in ('[server]\nport=0\njson=true\n', 'reloaded'), ('[nonsense]\n', 'error'):
        config.write_text(text)
        server.process.send_signal(signal.SIGHUP)
        reloading = manager.listen()
        assert re.fullmatch(r'RELOADING=1\nMONOTONIC_USEC=[0-9]+', reloading), reloading
        assert manager.listen() == 'READY=1'
        server.event(event)
    server.process.send_signal(signal.SIGTERM)
    assert manager.listen() == 'STOPPING=1'
    assert server.wait() == 0
    manager.says_nothing_more()
    assert manager.said[-1] == 'STOPPING=1', manager.said


@test
def a_server_that_waits_asks_for_time():
    """So that a unit's TimeoutStopSec= does not cut off what the configuration lets finish."""
    manager = Manager()
    server = manager.start('server', '--json', '--port', '0', '--grace', '3600')
    target = Target(echo)
    client = Tool.client(server.event('listening')['port'], f'0={target.spec}')
    with user(client.forward_port()) as sock:
        sock.sendall(b'hello')
        assert receive_exactly(sock, 5) == b'hello'
        server.process.send_signal(signal.SIGTERM)
        manager.wait_for('STOPPING=1')
        status, time = manager.listen(), manager.listen()
        assert status.startswith('STATUS=Shutting down: open connections (1)'), status
        extended, microseconds = time.split('=')
        assert extended == 'EXTEND_TIMEOUT_USEC' and int(microseconds) > 3600e6, time
    assert server.wait() == 0
    client.process.kill()


@test
def a_server_that_cannot_start_is_never_ready():
    manager = Manager()
    with socket.create_server(('127.0.0.1', 0)) as taken:
        server = manager.start('server', '--port', str(taken.getsockname()[1]))
        assert server.wait() == 1
    manager.says_nothing_more()
    assert 'READY=1' not in manager.said, manager.said


@test
def a_client_tells():
    """It is ready when its forwards are answered, which takes a server."""
    manager = Manager()
    port = free_port()
    client = manager.start('client', '--json', '--server', f'ws://127.0.0.1:{port}/', '--forward',
                           '0=localhost:1', '--forward', '0=localhost:2', '--retry-first',
                           '--reconnect-min', '0.1')
    wait_until(lambda: [line for line in client.errors if 'trying again' in line])
    manager.says_nothing_more()
    assert 'READY=1' not in manager.said, manager.said
    server = Tool('server', '--json', '--port', str(port), '--resume-timeout', '0')
    before = manager.wait_for('READY=1')
    assert before == [f'STATUS=Connected to ws://127.0.0.1:{port}/'], before
    client.wait_events('forward-opened', 2)
    server.process.kill()
    manager.wait_for(f'STATUS=Lost the connection to ws://127.0.0.1:{port}/, trying again')
    server = Tool('server', '--json', '--port', str(port))
    manager.wait_for(f'STATUS=Connected to ws://127.0.0.1:{port}/')
    client.stop()
    assert manager.listen() == 'STOPPING=1'
    assert manager.said.count('READY=1') == 1, manager.said
    server.stop()


@test
def a_client_whose_forward_is_refused():
    manager = Manager()
    server = Tool.server('--max-forwards', '1')
    words = ('client', '--json', '--server', f'ws://127.0.0.1:{server.port}/', '--forward',
             '0=localhost:1', '--forward', '0=localhost:2')
    client = manager.start(*words)
    assert client.wait() == 3
    manager.says_nothing_more()
    assert 'READY=1' not in manager.said and 'STOPPING=1' in manager.said, manager.said
    client = manager.start(*words, '--keep-going')
    manager.wait_for('READY=1')
    client.stop()
    server.stop()


@test
def signs_of_life():
    manager = Manager()
    server = manager.start('server', '--port', '0', WATCHDOG_USEC='100000')
    for _ in range(3):
        manager.wait_for('WATCHDOG=1')
    server.stop()
    # That is for somebody else.
    manager = Manager()
    server = manager.start('server', '--port', '0', WATCHDOG_USEC='1000', WATCHDOG_PID='1')
    manager.wait_for('STATUS=Clients: 0')
    server.stop()
    manager.says_nothing_more()
    assert 'WATCHDOG=1' not in manager.said, manager.said


class Handed:
    """A server that is started with these sockets, as a service manager hands them over."""

    def __new__(cls, sockets, *arguments, names='tunnel'):
        numbers = [sock.fileno() for sock in sockets]
        moves = ' '.join(f'{3 + i}<&{number}' for i, number in enumerate(numbers))
        script = (f'exec {moves}; LISTEN_FDS={len(numbers)} LISTEN_PID=$$ LISTEN_FDNAMES="{names}" '
                  'exec "$@"')
        # The numbers from 3 on are free: those that are passed come after them.
        assert min(numbers) >= 3 + len(numbers), numbers
        return Tool('server', '--json', *arguments, prefix=('bash', '-c', script, 'bash'),
                    pass_fds=numbers)


def high(sock):
    """The same socket with a number that is in nobody's way."""
    with sock:
        return socket.socket(fileno=fcntl.fcntl(sock.fileno(), fcntl.F_DUPFD, 100))


@test
def a_socket_that_was_open_before():
    """Who connects while there is no server is served when there is one; and by the next one."""
    target = Target(echo)
    listener = high(socket.create_server(('127.0.0.1', 0)))
    port = listener.getsockname()[1]
    client = Tool.client(port, f'0={target.spec}')
    for number in range(2):
        server = Handed([listener], '--port', '1', '--resume-timeout', '0', '--grace', '0')
        told = server.event('listening')
        assert (told['address'], told['port']) == ('127.0.0.1', port), told
        opened = client.wait_events('forward-opened', number + 1)[number]['port']
        assert echoes(opened)
        server.stop()
    client.process.kill()
    listener.close()


@test
def two_sockets():
    listeners = [high(socket.create_server(('127.0.0.1', 0))),
                 high(socket.create_server(('::1', 0), family=socket.AF_INET6))]
    server = Handed(listeners, names='tunnel:tunnel')
    told = server.wait_events('listening', 2)
    assert {event['address'] for event in told} == {'127.0.0.1', '::1'}, told
    for listener in listeners:
        client = Tool.client(listener.getsockname()[1], '0=localhost:1') \
            if listener.family == socket.AF_INET else \
            Tool('client', '--json', '--server', f'ws://[::1]:{listener.getsockname()[1]}/',
                 '--forward', '0=localhost:1')
        client.event('forward-opened')
        client.stop()
        listener.close()
    server.stop()


@test
def sockets_that_are_not_taken():
    unix = socket.socket(socket.AF_UNIX)
    unix.bind(str(folder / 'unix'))
    unix.listen()
    silent = socket.socket()
    silent.bind(('127.0.0.1', 0))
    datagrams = socket.socket(type=socket.SOCK_DGRAM)
    datagrams.bind(('127.0.0.1', 0))
    for sock, words in ((unix, 'TCP socket'), (silent, 'TCP socket'), (datagrams, 'TCP socket'),
                        (socket.create_server(('0.0.0.0', 0)), '0.0.0.0')):
        sock = high(sock)
        server = Handed([sock])
        assert server.wait() == 1 and words in server.errors[-1], server.errors
        sock.close()
    sock = high(socket.create_server(('127.0.0.1', 0)))
    server = Handed([sock], names='nonsense')
    assert server.wait() == 1 and '“nonsense”' in server.errors[-1], server.errors
    sock.close()


@test
def a_real_hand_over():
    """By systemd's own program for trying it, which starts the server when somebody comes."""
    port = free_port()
    environment = [f'--setenv={name}' for name in os.environ
                   if name.startswith(('ASAN_', 'LSAN_', 'UBSAN_', 'LC_', 'G_'))]
    activator = subprocess.Popen(
        ['systemd-socket-activate', f'--listen=127.0.0.1:{port}', '--fdname=tunnel', *environment,
         TOOL, 'server', '--json'], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert 'Listening on' in activator.stderr.readline()
        client = Tool.client(port, '0=localhost:1')
        client.event('forward-opened')
        client.stop()
    finally:
        activator.terminate()
        activator.communicate(timeout=DEADLINE)


@test
def a_token_that_is_empty():
    """What a unit sets for those that have none."""
    credentials = folder / 'credentials'
    credentials.mkdir()
    (credentials / 'vtunnel-token').touch(0o600)
    server = Tool.server()
    for text in '\n', '':
        (credentials / 'vtunnel-token').write_text(text)
        client = Tool.client(server.port, '0=localhost:1',
                             environment={'CREDENTIALS_DIRECTORY': str(credentials)})
        client.event('forward-opened')
        client.stop()
    (credentials / 'vtunnel-token').write_text('two words\n')
    client = Tool.client(server.port, '0=localhost:1',
                         environment={'CREDENTIALS_DIRECTORY': str(credentials)})
    assert client.wait() == 2
    server.stop()


if __name__ == '__main__':
    main()
