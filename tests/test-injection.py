#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""Texts of peers that would be more than text where they are shown."""

import contextlib
import json
import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'peers'))

import v2peer  # noqa: E402
from attack import Victim, run_all  # noqa: E402
from harness import Tool, main, test  # noqa: E402
from websocket import WebSocket  # noqa: E402

# A line of its own, a cleared screen, a title, an answer of the terminal, C1, a direction.
NASTY = 'x\nfake: line\r\x1b[2J\x1b]0;title\x07\x1b[6n\x9b31m\u202e\u2028\x7f\x08'
LONG = NASTY * (65536 // len(NASTY))


def check_shown(tool):
    """Nothing of it stands anywhere as it was sent, nor makes a line of its own."""
    for line in [*tool.errors, *(json.dumps(e, ensure_ascii=False) for e in tool.events)]:
        assert not line.startswith('fake'), line[:200]
        for character in line:
            code = ord(character)
            assert code >= 0x20 and not 0x7f <= code < 0xa0, repr(line[:200])
            assert character not in '\u202e\u2028', repr(line[:200])
        assert len(line) < 16384, len(line)


@test
def texts_of_a_client():
    server = Tool.server('--verbose')
    for text in (NASTY, LONG):
        web = WebSocket.connect('127.0.0.1', server.port)
        session = server.event('session-opened', port=web.sock.getsockname()[1])['session']
        for key in ('type', 'error', 'data', 'port', text[:1000]):
            web.send(json.dumps({'type': 'listen_err', key: text}))
            web.send(text + key)
        web.close(4000, NASTY[:30])
        server.event('session-closed', session=session)
        with socket.create_connection(('127.0.0.1', server.port)) as sock:
            sock.sendall(f'GET /{text} HTTP/1.1\r\nHost: {text}\r\nOrigin: {text}\r\n\r\n'.encode())
        peer = v2peer.Client(server.port, greets=False)
        peer.send_control('hello', agent=text[:500], **peer.limits())
        peer.wait_control('welcome')
        peer.send_control('listen', id=1, address=text[:300])
        peer.wait_control('listen_err', id=1)
        peer.send_control('goaway', reason=text[:300], timeout=1)
        peer.send_control('listen', id=2, kind=text[:300], names=[text[:100]])
        peer.wait_control('listen_err', id=2)
        peer.abort()
    server.stop()
    check_shown(server)


@test
def texts_of_a_server():
    for text in (NASTY, LONG):
        victim = Victim(arguments=('--verbose',))
        peer = victim.peer
        peer.open(1)
        peer.send(v2peer.reset(1, 'failed', text[:50]))
        victim.client.event('stream-closed')
        peer.send_control('goaway', reason=text[:300], timeout=1)
        peer.web.close(1008, text[:30])
        victim.client.wait()
        check_shown(victim.client)
        with socket.create_server(('127.0.0.1', 0)) as listener:
            client = Tool.client(listener.getsockname()[1], '9000=localhost:1',
                                 arguments=('--no-reconnect', '--verbose'))
            sock, _ = listener.accept()
            web = WebSocket.accept(sock)
            web.receive()
            web.send(json.dumps({'type': 'listen_err', 'port': 9000, 'error': text}))
            assert client.wait() != 0
        check_shown(client)
        with socket.create_server(('127.0.0.1', 0)) as listener:
            client = Tool.client(listener.getsockname()[1], '9000=localhost:1',
                                 arguments=('--no-reconnect', '--verbose'))
            sock, _ = listener.accept()
            with sock:
                sock.recv(65536)
                sock.sendall(f'HTTP/1.1 400 {text[:300]}\r\nServer: {text[:300]}\r\n\r\n'.encode())
            assert client.wait() != 0
        check_shown(client)


TEXTS_OF_A_CLIENT = [('hello', 'agent'), ('hello', 'session'), ('hello', 'secret'),
                     ('listen', 'kind'), ('listen', 'address'), ('listen', 'names'),
                     ('goaway', 'reason'), ('listen', 'type'), ('listen', NASTY)]
HEADERS = ('Host', 'Origin', 'Authorization', 'Forwarded', 'X-Forwarded-For', 'Via', 'User-Agent',
           'Cookie', 'Upgrade', 'Connection', 'Sec-WebSocket-Protocol', 'Sec-WebSocket-Key',
           'Sec-WebSocket-Version', 'Content-Length', 'Transfer-Encoding', NASTY)
UPGRADE = ('Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n'
           'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n')


def each_length():
    """One, what passes for short, what fits a head, and 64 KiB."""
    return (NASTY, NASTY * 8, LONG[:8000], LONG)


@test
def every_text_of_a_client():
    server = Tool.server('--verbose')
    for text in each_length():
        for kind, key in TEXTS_OF_A_CLIENT:
            peer = v2peer.Client(server.port, greets=kind != 'hello')
            fields = {'type': kind, 'id': 7, 'received': 0, **peer.limits()}
            if kind == 'hello':
                fields.update(session='s', secret='t')
            fields[key] = [text] if key == 'names' else text
            peer.sent += 1
            peer.web.send(json.dumps(fields))
            with contextlib.suppress(OSError):
                peer.web.close()
            peer.wait_gone()
        for name in HEADERS:
            with socket.create_connection(('127.0.0.1', server.port)) as sock, \
                 contextlib.suppress(OSError):
                sock.sendall(f'GET / HTTP/1.1\r\nHost: localhost\r\n{UPGRADE}{name}: {text}\r\n'
                             '\r\n'.encode())
                sock.recv(4096)
    server.stop()
    check_shown(server)


TEXTS_OF_A_SERVER = [('welcome', 'session'), ('welcome', 'secret'), ('listen_ok', 'address'),
                     ('listen_ok', 'url'), ('listen_err', 'code'), ('listen_err', 'error'),
                     ('goaway', 'reason'), ('goaway', 'type'), ('goaway', NASTY)]
ANSWERS = ('Location', 'WWW-Authenticate', 'Server', 'Set-Cookie', 'Sec-WebSocket-Protocol',
           'Sec-WebSocket-Accept', 'Upgrade', 'Content-Type', 'Retry-After', NASTY)


def say_to_a_client(_, kind, key, text):
    victim = Victim(greets=False, arguments=('--verbose',))
    peer = victim.peer
    peer.wait_control('hello')
    fields = {'session': 's' * 22, 'secret': 't' * 22, 'resume_timeout': 0, **peer.limits()}
    if kind == 'welcome':
        fields[key] = text
    peer.send_control('welcome', **fields)
    with contextlib.suppress(OSError):
        if kind != 'welcome':
            peer.sent += 1
            peer.web.send(json.dumps({'type': kind, 'id': 1, 'port': 9, 'code': 'failed',
                                      key: text}))
        peer.web.close(1008, NASTY[:30])
    peer.wait_gone()
    victim.client.wait()
    check_shown(victim.client)
    victim.target.close()


def answer_a_client(_, name, status, text):
    with socket.create_server(('127.0.0.1', 0)) as listener:
        client = Tool.client(listener.getsockname()[1], '9000=localhost:1',
                             arguments=('--no-reconnect', '--verbose'))
        sock, _ = listener.accept()
    with sock, contextlib.suppress(OSError):
        sock.recv(65536)
        sock.sendall(f'HTTP/1.1 {status} {text[:300]}\r\n{name}: {text}\r\n\r\n'.encode())
    assert client.wait() != 0
    check_shown(client)


@test
def every_text_of_a_server():
    run_all([(kind, key, text) for kind, key in TEXTS_OF_A_SERVER
             for text in (NASTY, LONG)], say_to_a_client)
    run_all([(name, status, text) for name in ANSWERS
             for status, text in ((101, NASTY), (302, NASTY), (401, NASTY), (403, LONG))],
            answer_a_client)


main()
