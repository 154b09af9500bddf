#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""One port, many names, and all else that there is: proxies in front, targets that are down,
limits, what the server shows, and whole applications."""

import hashlib
import os
import pathlib
import socket
import ssl
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'peers'))

import programs  # noqa: E402
import websocket  # noqa: E402
from harness import (DEADLINE, Target, Tool, echo, free_port, in_thread, main,  # noqa: E402
                     pattern, receive_all, receive_exactly, test, user)
from named import (App, Tls, ask, curl, folder, get, read_answer, serve, status,  # noqa: E402
                   metrics, talk)
from website import LARGE, Website, large_hash  # noqa: E402


@test
def nginx_in_front():
    """With what docs/examples/host-names.conf has."""
    docs = pathlib.Path(__file__).parent.parent / 'docs'
    example = (docs / 'examples' / 'host-names.conf').read_text()
    a, b = App('a'), App('b')
    talker = Target(talk)
    _, _, names = serve(f'a.example.org={a.spec}', f'*.example.org={b.spec}',
                        f'ws.example.org={talker.spec}')
    certificate = Tls('x.example.org', '*.example.org')
    port = free_port()
    for there, here in (('443 ssl', f'127.0.0.1:{port} ssl'),
                        ('127.0.0.1:8080', f'127.0.0.1:{names}'),
                        ('/etc/ssl/example.org', f'{folder}/{certificate.name}')):
        assert there in example, there
        example = example.replace(there, here)
    programs.nginx_with(folder, ('127.0.0.1', port), example)
    words = ['--cacert', str(folder / f'{certificate.name}.crt'), '--http1.1']
    output = curl(port, *words, *(f'https://{"abc"[i % 3]}.example.org/{i}' for i in range(30)))
    assert output == ''.join(f'{"abb"[i % 3]} /{i} {"abc"[i % 3]}.example.org' for i in range(30))
    # Many users' requests go over few connections.
    (folder / 'body').write_bytes(b'x' * 1_000_000)
    waits = [in_thread(curl, port, *words, '--data-binary', f'@{folder}/body', url)
             for url in ('https://a.example.org/', 'https://b.example.org/') * 10]
    for i, wait in enumerate(waits):
        assert wait().startswith(f'{"ab"[i % 2]} 1000000 '), i
    context = ssl.create_default_context(cafile=folder / f'{certificate.name}.crt')
    with user(port) as sock, context.wrap_socket(sock, server_hostname='ws.example.org') as tls:
        tls.sendall(get('ws.example.org', 'Upgrade: talk', 'Connection: Upgrade'))
        assert websocket.read_head(tls)[0].startswith('HTTP/1.1 101')
        tls.sendall(b'hello')
        assert receive_exactly(tls, 5) == b'HELLO'
    assert status(ask_tls(port, context, get('example.org.example.org'))) == 200


@test
def a_proxy_that_says_who_comes():
    """The port for names can be one of --proxy-protocol-ports, for HTTP and for TLS."""
    a, b = App('a'), Tls('b.example')
    server, client, port = serve(f'a.example={a.spec},forwarded=x-forwarded',
                                 f'b.example={b.target.spec}',
                                 arguments=('--proxy-protocol-ports', '1-65535'))
    for word in 'send-proxy', 'send-proxy-v2':
        for host in '127.0.0.1', '::1':
            front = programs.haproxy(folder, host, f'server names 127.0.0.1:{port} {word}')
            with user(front.port, host) as sock:
                own = sock.getsockname()
                sock.sendall(get('a.example'))
                assert read_answer(sock) == (200, b'a / a.example')
                for tool in server, client:
                    event = tool.event('stream-opened', user_port=own[1])
                    assert event['user_address'] == host, event
            front.end()
    # curl says a header itself, before the handshake.
    assert curl(port, '--haproxy-protocol', '--cacert', str(folder / 'b.example.crt'), '--http1.1',
                'https://b.example/') == 'b.example http/1.1'
    said = b'PROXY TCP6 2001:db8::7 2001:db8::1 4444 80\r\n'
    with user(port) as sock:
        # Byte by byte, and what follows with the last of them.
        for i in range(len(said) - 1):
            sock.sendall(said[i:i + 1])
        sock.sendall(said[-1:] + get('a.example', 'X-Forwarded-For: 192.0.2.1'))
        assert read_answer(sock)[0] == 200
        assert a.headers['X-Forwarded-For'] == '192.0.2.1, 2001:db8::7'
    seen = len(a.seen)
    for first in get('a.example'), said.replace(b'TCP6', b'TCP7') + get('a.example'):
        with user(port) as sock:
            sock.sendall(first)
            try:
                assert sock.recv(1) == b''
            except ConnectionResetError:
                pass
    assert len(a.seen) == seen
    assert metrics(server)['users_refused_total{reason="proxy-header"}'] == 2
    # Where nobody is expected to say one, it is no request.
    _, _, plain = serve(f'a.example={a.spec}')
    assert status(ask(plain, said + get('a.example'))) == 400


def ask_tls(port, context, request):
    with user(port) as sock, context.wrap_socket(sock, server_hostname='x.example.org') as tls:
        tls.sendall(request.replace(b'\r\n\r\n', b'\r\nConnection: close\r\n\r\n'))
        return receive_all(tls)


@test
def a_target_that_is_not_there():
    """One page, which the client writes: it knows more; and none for TLS. With health, too."""
    down = free_port()
    server, client, port = serve(f'down.example={down},health=1',
                                 f'told.example={down},forwarded=both')
    event = client.event('target-down')
    assert event['names'] == ['down.example'] and 'port' not in event, event
    for name in 'down.example', 'told.example':
        for request in (get(name), get(name, version='1.0'), get(name) + get(name, path='/2'),
                        get(name, 'Content-Length: 100000').replace(b'GET', b'POST')
                        + bytes(100000)):
            answer = ask(port, request)
            assert status(answer) == 502 and answer.count(b'HTTP/1') == 1, answer
            assert answer.count(b'</html>') == 1 and b'cannot be reached' in answer, answer
            assert answer.count(b'Connection: close\r\n') == 1, answer
        answer = ask(port, get(name).replace(b'GET', b'HEAD'))
        assert status(answer) == 502 and answer.endswith(b'\r\n\r\n'), answer
    done = subprocess.run(['openssl', 's_client', '-connect', f'127.0.0.1:{port}', '-servername',
                           'down.example'], capture_output=True, text=True, timeout=DEADLINE,
                          stdin=subprocess.DEVNULL)
    assert done.returncode != 0 and 'HTTP' not in done.stdout, done
    for event in client.wait_events('stream-closed', 11):
        assert event['error']['code'] == 'target-refused', event
    # And back: the name was there all the time.
    def answer_up(sock):
        # Who only looks at it says nothing.
        if sock.recv(1 << 16):
            sock.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nup')
    back = Target(answer_up, port=down)
    assert client.event('target-up')['names'] == ['down.example']
    with user(port) as sock:
        sock.sendall(get('down.example'))
        assert read_answer(sock) == (200, b'up')
    back.close()
    assert len(server.wait_events('forward-opened', 2)) == 2


@test
def targets_are_told_of_the_user():
    a = App('a')
    _, _, port = serve(f'*.example={a.spec},forwarded=both,host-header=inner.test')
    with user(port, '127.0.0.1') as sock:
        for name in 'a.example', 'b.example:80':
            sock.sendall(get(name, 'X-Forwarded-For: 192.0.2.1'))
            assert read_answer(sock) == (200, b'a / inner.test')
            told = [a.headers.get_all(f'X-Forwarded-{key}') for key in ('For', 'Host', 'Proto')]
            assert told == [['192.0.2.1, 127.0.0.1'], [name], ['http']], told
            node = f'"{name}"' if ':' in name else name
            assert a.headers.get_all('Forwarded') == [f'for=127.0.0.1;host={node};proto=http']
        assert a.connections == 1
        # What a proxy in front has said of its own connection stands.
        sock.sendall(get('a.example', 'X-Forwarded-Proto: https', 'X-Forwarded-Host: www.test'))
        assert read_answer(sock)[0] == 200
        assert a.headers.get_all('X-Forwarded-Proto') == ['https']
        assert a.headers.get_all('X-Forwarded-Host') == ['www.test']


@test
def what_the_server_shows():
    a = App('a')
    server, client, port = serve(f'a.example,*.b.example={a.spec}',
                                 arguments=('--http-url', 'https://*/'))
    opened = server.event('forward-opened')
    assert opened['names'] == ['a.example', '*.b.example'] and 'port' not in opened, opened
    assert opened['url'] == 'https://a.example/', opened
    page = curl(server.port, 'http://localhost/status')
    for words in 'a.example, *.b.example', 'https://a.example/', 'listening':
        assert words in page, (words, page)
    requests = [get(name, 'Connection: close') for name in ('a.example', 'x.b.example')]
    answers = [ask(port, request) for request in requests]
    for tool in server, client:
        for kind in 'stream-opened', 'stream-closed':
            for event in tool.wait_events(kind, 2):
                assert event['names'] == opened['names'] and 'port' not in event, event
    now = metrics(server)
    assert now['forwards'] == 1 and now['streams_opened_total'] == 2, now
    assert now['sent_bytes_total'] == sum(map(len, requests)), now
    assert now['received_bytes_total'] == sum(map(len, answers)), now
    client.stop()
    assert server.event('forward-closed')['names'] == opened['names']


@test
def who_comes_too_fast():
    a = App('a')
    server, _, port = serve(f'a.example={a.spec}', arguments=('--max-accept-rate', '10'))
    # Twenty at once are saved up; the others wait, and nobody is turned away.
    waits = [in_thread(ask, port, get('a.example', 'Connection: close')) for _ in range(30)]
    for wait in waits:
        assert status(wait()) == 200
    assert metrics(server)['accept_pauses_total{reason="rate"}'] > 0
    assert metrics(server)['accept_pauses_total{reason="descriptors"}'] == 0


@test
def a_client_that_does_not_answer():
    """Its users are told to come again later, as the port is for all clients' users."""
    with socket.socket() as full:
        full.bind(('127.0.0.1', 0))
        full.listen(0)
        place = full.getsockname()
        waiting = [socket.socket() for _ in range(3)]
        for sock in waiting:
            sock.setblocking(False)
            sock.connect_ex(place)
        server, _, port = serve(f'full.example=127.0.0.1:{place[1]}',
                                arguments=('--max-opening', '2'))
        a = App('a')
        Tool.client(server.port, f'a.example={a.spec}').event('forward-opened')
        users = [user(port) for _ in range(2)]
        for sock in users:
            sock.sendall(get('full.example'))
        server.wait_events('stream-opened', 2)
        answer = ask(port, get('full.example'))
        assert status(answer) == 503 and b'\r\nRetry-After: 1\r\n' in answer, answer
        done = subprocess.run(['openssl', 's_client', '-connect', f'127.0.0.1:{port}',
                               '-servername', 'full.example'], capture_output=True, text=True,
                              timeout=DEADLINE, stdin=subprocess.DEVNULL)
        assert done.returncode != 0, done
        assert curl(port, 'http://a.example/') == 'a / a.example'
        assert metrics(server)['users_refused_total{reason="limit"}'] == 2
        for sock in users + waiting:
            sock.close()


@test
def an_application_with_a_websocket():
    """Messages of all sizes both ways, while pages come over other connections."""
    site = Website(0, 'site')
    _, _, port = serve(f'localhost=127.0.0.1:{site.server_address[1]},forwarded=both')
    sockets = [websocket.WebSocket.connect('localhost', port, '/ws') for _ in range(5)]
    for length in 0, 1, 125, 126, 65535, 65536, 1_000_000:
        for ws in sockets:
            ws.send(b'x' * length, websocket.BINARY, fragment=30_000, ping_between=True)
        assert '<h1>site</h1>' in curl(port, 'http://localhost/')
        for ws in sockets:
            assert ws.receive() == (websocket.BINARY, b'x' * length)
    for ws in sockets:
        ws.send('über alles hinweg'.encode())
        assert ws.receive() == (websocket.TEXT, 'über alles hinweg'.encode())
        ws.close()
    site.close()


@test
def a_tunnel_by_name():
    """The hardest WebSocket application that there is here: a client of another server."""
    inner, target = Tool.server(), Target(echo)
    server, outer, port = serve(f'localhost=127.0.0.1:{inner.port}')
    client = Tool('client', '--json', '--server', f'ws://localhost:{port}/', '--forward',
                  f'0={target.spec}')
    data = b''.join(pattern(4_000_000))
    with user(client.forward_port()) as sock:
        sender = in_thread(sock.sendall, data)
        assert receive_exactly(sock, len(data)) == data
        sender()
    client.stop()
    assert len(server.wait_events('stream-closed')) == 1
    for tool in outer, server, inner:
        tool.stop()


@test
def large_bodies_both_ways():
    """64 MiB down and up at a time, whole, and small requests beside them."""
    site = Website(0, 'site')
    a = App('a')
    _, _, port = serve(f'site.example=127.0.0.1:{site.server_address[1]}', f'a.example={a.spec}')
    (folder / 'large').write_bytes(b''.join(pattern(LARGE)))
    down = in_thread(curl, port, '--output', str(folder / 'down'), 'http://site.example/large')
    up = in_thread(curl, port, '--upload-file', str(folder / 'large'), 'http://site.example/put')
    for i in range(20):
        assert curl(port, f'http://a.example/{i}') == f'a /{i} a.example'
    assert up() == large_hash()
    down()
    with open(folder / 'down', 'rb') as file:
        assert hashlib.file_digest(file, 'sha256').hexdigest() == large_hash()
    site.close()


if __name__ == '__main__':
    main()
