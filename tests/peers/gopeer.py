# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""The existing Go programs, both generations, as docs/protocol.md describes them.

`newer` tells the generation. Everything that can be seen on the wire is done as they do it: the
order of keys, fragments of 4096 bytes, what is answered and what is not.
"""

import base64
import contextlib
import json
import queue
import socket
import threading
import time

from websocket import Closed, WebSocket

FRAGMENT = 4096
CHUNK = 32 * 1024


def encode(kind, port=0, stream_id=0, data=b'', error=''):
    """As Go's encoding/json with omitempty: this order, no spaces."""
    message = {'type': kind}
    if port:
        message['port'] = port
    if stream_id:
        message['stream_id'] = stream_id
    if data:
        message['data'] = base64.b64encode(data).decode()
    if error:
        message['error'] = error
    return json.dumps(message, separators=(',', ':'))


def decode(payload):
    message = json.loads(payload)
    if 'data' in message:
        message['data'] = base64.b64decode(message['data'], validate=True)
    return message


class Peer:
    """What client and server share: a reader thread, and a record of all messages."""

    def __init__(self, newer):
        self.newer = newer
        self.web = None
        self.record = []
        self.raw = []
        self.arrived = threading.Condition()
        self.gone = None
        self.sockets = {}

    def send(self, kind, **fields):
        self.web.send(encode(kind, **fields), fragment=FRAGMENT)

    def run(self):
        try:
            while True:
                _, payload = self.web.receive()
                message = decode(payload)
                with self.arrived:
                    self.record.append(message)
                    self.raw.append(payload)
                    self.arrived.notify_all()
                self.handle(message)
        except (Closed, OSError) as end:
            # As the Go programs do, which answer a goodbye and go.
            with contextlib.suppress(OSError):
                self.web.sock.shutdown(socket.SHUT_RDWR)
            with self.arrived:
                self.gone = end
                self.arrived.notify_all()
            for sock in list(self.sockets.values()):
                sock.close()

    def wait(self, predicate, timeout=20):
        """Waits until a message for which `predicate` holds has arrived, and returns it."""
        with self.arrived:
            found = []

            def look():
                found[:] = [m for m in self.record if predicate(m)]
                return found or self.gone
            if not self.arrived.wait_for(look, timeout):
                raise AssertionError(f'no such message; there were {self.record[-5:]}')
            if not found:
                raise AssertionError(f'the connection ended: {self.gone}')
            return found[0]

    def wait_gone(self, timeout=20):
        with self.arrived:
            assert self.arrived.wait_for(lambda: self.gone, timeout), 'still connected'
        return self.gone

    def pump(self, sock, stream_id):
        """From a local connection into the tunnel, and `close` at its end."""
        try:
            while True:
                data = sock.recv(CHUNK)
                if not data:
                    break
                self.send('data', stream_id=stream_id, data=data)
        except OSError:
            pass
        if self.sockets.pop(stream_id, None) is not None:
            try:
                self.send('close', stream_id=stream_id)
            except OSError:
                pass

    def take_data(self, message):
        sock = self.sockets.get(message['stream_id'])
        if sock is None:
            return
        if message['type'] == 'data':
            try:
                sock.sendall(message.get('data', b''))
            except OSError:
                pass
        else:
            self.sockets.pop(message['stream_id'], None)
            self.send('close', stream_id=message['stream_id'])
            try:
                sock.shutdown(socket.SHUT_WR)
            except OSError:
                pass


class GoClient(Peer):
    """The client: `targets` maps ports of the server to local (host, port) pairs."""

    def __init__(self, port, targets, newer, ping_interval=30, headers=()):
        super().__init__(newer)
        self.targets = targets
        self.web = WebSocket.connect('127.0.0.1', port, '/tunnel', headers)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        self.ping_interval = ping_interval
        for wanted in targets:
            self.send('listen', port=wanted)

    def ping(self):
        if self.newer:
            self.send('ping')
        else:
            self.web.ping()

    def handle(self, message):
        kind = message['type']
        if kind == 'connect':
            stream_id = message['stream_id']
            target = self.targets.get(message['port'])
            try:
                sock = socket.create_connection(target, timeout=20)
            except (OSError, TypeError, ValueError):
                self.send('close', stream_id=stream_id)
                return
            sock.settimeout(None)
            self.sockets[stream_id] = sock
            threading.Thread(target=self.pump, args=(sock, stream_id), daemon=True).start()
        elif kind in ('data', 'close'):
            self.take_data(message)


class GoServer(Peer):
    """The server: waits for one client at a time on a port of its own."""

    def __init__(self, newer):
        super().__init__(newer)
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.port = self.listener.getsockname()[1]
        self.ports = {}
        self.next_id = 0
        self.streams = queue.Queue()
        self.pings = []
        self.connected = threading.Event()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        try:
            sock, _ = self.listener.accept()
        except OSError:
            return
        self.web = WebSocket.accept(sock)
        self.connected.set()
        self.run()
        for listener in self.ports.values():
            listener.close()

    def handle(self, message):
        kind = message['type']
        if kind == 'listen':
            self.open_port(message.get('port', 0))
        elif kind == 'ping' and self.newer:
            self.pings.append(time.monotonic())
            self.send('pong')
        elif kind in ('data', 'close'):
            self.take_data(message)

    def open_port(self, port):
        try:
            listener = socket.create_server(('127.0.0.1', port))
        except OSError as error:
            if self.newer:
                self.send('listen_err', port=port, error=f'listen tcp :{port}: bind: {error}')
            return
        bound = listener.getsockname()[1]
        self.ports[bound] = listener
        if self.newer:
            # The newer server's answer repeats the port that was asked for.
            self.send('listen_ok', port=port)
        threading.Thread(target=self.accept, args=(listener, port), daemon=True).start()

    def accept(self, listener, port):
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            with self.arrived:
                self.next_id += 1
                stream_id = self.next_id
            self.sockets[stream_id] = sock
            self.send('connect', port=port, stream_id=stream_id)
            threading.Thread(target=self.pump, args=(sock, stream_id), daemon=True).start()

    def stop(self):
        self.listener.close()
        if self.web:
            try:
                self.web.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
