#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""Peers that break the rules of v2, one by one, while an honest one's traffic goes on."""

import contextlib
import json
import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'peers'))

import v2peer  # noqa: E402
from attack import Victim, World, expect_close, run_all  # noqa: E402
from harness import Tool, main, swallow, test, user  # noqa: E402
from v2peer import (ACK, CREDIT, DATA, EOF, OPEN, OPENED, RESET, ack, credit, frame,  # noqa: E402
                    opening)
from websocket import BINARY, TEXT, Closed  # noqa: E402

Tool.frail = True

MIB = 1 << 20
MESSAGE = 1 << 18
FRAME = 1 << 16
UNKNOWN_STREAM = 7777


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
    yield 'a listen used before', '{"type":"listen","id":1}', 'before'
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
    """Sends exactly to the limit, to somebody who does not read, until no credit comes any more."""
    stream, last = peer.streams[n], -1
    while stream.sent != last:
        last = stream.sent
        peer.send_data(n, bytes(stream.send_limit - stream.sent))
        with peer.arrived:
            peer.arrived.wait_for(lambda: stream.send_limit > stream.sent or peer.gone, 1)
    peer.sync()


@test
def the_last_byte_of_the_limit():
    """It may be sent, and the one behind it may not; a limit that goes back means nothing."""
    world, go_on = World(), threading.Event()
    victim = Victim(lambda sock: go_on.wait() and swallow(sock))
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


main()
