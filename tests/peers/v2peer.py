# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""A peer of protocol v2 on raw WebSocket frames, after docs/protocol.md and nothing else.

It holds the other side to that page with each message it gets, and lets a test say whatever it
wants: what is sent is bytes. A thread reads; `wait ()` finds what has arrived.
"""

import collections
import ipaddress
import json
import socket
import struct
import threading

from websocket import BINARY, TEXT, Closed, WebSocket

SUBPROTOCOL = 'vtunnel.v2'
OPEN, OPENED, DATA, EOF, RESET, CREDIT, ACK = range(1, 8)
CODES = ('failed', 'protocol', 'address-in-use', 'permission-denied', 'invalid', 'limit',
         'target-unreachable', 'target-refused', 'cancelled', 'timed-out', 'shutting-down',
         'not-resumed')
UNCOUNTED = ('hello', 'welcome', 'ping', 'pong')
# What this peer says in its greeting.
WINDOW, MAX_FRAME, MAX_MESSAGE = 1 << 16, 1 << 16, 1 << 18

Frame = collections.namedtuple('Frame', 'kind stream payload')


def frame(kind, stream, payload=b'', flags=0, reserved=0, length=None):
    """A frame; what is wrong with it is the caller's."""
    length = len(payload) if length is None else length
    return struct.pack('!BBHII', kind, flags, reserved, stream, length) + payload


def address(host=None, port=0):
    if host is None:
        return struct.pack('!BH', 0, port)
    packed = ipaddress.ip_address(host).packed
    return struct.pack('!BH', 4 if len(packed) == 4 else 6, port) + packed


def opening(stream, listen, user=(), came_to=(), entries=b''):
    return frame(OPEN, stream, struct.pack('!I', listen) + address(*user) + address(*came_to)
                 + entries)


def credit(stream, limit):
    return frame(CREDIT, stream, struct.pack('!Q', limit))


def ack(received):
    return frame(ACK, 0, struct.pack('!Q', received))


def reset(stream, code='failed', reason=''):
    return frame(RESET, stream, struct.pack('!I', CODES.index(code)) + reason.encode())


def read_reset(one):
    """(code, reason) of a RESET."""
    return CODES[struct.unpack('!I', one.payload[:4])[0]], one.payload[4:].decode()


def read_address(data):
    """((host, port) or None, what follows)."""
    family, port = struct.unpack('!BH', data[:3])
    length = {0: 0, 4: 4, 6: 16}[family]
    assert len(data) >= 3 + length, 'half an address'
    host = ipaddress.ip_address(data[3:3 + length]).compressed if family else None
    return host and (host, port), data[3 + length:]


def read_open(one):
    """(listen, user, came_to, entries) of an OPEN."""
    user, rest = read_address(one.payload[4:])
    came_to, entries = read_address(rest)
    return struct.unpack('!I', one.payload[:4])[0], user, came_to, entries


def parse(message):
    """The frames of a message, with all that is true of each frame by itself."""
    frames = []
    assert message, 'an empty binary message'
    while message:
        assert len(message) >= 12, 'half a header'
        kind, flags, reserved, stream, length = struct.unpack('!BBHII', message[:12])
        payload, message = message[12:12 + length], message[12 + length:]
        assert len(payload) == length, 'a frame goes beyond its message'
        assert kind in range(1, 8) and flags == 0 and reserved == 0, (kind, flags, reserved)
        assert (stream == 0) == (kind == ACK), (kind, stream)
        least, most = {OPEN: (10, MAX_MESSAGE), DATA: (1, MAX_FRAME), RESET: (4, 127),
                       CREDIT: (8, 8), ACK: (8, 8)}.get(kind, (0, 0))
        assert least <= length <= most, (kind, length)
        frames.append(Frame(kind, stream, payload))
    assert len(frames) == 1 or all(f.kind != ACK for f in frames), 'an ACK inside a batch'
    return frames


class Stream:
    """What this peer knows of a stream: how far each side may send and has sent."""

    def __init__(self, send_limit):
        self.send_limit = send_limit
        self.receive_limit = WINDOW
        self.sent = 0
        self.received = 0
        self.opened = self.ended = self.gone = False


class Peer:
    """What both sides share. `acknowledges` and `grants` say whether it does so by itself."""

    def __init__(self, acknowledges=True, grants=True):
        self.acknowledges = acknowledges
        self.grants = grants
        self.greeting = None
        self.window = WINDOW
        self.sent = self.received = self.acknowledged = 0
        self.pings = 0
        self.streams = {}
        self.record = []
        self.data = collections.defaultdict(bytearray)
        self.arrived = threading.Condition()
        # Numbers go out in their order, whoever sends.
        self.sending = threading.Lock()
        self.gone = None
        self.wrong = None

    def start(self):
        self.web.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        try:
            while True:
                kind, payload = self.web.receive()
                with self.arrived:
                    assert len(payload) <= MAX_MESSAGE, len(payload)
                    self.take(kind, payload)
                    self.arrived.notify_all()
        except (Closed, OSError) as end:
            self.gone = end
        except Exception as error:
            self.gone = self.wrong = error
        # Who has heard a goodbye and answered it goes.
        self.abort()
        with self.arrived:
            self.arrived.notify_all()

    def take(self, kind, payload):
        counted = True
        if kind == TEXT:
            message = json.loads(payload)
            counted = message['type'] not in UNCOUNTED
            if self.greeting is None:
                self.greet(message)
            else:
                assert message['type'] not in ('hello', 'welcome'), message
            if message['type'] == 'ping':
                self.send_control('pong', t=message['t'])
            self.record.append(message)
        else:
            assert self.greeting is not None, 'frames before the greetings'
            for one in parse(payload):
                counted = counted and one.kind != ACK
                self.take_frame(one)
                self.record.append(one)
        if counted:
            self.received += 1
            if self.acknowledges:
                self.web.send(ack(self.received), opcode=BINARY)

    def take_frame(self, one):
        if one.kind == ACK:
            number = struct.unpack('!Q', one.payload)[0]
            assert self.acknowledged <= number <= self.sent, (number, self.sent)
            self.acknowledged = number
            return
        assert one.kind != self.never_sent, one
        if one.kind == OPEN:
            assert one.stream > max(self.streams, default=0), 'a number that goes back'
            self.streams[one.stream] = Stream(self.greeting['window'])
        stream = self.streams[one.stream]
        self.take_for(stream, one)

    def take_for(self, stream, one):
        if one.kind == OPENED:
            assert not stream.opened, 'OPENED twice'
            stream.opened = True
        elif one.kind in (DATA, EOF):
            assert not stream.ended, 'DATA or EOF after EOF'
            assert stream.opened or self.never_sent == OPENED, 'DATA or EOF before OPENED'
            stream.ended = one.kind == EOF
            stream.received += len(one.payload)
            assert stream.received <= stream.receive_limit, 'DATA beyond the limit'
            self.data[one.stream] += one.payload
            if self.grants and one.kind == DATA:
                self.grant(one.stream, stream.received + WINDOW)
        elif one.kind == CREDIT:
            stream.send_limit = max(stream.send_limit, struct.unpack('!Q', one.payload)[0])
        elif one.kind == RESET:
            read_reset(one)
            stream.gone = True

    def grant(self, number, limit):
        self.streams[number].receive_limit = limit
        self.send(credit(number, limit))

    def send_control(self, name, **fields):
        with self.sending:
            self.sent += name not in UNCOUNTED
            self.web.send(json.dumps({'type': name, **fields}))

    def send(self, *frames):
        """Frames, in one counted message."""
        with self.sending:
            self.sent += 1
            self.web.send(b''.join(frames), opcode=BINARY)

    def send_data(self, number, data):
        """As much as the stream takes at once; its end is not waited for."""
        for start in range(0, len(data), self.greeting['max_frame']):
            self.send(frame(DATA, number, data[start:start + self.greeting['max_frame']]))
        self.streams[number].sent += len(data)

    def wait(self, predicate, timeout=60):
        """Waits until something for which `predicate` holds has arrived, and returns it."""
        found, seen = [], [0]

        def look():
            found.extend(m for m in self.record[seen[0]:] if predicate(m))
            seen[0] = len(self.record)
            return found or self.gone
        with self.arrived:
            assert self.arrived.wait_for(look, timeout), f'only {self.record[-5:]}'
        if self.wrong:
            raise self.wrong
        assert found, f'the connection ended: {self.gone}'
        return found[0]

    def wait_frame(self, kind, number):
        return self.wait(lambda m: isinstance(m, Frame) and (m.kind, m.stream) == (kind, number))

    def wait_control(self, kind, **fields):
        return self.wait(lambda m: isinstance(m, dict) and m['type'] == kind
                         and all(m.get(k) == v for k, v in fields.items()))

    def sync(self):
        """All that was sent has been handled, and what was said to it has come."""
        self.pings += 1
        self.send_control('ping', t=-self.pings)
        self.wait_control('pong', t=-self.pings)

    def wait_data(self, number, length, timeout=60):
        with self.arrived:
            self.arrived.wait_for(lambda: self.gone or len(self.data[number]) >= length, timeout)
            assert len(self.data[number]) >= length, (len(self.data[number]), self.gone)
            return bytes(self.data[number][:length])

    def wait_gone(self, timeout=60):
        with self.arrived:
            assert self.arrived.wait_for(lambda: self.gone, timeout), 'still connected'
        if self.wrong:
            raise self.wrong
        return self.gone

    def abort(self):
        try:
            self.web.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def greet(self, message):
        for key in ('window', 'max_frame', 'max_message'):
            assert isinstance(message[key], int), message
        assert 65536 <= message['max_message'] <= 1 << 20, message
        assert 1 <= message['max_frame'] <= message['max_message'] - 12, message
        self.greeting = message

    @staticmethod
    def limits(**others):
        return {'window': WINDOW, 'max_frame': MAX_FRAME, 'max_message': MAX_MESSAGE, **others}


class Client(Peer):
    """A client. With `greets` it says hello, and is welcome."""

    never_sent = OPENED

    def __init__(self, port, greets=True, **options):
        super().__init__(**options)
        self.web = WebSocket.connect('127.0.0.1', port,
                                     headers=[('Sec-WebSocket-Protocol', SUBPROTOCOL)])
        assert self.web.answer['sec-websocket-protocol'] == SUBPROTOCOL, self.web.answer
        self.web.sock.settimeout(None)
        self.local_port = self.web.sock.getsockname()[1]
        self.start()
        if greets:
            self.send_control('hello', agent='raw', **self.limits())
            self.wait_control('welcome')

    def greet(self, message):
        assert message['type'] == 'welcome', message
        assert len(message['session']) == len(message['secret']) == 22, message
        assert message['resume_timeout'] >= 0, message
        super().greet(message)

    def listen(self, number, **fields):
        """Asks for a port, and returns it."""
        self.send_control('listen', id=number, **fields)
        return self.wait_control('listen_ok', id=number)['port']

    def accept(self, number):
        """The target has answered, as far as the server can tell."""
        self.wait_frame(OPEN, number)
        self.send(frame(OPENED, number))


class Server(Peer):
    """A server for one client; it opens no ports, and a test opens the streams."""

    never_sent = OPEN

    def __init__(self, listener, greets=True, **options):
        super().__init__(**options)
        sock, _ = listener.accept()
        self.web = WebSocket.accept(sock, SUBPROTOCOL)
        offered = self.web.headers.get('sec-websocket-protocol')
        assert offered == SUBPROTOCOL, offered
        self.next_port = 40000
        self.ready = threading.Event()
        self.greets = greets
        self.start()
        if greets:
            self.wait_control('hello')

    def greet(self, message):
        assert message['type'] == 'hello' and 'session' not in message, message
        super().greet(message)
        if self.greets:
            self.welcome()

    def welcome(self, **others):
        self.send_control('welcome', **{'session': 's' * 22, 'secret': 't' * 22,
                                        'resume_timeout': 0, **self.limits(), **others})

    def grant_listen(self, number=1, port=40000):
        self.wait_control('listen', id=number)
        self.send_control('listen_ok', id=number, port=port)

    def open(self, number, listen=1, user=('192.0.2.7', 4711), came_to=('198.51.100.1', 40000)):
        """Opens a stream, and waits until the target has answered."""
        self.streams[number] = Stream(self.greeting['window'])
        self.send(opening(number, listen, user, came_to))
        self.wait(lambda m: isinstance(m, Frame) and m.stream == number
                  and m.kind in (OPENED, RESET))
