#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""The rules of RFC 6455 and RFC 3629 as tables, said to our server by a raw socket and to our
client by a server that is none. Others' small requests go on; what they wait is printed."""

import os
import socket
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'peers'))

from attack import run_all  # noqa: E402
from harness import (Sampler, Target, Tool, echo, main, receive_exactly, test,  # noqa: E402
                     user)
from vectors import quoted, utf8_vectors  # noqa: E402
from websocket import (BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Closed,  # noqa: E402
                       WebSocket)

MIB = 1 << 20
ASK, ANSWER = b'{"type":"ping"}', b'{"type":"pong"}'


def mask_bit(masked):
    return 0x80 if masked else 0


def raw(first, payload, masked, form=0):
    """A frame whose length is written in the form 0 (as it should be), 126 or 127."""
    length = len(payload)
    bit = mask_bit(masked)
    if form == 127 or (form == 0 and length > 65535):
        head = struct.pack('!BBQ', first, bit | 127, length)
    elif form == 126 or (form == 0 and length > 125):
        head = struct.pack('!BBH', first, bit | 126, length)
    else:
        head = struct.pack('!BB', first, bit | length)
    return head + (bytes(4) if masked else b'') + payload


def goodbye(code, reason=b''):
    return struct.pack('!H', code) + reason


def harmless(masked):
    """(what, bytes, pongs of the WebSocket that answer it)."""
    def one(first, payload=b''):
        return raw(first, payload, masked)
    text, fin = 0x80 | TEXT, 0x80
    for length in (0, 1, 125, 126, 127, 128, 65535, 65536):
        padded = quoted(b'')[:-2] + b'*' * length + b'"}'
        yield f'a text with {length} more', one(text, padded), 0
        yield f'a binary one with {length} more', one(fin | BINARY, padded), 0
    for length in (0, 1, 124, 125):
        yield f'a ping of {length}', one(fin | PING, b'*' * length), 1
        yield f'a pong of {length} that nobody asked for', one(fin | PONG, b'*' * length), 0
    yield 'a ping that is no text', one(fin | PING, b'\x00\xff\xfe\xfd'), 1
    yield 'ten pings', one(fin | PING, b'ten') * 10, 10
    yield 'an empty text', one(text), 0
    yield 'two fragments', one(TEXT, quoted(b'')[:5]) + one(fin, quoted(b'')[5:]), 0
    yield ('a ping between fragments',
           one(TEXT, quoted(b'')[:5]) + one(fin | PING, b'!') + one(fin, quoted(b'')[5:]), 1)
    yield 'empty fragments', one(TEXT) + one(0) * 5 + one(fin, quoted(b'')), 0
    yield 'nothing but empty fragments', one(TEXT) + one(0) + one(fin), 0
    split = '\u20ac\U0001f600'.encode()
    yield ('a character in as many fragments as bytes', one(TEXT, b'{"type":"x","error":"')
           + b''.join(one(0, split[i:i + 1]) for i in range(len(split))) + one(fin, b'"}'), 0)


def wrong(masked):
    """(what, bytes, codes that answer it)."""
    fin = 0x80

    def one(first, payload=b''):
        return raw(first, payload, masked)
    for bits in (0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70):
        yield f'reserved bits {bits:#x}', one(fin | bits | TEXT, ASK), {1002}
    yield 'a reserved bit of a ping', one(fin | 0x40 | PING), {1002}
    yield 'a reserved bit of a close', one(fin | 0x40 | CLOSE, goodbye(1000)), {1002}
    for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15):
        yield f'the opcode {opcode}', one(fin | opcode), {1002}
    for opcode in (PING, PONG, CLOSE):
        yield f'half a control frame {opcode}', one(opcode), {1002}
        yield f'a long control frame {opcode}', one(fin | opcode, b'\x03\xe8' + b'*' * 124), {1002}
    yield 'a continuation first', one(fin | CONTINUATION, ASK), {1002}
    yield 'a continuation first, which goes on', one(CONTINUATION, ASK), {1002}
    yield 'a continuation after all', one(fin | TEXT, quoted(b'')) + one(fin, b'x'), {1002}
    yield 'a text in a text', one(TEXT, b'{') + one(fin | TEXT, b'}'), {1002}
    yield 'a binary in a text', one(TEXT, b'{') + one(fin | BINARY, b'}'), {1002}
    yield 'the wrong mask', raw(fin | TEXT, ASK, not masked), {1002}
    for code in (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535):
        yield f'close {code}', one(fin | CLOSE, goodbye(code)), {1002}
    yield 'a close of one byte', one(fin | CLOSE, b'\x03'), {1002}
    yield 'a close with no text', one(fin | CLOSE, goodbye(1000, b'\xce\xba\xff')), {1002, 1007}
    for code in (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999):
        yield f'close {code}', one(fin | CLOSE, goodbye(code)), {code, 1000}
    yield 'a close of 125', one(fin | CLOSE, goodbye(1000, b'*' * 123)), {1000}
    yield 'a close with nothing', one(fin | CLOSE), {None, 1000}
    yield ('a ping after a close', one(fin | CLOSE, goodbye(1000)) + one(fin | PING, b'late'),
           {1000})


class Bystander(threading.Thread):
    """Asks for something small again and again, through a tunnel of its own."""

    def __init__(self):
        super().__init__(daemon=True)
        self.target = Target(echo)
        self.server = Tool.server('--quiet')
        self.client = Tool.client(self.server.port, f'0={self.target.spec}')
        self.sock = user(self.client.forward_port())
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.took, self.wrong, self.done = [], [], threading.Event()
        self.sampler = Sampler(self.server)
        self.start()

    def run(self):
        while not self.done.wait(0.002):
            began = time.monotonic()
            try:
                self.sock.sendall(b'small')
                receive_exactly(self.sock, 5)
            except (AssertionError, OSError) as error:
                self.wrong.append(error)
                return
            self.took.append(time.monotonic() - began)

    def finish(self):
        self.done.set()
        self.join()
        assert not self.wrong and self.took, self.wrong
        p99 = sorted(self.took)[len(self.took) * 99 // 100] * 1000
        grown = self.sampler.end() / MIB
        print(f'# others: p99 {p99:.1f} ms of {len(self.took)}; the server grew {grown:.1f} MiB')
        assert grown < 64, grown
        self.sock.close()
        self.client.stop()
        self.server.stop()
        assert not self.server.errors, self.server.errors


class Ends:
    """What is attacked: our server by a raw client, or our client by a raw server."""

    def __init__(self, bystander):
        self.bystander = bystander

    def client_of_server(self):
        web = WebSocket.connect('127.0.0.1', self.bystander.server.port)
        web.sock.settimeout(30)
        return web, lambda: web.sock.close()

    @staticmethod
    def server_of_client():
        with socket.create_server(('127.0.0.1', 0)) as listener:
            client = Tool.client(listener.getsockname()[1], '9000=localhost:1',
                                 arguments=('--no-reconnect', '--quiet'))
            sock, _ = listener.accept()
        sock.settimeout(30)
        web = WebSocket.accept(sock)
        web.receive()

        def end():
            web.sock.close()
            # 0: it was told goodbye in order.
            assert client.wait() in (0, 1), client.errors
        return web, end


def say(web, data):
    """The code of the close that answers it, or what was wrong."""
    try:
        web.send_raw(data)
        while True:
            _, payload = web.receive()
            assert payload != ANSWER, 'it was taken'
    except Closed as closed:
        return closed.code
    except ConnectionResetError:
        # It is right to go while more comes that nobody will read.
        return 'reset'


def each(cases, make, check):
    """Some at a time: a client of ours waits a second for its server to go."""
    def run(_, *case):
        web, end = make()
        check(web, *case)
        end()
    run_all(cases, run)


def check_wrong(web, what, data, codes):
    code = say(web, data)
    assert code in codes or code == 'reset', (what, code)


@test
def utf8_to_a_server():
    vectors = list(utf8_vectors())
    print(f'# {len(vectors)} vectors, whole and byte by byte')
    assert len(vectors) >= 120
    bystander = Bystander()
    ends = Ends(bystander)

    web, end = ends.client_of_server()
    for data, good in vectors:
        if good:
            web.send(quoted(data))
            web.send(quoted(data), fragment=1)
            web.send(ASK)
            assert web.receive()[1] == ANSWER, data
    web.close()
    end()
    bad = [data for data, good in vectors if not good]
    cases = [(data, web_data) for data in bad for web_data in ('whole', 'pieces')]

    def check(web, data, how):
        with_it = quoted(data)
        if how == 'whole':
            sent = web.frame(TEXT, with_it)
        else:
            sent = web.frame(TEXT, b'', fin=False) + b''.join(
                web.frame(CONTINUATION, with_it[i:i + 1], fin=False) for i in range(len(with_it)))
            sent += web.frame(CONTINUATION, b'')
        assert say(web, sent + web.frame(TEXT, ASK)) in (1007, 'reset'), data
    each(cases, ends.client_of_server, check)
    bystander.finish()


@test
def utf8_to_a_client():
    ends = Ends(None)
    bad = [data for data, good in utf8_vectors() if not good]
    each([(data,) for data in bad[::3]], ends.server_of_client,
         lambda web, data: check_wrong(web, data, web.frame(TEXT, quoted(data)), {1007}))


@test
def framing_and_closing_of_a_client():
    bystander = Bystander()
    ends = Ends(bystander)
    kind, masked = ends.client_of_server, True
    fine, cases = list(harmless(masked)), list(wrong(masked))
    print(f'# {len(fine)} cases that are harmless, {len(cases)} that end it')
    web, end = kind()
    for what, data, pongs in fine:
        before = web.pongs_seen
        web.send_raw(data)
        web.send(ASK)
        assert web.receive()[1] == ANSWER and web.pongs_seen - before == pongs, what
    web.close()
    end()
    each(cases, kind, check_wrong)
    bystander.finish()


@test
def framing_and_closing_of_a_server():
    ends = Ends(None)
    web, end = ends.server_of_client()
    for what, data, pongs in harmless(False):
        before = web.pongs_seen
        # The last ping is answered last.
        web.send_raw(data + web.frame(PING, b'and now'))
        while web.pongs_seen - before < pongs + 1:
            opcode, _, _ = web.receive_frame()
            web.pongs_seen += opcode == PONG
            assert opcode != CLOSE, what
    web.close()
    end()
    each(wrong(False), ends.server_of_client, check_wrong)


main()
