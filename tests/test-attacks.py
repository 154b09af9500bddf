#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""Each attack of docs/security.md on a server, while another client's small requests go on: what
they waited and what the server grew by is printed. `tools/dev attacks` takes longer for each."""

import contextlib
import json
import os
import random
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'peers'))

import v2peer  # noqa: E402
import vectors  # noqa: E402
from attacked import attack, end_of, flood, leave  # noqa: E402
from harness import DEADLINE, main, receive_all, user  # noqa: E402
from websocket import BINARY, CONTINUATION, PING, TEXT, raw_frame  # noqa: E402

ASK, ANSWER = b'{"type":"ping"}', b'{"type":"pong"}'
FIN = 0x80
CUT = (1002, 1007, 1008, 1009, 'reset')

UPGRADE = (b'Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n'
           b'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n')
GET = b'GET / HTTP/1.1\r\nHost: localhost\r\n'


# Frames.

@attack()
def a_flood_of_pings(world):
    while world.goes_on():
        web = world.connect()
        flood(web, web.frame(PING, b'x' * 125) * 100, 100)
        assert end_of(web) in (1008, 'reset')


@attack()
def many_who_break_a_rule_at_once(world):
    """All may hear why for a second; what was read of them is not kept so long."""
    before = world.server.memory()
    webs = [world.connect() for _ in range(100)]
    for web in webs:
        flood(web, web.frame(PING, b'x' * 125) * 1000, 1)
    grown = world.server.memory() - before
    for web in webs:
        assert end_of(web) in (1008, 'reset')
    assert grown < 6 << 20, grown


@attack()
def a_flood_of_pings_of_the_tunnel(world):
    while world.goes_on():
        web = world.connect()
        flood(web, web.frame(TEXT, ASK) * 100, 100)
        assert end_of(web) in (1008, 'reset')


@attack()
def endless_fragments(world):
    """A few large ones, and many of nothing."""
    while world.goes_on():
        for payload, times in ((b'x' * 60_000, 200), (b'', 5000)):
            web = world.connect()
            web.send_raw(web.frame(TEXT, b'{', fin=False))
            flood(web, web.frame(CONTINUATION, payload, fin=False), times)
            assert end_of(web) in (1008, 1009, 'reset')


@attack()
def oversized_frames(world):
    while world.goes_on():
        for length in ((1 << 20) + 1, 1 << 31, 1 << 32, (1 << 63) - 1, 1 << 63, (1 << 64) - 1):
            web = world.connect()
            web.send_raw(raw_frame(FIN | TEXT, b'x' * 100_000, True, length))
            assert end_of(web) in (1002, 1009, 'reset'), length


@attack()
def unmasked_frames(world):
    while world.goes_on():
        web = world.connect()
        flood(web, raw_frame(FIN | TEXT, ASK, False) * 100, 10)
        assert end_of(web) in (1002, 'reset')


@attack()
def junk_after_the_upgrade(world):
    noise = random.Random(7)
    while world.goes_on():
        web = world.connect()
        flood(web, noise.randbytes(noise.randrange(14, 100_000)), 1)
        with contextlib.suppress(OSError):
            web.sock.shutdown(socket.SHUT_WR)
        assert end_of(web) in (None, *CUT, 1000)


@attack()
def messages_after_the_goodbye(world):
    """Of one who has broken a rule, and whom nobody listens to any more."""
    while world.goes_on():
        web = world.connect(headers=[('Sec-WebSocket-Protocol', v2peer.SUBPROTOCOL)])
        web.send(json.dumps({'type': 'hello', 'agent': 'raw', **v2peer.Peer.limits()}))
        web.send('{"type":"listen"}')
        flood(web, web.frame(BINARY, bytes(250_000)), 200)
        assert end_of(web) in (1002, 'reset')


@attack()
def invalid_utf8(world):
    bad = [data for data, good in vectors.utf8_vectors() if not good]
    while world.goes_on():
        for data in bad:
            web = world.connect()
            web.send_raw(web.frame(TEXT, vectors.quoted(data)) + web.frame(TEXT, ASK))
            assert end_of(web) in (1007, 'reset'), data


# Messages.

def check_dropped(web, texts):
    """v1: each is logged and dropped, and the connection stays."""
    for text in texts:
        web.send(text)
        web.send(ASK)
        assert web.receive()[1] == ANSWER, text[:200]


def check_refused(world, text, greets=True):
    """v2: it ends the session."""
    peer = world.peer(greets=greets)
    peer.web.send(text)
    gone = peer.wait_gone()
    assert getattr(gone, 'code', None) == 1002 and gone.reason, (text[:200], gone)
    return gone.reason


def is_refused(peer, text):
    """Whether it ends the session, rather than to be answered or ignored."""
    peer.sent += 1
    with contextlib.suppress(OSError):
        peer.web.send(text)
        peer.web.send('{"type":"ping","t":4711}')

    def is_over():
        return peer.gone or any(isinstance(m, dict) and m.get('t') == 4711 for m in peer.record)
    with peer.arrived:
        assert peer.arrived.wait_for(is_over, DEADLINE), text[:200]
        refused = peer.gone is not None
    leave(peer)
    return refused


@attack('--max-ping-rate', '0')
def deep_and_wide_json(world):
    while world.goes_on():
        web = world.connect()
        check_dropped(web, vectors.deep_and_wide())
        web.abort()
        for text in vectors.deep_and_wide():
            is_refused(world.peer(), text)


@attack('--max-ping-rate', '0')
def messages_that_are_wrong(world):
    """All of tests/vectors/: wrong types, missing and double keys, bad base64, numbers."""
    while world.goes_on():
        web = world.connect()
        check_dropped(web, vectors.messages(1))
        web.abort()
        for text in vectors.messages(2):
            check_refused(world, text)


KEYS_1 = ('type', 'port', 'stream_id', 'data', 'error')
KEYS_2 = {
    'hello': ('type', 'agent', 'session', 'window', 'max_frame', 'max_message'),
    'listen': ('type', 'id', 'kind', 'address', 'port', 'names'),
    'unlisten': ('id',), 'goaway': ('reason', 'timeout'), 'ping': ('t',),
}


@attack('--max-ping-rate', '0', '--max-control-rate', '0')
def values_of_every_type(world):
    """Where each key has one of its own; and the key twice, of which the last one counts."""
    while world.goes_on():
        web = world.connect()
        for key in KEYS_1:
            for value in vectors.TYPES_OF_JSON:
                web.send(f'{{"type":"unlisten","port":1,"{key}":{value}}}')
                web.send(f'{{"{key}":null,"{key}":{value},"type":"unlisten","{key}":{value}}}')
        check_dropped(web, ['{}'])
        web.abort()
        for kind, keys in KEYS_2.items():
            for key in keys:
                refused = 0
                for value in vectors.TYPES_OF_JSON:
                    refused += key == 'type' or is_refused(
                        world.peer(greets=kind != 'hello'),
                        f'{{"type":"{kind}","id":7,"t":1,"window":9,"max_frame":9,'
                        f'"max_message":65536,"{key}":{value},"{key}":{value}}}')
                # What is not of its type; to another `type` nobody has to say anything.
                assert refused >= 4, (kind, key, refused)


# (type, key, the range, what else is said)
RANGES = [
    ('ping', 't', -10 ** 18 + 1, 10 ** 18 - 1, ''),
    ('listen', 'id', 1, (1 << 32) - 1, ''),
    ('listen', 'port', 0, 65535, ',"id":77,"kind":"from the future"'),
    ('unlisten', 'id', 1, (1 << 32) - 1, ''),
    ('goaway', 'timeout', 0, (1 << 32) - 1, ''),
]
GREETINGS = [
    ('window', 1, (1 << 32) - 1, ',"max_frame":9,"max_message":65536'),
    ('max_frame', 1, 65536 - 12, ',"window":9,"max_message":65536'),
    ('max_message', 65536, 1 << 20, ',"max_frame":9,"window":9'),
    ('received', 0, 10 ** 18 - 1, ',"session":"a","secret":"b","max_frame":9,"window":9,'
                                  '"max_message":65536'),
    ('attempt', 0, 10 ** 18 - 1, ',"session":"a","secret":"b","max_frame":9,"window":9,'
                                 '"max_message":65536,"received":0'),
]


@attack('--max-control-rate', '0', '--max-forwards', '10000')
def numbers_at_and_past_every_border(world):
    while world.goes_on():
        for kind, key, low, high, more in RANGES:
            for number, good in vectors.numbers(low, high):
                text = f'{{"type":"{kind}"{more},"{key}":{number}}}'
                if good:
                    peer = world.peer()
                    peer.sent += kind != 'ping'
                    peer.web.send(text)
                    peer.sync()
                    leave(peer)
                else:
                    check_refused(world, text)
        for key, low, high, more in GREETINGS:
            for number, good in vectors.numbers(low, high):
                text = f'{{"type":"hello"{more},"{key}":{number}}}'
                if good:
                    peer = world.peer(greets=False)
                    peer.web.send(text)
                    peer.wait_control('welcome')
                    leave(peer)
                else:
                    check_refused(world, text, greets=False)


@attack('--max-control-rate', '0', '--max-forwards', '10000', '--max-ping-rate', '0')
def numbers_at_and_past_every_border_of_v1(world):
    """Whether an answer comes tells whether it was understood."""
    while world.goes_on():
        web = world.connect()
        for number, good in vectors.numbers(0, 65535):
            web.send(f'{{"type":"listen","port":{number}}}')
            web.send(ASK)
            if good:
                assert b'"listen_' in web.receive()[1], number
            assert web.receive()[1] == ANSWER, number
        for kind in ('data', 'close'):
            check_dropped(web, [f'{{"type":"{kind}","stream_id":{number}}}'
                                for number, _ in vectors.numbers(1, (1 << 32) - 1)])
        web.abort()


NASTY = 'x\nfake: line\r\x1b[2J\x1b]0;title\x07\x9b31m\u202e\u2028\x7f\x08'
LONG = NASTY * (65536 // len(NASTY.encode()))


@attack('--verbose')
def long_texts_for_the_log(world):
    """64 KiB in each field; tests/test-injection.py reads what is written of it."""
    while world.goes_on():
        web = world.connect()
        for key in KEYS_1:
            web.send(json.dumps({'type': 'x', key: LONG}))
        check_dropped(web, [LONG])
        web.abort()
        for kind, keys in KEYS_2.items():
            for key in keys:
                is_refused(world.peer(greets=kind != 'hello'), json.dumps(
                    {'id': 7, 't': 1, 'window': 9, 'max_frame': 9, 'max_message': 65536,
                     'type': kind, key: LONG}))
    assert max(map(len, world.server.errors)) < 16384


# HTTP.

def answer_to(world, request):
    """All that comes for it, to the end."""
    with user(world.port) as sock:
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            sock.sendall(request)
        try:
            return receive_all(sock)
        except ConnectionResetError:
            return b'reset'


@attack(fresh=False)
def slow_requests(world):
    """300 of them, a byte now and then, and answers that nobody reads."""
    slow = [user(world.port) for _ in range(300)]
    while world.goes_on():
        for number, sock in enumerate(slow):
            byte = GET[world.rounds % len(GET):][:1] if number % 3 else b'G'
            with contextlib.suppress(OSError):
                sock.sendall(byte)
        sock = user(world.port)
        with contextlib.suppress(OSError):
            sock.settimeout(0.05)
            for _ in range(50):
                sock.sendall(b'GET /health HTTP/1.1\r\nHost: a\r\n\r\n' * 50)
        slow.append(sock)
    for sock in slow:
        sock.close()


@attack()
def large_posts(world):
    heads = (b'Content-Length: 536870912\r\n\r\n', b'Transfer-Encoding: chunked\r\n\r\n'
             b'fffffff\r\n', b'Content-Length: 536870912\r\nExpect: 100-continue\r\n\r\n')
    while world.goes_on():
        for head in heads:
            with user(world.port) as sock, contextlib.suppress(OSError):
                sock.sendall(b'POST /x HTTP/1.1\r\nHost: localhost\r\n' + head)
                for _ in range(64):
                    sock.sendall(b'x' * (1 << 20))
                raise AssertionError(f'the server took 64 MiB after {head}')


SMUGGLED = b'GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n'
# What two programs could understand in two ways; a health check is behind each.
SMUGGLING = [
    b'Transfer-Encoding: chunked\r\n', b'transfer-encoding: chunked\r\n',
    b'Transfer-Encoding: identity\r\n', b'Transfer-Encoding: xchunked\r\n',
    b'Transfer-Encoding : chunked\r\n', b'Transfer-Encoding\t: chunked\r\n',
    b' Transfer-Encoding: chunked\r\n', b'Transfer-Encoding:\tchunked\r\n',
    b'Transfer-Encoding:\x0bchunked\r\n', b'X: y\nTransfer-Encoding: chunked\r\n',
    b'X: y\rTransfer-Encoding: chunked\r\n', b'Transfer-Encoding\r\n: chunked\r\n',
    b'Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n',
    b'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n',
    b'Transfer-Encoding: chunked\r\nContent-Length: 5\r\n',
    b'Content-Length: 5\r\n', b'Content-Length: 0\r\nContent-Length: 43\r\n',
    b'Content-Length: 43\r\nContent-Length: 0\r\n', b'Content-Length: 0, 43\r\n',
    b'Content-Length: 0\r\ncontent-length: 0\r\n', b'Content-Length: +0\r\n',
    b'Content-Length: -1\r\n', b'Content-Length: 0x0\r\n', b'Content-Length: 0 43\r\n',
    b'Content-Length : 43\r\n', b'Content-Length: \r\n', b'Content-Length: 1e1\r\n',
    b'Content-Length: 0\r\n 43\r\n', b'Content-Length: 00000000000000000000\r\n',
    b'Content-Length: 18446744073709551616\r\n', b'Content-Length: \xb2\r\n',
    b'X\r\n', b': y\r\n', b'X y: z\r\n', b'X: y\x00z\r\n', b'X: y\r z\r\n', b'\x00: y\r\n',
    b'Host: evil\r\n', b'Host : localhost\r\n',
]


@attack()
def smuggled_requests(world):
    """Each is answered once, with a refusal, and that is the end of it."""
    while world.goes_on():
        for lines in SMUGGLING:
            for rest in (UPGRADE, b''):
                answer = answer_to(world, GET + lines + rest + b'\r\n' + SMUGGLED)
                assert answer == b'reset' or answer.startswith(b'HTTP/1.1 400 '), (lines, answer)
                assert answer.count(b'HTTP/1.') < 2 and b'\r\n\r\nok' not in answer, (lines,
                                                                                    answer)


FOREIGN = [b'https://evil.example', b'http://example.com', b'https://example.com.evil.example',
           b'https://evil.example/https://example.com', b'https://example.com:8443',
           b'https://example.com/', b'https://example.com.', b'https://example.com\xff',
           b'https://user@example.com', b'https://a.example.com', b'//example.com', b'example.com',
           b'null', b'*', b'file://', b'', b'https://example.com https://evil.example',
           b'https://example.com, https://evil.example', b'https://' + b'x' * 8000,
           b'https://example.com\r\nOrigin: https://evil.example',
           b'https://evil.example\r\nOrigin: https://example.com',
           b'https://example.com\r\nORIGIN: null', b'http://localhost', b'http://127.0.0.1']


@attack('--allowed-origin', 'https://example.com')
def foreign_origins(world):
    while world.goes_on():
        for name in (b'Origin', b'origin', b'ORIGIN'):
            for origin in FOREIGN:
                answer = answer_to(world, GET + UPGRADE + name + b': ' + origin + b'\r\n\r\n')
                assert answer.startswith(b'HTTP/1.1 403 '), (origin, answer)
    with user(world.port) as sock:
        sock.sendall(GET + UPGRADE + b'Origin: https://example.com\r\n\r\n')
        assert sock.recv(4096).startswith(b'HTTP/1.1 101 ')


main()
