#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""One port, many names: users of all clients come in at one port, with real programs."""

import hashlib
import http.server
import os
import pathlib
import re
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'peers'))

import programs  # noqa: E402
import websocket  # noqa: E402
from fault import Fault  # noqa: E402
from harness import (DEADLINE, TOOL, Target, Tool, free_port, in_thread, main,  # noqa: E402
                     pattern, receive_all, receive_exactly, test, user, wait_until)

scratch = tempfile.TemporaryDirectory()
folder = pathlib.Path(scratch.name)


class App(http.server.ThreadingHTTPServer):
    """A web server that says who it is, and counts the connections that come to it."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, name):
        super().__init__(('127.0.0.1', 0), Page)
        self.name = name
        self.port = self.server_address[1]
        self.spec = f'127.0.0.1:{self.port}'
        self.connections = 0
        self.seen = []
        self.headers = None
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        pass

    def process_request(self, request, client_address):
        self.connections += 1
        super().process_request(request, client_address)


class Page(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def log_message(self, *arguments):
        pass

    def answer(self, body, chunked=False):
        self.send_response(200)
        self.send_header('X-App', self.server.name)
        if chunked:
            self.send_header('Transfer-Encoding', 'chunked')
        else:
            self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        if chunked:
            for at in range(0, len(body), 1000):
                piece = body[at:at + 1000]
                self.wfile.write(b'%x\r\n%s\r\n' % (len(piece), piece))
            self.wfile.write(b'0\r\n\r\n')
        elif self.command != 'HEAD':
            self.wfile.write(body)

    def do_GET(self):
        self.server.seen.append(self.path)
        self.server.headers = self.headers
        if self.path == '/old':
            self.protocol_version = 'HTTP/1.0'
        if self.path.startswith('/large'):
            self.answer(b'x' * 5_000_000, chunked=self.path.endswith('chunked'))
        else:
            self.answer(f'{self.server.name} {self.path} {self.headers["Host"]}'.encode())

    do_HEAD = do_GET

    def do_POST(self):
        digest, count = hashlib.sha256(), 0
        for piece in self.pieces():
            digest.update(piece)
            count += len(piece)
        self.answer(f'{self.server.name} {count} {digest.hexdigest()}'.encode())

    def pieces(self):
        if self.headers['Transfer-Encoding'] != 'chunked':
            yield self.rfile.read(int(self.headers['Content-Length']))
            return
        while size := int(self.rfile.readline(), 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()


def serve(*forwards, arguments=(), **options):
    """A server with a port for names, and a client: (server, client, port)."""
    server = Tool.server('--http-port', '0', *arguments)
    server.http = server.event('listening-http')['port']
    client = Tool.client(server.port, *forwards, **options)
    client.wait_events('forward-opened', len(forwards))
    return server, client, server.http


def curl(port, *arguments):
    done = subprocess.run(
        ['curl', '--silent', '--show-error', '--max-time', str(int(DEADLINE)), '--noproxy', '*',
         '--connect-to', f'::127.0.0.1:{port}', *arguments],
        capture_output=True, text=True, timeout=DEADLINE, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, (done.returncode, done.stderr)
    return done.stdout


def ask(port, request):
    """All that comes back, to the end."""
    with user(port) as sock:
        sock.sendall(request)
        return receive_all(sock)


def status(answer):
    return int(re.match(rb'HTTP/1\.1 (\d{3}) ', answer)[1])


def get(host, *lines, path='/', version='1.1'):
    return '\r\n'.join([f'GET {path} HTTP/{version}', f'Host: {host}', *lines, '', '']).encode()


def read_answer(sock):
    """One answer with a length: (status, body)."""
    line, headers = websocket.read_head(sock)
    return int(line.split()[1]), receive_exactly(sock, int(headers['content-length']))


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


def talk(sock):
    websocket.read_head(sock)
    sock.sendall(b'HTTP/1.1 101 Switching Protocols\r\nUpgrade: talk\r\n'
                 b'Connection: Upgrade\r\n\r\n')
    while data := sock.recv(1 << 16):
        sock.sendall(data.upper())
    sock.sendall(b'end')


class Tls:
    """A TLS target with a certificate of its own, that says what its user sees of it."""

    def __init__(self, name, names=None):
        self.name = name
        subprocess.run(
            ['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256',
             '-nodes', '-keyout', folder / f'{name}.key', '-out', folder / f'{name}.crt', '-days',
             '2', '-subj', f'/CN={name}', '-addext', f'subjectAltName=DNS:{names or name}'],
            check=True, capture_output=True, timeout=DEADLINE)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(folder / f'{name}.crt', folder / f'{name}.key')
        self.context.set_alpn_protocols(['h2', 'http/1.1'])
        self.target = Target(self.serve)

    def serve(self, sock):
        with self.context.wrap_socket(sock, server_side=True) as tls:
            websocket.read_head(tls)
            text = f'{self.name} {tls.selected_alpn_protocol()}'.encode()
            tls.sendall(b'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s'
                        % (len(text), text))


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
    # Where nobody is expected to say one, it is no request.
    _, _, plain = serve(f'a.example={a.spec}')
    assert status(ask(plain, said + get('a.example'))) == 400


def ask_tls(port, context, request):
    with user(port) as sock, context.wrap_socket(sock, server_hostname='x.example.org') as tls:
        tls.sendall(request.replace(b'\r\n\r\n', b'\r\nConnection: close\r\n\r\n'))
        return receive_all(tls)


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


def metrics(server):
    """What the server counts: {name with labels: number}."""
    lines = curl(server.port, 'http://localhost/metrics').splitlines()
    return {name: float(value) for name, value in
            (line.removeprefix('vtunnel_').split(' ') for line in lines if line[0] != '#')}


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
    assert metrics(server)['accept_pauses_total'] > 0


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
        assert metrics(server)['users_refused_total'] == 2
        for sock in users + waiting:
            sock.close()


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
