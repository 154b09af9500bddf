#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""Peers that break the rules of v2, one by one, while an honest one's traffic goes on."""

import contextlib
import json
import os
import socket
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'peers'))

import v2peer  # noqa: E402
from harness import (DEADLINE, Target, Tool, echo, in_thread, main, receive_exactly,  # noqa: E402
                     swallow, test, user, wait_until)
from v2peer import (ACK, CREDIT, DATA, EOF, OPEN, OPENED, RESET, ack, credit, frame,  # noqa: E402
                    opening, reset)
from websocket import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Closed  # noqa: E402

MIB = 1 << 20
MESSAGE = 1 << 18
FRAME = 1 << 16
UNKNOWN_STREAM = 7777


class World:
    """A server that is attacked, and a tunnel through it that has to go on."""

    def __init__(self):
        self.target = Target(echo)
        self.server = Tool.server('--quiet')
        self.client = Tool.client(self.server.port, f'0={self.target.spec}')
        self.port = self.client.forward_port()
        self.staying = user(self.port)
        self.check()

    def check(self):
        for sock in (self.staying, user(self.port)):
            sock.sendall(b'still here')
            assert receive_exactly(sock, 10) == b'still here'
            if sock is not self.staying:
                sock.close()

    def session_of(self, peer):
        return self.server.event('session-opened', port=peer.local_port)['session']

    def finish(self):
        self.check()
        self.staying.close()
        self.client.wait_events('stream-closed', sum(e['event'] == 'stream-opened'
                                                     for e in self.client.events))
        self.client.stop()
        self.server.stop()
        assert not self.server.errors, self.server.errors
        assert not any('error' in e for e in self.client.events), self.client.events


class Victim:
    """A client of ours with one forward, that has come to a server of ours that is none."""

    def __init__(self, serve=echo, arguments=(), **options):
        self.target = Target(serve)
        with socket.create_server(('127.0.0.1', 0)) as listener:
            self.client = Tool.client(listener.getsockname()[1], f'0={self.target.spec}',
                                      arguments=arguments)
            self.peer = v2peer.Server(listener, **options)
        if options.get('greets', True):
            self.peer.grant_listen()
            self.client.forward_port()


def expect_close(peer, code, word):
    """It is told why, as docs/protocol.md says."""
    gone = peer.wait_gone()
    assert isinstance(gone, Closed) and gone.code == code, gone
    assert gone.reason and gone.reason.isascii(), gone
    assert len(gone.reason) <= 123 and word in gone.reason, gone


# What is wrong on a stream that is open, of either side. `n` is its number.

def of_a_stream(peer, n):
    """(what, frames or text, a word of the reason)"""
    yield 'DATA after EOF', [frame(EOF, n), frame(DATA, n, b'x')], 'EOF'
    yield 'EOF after EOF', [frame(EOF, n), frame(EOF, n)], 'EOF'
    yield 'DATA of nothing', [frame(DATA, n)], 'length'
    yield 'DATA too long', [frame(DATA, n, bytes(FRAME + 1))], 'length'
    yield 'EOF with something', [frame(EOF, n, b'x')], 'length'
    yield 'a short RESET', [frame(RESET, n, b'\0\0\0')], 'length'
    yield 'a long RESET', [frame(RESET, n, bytes(128))], 'length'
    yield 'a short CREDIT', [frame(CREDIT, n, bytes(7))], 'length'
    yield 'a long CREDIT', [frame(CREDIT, n, bytes(9))], 'length'
    yield 'a frame beyond its message', [frame(DATA, n, b'x', length=2)], 'beyond'
    yield 'half a header', [frame(EOF, n)[:11]], 'beyond'
    yield 'half a second header', [frame(DATA, n, b'x'), b'\3'], 'beyond'
    for bit in (1, 0x80):
        yield f'flag {bit:#x}', [frame(DATA, n, b'x', flags=bit)], 'reserved'
    for bit in (1, 0x8000):
        yield f'reserved bit {bit:#x}', [frame(DATA, n, b'x', reserved=bit)], 'reserved'
    for kind in (0, 8, 0xff):
        yield f'type {kind}', [frame(kind, n, b'x')], 'type'
    yield 'stream 0', [frame(DATA, 0, b'x')], 'stream 0'
    for kind, payload in ((DATA, b'x'), (EOF, b''), (RESET, bytes(4)), (CREDIT, bytes(8))):
        yield f'type {kind} of an unknown stream', [frame(kind, UNKNOWN_STREAM, payload)], 'never'
    yield 'an ACK in front of a frame', [ack(0), credit(n, 1)], 'acknowledgement'
    yield 'an ACK behind a frame', [credit(n, 1), ack(0)], 'acknowledgement'
    yield 'two ACKs', [ack(0), ack(0)], 'acknowledgement'
    yield 'an ACK of a stream', [frame(ACK, n, bytes(8))], 'acknowledgement'
    yield 'a short ACK', [frame(ACK, 0, bytes(7))], 'acknowledgement'
    yield 'an ACK of what was not sent', [ack(peer.received + 1)], 'acknowledge'
    yield 'an ACK that is huge', [ack((1 << 64) - 1)], 'acknowledge'
    yield 'an ACK that goes back', [ack(peer.received - 1)], 'acknowledge'
    yield 'an empty message', [b''], 'without a frame'


WRONG_TEXTS = [
    ('text without a type', '{}', 'type'),
    ('a type that is none', '{"type":5}', 'type'),
    ('a type of null', '{"type":null}', 'type'),
    ('no object', '[]', ''),
    ('no JSON', 'nonsense', ''),
    ('two objects', '{"type":"x"}{"type":"x"}', ''),
    ('an empty text', '', ''),
    ('a ping without t', '{"type":"ping"}', 't: '),
    ('a ping of a text', '{"type":"ping","t":"1"}', 't: '),
    ('a ping of a fraction', '{"type":"ping","t":1.5}', 't: '),
    ('a ping of an exponent', '{"type":"ping","t":1e3}', 't: '),
    ('a number that is long', '{"type":"x","y":1234567890123456789}', ''),
    ('a goaway of a number', '{"type":"goaway","reason":1}', 'reason: '),
    ('a reason that is long', json.dumps({'type': 'goaway', 'reason': 'x' * 1025}), 'reason: '),
    ('depth', '{"type":"x","y":' + '[' * 9 + ']' * 9 + '}', ''),
    ('commas', json.dumps({'type': 'x', 'y': [0] * 258}), ''),
    ('a zero character', '{"type":"x","y":"\\u0000"}', ''),
    ('half a surrogate pair', '{"type":"x","y":"\\ud800"}', ''),
    ('hello in the middle', json.dumps({'type': 'hello', **v2peer.Peer.limits()}), 'greeting'),
    ('welcome in the middle', json.dumps({'type': 'welcome', 'session': 's', 'secret': 't',
                                          'resume_timeout': 0, **v2peer.Peer.limits()}),
     'greeting'),
]


def of_a_client(_peer, n):
    yield 'OPEN by a client', [opening(n + 1, 1)], 'never'
    yield 'OPENED twice', [frame(OPENED, n)], 'OPENED'
    yield 'OPENED with something', [frame(OPENED, n, b'x')], 'length'
    yield 'OPENED of an unknown stream', [frame(OPENED, UNKNOWN_STREAM)], 'never'
    yield 'a listen without an id', '{"type":"listen"}', 'id: '
    yield 'a listen of id 0', '{"type":"listen","id":0}', 'id: '
    yield 'a listen of a port too high', '{"type":"listen","id":9,"port":65536}', 'port: '
    yield 'a listen in use', '{"type":"listen","id":1}', 'in use'
    yield 'an unlisten without an id', '{"type":"unlisten"}', 'id: '
    yield 'a name that is empty', '{"type":"listen","id":9,"names":[""]}', 'names: '


def of_a_server(_peer, n):
    yield 'an OPEN used before', [opening(n, 1)], 'before'
    yield 'an OPEN that goes back', [opening(n + 2, 1), opening(n + 1, 1)], 'before'
    yield 'OPENED by a server', [frame(OPENED, n)], 'OPENED'
    yield 'a short OPEN', [frame(OPEN, n + 1, bytes(9))], 'length'
    yield 'an OPEN of another family', [frame(OPEN, n + 1, b'\0\0\0\1\5\0\0\0\0\0')], 'payload'
    yield 'half an address', [frame(OPEN, n + 1, b'\0\0\0\1\0\0\0\4\0\0\x7f')], 'payload'
    yield 'half an entry', [opening(n + 1, 1, entries=b'\0\1\0')], 'payload'
    yield 'an entry too long', [opening(n + 1, 1, entries=b'\0\1\0\5abcd')], 'payload'
    yield 'a listen_ok without a port', '{"type":"listen_ok","id":1}', 'port: '
    yield 'a listen_err without a code', '{"type":"listen_err","id":1}', 'code: '


def say(peer, wrong):
    """Says it, and something behind it that is not looked at any more."""
    with contextlib.suppress(OSError):
        if isinstance(wrong, str):
            peer.web.send(wrong)
        elif wrong[0][:1] == bytes([ACK]) and len(wrong) == 1:
            peer.web.send(wrong[0], opcode=BINARY)
        else:
            peer.send(*wrong)


def run_all(cases, run):
    """Some at a time, each with its number; tells which failed and how."""
    failures, left, lock = [], list(enumerate(cases)), threading.Lock()

    def work():
        while True:
            with lock:
                if not left:
                    return
                number, case = left.pop(0)
            try:
                run(number, *case)
            except Exception as error:
                failures.append((case[0], repr(error)[:300]))
    threads = [threading.Thread(target=work, daemon=True) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive(), 'somebody was not cut'
    assert not failures, '\n'.join(map(str, failures))


def count_cases(names, *generators):
    """The cases by number, since what they say depends on the stream that they say it on."""
    def get(peer, n):
        return [case for generator in generators for case in generator(peer, n)] + WRONG_TEXTS
    return get, len(get(names, 1))


class Example:
    """As much of a peer as the cases look at before there is one."""

    received = 1
    streams = {1: v2peer.Stream(16384)}


@test
def each_rule_broken_by_a_client():
    world = World()
    get, count = count_cases(Example, of_a_stream, of_a_client)

    def attack(number, _):
        peer = v2peer.Client(world.server.port)
        users = user(peer.listen(1))
        peer.accept(1)
        users.sendall(b'before')
        peer.wait_data(1, 6)
        session = world.session_of(peer)
        what, wrong, word = get(peer, 1)[number]
        say(peer, wrong)
        try:
            expect_close(peer, 1002, word)
            closed = world.server.event('session-closed', session=session)
            assert closed['error']['code'] == 'protocol', closed
            for stream in world.server.wait_events('stream-closed', session=session):
                assert stream['error']['code'] == 'protocol', stream
        except Exception as error:
            raise AssertionError(f'{what}: {error}') from error
        peer.web.sock.close()
        users.close()
        world.check()
    run_all([(number,) for number in range(count)], attack)
    print(f'# {count} rules')
    world.finish()


@test
def each_rule_broken_by_a_server():
    get, count = count_cases(Example, of_a_stream, of_a_server)

    def attack(number, _):
        victim = Victim()
        peer, client = victim.peer, victim.client
        peer.open(1)
        peer.send_data(1, b'before')
        assert peer.wait_data(1, 6) == b'before'
        what, wrong, word = get(peer, 1)[number]
        say(peer, wrong)
        try:
            expect_close(peer, 1002, word)
            peer.abort()
            assert client.event('session-closed')['error']['code'] == 'protocol', client.events
            assert client.event('stream-closed')['error']['code'] == 'protocol', client.events
            assert client.wait() == 1 and client.errors, client.events
        except Exception as error:
            raise AssertionError(f'{what}: {error}') from error
        victim.target.close()
    run_all([(number,) for number in range(count)], attack)
    print(f'# {count} rules')


def fill(peer, n):
    """Sends until no credit comes any more, for somebody who does not read: exactly to the limit."""
    stream, last = peer.streams[n], -1
    while stream.sent != last:
        last = stream.sent
        peer.send_data(n, bytes(stream.send_limit - stream.sent))
        peer.sync()
        with contextlib.suppress(AssertionError):
            with peer.arrived:
                peer.arrived.wait_for(lambda: stream.send_limit > stream.sent or peer.gone, 1)


@test
def the_last_byte_of_the_limit():
    """It may be sent, and the one behind it may not; a limit that goes back means nothing."""
    world, go_on = World(), threading.Event()
    victim = Victim(lambda sock: go_on.wait(DEADLINE) and swallow(sock))
    ours = v2peer.Client(world.server.port)
    sock = user(ours.listen(1))
    ours.accept(1)
    victim.peer.open(1)
    for peer in (ours, victim.peer):
        fill(peer, 1)
        assert peer.streams[1].sent == peer.streams[1].send_limit > peer.greeting['window']
        peer.send(frame(DATA, 1, b'x'))
        expect_close(peer, 1002, 'limit')
        peer.abort()
        world.check()
    go_on.set()
    closed = world.server.event('session-closed', session=world.session_of(ours))
    assert closed['error']['code'] == 'protocol', closed
    assert victim.client.wait() == 1
    assert victim.client.event('session-closed')['error']['code'] == 'protocol'
    sock.close()
    world.finish()


# Greetings.

def hello(**others):
    return json.dumps({'type': 'hello', **v2peer.Peer.limits(**others)})


def wrong_greetings(make):
    """(what, the message, its opcode, a word of the reason)"""
    for what, others, word in [
            ('no window', {'window': None}, 'window: '),
            ('a window of 0', {'window': 0}, 'window: '),
            ('a window too large', {'window': 1 << 32}, 'window: '),
            ('a frame of 0', {'max_frame': 0}, 'max_frame: '),
            ('a frame larger than a message', {'max_frame': MESSAGE - 11}, 'max_frame: '),
            ('a small message', {'max_message': 65535}, 'max_message: '),
            ('a large message', {'max_message': MIB + 1}, 'max_message: '),
            ('a window of a text', {'window': '16384'}, 'window: '),
            ('a session of a number', {'session': 1}, 'session: '),
            ('a secret too long', {'secret': 'x' * 65}, 'secret: ')]:
        yield what, make(**others), TEXT, word
    yield 'something else', '{"type":"ping","t":1}', TEXT, 'greeting'
    yield 'something unknown', '{"type":"greetings"}', TEXT, 'greeting'
    yield 'a listen', '{"type":"listen","id":1}', TEXT, 'greeting'
    yield 'a frame', frame(DATA, 1, b'x'), BINARY, 'greeting'
    yield 'an acknowledgement', ack(0), BINARY, 'greeting'
    yield 'no JSON', 'hello', TEXT, ''


@test
def wrong_greetings_of_clients():
    world = World()
    cases = [*wrong_greetings(hello), ('welcome', welcome(), TEXT, 'greeting')]
    for what, message, opcode, word in cases:
        peer = v2peer.Client(world.server.port, greets=False)
        peer.web.send(message, opcode=opcode)
        try:
            expect_close(peer, 1002, word)
        except AssertionError as error:
            raise AssertionError(f'{what}: {error}') from error
        peer.web.sock.close()
        world.check()
    peer = v2peer.Client(world.server.port)
    session = world.session_of(peer)
    peer.web.send(hello())
    expect_close(peer, 1002, 'greeting')
    world.server.event('session-closed', session=session)
    # Who never greeted has never been there.
    assert len([e for e in world.server.events if e['event'] == 'session-opened']) == 2
    world.finish()


def welcome(**others):
    return json.dumps({'type': 'welcome', 'session': 's' * 22, 'secret': 't' * 22,
                       'resume_timeout': 0, **v2peer.Peer.limits(**others)})


@test
def wrong_greetings_of_servers():
    cases = [*wrong_greetings(welcome), ('hello', hello(), TEXT, 'greeting')]
    for key in ('session', 'secret', 'resume_timeout'):
        cases.append((f'no {key}', welcome(**{key: None}), TEXT, f'{key}: '))

    def attack(_, what, message, opcode, word):
        victim = Victim(greets=False)
        victim.peer.wait_control('hello')
        victim.peer.web.send(message, opcode=opcode)
        expect_close(victim.peer, 1002, word)
        victim.peer.abort()
        assert victim.client.wait() == 1, victim.client.events
        error = victim.client.event('error')
        assert error['code'] == 'protocol', (what, error)
        assert not [e for e in victim.client.events if e['event'] == 'session-opened']
        victim.target.close()
    run_all(cases, attack)


@test
def nobody_greets():
    """For 10 s, both ways at once; whatever else has its own time."""
    world = World()
    silent = v2peer.Client(world.server.port, greets=False)
    victim = Victim(greets=False)
    victim.peer.wait_control('hello')
    for peer in (silent, victim.peer):
        gone = peer.wait_gone(30)
        assert isinstance(gone, Closed) and gone.code == 1001 and gone.reason, gone
        peer.abort()
    assert victim.client.wait() == 1
    assert victim.client.event('error')['code'] == 'timed-out', victim.client.events
    assert len([e for e in world.server.events if e['event'] == 'session-opened']) == 1
    world.finish()


# Sizes and floods.

def sizes(peer, n):
    """(what, bytes on the wire, the close code)"""
    web = peer.web
    text = b'{"type":"x","y":"%s"}'
    most = text % (b'x' * (MESSAGE - len(text) + 2))
    assert len(most) == MESSAGE
    yield 'the largest text', web.frame(TEXT, most), None
    yield 'a text too long', web.frame(TEXT, most + b' '), 1009
    half = most[:MESSAGE // 2]
    yield ('a text too long in pieces', web.frame(TEXT, half, fin=False)
           + web.frame(CONTINUATION, most[MESSAGE // 2:] + b' '), 1009)
    many = frame(CREDIT, n, bytes(8)) * (MESSAGE // 20 + 1)
    yield 'frames in a message too long', web.frame(BINARY, many), 1009
    yield ('1024 fragments', web.frame(TEXT, b'{"type":"x"', fin=False)
           + web.frame(CONTINUATION, b' ', fin=False) * 1022 + web.frame(CONTINUATION, b'}'), None)
    yield ('endless fragments', web.frame(TEXT, b'{', fin=False)
           + web.frame(CONTINUATION, b' ', fin=False) * 1100, 1008)
    yield 'some pings', web.frame(PING, b'x') * 400, None
    yield 'a flood of pings', web.frame(PING, b'x' * 100) * 700, 1008
    yield 'a flood of pongs', web.frame(PONG, b'x' * 100) * 700, 1008


def check_size(peer, number):
    """Says it and sees the end of it: whether that was a close, as it should be."""
    what, data, code = list(sizes(peer, 1))[number]
    if code is None:
        # What is allowed counts as one, if it is a message at all.
        if 'pings' not in what:
            peer.sent += 1
        peer.web.send_raw(data)
        peer.web.send('{"type":"ping","t":12345}')
        peer.wait_control('pong', t=12345)
        peer.web.close()
        peer.wait_gone()
        return what, code
    with contextlib.suppress(OSError):
        peer.web.send_raw(data)
    gone = peer.wait_gone()
    # It is right to go while more comes that nobody will read.
    if not isinstance(gone, ConnectionResetError):
        assert isinstance(gone, Closed) and gone.code == code and gone.reason, (what, gone)
    return what, code


@test
def sizes_and_floods_of_clients():
    world = World()
    for number in range(9):
        peer = v2peer.Client(world.server.port)
        users = user(peer.listen(1))
        peer.accept(1)
        session = world.session_of(peer)
        what, code = check_size(peer, number)
        closed = world.server.event('session-closed', session=session)
        expected = {None: None, 1008: 'limit', 1009: 'limit'}[code]
        assert closed.get('error', {}).get('code') == expected, (what, closed)
        peer.abort()
        users.close()
        world.check()
    world.finish()


@test
def sizes_and_floods_of_servers():
    def attack(number, _):
        victim = Victim()
        victim.peer.open(1)
        what, code = check_size(victim.peer, number)
        victim.peer.abort()
        assert victim.client.wait() == 1
        closed = victim.client.event('session-closed')
        assert closed.get('error', {}).get('code') == (code and 'limit'), (what, closed)
        victim.target.close()
    run_all([(number,) for number in range(9)], attack)


# What is harmless.

def harmless(peer, n):
    """Sends all that docs/protocol.md calls no error, and sees that the session goes on."""
    sent = peer.streams[n].sent
    for text in ('{"type":"from the future","id":"x"}', '{"type":"pong","t":99}',
                 '{"type":"","x":[1,{"y":null}]}', '{"type":"unlisten_ok","id":77}',
                 '{"type":"listen_ok","id":77,"port":5}',
                 '{"type":"listen_err","id":77,"code":"from the future"}'):
        peer.sent += 'pong' not in text
        peer.web.send(text)
    peer.send(credit(n, 1), credit(n, 0), credit(n, 1))
    peer.send(credit(n, (1 << 64) - 1))
    peer.send(credit(n, 5))
    peer.web.send(ack(peer.received), opcode=BINARY)
    peer.web.send(ack(peer.received), opcode=BINARY)
    # Byte by byte, with pings between: it means the same.
    peer.sent += 1
    peer.web.send(frame(DATA, n, b'hello'), opcode=BINARY, fragment=1, ping_between=True)
    return sent + 5


@test
def what_is_harmless_of_a_client():
    world = World()
    peer = v2peer.Client(world.server.port)
    port = peer.listen(1)
    with user(port) as sock:
        peer.accept(1)
        harmless(peer, 1)
        assert receive_exactly(sock, 5) == b'hello'
        peer.send(reset(1, 'limit', 'enough'))
        with contextlib.suppress(ConnectionResetError):
            assert sock.recv(1) == b''
    closed = world.server.event('stream-closed', session=world.session_of(peer))
    assert closed['error']['code'] == 'limit' and 'enough' in closed['error']['message'], closed
    # It is gone, and all of this was under way; an unknown code and no UTF-8 say no more than 0.
    peer.send(frame(DATA, 1, b'late'), frame(EOF, 1), credit(1, 1 << 20), reset(1))
    peer.send_control('listen', id=2, kind='from the future')
    assert peer.wait_control('listen_err', id=2)['code'] == 'invalid'
    peer.send_control('unlisten', id=55)
    peer.wait_control('unlisten_ok', id=55)
    peer.send_control('unlisten', id=1)
    peer.wait_control('unlisten_ok', id=1)
    with contextlib.suppress(ConnectionRefusedError):
        user(port).close()
        raise AssertionError('the port is still open')
    port = peer.listen(3)
    with user(port) as sock:
        peer.accept(2)
        peer.send(frame(RESET, 2, b'\0\0\xff\xff\xff\xfe'))
        with contextlib.suppress(ConnectionResetError):
            assert sock.recv(1) == b''
    closed = world.server.event('stream-closed', session=world.session_of(peer), stream=2)
    assert closed['error']['code'] == 'failed', closed
    peer.web.close()
    assert peer.wait_gone().code == 1000
    world.finish()


@test
def what_is_harmless_of_a_server():
    victim = Victim()
    peer, client = victim.peer, victim.client
    peer.open(1, user=('2001:db8::1', 5), came_to=(None, 9))
    opened = client.event('stream-opened')
    assert (opened['user_address'], opened['user_port']) == ('2001:db8::1', 5), opened
    harmless(peer, 1)
    assert peer.wait_data(1, 5) == b'hello'
    peer.send(reset(1, 'target-unreachable', 'gone'))
    assert client.event('stream-closed', stream=1)['error']['code'] == 'target-unreachable'
    peer.send(frame(DATA, 1, b'late'), frame(EOF, 1), credit(1, 1 << 20), reset(1))
    # Numbers may leave some out, entries may be unknown, and data may follow at once.
    peer.streams[5] = v2peer.Stream(peer.greeting['window'])
    peer.send(opening(5, 1, entries=b'\0\1\0\2ab\xff\xff\0\0'), frame(DATA, 5, b'at once'),
              frame(EOF, 5))
    assert peer.wait_data(5, 7) == b'at once'
    peer.wait_frame(EOF, 5)
    assert 'user_address' not in client.event('stream-opened', stream=5)
    peer.streams[6] = v2peer.Stream(peer.greeting['window'])
    peer.send(opening(6, 99))
    assert v2peer.read_reset(peer.wait_frame(RESET, 6))[0] == 'cancelled'
    client.stop()
    assert peer.wait_gone().code == 1000


# Those that take and do not give.

@test
def nothing_is_acknowledged():
    """What is kept for such a peer is bounded, and it is cut where it asks for still more."""
    world = World()
    peer = v2peer.Client(world.server.port, acknowledges=False)
    port = peer.listen(1)
    before = world.server.memory()

    def send(sock):
        with contextlib.suppress(OSError):
            while True:
                sock.sendall(bytes(MIB))
    sock = user(port)
    peer.accept(1)
    threading.Thread(target=send, args=(sock,), daemon=True).start()
    last, still = [-1], [0]

    def stands():
        still[0] = still[0] + 1 if peer.received == last[0] else 0
        last[0] = peer.received
        peer.data[1].clear()
        return still[0] > 50
    wait_until(stands, what='the end of what is sent without an acknowledgement')
    grown = world.server.memory() - before
    print(f'# {grown / MIB:.1f} MiB kept after {peer.streams[1].received / MIB:.1f} MiB')
    assert 64 * MIB < peer.streams[1].received < 160 * MIB, peer.streams[1].received
    # The buffer of a message that is kept may be twice as long as it.
    assert grown < 288 * MIB, grown
    world.check()
    session = world.session_of(peer)
    with contextlib.suppress(OSError):
        for number in range(1 << 20):
            peer.send_control('unlisten', id=2 + number)
    gone = peer.wait_gone()
    assert not isinstance(gone, Closed) or gone.code == 1008, gone
    closed = world.server.event('session-closed', session=session)
    assert closed['error']['code'] == 'limit', closed
    sock.close()
    world.finish()


@test
def no_credit_is_granted():
    """One stream of such a peer stands at its limit, and costs no more than that."""
    world = World()
    peer = v2peer.Client(world.server.port, grants=False)
    port = peer.listen(1)
    before = world.server.memory()
    socks = []
    for number in range(1, 21):
        socks.append(user(port))
        peer.accept(number)
        socks[-1].settimeout(0.2)
        with contextlib.suppress(socket.timeout):
            for _ in range(64):
                socks[-1].sendall(bytes(MIB))
            raise AssertionError('64 MiB were taken without credit')
    for number in range(1, 21):
        peer.wait_data(number, v2peer.WINDOW)
    grown = world.server.memory() - before
    print(f'# {grown / MIB:.1f} MiB')
    assert grown < 16 * MIB, grown
    world.check()
    peer.grant(7, v2peer.WINDOW + 1000)
    peer.wait_data(7, v2peer.WINDOW + 1000)
    assert all(peer.streams[n].received == v2peer.WINDOW for n in range(1, 21) if n != 7)
    peer.abort()
    for sock in socks:
        sock.close()
    world.finish()


@test
def pings_whose_answers_nobody_reads():
    world = World()
    peer = v2peer.Client(world.server.port)
    session = world.session_of(peer)
    before, most = world.server.memory(), 0
    # The peer's thread reads no more: it waits for this.
    with peer.arrived:
        pings = peer.web.frame(TEXT, b'{"type":"ping","t":123456789012345678}') * 1000
        with contextlib.suppress(OSError):
            for _ in range(2000):
                peer.web.send_raw(pings)
                most = max(most, world.server.memory() - before)
        world.check()
        closed = world.server.event('session-closed', session=session)
    print(f'# {most / MIB:.1f} MiB')
    assert most < 16 * MIB, most
    assert closed['error']['code'] == 'limit', closed
    peer.abort()
    world.finish()


@test
def pings_whose_answers_are_read():
    """As many as it likes; it is no more than a conversation."""
    world = World()
    peer = v2peer.Client(world.server.port)
    pings = b''.join(peer.web.frame(TEXT, b'{"type":"ping","t":%d}' % n) for n in range(20_000))
    sender = in_thread(peer.web.send_raw, pings)
    peer.wait_control('pong', t=19_999)
    sender()
    world.check()
    peer.web.close()
    assert peer.wait_gone().code == 1000
    world.finish()


main()
