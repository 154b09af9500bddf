#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""One port, many names: users of all clients come in at one port, with real programs."""

import hashlib
import os
import re
import socket
import ssl
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'peers'))

import websocket  # noqa: E402
from fault import Fault  # noqa: E402
from harness import (DEADLINE, TOOL, Target, Tool, free_port, in_thread, main,  # noqa: E402
                     pattern, receive_all, receive_exactly, test, user, wait_until)
from named import (App, Tls, ask, curl, folder, get, read_answer, serve, status,  # noqa: E402
                   talk)


@test
def two_names_one_connection():
    a, b = App('a'), App('b')
    _, client, port = serve(f'a.example={a.spec}', f'*.b.example={b.spec}',
                            arguments=('--http-url', 'https://*:8443/'))
    events = client.wait_events('forward-opened', 2)
    assert [e['url'] for e in events] == ['https://a.example:8443/', 'https://*.b.example:8443/']
    assert [e['names'] for e in events] == [['a.example'], ['*.b.example']]
    # curl says where it reused a connection: num_connects is 0 then.
    output = curl(port, '--write-out', '|%{num_connects} ', 'http://a.example/1',
                  'http://a.example/2')
    assert output == 'a /1 a.example|1 a /2 a.example|0 ', output
    assert a.connections == 1
    with user(port) as sock:
        for host, want in (('a.example', b'a '), ('x.b.example', b'b '), ('A.EXAMPLE.:80', b'a '),
                           ('y.x.b.example', b'b '), ('y.b.example', b'b ')):
            sock.sendall(get(host))
            code, body = read_answer(sock)
            assert code == 200 and body.startswith(want), (host, code, body)
    assert (a.connections, b.connections) == (3, 2), (a.connections, b.connections)
    for host in 'b.example', 'c.example', 'xb.example', '127.0.0.1', '[::1]':
        answer = ask(port, get(host))
        assert status(answer) == 404 and b'Connection: close' in answer, answer


@test
def bodies_both_ways():
    a = App('a')
    _, _, port = serve(f'a.example={a.spec}')
    data = b''.join(pattern(3_000_000))
    (folder / 'body').write_bytes(data)
    want = f'a {len(data)} {hashlib.sha256(data).hexdigest()}'
    url = 'http://a.example/'
    assert curl(port, '--data-binary', f'@{folder}/body', url) == want
    assert curl(port, '--data-binary', f'@{folder}/body', '--header', 'Transfer-Encoding: chunked',
                url) == want
    assert curl(port, '--data-binary', f'@{folder}/body', '--header', 'Expect: 100-continue',
                url) == want
    for path in 'large', 'large-chunked':
        assert curl(port, '--http1.1', url + path) == 'x' * 5_000_000
    assert curl(port, '--http1.0', url + 'one') == 'a /one a.example'
    assert curl(port, url + 'old', url + 'new') == 'a /old a.examplea /new a.example'
    output = curl(port, '--head', url, '--next', '--noproxy', '*', '--connect-to',
                  f'::127.0.0.1:{port}', url)
    assert output.startswith('HTTP/1.1 200') and output.endswith('a / a.example'), output


@test
def requests_that_come_early():
    a, b = App('a'), App('b')
    _, _, port = serve(f'a.example={a.spec}', f'b.example={b.spec}')
    n = 50
    with user(port) as sock:
        sock.sendall(b''.join(get(f'{"ab"[i % 2]}.example', path=f'/{i}') for i in range(n))
                     + get('a.example', 'Connection: close', path='/last'))
        for i in range(n):
            assert read_answer(sock) == (200, f'{"ab"[i % 2]} /{i} {"ab"[i % 2]}.example'.encode())
        assert receive_all(sock).endswith(b'a /last a.example')
    # The user's end travels on, and the answer comes back.
    with user(port) as sock:
        sock.sendall(get('a.example', path='/half'))
        sock.shutdown(socket.SHUT_WR)
        assert receive_all(sock).endswith(b'a /half a.example')


@test
def a_websocket():
    target = Target(talk)
    a = App('a')
    _, _, port = serve(f'ws.example={target.spec}', f'a.example={a.spec}')
    with user(port) as sock:
        sock.sendall(get('a.example'))
        assert read_answer(sock)[0] == 200
        # What the user sends behind the request, without waiting, goes the same way.
        sock.sendall(get('ws.example', 'Upgrade: talk', 'Connection: Upgrade') + b'first')
        line, headers = websocket.read_head(sock)
        assert line.startswith('HTTP/1.1 101'), line
        assert receive_exactly(sock, 5) == b'FIRST'
        data = b''.join(pattern(2_000_000))
        sender = in_thread(sock.sendall, data)
        assert receive_exactly(sock, len(data)) == data.upper()
        sender()
        sock.sendall(get('a.example'))
        assert receive_exactly(sock, len(get('a.example'))) == get('a.example').upper()
        sock.shutdown(socket.SHUT_WR)
        assert receive_all(sock) == b'end'
    # Nobody had asked for it.
    assert status(ask(port, get('ws.example'))) == 502


@test
def tls_by_name():
    a, b = Tls('a.example'), Tls('b.example')
    plain = App('plain')
    _, _, port = serve(f'a.example={a.target.spec}', f'*.example={b.target.spec}',
                       f'plain.test={plain.spec}')
    for tls in a, b:
        output = curl(port, '--cacert', str(folder / f'{tls.name}.crt'), '--http1.1',
                      f'https://{tls.name}/')
        assert output == f'{tls.name} http/1.1', output
    # Whose handshake is large, and comes in pieces, is served as well.
    context = ssl.create_default_context(cafile=folder / 'a.example.crt')
    context.set_alpn_protocols(['x' * 250 for _ in range(20)] + ['http/1.1'])
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = context.wrap_bio(incoming, outgoing, server_hostname='a.example')
    with user(port) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while True:
            try:
                session.do_handshake()
                break
            except ssl.SSLWantReadError:
                hello = outgoing.read()
                for at in range(0, len(hello), 700):
                    sock.sendall(hello[at:at + 700])
                incoming.write(sock.recv(1 << 16))
        assert session.getpeercert()['subject'][0][0][1] == 'a.example'
    # A name that nobody has, and none.
    for words in ('-servername', 'nobody.test'), ('-noservername',):
        done = subprocess.run(['openssl', 's_client', '-connect', f'127.0.0.1:{port}', *words],
                              capture_output=True, text=True, timeout=DEADLINE,
                              stdin=subprocess.DEVNULL)
        assert done.returncode != 0 and 'unrecognized name' in done.stderr, done.stderr
    assert curl(port, 'http://plain.test/x') == 'plain /x plain.test'


@test
def names_are_whose_access_says_so():
    access = folder / 'access'
    tokens, lines = {}, ''
    for name, names in ('alice', 'a.example;*.alice.example'), ('bob', 'b.example'), ('eve', ''):
        done = subprocess.run([TOOL, 'token', name], capture_output=True, text=True, check=True,
                              timeout=DEADLINE, stdin=subprocess.DEVNULL)
        tokens[name] = re.search(rf'vt_{name}_[\w-]{{43}}', done.stderr)[0]
        lines += done.stdout + (f'host-names={names}\n' if names else '')
    access.touch(0o600)
    access.write_text(lines)
    server = Tool.server('--http-port', '0', '--access', str(access))
    port = server.event('listening-http')['port']
    app = App('app')

    def client(name, *names):
        return Tool.client(server.port, *(f'{host}={app.spec}' for host in names),
                           environment={'VTUNNEL_TOKEN': tokens[name]})

    alice = client('alice', 'a.example', '*.alice.example', '*.deep.alice.example')
    alice.wait_events('forward-opened', 3)
    bob = client('bob', 'b.example')
    bob.event('forward-opened')
    for host in 'a.example', 'x.alice.example', 'b.example':
        assert curl(port, f'http://{host}/') == f'app / {host}'
    for name, host, why in (('bob', 'a.example', 'not allowed'),
                            ('bob', '*.b.example', 'not allowed'),
                            ('alice', '*.example', 'not allowed'),
                            ('eve', 'e.example', 'no host'),
                            ('alice', 'alice.example', 'not allowed'),
                            ('bob', 'b.example', 'already in use')):
        refused = client(name, host)
        event = refused.event('error')
        assert why in event['message'], event
        assert refused.wait() != 0
    bob.stop()
    # The name is free again, and the port says so.
    server.event('session-closed')
    assert status(ask(port, get('b.example'))) == 404
    client('bob', 'b.example').event('forward-opened')
    assert curl(port, 'http://b.example/') == 'app / b.example'


@test
def a_server_without_names():
    server = Tool.server()
    refused = Tool.client(server.port, 'a.example=127.0.0.1:1')
    assert refused.event('error')['code'] == 'invalid', refused.events
    assert refused.wait() != 0
    server = Tool.server('--http-port', '0', '--allowed-names', '*.dev.example')
    refused = Tool.client(server.port, 'a.example=127.0.0.1:1')
    assert refused.event('error')['code'] == 'permission-denied', refused.events
    older = Tool.client(server.port, 'a.dev.example=127.0.0.1:1', arguments=('--max-protocol', '1'))
    assert older.event('error')['code'] == 'invalid', older.events


HOSTILE = [
    (400, b'GET / HTTP/1.1\r\n\r\n'),
    (400, b'GET / HTTP/1.0\r\n\r\n'),
    (400, b'GET / HTTP/1.1\r\nHost: a.example\r\nHost: a.example\r\n\r\n'),
    (400, b'GET / HTTP/1.1\r\nHost: a.example, b.example\r\n\r\n'),
    (400, b'GET / HTTP/1.1\r\nHost: a.example\r\n folded: x\r\n\r\n'),
    (400, b'GET / HTTP/1.1\r\nHost : a.example\r\n\r\n'),
    (400, b'GET / HTTP/1.1\nHost: a.example\n\n\r\n\r\n'),
    (400, b'GET / HTTP/1.1\r\nHost: a.example\r\nX: a\rb\r\n\r\n'),
    (400, b'GET / HTTP/1.1\r\nHost: a.example\r\nX: a\0b\r\n\r\n'),
    (400, b'GET  / HTTP/1.1\r\nHost: a.example\r\n\r\n'),
    (400, b'GET a.example HTTP/1.1\r\nHost: a.example\r\n\r\n'),
    (400, b'GET http://b.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n'),
    (400, b'GET http://u@a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n'),
    (400, b'GET / HTTP/1.1\r\nHost: a.example/\r\n\r\n'),
    (400, b'GET / HTTP/1.1\r\nHost: a.example:x\r\n\r\n'),
    (400, b'POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 3\r\n'
          b'Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n'),
    (400, b'POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 3\r\nContent-Length: 3\r\n'
          b'\r\nabc'),
    (400, b'POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 3, 3\r\n\r\nabc'),
    (400, b'POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: +3\r\n\r\nabc'),
    (400, b'POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked, gzip\r\n\r\n'),
    (400, b'POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: xchunked\r\n\r\n'),
    (400, b'POST / HTTP/1.0\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'),
    (400, b'POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n'),
    (400, b'\x00\x01\x02'),
    (400, b'SSH-2.0-OpenSSH_9.2\r\n\r\n\r\n'),
    (405, b'CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n'),
    (431, b'GET / HTTP/1.1\r\nHost: a.example\r\nX: ' + b'x' * 17000),
    (505, b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
]


@test
def hostile_heads():
    a = App('a')
    _, _, port = serve(f'a.example={a.spec}')
    for want, request in HOSTILE:
        try:
            answer = ask(port, request)
        except ConnectionResetError:
            raise AssertionError(request)
        if request.startswith(b'CONNECT'):
            assert answer.startswith(b'HTTP/1.1 40'), answer
        else:
            assert status(answer) == want, (request, answer)
    assert a.seen == [], a.seen
    assert curl(port, 'http://a.example/fine') == 'a /fine a.example'


@test
def targets_that_fail():
    def say(answer):
        def serve_one(sock):
            websocket.read_head(sock)
            sock.sendall(answer)
        return Target(serve_one)

    closed = free_port()
    bad = {
        'silent': say(b''),
        'half': say(b'HTTP/1.1 200 OK\r\nContent-'),
        'other': say(b'SSH-2.0-x\r\n\r\n\r\n'),
        'both': say(b'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n'),
        'twice': say(b'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab'),
        'lf': say(b'HTTP/1.1 200 OK\nContent-Length: 1\n\na'),
    }
    good = say(b'HTTP/1.0 200 OK\r\n\r\nto the end')
    cut = say(b'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nab')
    more = say(b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabHTTP/1.1 200 OK\r\n\r\nmore')
    early = say(b'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n'
                b'HTTP/1.1 204 No Content\r\n\r\n')
    names = dict(bad, good=good, cut=cut, more=more, early=early)
    _, _, port = serve(f'down.example=127.0.0.1:{closed}',
                       *(f'{name}.example={target.spec}' for name, target in names.items()))
    for name in 'down', *bad:
        answer = ask(port, get(f'{name}.example'))
        assert status(answer) == 502, (name, answer)
    assert ask(port, get('good.example')).endswith(b'\r\n\r\nto the end')
    with user(port) as sock:
        sock.sendall(get('cut.example'))
        try:
            assert receive_all(sock).endswith(b'ab')
            raise AssertionError('a cut answer looked whole')
        except ConnectionResetError:
            pass
    # What a target says beyond its answer is nobody's, least of all the next request's.
    with user(port) as sock:
        sock.sendall(get('more.example'))
        assert read_answer(sock) == (200, b'ab')
        sock.sendall(get('early.example', 'Connection: close'))
        answer = receive_all(sock)
        assert [int(code) for code in re.findall(rb'HTTP/1\.1 (\d+)', answer)] == [100, 103, 204]


@test
def those_who_say_nothing():
    a = App('a')
    server, _, port = serve(f'a.example={a.spec}')
    silent = [user(port) for _ in range(250)]
    half = [user(port) for _ in range(250)]
    for sock in half:
        sock.sendall(b'GET / HTTP/1.1\r\nHost: a.ex')
    began = time.monotonic()
    for i in range(20):
        assert curl(port, f'http://a.example/{i}') == f'a /{i} a.example'
    assert time.monotonic() - began < 9, 'the others wait'
    for sock in silent:
        with sock:
            try:
                assert sock.recv(1) == b''
            except ConnectionResetError:
                pass
    for sock in half:
        with sock:
            assert status(receive_all(sock)) == 408
    assert time.monotonic() - began < 20
    wait_until(lambda: server.descriptors() < 60, what='descriptors closed')


@test
def a_client_that_comes_back():
    a = App('a')
    server, client, port = serve(f'a.example={a.spec}')
    client.process.kill()
    client.process.wait()
    server.event('session-suspended')
    with user(port) as sock:
        sock.sendall(get('a.example'))
        refused = Tool.client(server.port, f'a.example={a.spec}')
        assert 'is held for a client' in refused.event('error')['message']
        sock.settimeout(0.2)
        try:
            assert sock.recv(1) != b'', 'not held'
            raise AssertionError('somebody answered')
        except socket.timeout:
            pass


@test
def a_name_is_kept():
    """Over a connection that is lost, and for the same user's next client."""
    a = App('a')
    server = Tool.server('--http-port', '0', '--access', str(access_for('carol', 'a.example')))
    port = server.event('listening-http')['port']
    words = {'environment': {'VTUNNEL_TOKEN': (folder / 'carol').read_text().strip()}}
    with Fault(server.port) as between:
        client = Tool.client(between.port, f'a.example={a.spec}', **words)
        client.event('forward-opened')
        with user(port) as sock:
            sock.sendall(get('a.example'))
            assert read_answer(sock)[0] == 200
            between.do('cut')
            server.event('session-suspended')
            sock.sendall(get('a.example', path='/waited'))
            server.event('session-resumed')
            assert read_answer(sock) == (200, b'a /waited a.example')
        assert a.connections == 1
        client.process.kill()
        server.wait_events('session-suspended', 2)
    Tool.client(server.port, f'a.example={a.spec}', **words).event('forward-opened')
    assert curl(port, 'http://a.example/again') == 'a /again a.example'


def access_for(name, names):
    """The path of an access file with one client, whose token is in the file of its name."""
    done = subprocess.run([TOOL, 'token', name, '--token-file', folder / name], check=True,
                          capture_output=True, text=True, timeout=DEADLINE)
    path = folder / f'access-{name}'
    path.touch(0o600)
    path.write_text(f'{done.stdout}host-names={names}\n')
    return path


@test
def a_server_that_drains():
    a = App('a')
    server, _, port = serve(f'a.example={a.spec}')
    with user(port) as idle:
        idle.sendall(get('a.example'))
        assert read_answer(idle)[0] == 200
        began = time.monotonic()
        server.stop()
        # Ten seconds of grace are not for streams that only wait.
        assert time.monotonic() - began < 8


if __name__ == '__main__':
    main()
