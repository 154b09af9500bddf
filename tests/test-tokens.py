#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""A server that is closed to strangers, as its operator and its clients meet it."""

import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'peers'))

import websocket  # noqa: E402
from harness import (DEADLINE, TOOL, Target, Tool, echo, echoes, free_port,  # noqa: E402
                     in_thread, main, receive_all, receive_exactly, test, user, wait_until)

scratch = tempfile.TemporaryDirectory()
folder = pathlib.Path(scratch.name)
WRONG = 'vt_alice_' + 'A' * 43


def run(*arguments, **environment):
    """Runs the tool to its end: (status, standard output, standard error)."""
    env = {key: value for key, value in os.environ.items() if key != 'VTUNNEL_TOKEN'}
    done = subprocess.run([TOOL, *arguments], capture_output=True, text=True, timeout=DEADLINE,
                          env=dict(env, **environment), stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout, done.stderr


class Access:
    """An access file; the tokens of those that are in it stand in `tokens`."""

    count = 0

    def __init__(self, **rests):
        Access.count += 1
        self.path = folder / f'access-{Access.count}'
        self.tokens = {}
        self.lines = {}
        for name, rest in rests.items():
            status, lines, errors = run('token', name)
            assert status == 0, errors
            self.tokens[name] = re.search(rf'vt_{name}_[\w-]{{43}}\n', errors)[0].strip()
            self.lines[name] = lines + rest
        self.write(*rests)

    def write(self, *names):
        """As an editor does: a new file in the place of the old one."""
        beside = self.path.with_suffix('.new')
        beside.touch(0o600)
        beside.write_text(''.join(self.lines[name] for name in names))
        beside.rename(self.path)

    def server(self, *arguments, **options):
        return Tool.server('--verbose', '--access', str(self.path), *arguments, **options)

    def client(self, name, server, *forwards, arguments=()):
        return Tool.client(server.port, *forwards, arguments=('--verbose', *arguments),
                           environment={'VTUNNEL_TOKEN': self.tokens[name]})


def ask(port, *lines, address='127.0.0.1', path='/'):
    """The head of the answer to an upgrade with these header lines."""
    with socket.socket() as sock:
        sock.settimeout(DEADLINE)
        sock.bind((address, 0))
        sock.connect(('127.0.0.1', port))
        sock.sendall('\r\n'.join([
            f'GET {path} HTTP/1.1', 'Host: tunnel.example.org', 'Upgrade: websocket',
            'Connection: Upgrade', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
            'Sec-WebSocket-Version: 13', *lines, '', '']).encode())
        head = b''
        while b'\r\n\r\n' not in head:
            piece = sock.recv(4096)
            if not piece:
                break
            head += piece
        return head.decode()


@test
def a_token_and_its_lines():
    status, output, errors = run('token', 'laptop')
    assert status == 0
    assert re.fullmatch(r'\n\[client laptop\]\ntoken=sha256:[\w-]{22}:[\w-]{43}\n', output), output
    token = re.search(r'vt_laptop_[\w-]{43}\b', errors)[0]
    assert token not in output and token.split('_', 2)[2] not in output
    status, output, errors = run('token', '--quiet')
    name = re.search(r'^\[client (client-[0-9a-f]{8})\]$', output, re.M)[1]
    assert f'vt_{name}_' in errors, errors

    file = folder / 'laptop.token'
    status, output, errors = run('token', 'laptop', '--token-file', str(file))
    assert (status, errors) == (0, ''), errors
    assert re.fullmatch(r'vt_laptop_[\w-]{43}\n', file.read_text())
    assert file.stat().st_mode & 0o777 == 0o600
    status, _, errors = run('token', 'laptop', '--token-file', str(file))
    assert status == 1 and str(file) in errors, errors
    for name in 'Laptop', 'a b', 'a' * 33, '':
        assert run('token', name)[0] == 2, name


@test
def a_server_that_does_not_start():
    access = Access(alice='')
    for mode in 0o644, 0o604, 0o620, 0o660:
        access.path.chmod(mode)
        status, _, errors = run('server', '--access', str(access.path))
        assert status == 1 and 'chmod 600' in errors, errors
    access.path.chmod(0o600)
    access.path.write_text('[client alice]\ntokn=x\n')
    status, _, errors = run('server', '--access', str(access.path))
    assert status == 1 and 'line 2' in errors and 'tokn' in errors, errors
    for arguments in (['--access', str(folder / 'missing')], ['--access', str(folder)]):
        assert run('server', *arguments)[0] == 1
    for arguments in (['--access', 'x', '--no-auth'], ['--trusted-proxy', '10.0.0.0/99'],
                      ['--listen', '0.0.0.0']):
        status, _, errors = run('server', *arguments)
        assert status == 2 and errors.count('\n') == 1, errors


@test
def ten_thousand_wrong_tokens():
    """From 16 addresses, with as many names: no session, no port, nothing in a log; others work."""
    target = Target(echo)
    access = Access(alice='')
    server = access.server()
    client = access.client('alice', server, f'0=127.0.0.1:{target.port}')
    port = client.forward_port()
    descriptors, memory = server.descriptors(), server.memory()
    answers = {'401': 0, '429': 0}
    longest = [0.0]
    over = threading.Event()

    def use():
        n_requests = 0
        with user(port) as sock:
            while not over.is_set() or n_requests < 10:
                begun = time.monotonic()
                sock.sendall(b'x')
                receive_exactly(sock, 1)
                longest[0] = max(longest[0], time.monotonic() - begun)
                n_requests += 1
        return n_requests

    def attack(number):
        counts = {'401': 0, '429': 0}
        for i in range(2500):
            name = ('alice', 'bob', f'c{i}')[i % 3]
            head = ask(server.port, f'Authorization: Bearer vt_{name}_{"B" * 37}{i:06}',
                       address=f'127.0.{number}.{i % 4 + 1}')
            counts[head.split()[1]] += 1
        return counts

    using = in_thread(use)
    begun = time.monotonic()
    for wait in [in_thread(attack, number) for number in range(1, 5)]:
        for status, count in wait().items():
            answers[status] += count
    seconds = time.monotonic() - begun
    over.set()
    print(f'# {answers} in {seconds:.1f} s; beside it {using()} requests, '
          f'the longest {longest[0] * 1000:.1f} ms')
    assert sum(answers.values()) == 10_000 and 16 * 5 <= answers['401'] < 400, answers
    # Each address waits for itself.
    assert ' 101 ' in ask(server.port, f'Authorization: Bearer {access.tokens["alice"]}')
    wait_until(lambda: server.descriptors() <= descriptors, what='the end of their connections')
    print(f'# {(server.memory() - memory) / 1024:.0f} KiB more')
    assert server.memory() - memory < 16 << 20
    wait_until(lambda: len([line for line in server.errors
                            if 'wrong tokens came from' in line]) == 16, what='16 lines')
    for tool in server, client:
        with open(f'/proc/{tool.process.pid}/cmdline', 'rb') as arguments:
            assert b'vt_' not in arguments.read()
        assert not [line for line in tool.errors if 'vt_' in line or 'BBBB' in line]
    sessions = [e for e in server.events if e['event'] == 'session-opened']
    assert {e['user'] for e in sessions} == {'alice'} and len(sessions) <= 2, sessions
    assert len([e for e in server.events if e['event'] == 'forward-opened']) == 1
    client.stop()
    server.stop()


@test
def a_client_that_was_killed_has_its_port_at_once():
    target = Target(echo)
    access = Access(alice='', bob='')
    server = access.server()
    port = free_port()
    forward = f'{port}=127.0.0.1:{target.port}'
    client = access.client('alice', server, forward)
    client.forward_port()
    client.process.kill()
    server.event('session-suspended')
    other = access.client('bob', server, forward, arguments=('--no-reconnect',))
    assert other.wait() == 3, other.errors
    again = access.client('alice', server, forward)
    assert again.forward_port() == port
    assert echoes(port)
    again.stop()
    server.stop()


@test
def an_entry_that_goes():
    """By the file alone, and by SIGHUP: its session ends, and no other notices."""
    target = Target(echo)
    access = Access(alice='', bob='', carol='')
    server = access.server()
    clients = {name: access.client(name, server, f'0=127.0.0.1:{target.port}')
               for name in access.tokens}
    ports = {name: client.forward_port() for name, client in clients.items()}
    with user(ports['carol']) as sock:
        access.write('bob', 'carol')
        assert clients['alice'].wait() == 1, clients['alice'].errors
        assert 'access was taken back' in clients['alice'].errors[-1]
        assert server.event('session-closed')['error']['code'] == 'not-authorised'
        assert echoes(ports['bob'])

        access.path.write_text('[client bob]\nports=80\n')
        wait_until(lambda: [line for line in server.errors if 'stays in force' in line],
                   what='word of a file that cannot be understood')
        assert echoes(ports['bob'])

        access.write('carol')
        server.process.send_signal(signal.SIGHUP)
        assert clients['bob'].wait() == 1, clients['bob'].errors
        sock.sendall(b'still')
        assert receive_exactly(sock, 5) == b'still'
    late = access.client('alice', server, '0=1', arguments=('--no-reconnect',))
    assert late.wait() == 4, late.errors
    assert len([e for e in server.events if e['event'] == 'session-closed']) == 2
    clients['carol'].stop()
    server.stop()


@test
def what_an_entry_grants():
    port = free_port()
    access = Access(alice=f'ports={port},443\naddresses=127.0.0.1;127.0.0.2\n', bob='',
                    dora='addresses=*\n')
    server = access.server()
    for name, forward, status in [
            ('alice', f'{port}=1', 0), ('alice', f'127.0.0.2:{port}=1', 0),
            ('alice', f'127.0.0.3:{port}=1', 3), ('alice', f'*:{port}=1', 3),
            ('alice', '0=1', 3), ('alice', f'{port + 1}=1', 3),
            ('bob', '0=1', 0), ('bob', '443=1', 3), ('bob', '1023=1', 3), ('bob', '*:0=1', 3),
            ('bob', '127.0.0.3:0=1', 0),
            ('dora', '127.0.0.1:0=1', 0), ('dora', '*:0=1', 0)]:
        client = access.client(name, server, forward)
        if status == 0:
            client.forward_port()
            client.stop()
        else:
            assert client.wait() == status, (name, forward, client.errors)
            assert [line for line in client.errors
                    if 'not allowed' in line or 'leaves out' in line], client.errors
    server.stop()


@test
def where_a_token_comes_from():
    access = Access(alice='')
    server = access.server()
    token = folder / 'token'
    token.touch(0o600)
    token.write_text(access.tokens['alice'] + '\n')
    credentials = folder / 'credentials'
    credentials.mkdir()
    (credentials / 'vtunnel-token').touch(0o400)
    url = f'ws://127.0.0.1:{server.port}/'

    def enters(*arguments, server_url=url, **environment):
        client = Tool('client', '--json', '--server', server_url, '--forward', '0=1', *arguments,
                      environment=environment)
        event = server.event('session-opened', user='alice')
        server.events.remove(event)
        client.forward_port()
        client.stop()

    enters('--token-file', str(token))
    enters(VTUNNEL_TOKEN=access.tokens['alice'])
    (credentials / 'vtunnel-token').write_text(access.tokens['alice'])
    enters(CREDENTIALS_DIRECTORY=str(credentials))
    # The name and the token as HTTP has it, in the address.
    enters(server_url=url.replace('ws://', f'ws://alice:{access.tokens["alice"]}@'))

    client = ['client', '--server', url, '--forward', '0=1']
    status, _, errors = run(*client, VTUNNEL_TOKEN=WRONG)
    assert status == 4 and '401' in errors and 'AAAA' not in errors, errors
    assert run(*client)[0] == 4
    for mode in 0o644, 0o620, 0o604:
        token.chmod(mode)
        status, _, errors = run(*client, '--token-file', str(token))
        assert status == 1 and 'chmod 600' in errors, errors
        assert access.tokens['alice'] not in errors
    server.stop()


@test
def behind_a_proxy():
    access = Access(alice='')
    bearer = f'Authorization: Bearer {access.tokens["alice"]}'
    server = access.server()
    for line in ('X-Forwarded-For: 192.0.2.1', 'Forwarded: for=192.0.2.1', 'Via: 1.1 x',
                 'CF-Connecting-IP: 192.0.2.1'):
        assert ' 403 ' in ask(server.port, bearer, line), line
    server.stop()

    server = access.server('--trusted-proxy', '127.0.0.1', '--trusted-proxy', '10.0.0.0/8')
    for line, address in [('X-Forwarded-For: 198.51.100.9, 192.0.2.1, 10.0.0.1', '192.0.2.1'),
                          ('Forwarded: for="[2001:db8::1]:4711";proto=https', '2001:db8::1')]:
        head = ask(server.port, bearer, line)
        assert ' 101 ' in head, head
        assert server.event('session-opened', address=address)['user'] == 'alice'
    assert ' 403 ' in ask(server.port, bearer, 'X-Forwarded-For: 192.0.2.1', address='127.0.0.5')
    for _ in range(6):
        head = ask(server.port, f'Authorization: Bearer {WRONG}', 'X-Forwarded-For: 192.0.2.7')
    assert ' 429 ' in head and 'Retry-After: ' in head, head
    assert ' 101 ' in ask(server.port, bearer, 'X-Forwarded-For: 192.0.2.8')
    server.stop()


@test
def what_needs_no_token():
    access = Access(alice='')
    server = access.server()
    with user(server.port) as sock:
        sock.sendall(b'GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
        assert receive_all(sock).endswith(b'ok')
    head = ask(server.port, f'Authorization: Bearer {access.tokens["alice"]}',
               'Origin: https://example.com')
    assert ' 403 ' in head, head
    try:
        websocket.WebSocket.connect('127.0.0.1', server.port)
        raise AssertionError('a stranger came in')
    except websocket.Closed as closed:
        assert ' 401 ' in closed.reason, closed.reason
    server.stop()


main()
