#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""The attacks of docs/security.md by a server on its client: whether it goes on, or ends and says
why, and what it grows by, which is printed."""

import contextlib
import json
import os
import random
import socket
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'peers'))

import v2peer  # noqa: E402
import vectors  # noqa: E402
from attack import Victim, run_all  # noqa: E402
from attacked import GROWTH, IS_LONG, MIB, end_of, flood  # noqa: E402
from harness import (DEADLINE, MEMORY_FACTOR, Sampler, Target, Tool, echo, in_thread,  # noqa: E402
                     main, test)
from v2peer import CREDIT, DATA, EOF, RESET, ack, credit, frame, opening, reset  # noqa: E402
from websocket import (BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, WebSocket,  # noqa: E402
                       raw_frame)

FIN = 0x80
# Of those cases each of which costs a client, the suite takes some; the next run takes the same.
SOME = 1 if IS_LONG else 6


class Victim2(Victim):
    """With v2, and one stream to an echo."""

    def __init__(self, serve=echo, **options):
        super().__init__(serve, **options)
        self.web, self.said = self.peer.web, 0
        self.peer.open(1)
        self.check()
        self.sampler = Sampler(self.client)

    def check(self):
        self.said += 5
        self.peer.send_data(1, b'still')
        assert self.peer.wait_data(1, self.said)[-5:] == b'still'

    def wait_cut(self, codes):
        gone = self.peer.wait_gone()
        assert isinstance(gone, OSError) or gone.code in codes, gone
        self.peer.abort()


class Victim1:
    """With v1, the same."""

    def __init__(self):
        self.target = Target(echo)
        with socket.create_server(('127.0.0.1', 0)) as listener:
            self.client = Tool.client(listener.getsockname()[1], f'9000={self.target.spec}',
                                      arguments=('--no-reconnect',))
            sock, _ = listener.accept()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.web = WebSocket.accept(sock)
        self.say(type='listen_ok', port=9000)
        self.client.forward_port()
        self.say(type='connect', port=9000, stream_id=1)
        self.check()
        self.sampler = Sampler(self.client)

    def say(self, **fields):
        self.web.send(json.dumps(fields))

    def check(self):
        self.say(type='data', stream_id=1, data='c3RpbGw=')
        while b'c3RpbGw=' not in self.web.receive()[1]:
            continue

    def wait_cut(self, codes):
        assert end_of(self.web) in (*codes, 'reset')


def end(victim, survives):
    """Memory, and either the stream that was there before, or a clear word."""
    if survives:
        victim.check()
    grown = victim.sampler.end()
    if survives:
        victim.client.stop()
    else:
        assert victim.client.wait() == 1, victim.client.errors[-3:]
        assert victim.client.errors[-1].startswith('vtunnel-tool: '), victim.client.errors[-3:]
    victim.target.close()
    assert grown <= GROWTH, grown
    return grown


def attack(make=Victim2, survives=True):
    """Marks `function (victim)` as an attack."""
    def mark(function):
        def run():
            victim = make()
            function(victim)
            grown = end(victim, survives)
            name = function.__name__.replace('_', ' ')
            print(f'# {name}: the client grew {grown / MIB:.1f} MiB', flush=True)
        run.__name__ = function.__name__
        return test(run)
    return mark


def fatal(name, codes, make, cases, say):
    """Each case ends a client of its own: `say (victim, *case)`."""
    grown = []

    def run(_, *case):
        victim = make()
        # However much of it counts.
        victim.peer.sent += 1 << 20
        say(victim, *case)
        victim.wait_cut(codes)
        grown.append(end(victim, False))
    run_all(cases, run)
    print(f'# {name}: {len(cases)} clients ended, and grew at most {max(grown) / MIB:.1f} MiB')


# What ends the connection.

@test
def floods_and_frames():
    noise = random.Random(3).randbytes(100_000)
    cases = [
        ('pings', lambda web: web.frame(PING, b'x' * 125) * 100, 100),
        ('pongs', lambda web: web.frame(PONG, b'x' * 125) * 100, 100),
        ('pings of the tunnel', lambda web: web.frame(TEXT, b'{"type":"ping","t":5}') * 100, 100),
        ('answers', lambda web: web.frame(TEXT, b'{"type":"listen_ok","id":9,"port":9}') * 1000,
         100),
        ('large fragments', lambda web: web.frame(TEXT, b'x' * 60_000, fin=False)
         + web.frame(CONTINUATION, b'x' * 60_000, fin=False) * 100, 1),
        ('endless fragments', lambda web: web.frame(TEXT, b'x', fin=False)
         + web.frame(CONTINUATION, b'', fin=False) * 5000, 1),
        ('masked', lambda web: raw_frame(FIN | TEXT, b'{}', True), 1),
        ('junk', lambda web: noise, 1),
        *((f'a length of {length:#x}', lambda web, length=length: raw_frame(
            FIN | TEXT, noise, False, length), 1)
          for length in ((1 << 20) + 1, 1 << 31, 1 << 32, (1 << 63) - 1, 1 << 63, (1 << 64) - 1)),
    ]
    if MEMORY_FACTOR > 1:
        # Whoever is as slow as under a sanitizer takes fewer a second than would be too many.
        cases = [case for case in cases if case[0] != 'answers']
    fatal('floods and frames', (1002, 1007, 1008, 1009), Victim2, cases,
          lambda victim, _, make, times: flood(victim.web, make(victim.web), times))


def say_text(victim, text):
    with contextlib.suppress(OSError):
        victim.peer.sent += 1
        victim.web.send(text)


@test
def messages_that_are_wrong():
    fatal('messages that are wrong', (1002,), Victim2,
          [(text,) for text in vectors.messages(2)[::SOME]], say_text)


@test
def frames_that_are_wrong():
    def say(victim, message):
        with contextlib.suppress(OSError):
            victim.web.send(message, opcode=BINARY)
    fatal('frames that are wrong', (1002,), Victim2,
          [(message,) for message in vectors.frames()[::SOME]], say)


@test
def messages_after_the_goodbye():
    """Its own, or that of the client, which listens no more."""
    grown = []
    for first, says in ((CLOSE, b'\x03\xe8'), (TEXT, b'{"type":"listen_ok"}')):
        with socket.create_server(('127.0.0.1', 0)) as listener:
            client = Tool.client(listener.getsockname()[1], '0=1', arguments=('--no-reconnect',))
            web = WebSocket.accept(listener.accept()[0], v2peer.SUBPROTOCOL)
        web.receive()
        web.send(json.dumps({'type': 'welcome', 'session': 's' * 22, 'secret': 't' * 22,
                             'resume_timeout': 0, **v2peer.Peer.limits()}))
        web.receive()
        sampler = Sampler(client)
        web.send(says, opcode=first)
        flood(web, web.frame(BINARY, bytes(250_000)), 200)
        web.abort()
        assert client.wait() == 1, client.errors[-3:]
        grown.append(sampler.end())
    assert max(grown) <= GROWTH, grown
    print(f'# messages after the goodbye: the clients grew at most {max(grown) / MIB:.1f} MiB')


# (type, key, the range, what else is said); what is good is said to one client.
RANGES = [
    ('pong', 't', -10 ** 18 + 1, 10 ** 18 - 1, ''),
    ('listen_ok', 'id', 1, (1 << 32) - 1, ',"port":5'),
    ('listen_ok', 'port', 0, 65535, ',"id":77'),
    ('listen_err', 'retry_after', 0, (1 << 32) - 1, ',"id":77,"code":"failed"'),
    ('unlisten_ok', 'id', 1, (1 << 32) - 1, ''),
    ('goaway', 'timeout', 0, (1 << 32) - 1, ''),
]


@test
def numbers_at_and_past_every_border():
    cases = [(f'{{"type":"{kind}"{more},"{key}":{number}}}', good)
             for kind, key, low, high, more in RANGES
             for number, good in vectors.numbers(low, high)]
    bad = [(text,) for text, good in cases if not good]
    fatal('numbers', (1002,), Victim2, bad[::SOME], say_text)
    victim = Victim2()
    for text, good in cases:
        # Which is this client's.
        if good and '"id":1,' not in text and '"id":1}' not in text:
            victim.peer.sent += 'pong' not in text
            victim.web.send(text)
    victim.peer.sync()
    end(victim, True)


@test
def credit_overrun_by_one():
    def make():
        victim = Victim2()
        victim.peer.open(2)
        return victim

    def say(victim, over):
        # In one frame, so that nothing of it moves the limit first.
        limit = victim.peer.streams[2].send_limit
        victim.peer.send(frame(DATA, 2, bytes(limit + over)))
    fatal('credit', (1002,), make, [(1,)], say)
    victim = make()
    say(victim, 0)
    end(victim, True)


# Before there is a WebSocket.

ANSWERS = [
    b'HTTP/1.1 101 Switching Protocols\r\n\r\n',
    b'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n'
    b'Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n',
    b'HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n' + b'x' * (8 << 20),
    b'HTTP/1.1 400 No\r\nTransfer-Encoding: chunked\r\n\r\n' + b'fffff\r\n' + b'x' * (8 << 20),
    b'HTTP/1.1 200 OK\r\n' + b'X: ' + b'y' * (8 << 20),
    b'HTTP/1.1 200 OK\r\n' + b'X: y\r\n' * (1 << 20),
    b'HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n',
    b'HTTP/1.1 401 No\r\nWWW-Authenticate: Digest realm="' + b'x' * 60_000 + b'"\r\n\r\n',
    b'HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm="x"\r\nContent-Length: 0\r\n\r\n',
    b'HTTP/9.9 999 \r\n\r\n', b'HTTP/1.1 -1 x\r\n\r\n', b'\x00' * 70_000, b'SSH-2.0-x\r\n\r\n', b'',
    b'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nxxxxx',
    b'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    b'HTTP/1.1 100 Continue\r\n\r\n' * 10_000,
]


@test
def answers_that_are_wrong():
    """One after another; the connection ends behind each."""
    grown = []

    def run(_, answer):
        with socket.create_server(('127.0.0.1', 0)) as listener:
            client = Tool.client(listener.getsockname()[1], '9000=1',
                                 arguments=('--no-reconnect',))
            sampler = Sampler(client)
            ending = in_thread(client.wait)
            n_requests = 0
            listener.settimeout(0.1)
            # Authentication and redirection may make it ask again, and not for ever.
            while client.process.poll() is None:
                with contextlib.suppress(OSError):
                    sock, _ = listener.accept()
                    n_requests += 1
                    with sock:
                        sock.settimeout(DEADLINE)
                        sock.recv(65536)
                        sock.sendall(answer)
            status = ending()
            grown.append(sampler.end())
        assert n_requests < 5, n_requests
        assert status in (1, 4), (answer[:100], status, client.errors[-3:])
        assert client.errors[-1].startswith('vtunnel-tool: '), client.errors[-3:]
        assert grown[-1] <= GROWTH, (answer[:100], grown[-1])
    run_all([(answer,) for answer in ANSWERS], run)
    print(f'# answers that are wrong: the clients grew at most {max(grown) / MIB:.1f} MiB')


# What it goes on with.

@attack(Victim1)
def messages_of_v1(victim):
    """Each is logged, in one line a second, and dropped."""
    for _ in range(5):
        for text in [*vectors.messages(1), *vectors.deep_and_wide()]:
            victim.web.send(text)
    for key in ('type', 'port', 'stream_id', 'data', 'error'):
        for value in vectors.TYPES_OF_JSON:
            victim.web.send(f'{{"type":"pong","{key}":{value},"{key}":{value}}}')
    for kind in ('data', 'close'):
        frames = victim.web.frame(TEXT, b'{"type":"%s","stream_id":77,"data":"AAAA"}'
                                  % kind.encode())
        for _ in range(20):
            victim.web.send_raw(frames * 1000)


@attack(Victim1)
def numbers_of_v1(victim):
    for number, _ in vectors.numbers(0, 65535):
        victim.web.send(f'{{"type":"listen_ok","port":{number}}}')
        victim.web.send(f'{{"type":"connect","port":{number},"stream_id":7}}')
    for number, _ in vectors.numbers(1, (1 << 32) - 1):
        for kind in ('data', 'close', 'connect'):
            if number != '1':
                victim.web.send(f'{{"type":"{kind}","stream_id":{number},"data":"AAAA"}}')


@attack()
def frames_for_a_stream_that_is_gone(victim):
    victim.peer.open(2)
    victim.peer.send(reset(2))
    late = (frame(DATA, 2, b'late') + frame(EOF, 2) + credit(2, 5) + reset(2)) * 1000
    for _ in range(50):
        victim.peer.send(late)


@attack()
def zero_and_overflowing_credit(victim):
    for limit in (0, 1, (1 << 31) - 1, 1 << 32, (1 << 63) - 1, 1 << 63, (1 << 64) - 1, 0):
        victim.peer.send(*[credit(1, limit)] * 1000)


@attack()
def frames_without_end(victim):
    """All of them allowed, as fast as they are taken."""
    many = credit(1, 1 << 20) * 500
    for _ in range(500):
        victim.peer.send(many)
        victim.web.send(ack(victim.peer.received), opcode=BINARY)
    for _ in range(5000):
        victim.peer.send(frame(CREDIT, 1, bytes(8)))
    victim.peer.sync()


@attack()
def streams_opened_and_reset(victim):
    """As many as there is time for here; 100,000 without a pause are another test's."""
    for first in range(2, 2002, 100):
        numbers = range(first, first + 100)
        for number in numbers:
            victim.peer.streams[number] = v2peer.Stream(victim.peer.greeting['window'])
        victim.peer.send(*[opening(number, 1) for number in numbers])
        victim.peer.send(*[reset(number) for number in numbers])
        victim.peer.sync()


@attack()
def streams_for_nobody(victim):
    """Of forwards that there are not."""
    for first in range(2, 5002, 500):
        numbers = range(first, first + 500)
        for number in numbers:
            victim.peer.streams[number] = v2peer.Stream(victim.peer.greeting['window'])
        victim.peer.send(*[opening(number, 99) for number in numbers])
        victim.peer.wait_frame(RESET, numbers[-1])


def answer_the_first(sock):
    """An echo for the first; the others never read."""
    if waiting.is_set():
        DONE.wait(DEADLINE)
    waiting.set()
    echo(sock)


waiting, DONE = threading.Event(), threading.Event()


@attack(lambda: Victim2(answer_the_first))
def a_hundred_targets_who_never_read(victim):
    """Each is sent as much as may be sent, until it stands still."""
    for number in range(2, 102):
        victim.peer.open(number)
    for _ in range(50):
        for number in range(2, 102):
            stream = victim.peer.streams[number]
            left = min(stream.send_limit - stream.sent, 60_000)
            if left > 0:
                victim.peer.send_data(number, bytes(left))
        victim.peer.sync()
    DONE.set()


main()
