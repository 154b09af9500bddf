#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""The commands of vtunnel-tool and the session service itself, with real tunnels."""

import contextlib
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'peers'))

from desktop import Desktop  # noqa: E402
from harness import (DEADLINE, TOOL, Target, Tool, echo, free_port, main,  # noqa: E402
                     receive_exactly, test, user)
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
                                'proxy-protocol=2')
        forward, = here.show('web')['forwards']
        assert {name: forward[name] for name in ('listen', 'target', 'host_header',
                                                 'proxy_protocol')} == {
            'listen': f'127.0.0.1:{port}', 'target': 'tls://example.org:443',
            'host_header': 'keep', 'proxy_protocol': 2}, forward


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
def the_monitor():
    with world() as here:
        here.add('web', '--session')
        terminal = Screen(80, 24, here.environment)
        try:
            terminal.run(TOOL, 'monitor')
            terminal.wait_for('○ web', 'inactive')
            here.run(0, 'open', 'web')
            terminal.wait_for('● web', 'connected')
            port = here.show('web')['forwards'][0]['port']
            terminal.wait_for(f'{port} → {here.target.spec}')
            with user(port) as sock:
                for _ in range(20):
                    sock.sendall(b'x' * 100000)
                    receive_exactly(sock, 100000)
                terminal.wait_for('    127.0.0.1', '↑   2.0 MB  ↓   2.0 MB', '1 stream')
            terminal.wait(lambda text: '0 streams' in text and '    127.0.0.1' not in text)
            here.run(0, 'remove', 'web')
            terminal.wait_for('There are no tunnels yet')
            terminal.press('q')
            terminal.check_restored()
        finally:
            terminal.close()


main()
