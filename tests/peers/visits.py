# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""What visitors of a website behind a tunnel do, and have to find, whatever is between."""

import base64
import contextlib
import hashlib
import http.client
import json
import os
import socket

from deploy import they_answer, tls_context
from harness import DEADLINE, in_thread, pattern
from namespace import ELSEWHERE
from website import LARGE, MIB, Website, large_hash
from websocket import WebSocket

UPGRADE = {'Upgrade': 'websocket', 'Connection': 'Upgrade', 'Sec-WebSocket-Version': '13'}
# Of where somebody is.
LIE = '203.0.113.1'
LIES = {'X-Forwarded-For': LIE, 'Forwarded': f'for={LIE}'}


class Visitor(http.client.HTTPConnection):
    """Somebody from elsewhere, with a connection to one name: TLS, unless `context` is None."""

    def __init__(self, host, port=443, context=False, address=ELSEWHERE, at=None):
        super().__init__(host, port, timeout=DEADLINE)
        self.default_port = port
        self.context = tls_context() if context is False else context
        self.address = address
        self.at = at or host

    def connect(self):
        self.sock = socket.create_connection((self.at, self.port), DEADLINE, (self.address, 0))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.context:
            self.sock = self.context.wrap_socket(self.sock, server_hostname=self.host)

    def get(self, path, **headers):
        self.request('GET', path, headers=headers)
        return self.getresponse()

    def fetch(self, path):
        answer = self.get(path)
        body = answer.read()
        assert answer.status == 200, (answer.status, body)
        return body

    def upgrade(self, path, headers=()):
        """The answer to one that asks for a WebSocket; the connection stays."""
        self.request('GET', path, headers={
            **UPGRADE, 'Sec-WebSocket-Key': base64.b64encode(os.urandom(16)).decode(),
            **dict(headers)})
        return self.getresponse()


def beside(way):
    """One who comes to the first of the server's ports past what is in front of it."""
    return Visitor('localhost', 9000, None, '', way.ports_address)


class Download:
    """One that is in progress, until it is told to finish."""

    def __init__(self, visitor):
        self.visitor = visitor
        self.sent_before = Website.sent
        self.answer = visitor.get('/large')
        assert self.answer.status == 200, self.answer.status
        self.digest, self.count = hashlib.sha256(), 0
        self.read(MIB)

    def read(self, size):
        piece = self.answer.read(size)
        self.digest.update(piece)
        self.count += len(piece)
        return piece

    def is_in_progress(self):
        """None of those that were begun since then has been sent to its end."""
        return Website.sent == self.sent_before

    def finish(self):
        while self.read(MIB):
            pass
        assert self.count == LARGE, f'{self.visitor.host}: {self.count} bytes'
        assert self.digest.hexdigest() == large_hash(), 'other bytes'
        self.visitor.close()


def upload(visitor):
    visitor.request('PUT', '/upload', body=pattern(LARGE),
                    headers={'Content-Length': str(LARGE)})
    answer = visitor.getresponse()
    assert answer.status == 200, answer.status
    assert answer.read().decode() == large_hash(), 'other bytes'
    visitor.close()


def chat(visitor):
    """With the WebSocket application, in messages of all sizes."""
    with contextlib.closing(visitor):
        answer = visitor.upgrade('/ws')
        assert answer.status == 101, (answer.status, answer.read())
        ws = WebSocket(visitor.sock, masks=True)
        for size in (1, 125, 70_000, MIB, 3):
            message = bytes(os.urandom(size))
            ws.send(message, opcode=2)
            assert ws.receive() == (2, message), size


def they_all_work(**options):
    """Two forwards at once, a large download and a large upload, and the WebSocket application."""
    app, api = Visitor('app.example.org', **options), Visitor('api.example.org', **options)
    assert b'<h1>app</h1>' in app.fetch('/')
    assert b'<h1>api</h1>' in api.fetch('/')
    waits = [in_thread(Download(app).finish), in_thread(upload, api),
             in_thread(chat, Visitor('app.example.org', **options))]
    for wait in waits:
        wait()


def the_app_knows_its_visitors(before='', **options):
    """By where they are. What they say of that goes, or is known to stand before it."""
    with contextlib.closing(Visitor('app.example.org', **options)) as visitor:
        headers = json.loads(visitor.get('/headers', **LIES).read())
    assert headers['host'] == ['app.example.org'], headers
    assert headers['x-forwarded-for'] == [before + ELSEWHERE], headers
    assert headers['x-forwarded-proto'] == ['https'], headers
    assert 'forwarded' not in headers, headers


def the_server_knows_its_clients(way, **options):
    """By their tokens, and by where they are, not by what they say of that."""
    server = way.server
    server.event('session-opened', user='laptop', address=way.client_address)
    right = {'Authorization': f'Bearer {way.token}'}
    wrong = {'Authorization': 'Bearer vt_laptop_' + 'A' * 43}

    def status(headers, address=ELSEWHERE):
        with contextlib.closing(
                Visitor('tunnel.example.org', address=address, **options)) as visitor:
            answer = visitor.upgrade('/tunnel', headers)
            return answer.status, answer.headers.get('Retry-After')

    assert status({**right, **LIES})[0] == 101
    server.event('session-opened', user='laptop', address=ELSEWHERE)
    assert [status(wrong)[0] for _ in range(5)] == [401] * 5
    last = status(wrong)
    assert last[0] == 429 and last[1], last
    # Nobody else is slowed down.
    assert status(right, way.neighbour_address)[0] == 101


def a_silent_tunnel_lives_by_pings(way, **options):
    """Something between cuts what is silent for a while: the one tunnel pings more often, and is
    not cut in a time in which the other one is, which comes back."""
    talking = way.second_client('--ping-interval', '1', **options)
    silent = way.second_client('--ping-interval', '30', **options)
    silent.event('session-suspended')
    silent.event('session-resumed')
    assert not [e for e in talking.events if e['event'] == 'session-suspended']
    for client in (talking, silent):
        client.stop()


def everything_works(way, **options):
    """The configuration and the commands of a page, as they stand there."""
    client = way.client()
    they_answer(way.page)
    they_all_work(**options)
    the_app_knows_its_visitors(**options)
    the_server_knows_its_clients(way, **options)
    client.stop()
    way.server.stop()


def what_is_in_progress_goes_on(way, reload, processes):
    """Through the old processes, the tunnel too. `reload` returns them once there are new ones."""
    client = way.client()
    downloads = [Download(Visitor('app.example.org')), Download(beside(way))]
    old = reload()
    assert b'<h1>api</h1>' in Visitor('api.example.org').fetch('/')
    assert old & processes(), 'nobody is left of the old processes'
    assert all(download.is_in_progress() for download in downloads)
    for download in downloads:
        download.finish()
    assert not [e for e in client.events if e['event'] == 'session-suspended']
    client.stop()
    way.server.stop()


def the_tunnel_resumes(way, cut, **options):
    """And what goes through it, and not through what is cut, goes on."""
    client = way.client()
    download = Download(beside(way))
    cut()
    client.event('session-resumed')
    assert download.is_in_progress()
    download.finish()
    they_all_work(**options)
    client.stop()
    way.server.stop()
