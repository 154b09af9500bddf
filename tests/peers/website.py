# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""A web application on the client's side: pages, a WebSocket, downloads and uploads."""

import base64
import hashlib
import http.server
import json
import socketserver
import threading

from harness import pattern
from websocket import GUID, Closed, WebSocket

MIB = 1 << 20
LARGE = 64 * MIB
ASSETS = 50

PAGE = '''<!doctype html>
<title>assets</title>
<p id="count">0</p>
<script>
  let count = 0;
  function loaded () { document.getElementById ('count').textContent = ++count; }
</script>
%s
'''
KINDS = {
    'js': ('text/javascript', '<script src="%s" onload="loaded ()"></script>', b'// %d\n'),
    'css': ('text/css', '<link rel="stylesheet" href="%s" onload="loaded ()">', b'/* %d */\n'),
    'svg': ('image/svg+xml', '<img src="%s" onload="loaded ()">',
            b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><!-- %d --></svg>\n'),
}


def assets():
    kinds = list(KINDS)
    return [f'/asset-{number}.{kinds[number % len(kinds)]}' for number in range(ASSETS)]


def large_hash():
    digest = hashlib.sha256()
    for piece in pattern(LARGE):
        digest.update(piece)
    return digest.hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    # An answer's head and body leave together.
    wbufsize = MIB

    def log_message(self, *_):
        pass

    def answer(self, body, kind='text/html'):
        self.send_response(200)
        self.send_header('Content-Type', kind)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.server.note(self.path)
        if self.path == '/large':
            self.send_large()
        elif self.path == '/ws':
            self.echo()
        elif self.path == '/headers':
            headers = {name.lower(): self.headers.get_all(name) for name in self.headers}
            self.answer(json.dumps(headers).encode(), 'application/json')
        elif self.path == '/assets':
            lines = [KINDS[path.rsplit('.')[-1]][1] % path for path in assets()]
            self.answer((PAGE % '\n'.join(lines)).encode())
        elif self.path in assets():
            kind, _, text = KINDS[self.path.rsplit('.')[-1]]
            self.answer(text % assets().index(self.path), kind)
        else:
            self.answer(f'<h1>{self.server.name}</h1>\n'.encode())

    def send_large(self):
        self.send_response(200)
        self.send_header('Content-Length', str(LARGE))
        self.end_headers()
        for piece in pattern(LARGE):
            self.wfile.write(piece)
        Website.sent += 1

    def do_PUT(self):
        """The answer is the hash of what came."""
        digest, left = hashlib.sha256(), int(self.headers['Content-Length'])
        while left:
            piece = self.rfile.read(min(left, MIB))
            if not piece:
                return
            digest.update(piece)
            left -= len(piece)
        self.answer(digest.hexdigest().encode(), 'text/plain')

    def echo(self):
        key = self.headers['Sec-WebSocket-Key'] + GUID
        self.send_response(101)
        self.send_header('Upgrade', 'websocket')
        self.send_header('Connection', 'Upgrade')
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        self.send_header('Sec-WebSocket-Accept', accept)
        self.end_headers()
        self.wfile.flush()
        self.close_connection = True
        ws = WebSocket(self.connection, masks=False)
        try:
            while True:
                opcode, message = ws.receive()
                ws.send_raw(ws.frame(opcode, message))
        except (Closed, OSError):
            pass


class Website(http.server.ThreadingHTTPServer):
    """What was asked for stands in `paths`; `sent` is how many downloads have left, of all."""

    sent = 0
    daemon_threads = True
    block_on_close = False
    request_queue_size = 1024

    def __init__(self, port, name, address='127.0.0.1'):
        super().__init__((address, port), Handler)
        self.name = name
        self.paths = []
        self.thread = threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    def server_bind(self):
        """HTTPServer also asks who this machine is, of whom nobody may know."""
        socketserver.TCPServer.server_bind(self)

    def note(self, path):
        self.paths.append(path)

    def handle_error(self, *_):
        # Who is cut off says so at the other end.
        pass

    def close(self):
        self.shutdown()
        self.server_close()
        self.thread.join()
