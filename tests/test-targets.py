#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""Who the target sees: the user's address through a proxy in front, to every kind of target."""

import os
import socket
import struct
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'peers'))

from harness import (DEADLINE, Target, Tool, echo, free_port, main,  # noqa: E402
                     receive_all, receive_exactly, receive_line, test, user)
from programs import haproxy  # noqa: E402


def read_header(sock):
    """(family, user, destination) of a header of version 1 or 2; None where it does not say."""
    head = receive_exactly(sock, 5)
    if head == b'PROXY':
        words = (head + receive_line(sock)).decode().rstrip('\r\n').split(' ')
        if words[1] == 'UNKNOWN':
            return None
        return (words[2], int(words[4])), (words[3], int(words[5]))
    head += receive_exactly(sock, 11)
    assert head[:13] == b'\r\n\r\n\0\r\nQUIT\n\x21', head
    body = receive_exactly(sock, struct.unpack('!H', head[14:])[0])
    if head[13] == 0:
        return None
    size = {0x11: 4, 0x21: 16}[head[13]]
    family = socket.AF_INET if size == 4 else socket.AF_INET6
    hosts = [socket.inet_ntop(family, body[i:i + size]) for i in (0, size)]
    ports = struct.unpack('!HH', body[2 * size:2 * size + 4])
    return tuple(zip(hosts, ports))


def tell(sock):
    """A target that answers what it was told, and what was said after that."""
    said = read_header(sock)
    try:
        sock.sendall(b'welcome')
        return said, receive_all(sock)
    except OSError:
        return said, b''


def speak(port, host, target, said=b'hello'):
    """What the target was told of a user, and what the user's own address is."""
    with user(port, host=host) as sock:
        own = sock.getsockname()[:2]
        sock.sendall(said)
        assert receive_exactly(sock, 7) == b'welcome'
        sock.shutdown(socket.SHUT_WR)
        # Who only looked whether the port is open came before, and said nothing.
        told, rest = target.results.get(timeout=DEADLINE)
        while rest == b'':
            told, rest = target.results.get(timeout=DEADLINE)
    assert rest == said, rest
    return told, own


@test
def through_haproxy():
    """The address of HAProxy's user comes to the target, by IPv4 and IPv6, in every version."""
    target = Target(tell)
    server = Tool.server('--proxy-protocol-ports', '1-65535')
    for to_target in (1, 2):
        client = Tool.client(server.port, f'0={target.spec},proxy-protocol={to_target}')
        port = client.forward_port()
        for word in ('send-proxy', 'send-proxy-v2'):
            for host in ('127.0.0.1', '::1'):
                with tempfile.TemporaryDirectory() as folder:
                    front = haproxy(folder, host, f'server tunnel 127.0.0.1:{port} {word}')
                    told, own = speak(front.port, host, target)
                    assert told == (own, (host, front.port)), (told, own)
                    event = client.wait_events('stream-opened', user_port=own[1])[0]
                    assert event['user_address'] == host, event
                    front.end()
        client.stop()
    server.stop()


@test
def what_haproxy_asks_for_itself():
    """Its checks say LOCAL, and pass: the server is up for it, and users come through."""
    target = Target(echo)
    server = Tool.server('--proxy-protocol-ports', '1-65535')
    client = Tool.client(server.port, f'0={target.spec}')
    port = client.forward_port()
    with tempfile.TemporaryDirectory() as folder:
        front = haproxy(folder, '127.0.0.1',
                        f'server tunnel 127.0.0.1:{port} send-proxy-v2 check inter 50ms fall 1')
        client.wait_events('stream-opened', 3)
        with user(front.port) as sock:
            sock.sendall(b'hello')
            assert receive_exactly(sock, 5) == b'hello'
        addresses = {event['user_address'] for event in client.events
                     if event['event'] == 'stream-opened'}
        assert addresses == {'127.0.0.1'}, addresses
        front.end()
    client.stop()
    server.stop()


@test
def who_does_not_say():
    """A port that expects a header refuses those without; the others take what comes as it is."""
    target = Target(echo)
    port, other = free_port(), free_port()
    server = Tool.server('--proxy-protocol-ports', str(port))
    client = Tool.client(server.port, f'{port}={target.spec}', f'{other}={target.spec}')
    client.forward_port(1)
    with user(port) as sock:
        sock.sendall(b'GET / HTTP/1.1\r\n\r\n')
        try:
            assert sock.recv(1) == b''
        except ConnectionResetError:
            pass
    for said in (b'PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n', b'hello'):
        with user(other) as sock:
            sock.sendall(said)
            assert receive_exactly(sock, len(said)) == said
    with user(port) as sock:
        sock.sendall(b'PROXY TCP6 2001:db8::7 ::1 4444 2\r\nhello')
        assert receive_exactly(sock, 5) == b'hello'
    event = client.wait_events('stream-opened', port=port)[0]
    assert (event['user_address'], event['user_port']) == ('2001:db8::7', 4444), event
    client.stop()
    server.stop()


main()
