#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""Forwards and their targets, with real programs: who the target sees, and who sees that it is not
there."""

import http.client
import os
import pathlib
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'peers'))

from harness import (DEADLINE, Target, Tool, echo, echoes, free_port, main,  # noqa: E402
                     receive_all, receive_exactly, receive_line, test, user)
from named import metrics  # noqa: E402
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


class LocalTarget(Target):
    """At a Unix socket."""

    def __init__(self, serve, path):
        super().__init__(serve)
        self.close()
        self.thread.join(DEADLINE)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(64)
        self.spec = f'unix:{path}'
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()


def certificate(folder):
    """A key and a certificate for localhost, in one file."""
    path = pathlib.Path(folder) / 'both.pem'
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt',
                    'ec_paramgen_curve:prime256v1', '-nodes', '-subj', '/CN=localhost', '-addext',
                    'subjectAltName=DNS:localhost', '-days', '30', '-keyout', path, '-out',
                    pathlib.Path(folder) / 'cert.pem'], check=True, capture_output=True)
    path.write_bytes(path.read_bytes() + (pathlib.Path(folder) / 'cert.pem').read_bytes())
    return path


def answer(sock):
    """An HTTP server for one request after the other: its answer is the head that came."""
    data = b''
    while True:
        while b'\r\n\r\n' not in data:
            piece = sock.recv(4096)
            if not piece:
                return
            data += piece
        head, data = data.split(b'\r\n\r\n', 1)
        sock.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s' % (len(head), head))


def get(port, headers=None, host='127.0.0.1', times=1):
    """Over one connection: (its own address, for each (status, headers, body))."""
    connection = http.client.HTTPConnection(host, port, timeout=DEADLINE)
    answers = []
    connection.connect()
    own = connection.sock.getsockname()
    for _ in range(times):
        connection.request('GET', '/', headers=headers or {})
        response = connection.getresponse()
        answers.append((response.status, response.headers, response.read().decode()))
    connection.close()
    return own, answers


def lines_of(head, *names):
    return [line for line in head.split('\r\n') if line.split(':')[0] in names]


def tell(sock):
    """A target that answers what it was told, and what was said after that."""
    said = read_header(sock)
    try:
        sock.sendall(b'welcome')
        return said, receive_all(sock)
    except OSError:
        return said, b''


def speak(port, host, target, said=b'hello', first=b''):
    """What the target was told of a user, and what the user's own address is."""
    with user(port, host=host) as sock:
        own = sock.getsockname()[:2]
        sock.sendall(first + said)
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
        assert echoes(front.port)
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
    counted = metrics(server)
    assert counted['users_refused_total{reason="proxy-header"}'] == 1, counted
    assert counted['users_refused_total{reason="limit"}'] == 0, counted
    client.stop()
    server.stop()


@test
def to_every_kind_of_target():
    """The header of a proxy in front comes through to a Unix socket, to IPv6, and before TLS."""
    with tempfile.TemporaryDirectory() as folder:
        both = certificate(folder)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(both)

        def tell_by_tls(sock):
            said = read_header(sock)
            with context.wrap_socket(sock, server_side=True) as secure:
                secure.sendall(b'welcome')
                return said, receive_exactly(secure, 5)
        secure = Target(tell_by_tls)
        targets = [LocalTarget(tell, f'{folder}/socket'), Target(tell, '::1'), secure]
        specs = [target.spec for target in targets[:2]] + [f'tls://localhost:{secure.port}']
        server = Tool.server('--proxy-protocol-ports', '1-65535')
        client = Tool.client(server.port, *[f'[::1]:0={spec},proxy-protocol=2' for spec in specs],
                             arguments=('--tls-ca', f'{folder}/cert.pem'))
        for index, target in enumerate(targets):
            port = client.forward_port(index)
            for user_host, front_host in (('2001:db8::7', '2001:db8::1'),
                                          ('192.0.2.7', '192.0.2.1')):
                word = 'TCP6' if ':' in user_host else 'TCP4'
                line = f'PROXY {word} {user_host} {front_host} 4444 443\r\n'.encode()
                told, _ = speak(port, '::1', target, b'hello', line)
                assert told == ((user_host, 4444), (front_host, 443)), told
        client.stop()
        server.stop()


@test
def headers_of_requests():
    """In each request of a connection, by IPv4 and IPv6, through a proxy in front and without."""
    target = Target(answer)
    proxied = free_port()
    server = Tool.server('--proxy-protocol-ports', str(proxied))
    client = Tool.client(server.port, f'0={target.spec},forwarded=both,host-header=inner.example',
                         f'{proxied}={target.spec},forwarded=x-forwarded')
    port = client.forward_port()
    for host, node in (('127.0.0.1', '127.0.0.1'), ('::1', '"[::1]"')):
        place = f'[{host}]:{port}' if ':' in host else f'{host}:{port}'
        own, answers = get(port, {'X-Forwarded-For': '203.0.113.9'}, host, times=3)
        for status, _, head in answers:
            assert status == 200, head
            told = lines_of(head, 'Host', 'X-Forwarded-For', 'X-Forwarded-Host',
                            'X-Forwarded-Proto', 'Forwarded')
            assert told == ['Host: inner.example', f'X-Forwarded-For: 203.0.113.9, {host}',
                            f'X-Forwarded-Host: {place}', 'X-Forwarded-Proto: http',
                            f'Forwarded: for={node};host="{place}";proto=http'], told
    with tempfile.TemporaryDirectory() as folder:
        front = haproxy(folder, '127.0.0.1', f'server tunnel 127.0.0.1:{proxied} send-proxy-v2',
                        mode='http', more='  http-request set-header X-Forwarded-Proto https')
        _, answers = get(front.port, host='127.0.0.1')
        told = lines_of(answers[0][2], 'X-Forwarded-For', 'x-forwarded-for', 'X-Forwarded-Proto',
                        'x-forwarded-proto')
        assert told == ['x-forwarded-proto: https', 'X-Forwarded-For: 127.0.0.1'], answers
        front.end()
    client.stop()
    server.stop()


@test
def a_target_that_is_not_there():
    """A page for HTTP, and a reset for what is not; with both versions of the protocol."""
    down = free_port()
    for limit in ((), ('--max-protocol', '1')):
        server = Tool.server(*limit)
        client = Tool.client(server.port, f'0={down},http', f'0={down}', f'0={down},forwarded=both')
        for index in (0, 2):
            _, answers = get(client.forward_port(index))
            status, headers, body = answers[0]
            assert status == 502 and headers['Connection'] == 'close', answers
            assert headers['Cache-Control'] == 'no-store', headers
            assert '502 Bad Gateway' in body and str(down) not in body, body
        with user(client.forward_port(1)) as sock:
            try:
                sock.sendall(b'GET / HTTP/1.1\r\n\r\n')
                data = sock.recv(1)
                assert False, data
            except ConnectionError:
                pass
        for event in client.wait_events('stream-closed', 3):
            assert event['error']['code'] == 'target-refused', event
        assert not [e for e in client.events if e['event'] == 'target-down'], client.events
        client.stop()
        server.stop()


@test
def health():
    """Told when the target goes and when it is back; meanwhile the port stays."""
    port = free_port()
    server = Tool.server()
    client = Tool.client(server.port, f'0={port},health=1', f'0={port}')
    bound = client.forward_port()
    event = client.event('target-down')
    assert event['port'] == bound and event['target'] == f'localhost:{port}', event
    assert event['error']['code'] == 'target-refused', event
    target = Target(echo, port=port)
    event = client.event('target-up')
    assert event == {'event': 'target-up', 'port': bound, 'target': f'localhost:{port}'}, event
    assert echoes(bound)
    target.close()
    client.wait_events('target-down', 2)
    assert len(client.wait_events('forward-opened', 2)) == 2, client.events
    kinds = [e['event'] for e in client.events]
    assert kinds.count('forward-opened') == 2 and kinds.count('target-up') == 1, kinds
    client.stop()
    server.stop()


@test
def a_target_that_says_nothing():
    """A listener whose queue is full, so that the kernel answers nobody: down after 5 s."""
    with socket.socket() as full:
        full.bind(('127.0.0.1', 0))
        full.listen(0)
        port = full.getsockname()[1]
        waiting = [socket.socket() for _ in range(3)]
        for sock in waiting:
            sock.setblocking(False)
            sock.connect_ex(('127.0.0.1', port))
        server = Tool.server()
        client = Tool.client(server.port, f'0=127.0.0.1:{port},health=1')
        assert client.event('target-down')['error']['code'] == 'timed-out', client.events
        client.stop()
        server.stop()
        for sock in waiting:
            sock.close()


main()
