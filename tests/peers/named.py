# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""Users by host name: web servers to have names, a server with a port for names, and its users."""

import hashlib
import http.server
import pathlib
import re
import ssl
import subprocess
import tempfile
import threading

import websocket
from harness import DEADLINE, Target, Tool, receive_all, receive_exactly, user

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


def metrics(server):
    """What the server counts: {name with labels: number}."""
    lines = curl(server.port, 'http://localhost/metrics').splitlines()
    return {name: float(value) for name, value in
            (line.removeprefix('vtunnel_').split(' ') for line in lines if line[0] != '#')}


def talk(sock):
    websocket.read_head(sock)
    sock.sendall(b'HTTP/1.1 101 Switching Protocols\r\nUpgrade: talk\r\n'
                 b'Connection: Upgrade\r\n\r\n')
    while data := sock.recv(1 << 16):
        sock.sendall(data.upper())
    sock.sendall(b'end')
