# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""A WebSocket on a plain socket, written for the tests alone (RFC 6455).

It shares nothing with the code that is tested, and lets a test do what a library would not:
fragments of any size, control frames between them, frames that are wrong.
"""

import base64
import hashlib
import os
import socket
import struct
import threading

GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


class Closed(Exception):
    """The peer is gone; `code` is that of its close frame, or None."""

    def __init__(self, code=None, reason=''):
        super().__init__(f'closed: {code} {reason}')
        self.code = code
        self.reason = reason


def read_head(sock):
    """Reads an HTTP head byte by byte, so that nothing behind it is taken."""
    head = b''
    while not head.endswith(b'\r\n\r\n'):
        piece = sock.recv(1)
        if not piece:
            raise Closed()
        head += piece
    lines = head.decode('latin-1').split('\r\n')
    headers = {}
    for line in lines[1:]:
        if line:
            name, value = line.split(':', 1)
            headers.setdefault(name.strip().lower(), value.strip())
    return lines[0], headers


def raw_frame(first, payload, masked, length=None):
    """A frame as it should not be: its first byte, and the length that it claims to have. The mask
    is of zeros."""
    length = len(payload) if length is None else length
    bit = 0x80 if masked else 0
    if length < 126:
        head = struct.pack('!BB', first, bit | length)
    elif length < 65536:
        head = struct.pack('!BBH', first, bit | 126, length)
    else:
        head = struct.pack('!BBQ', first, bit | 127, length)
    return head + (bytes(4) if masked else b'') + payload


class WebSocket:
    """One end of a WebSocket whose opening handshake is over."""

    def __init__(self, sock, masks):
        self.sock = sock
        self.masks = masks
        self.lock = threading.Lock()
        # Only control frames may come between the fragments of a message.
        self.message_lock = threading.Lock()
        self.answer_pings = True
        self.pings_seen = 0
        self.pongs_seen = 0
        self.closing = False

    @classmethod
    def connect(cls, host, port, path='/', headers=(), timeout=20):
        sock = socket.create_connection((host, port), timeout=timeout)
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [f'GET {path} HTTP/1.1', f'Host: {host}:{port}', 'Upgrade: websocket',
                 'Connection: Upgrade', f'Sec-WebSocket-Key: {key}', 'Sec-WebSocket-Version: 13']
        lines += [f'{name}: {value}' for name, value in headers]
        sock.sendall(('\r\n'.join(lines) + '\r\n\r\n').encode())
        status, answer = read_head(sock)
        if ' 101 ' not in status:
            sock.close()
            raise Closed(None, status)
        expected = base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()
        assert answer['sec-websocket-accept'] == expected, answer
        self = cls(sock, masks=True)
        self.answer = answer
        return self

    @classmethod
    def accept(cls, sock, protocol=None):
        """The server's side of the handshake; the request is in `request` and `headers`.
        `protocol` is the subprotocol that it selects."""
        request, headers = read_head(sock)
        accept = base64.b64encode(
            hashlib.sha1((headers['sec-websocket-key'] + GUID).encode()).digest()).decode()
        selected = f'Sec-WebSocket-Protocol: {protocol}\r\n' if protocol else ''
        sock.sendall((
            'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n'
            f'{selected}Sec-WebSocket-Accept: {accept}\r\n\r\n').encode())
        self = cls(sock, masks=False)
        self.request = request
        self.headers = headers
        return self

    def frame(self, opcode, payload, fin=True):
        first = (0x80 if fin else 0) | opcode
        bit = 0x80 if self.masks else 0
        if len(payload) < 126:
            head = struct.pack('!BB', first, bit | len(payload))
        elif len(payload) < 65536:
            head = struct.pack('!BBH', first, bit | 126, len(payload))
        else:
            head = struct.pack('!BBQ', first, bit | 127, len(payload))
        if not self.masks:
            return head + payload
        mask = os.urandom(4)
        repeated = (mask * (len(payload) // 4 + 1))[:len(payload)]
        masked = int.from_bytes(payload, 'big') ^ int.from_bytes(repeated, 'big')
        return head + mask + masked.to_bytes(len(payload), 'big')

    def send_raw(self, data):
        with self.lock:
            self.sock.sendall(data)

    def send(self, payload, opcode=TEXT, fragment=None, ping_between=False):
        """Sends a message, in fragments of `fragment` bytes, as the Go programs do at 4096."""
        if isinstance(payload, str):
            payload = payload.encode()
        size = fragment or max(len(payload), 1)
        pieces = [payload[i:i + size] for i in range(0, len(payload), size)] or [b'']
        with self.message_lock:
            for number, piece in enumerate(pieces):
                last = number == len(pieces) - 1
                self.send_raw(self.frame(opcode if number == 0 else CONTINUATION, piece, fin=last))
                if ping_between and not last:
                    self.send_raw(self.frame(PING, b'between'))

    def ping(self, payload=b''):
        self.send_raw(self.frame(PING, payload))

    def _exactly(self, length):
        data = b''
        while len(data) < length:
            piece = self.sock.recv(length - len(data))
            if not piece:
                raise Closed()
            data += piece
        return data

    def receive_frame(self):
        first, second = self._exactly(2)
        length = second & 0x7f
        if length == 126:
            length = struct.unpack('!H', self._exactly(2))[0]
        elif length == 127:
            length = struct.unpack('!Q', self._exactly(8))[0]
        assert first & 0x70 == 0, 'a reserved bit: some extension is in use'
        assert bool(second & 0x80) != self.masks, 'masked the wrong way round'
        mask = self._exactly(4) if second & 0x80 else None
        payload = self._exactly(length)
        if mask:
            repeated = (mask * (length // 4 + 1))[:length]
            payload = (int.from_bytes(payload, 'big')
                       ^ int.from_bytes(repeated, 'big')).to_bytes(length, 'big')
        return first & 0x0f, payload, bool(first & 0x80)

    def receive(self):
        """The next message: (opcode, bytes). Pings are answered, a close frame raises Closed."""
        message, kind = b'', None
        while True:
            opcode, payload, fin = self.receive_frame()
            if opcode == PING:
                self.pings_seen += 1
                if self.answer_pings:
                    self.send_raw(self.frame(PONG, payload))
            elif opcode == PONG:
                self.pongs_seen += 1
            elif opcode == CLOSE:
                code = struct.unpack('!H', payload[:2])[0] if len(payload) >= 2 else None
                if not self.closing:
                    self.closing = True
                    self.send_raw(self.frame(CLOSE, payload[:2]))
                raise Closed(code, payload[2:].decode())
            else:
                if kind is None:
                    kind = opcode
                message += payload
                if fin:
                    return kind, message

    def close(self, code=1000, reason=''):
        """Sends a close frame; the answer comes through receive ()."""
        self.closing = True
        self.send_raw(self.frame(CLOSE, struct.pack('!H', code) + reason.encode()))

    def abort(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        self.sock.close()
