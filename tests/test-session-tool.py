#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""The commands of vtunnel-tool and the session service itself, with real tunnels."""

import contextlib
import json
import os
import re
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'peers'))

from desktop import Desktop  # noqa: E402
from harness import (DEADLINE, TOOL, Target, Tool, echo, free_port, in_thread,  # noqa: E402
                     main, receive_exactly, test, user, wait_until)
from screen import Screen  # noqa: E402


class World:
    """A desktop, a server, and something to forward to."""

    def __init__(self, *server):
        self.desktop = Desktop()
        self.environment = {'DBUS_SESSION_BUS_ADDRESS': self.desktop.address}
        self.server = Tool.server(*server)
        self.target = Target(echo)
        self.uri = f'ws://127.0.0.1:{self.server.port}/'

    def run(self, status, *arguments, stdin=''):
        """(standard output, standard error) of the tool."""
        done = subprocess.run([TOOL, *arguments], capture_output=True, text=True, input=stdin,
                              timeout=DEADLINE, env=dict(os.environ, **self.environment))
        assert done.returncode == status, (arguments, done)
        return done.stdout, done.stderr

    def add(self, name, *arguments, status=0, forward=None):
        return self.run(status, 'add', name, '--server', self.uri, '--forward',
                        forward or f'0={self.target.spec}', *arguments)

    def show(self, name):
        return json.loads(self.run(0, 'show', name, '--json')[0])


@contextlib.contextmanager
def world(*server):
    self = World(*server)
    try:
        yield self
        self.server.stop()
        self.desktop.close()
    finally:
        self.target.close()
        Desktop.end_all()


@test
def the_life_of_a_tunnel():
    with world() as here:
        assert here.run(0, 'list', '--json')[0] == ''
        assert 'Forwarding ' in here.add('web', '--open')[1]
        told = here.show('web')
        port = told['forwards'][0]['port']
        assert told['state'] == 'connected' and told['lifetime'] == 'persistent', told
        with user(port) as sock:
            sock.sendall(b'hello')
            assert receive_exactly(sock, 5) == b'hello'
            stream, = here.show('web')['streams']
            assert stream['user'].startswith('127.0.0.1'), stream
        here.run(0, 'close', 'web')
        assert here.show('web')['state'] == 'inactive'
        here.desktop.stop_service()
        listed, = here.run(0, 'list', '--json')[0].splitlines()
        assert json.loads(listed)['name'] == 'web'
        here.run(0, 'open', 'web')
        here.run(0, 'remove', 'web')
        here.run(5, 'show', 'web')


@test
def options_of_a_forward():
    with world() as here:
        port = free_port()
        here.add('web', forward=f'127.0.0.1:{port}=tls://example.org:443,host-header=keep,'
                                'proxy-protocol=2,forwarded=both,http,health=30')
        forward, = here.show('web')['forwards']
        assert {name: forward[name] for name in ('listen', 'target', 'host_header',
                                                 'proxy_protocol', 'forwarded', 'http',
                                                 'health')} == {
            'listen': f'127.0.0.1:{port}', 'target': 'tls://example.org:443',
            'host_header': 'keep', 'proxy_protocol': 2, 'forwarded': 'both', 'http': True,
            'health': 30}, forward


@test
def refused():
    with world('--allowed-ports', '5000') as here:
        here.add('no', '--open', status=3, forward='1=80')
        here.add('secret', '--server', 'ws://user:pass@127.0.0.1/', status=2)
        here.add('x' * 1000, status=2)
        here.run(1, 'add', 'no', '--server', here.uri, '--forward', '0=80')


@test
def a_token():
    with world() as here:
        here.add('web')
        here.run(0, 'set-token', 'web', '--storage', 'memory', stdin='s3cret\n')
        here.run(0, 'set-token', 'web', '--forget', '--storage', 'memory')
        _, errors = here.run(1, 'set-token', 'web', stdin='s3cret\n')
        assert '--storage' in errors and 's3cret' not in errors, errors


@test
def a_token_that_is_typed():
    with world() as here:
        here.add('web')
        terminal = Screen(80, 24, here.environment)
        try:
            terminal.run(TOOL, 'set-token', 'web', '--storage', 'file')
            terminal.wait_for('Token for “web”:')
            terminal.type('s3cret')
            text = terminal.wait_for('The token of “web” is set')
            assert 's3cret' not in text, text
            file, = here.desktop.secrets.iterdir()
            assert file.read_text() == 's3cret'
            terminal.check_restored()
        finally:
            terminal.close()


def keep_moving(port, sent, end):
    """A user who sends and reads until `end` is set."""
    with user(port) as sock:
        while not end.is_set():
            sock.sendall(b'x' * 100000)
            receive_exactly(sock, 100000)
            sent[0] += 100000


def the_monitor_at(width, height):
    """Real traffic of a real tunnel, beside one whose server is not there."""
    sent, end = [0], threading.Event()
    with world() as here:
        here.add('web', '--session')
        here.run(0, 'add', 'lost', '--server', f'ws://127.0.0.1:{free_port()}/', '--forward',
                 '5432=localhost:5432')
        terminal = Screen(width, height, here.environment)
        try:
            terminal.run(TOOL, 'monitor')
            terminal.wait_for('○ web', '○ lost', '2 tunnels, 0 connected')
            here.run(0, 'open', 'web')
            here.run(0, 'open', '--no-wait', 'lost')
            port = here.show('web')['forwards'][0]['port']
            terminal.wait_for('● web', 'connected', f'{port} → {here.target.spec}')
            terminal.wait(lambda text: re.search(r'○ lost +retry in \d+ s', text), 'the wait')
            moved = in_thread(keep_moving, port, sent, end)
            text = terminal.wait(lambda text: re.search(
                rf'{port} → .*[▂▃▄▅▆▇█]{{2}}  ↑ +[0-9.]+ MB/s  ↓ +[0-9.]+ MB/s$', text, re.M),
                'a graph')
            lines = text.split('\n')
            assert re.match(r'vtunnel  2 tunnels, 1 connected, 1 stream +↑ +[0-9.]+ MB/s  '
                            r'↓ +[0-9.]+ MB/s$', lines[0]), text
            assert len(lines[0]) == width and lines[height - 1] == 'q: quit', text
            assert max(map(len, lines)) == width, text
            assert re.search(r'^  ! .*Connection refused', text, re.M), text
            rates = r'^    127\.0\.0\.1:\d+ +\d+ s  ↑ +[0-9.]+ [MG]B  ↓ +[0-9.]+ [MG]B$'
            assert re.search(rates, text, re.M), text
            end.set()
            moved()
            terminal.wait(lambda text: ' 0 streams' in text and '    127.0.0.1' not in text)
            here.run(0, 'close', 'web')
            terminal.wait_for('○ web')
            told = here.show('web')
            assert told['bytes_sent'] == told['bytes_received'] == sent[0], told
            here.run(0, 'remove', 'web')
            here.run(0, 'remove', 'lost')
            terminal.wait_for('There are no tunnels yet')
            terminal.press('q')
            terminal.check_restored()
        finally:
            end.set()
            terminal.close()


@test
def the_monitor_at_80x24():
    the_monitor_at(80, 24)


@test
def the_monitor_at_200x50():
    the_monitor_at(200, 50)


@test
def a_target_that_is_down():
    """The tunnel is open all the same, and whoever asks is told; so is the monitor."""
    with world() as here:
        down = free_port()
        _, errors = here.add('web', '--open', forward=f'0={down},health=1')
        assert 'Forwarding ' in errors, errors

        def state(word):
            forward, = here.show('web')['forwards']
            return forward['state'] == word and forward
        forward = wait_until(lambda: state('target-down'), what='the state')
        assert forward['error'] and forward['port'] > 0 and forward['health'] == 1, forward
        assert here.show('web')['state'] == 'connected'
        assert 'target down' in here.run(0, 'show', 'web')[0]
        target = Target(echo, port=down)
        forward = wait_until(lambda: state('listening'), what='the target')
        assert 'error' not in forward, forward
        target.close()


@test
def the_monitor_in_a_pipe():
    with world() as here:
        here.add('web')
        process = subprocess.Popen([TOOL, 'monitor'], stdout=subprocess.PIPE, text=True,
                                   env=dict(os.environ, **here.environment))

        def wait_for(pattern):
            for line in process.stdout:
                if re.search(pattern, line.rstrip('\n')):
                    return
            raise AssertionError(f'never: {pattern}')
        wait_for('web: inactive$')
        here.run(0, 'open', 'web')
        wait_for(f'web: connected: {here.uri}$')
        wait_for(rf'web: \d+ → {here.target.spec}: listening$')
        with user(here.show('web')['forwards'][0]['port']) as sock:
            sock.sendall(b'x')
            wait_for('web: 1 stream$')
        wait_for('web: 0 streams$')
        here.run(0, 'remove', 'web')
        wait_for('web: removed$')
        process.terminate()
        assert process.wait(DEADLINE) == 0
        process.stdout.close()


main()
