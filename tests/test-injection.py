#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""Texts of peers that would be more than text where they are shown."""

import json
import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'peers'))

import v2peer  # noqa: E402
from attack import Victim  # noqa: E402
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


main()
