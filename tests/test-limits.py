#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""The end of descriptors, thousands of ports, and what comes before an upgrade."""

import os
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'peers'))

import websocket  # noqa: E402
from harness import (Target, Tool, echo, main, receive_all, receive_exactly, test,  # noqa: E402
                     user, wait_until)


def works(port):
    try:
        with user(port, timeout=2) as sock:
            sock.sendall(b'ok')
            return receive_exactly(sock, 2) == b'ok'
    except (OSError, AssertionError):
        return False


@test
def a_thousand_users_and_256_descriptors():
    target = Target(echo)
    server = Tool.server(prefix=('prlimit', '--nofile=256'))
    client = Tool.client(server.port, f'0=127.0.0.1:{target.port}')
    port = client.forward_port()
    assert works(port)
    users = []
    for _ in range(1000):
        sock = socket.socket()
        sock.setblocking(False)
        sock.connect_ex(('127.0.0.1', port))
        users.append(sock)
    server.wait_events('stream-opened', 100)
    # Those that were let in are served; the process rests; it has said what happens, once.
    cpu = server.cpu_seconds()
    threading.Event().wait(2)
    used = server.cpu_seconds() - cpu
    print(f'# {used:.2f} s of processor time in 2 s without descriptors')
    assert used < 0.5, used
    assert server.descriptors() <= 256
    said = [line for line in server.errors if 'descriptors' in line]
    assert len(said) == 1, server.errors
    for sock in users:
        sock.close()
    wait_until(lambda: works(port), what='the server serving again')
    client.stop()
    server.stop()


@test
def two_thousand_forwards():
    """All of them listen, each works, and an accept costs no more than before."""
    target = Target(echo)
    server = Tool.server('--max-forwards', '3000')
    words = [f'{start}-{start + 999}=127.0.0.1:{target.port}' for start in (20000, 21000)]
    client = Tool.client(server.port, *words)
    ports = [e['port'] for e in client.wait_events('forward-opened', 2000)]
    assert sorted(ports) == list(range(20000, 22000))
    for port in ports[::97]:
        assert works(port), port
    cpu = server.cpu_seconds()
    for _ in range(500):
        assert works(ports[7])
    print(f'# {(server.cpu_seconds() - cpu) / 500 * 1e6:.0f} µs of the server a connection')
    client.stop()
    wait_until(lambda: not works(ports[0]), what='the ports closing')
    server.stop()


@test
def requests_that_never_end():
    """500 of them: cut after 10 s, and nobody else notices."""
    server = Tool.server()
    before = server.descriptors()
    waiting = []
    for number in range(500):
        sock = socket.create_connection(('127.0.0.1', server.port))
        sock.sendall(b'GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ' + b'x' * (number % 100))
        waiting.append(sock)
    with user(server.port) as sock:
        sock.sendall(b'GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
        assert receive_all(sock).endswith(b'ok'), 'no /health'
    begun = time.monotonic()
    wait_until(lambda: server.descriptors() <= before, timeout=30, what='the cut')
    print(f'# cut {time.monotonic() - begun:.1f} s later')
    for sock in waiting:
        sock.close()
    server.stop()


@test
def an_endless_head_and_a_huge_body():
    server = Tool.server()
    before = server.memory()
    for head in (b'GET / HTTP/1.1\r\nX: ' + b'x' * 70_000,
                 b'POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 536870912\r\n\r\n'):
        with user(server.port) as sock:
            try:
                sock.sendall(head)
                for _ in range(512):
                    sock.sendall(b'x' * (1 << 20))
                raise AssertionError('the server took it all')
            except (BrokenPipeError, ConnectionResetError):
                pass
    assert server.memory() - before < 8 << 20
    server.stop()


@test
def a_message_without_end():
    server = Tool.server()
    before = server.memory()
    web = websocket.WebSocket.connect('127.0.0.1', server.port)
    try:
        web.send_raw(web.frame(websocket.TEXT, b'x' * 60_000, fin=False))
        for _ in range(2000):
            web.send_raw(web.frame(websocket.CONTINUATION, b'x' * 60_000, fin=False))
        raise AssertionError('the server took 120 MB of one message')
    except (BrokenPipeError, ConnectionResetError, socket.timeout):
        pass
    assert server.memory() - before < 8 << 20
    server.stop()


@test
def a_flood_of_pings():
    server = Tool.server()
    other = websocket.WebSocket.connect('127.0.0.1', server.port)
    web = websocket.WebSocket.connect('127.0.0.1', server.port)
    ping = web.frame(websocket.PING, b'x' * 125)
    try:
        for _ in range(200):
            web.send_raw(ping * 1000)
        raise AssertionError('200,000 pings were taken')
    except (BrokenPipeError, ConnectionResetError, socket.timeout):
        pass
    other.send('{"type":"ping"}')
    assert other.receive()[1] == b'{"type":"pong"}'
    server.stop()


main()
