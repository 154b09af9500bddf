#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""Peers of v2 that send too much, take and do not give, or do what is odd and yet allowed."""

import contextlib
import os
import socket
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'peers'))

import v2peer  # noqa: E402
from attack import Victim, World, run_all  # noqa: E402
from harness import (Tool, in_thread, main, receive_exactly, test, user,  # noqa: E402
                     wait_until)
from v2peer import CREDIT, DATA, EOF, RESET, ack, credit, frame, opening, reset  # noqa: E402
from websocket import BINARY, CONTINUATION, PING, PONG, TEXT, Closed  # noqa: E402

Tool.frail = True

MIB = 1 << 20
MESSAGE = 1 << 18


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
    # No later credit makes good what one that goes back would spoil.
    peer.grants = False
    for text in ('{"type":"from the future","id":"x"}', '{"type":"pong","t":99}',
                 '{"type":"","x":[1,{"y":null}]}', '{"type":"unlisten_ok","id":77}',
                 '{"type":"listen_ok","id":77,"port":5}',
                 '{"type":"listen_err","id":77,"code":"from the future"}'):
        peer.sent += 'pong' not in text
        peer.web.send(text)
    peer.send(credit(n, 1), credit(n, 0), credit(n, 1))
    peer.send(credit(n, (1 << 64) - 1))
    peer.send(credit(n, 1))
    peer.web.send(ack(peer.received), opcode=BINARY)
    peer.web.send(ack(peer.received), opcode=BINARY)
    # Byte by byte, with pings between: it means the same.
    peer.sent += 1
    peer.web.send(frame(DATA, n, b'hello'), opcode=BINARY, fragment=1, ping_between=True)


@test
def what_is_harmless_of_a_client():
    world = World()
    peer = v2peer.Client(world.server.port)
    port = peer.listen(1)
    with user(port) as sock:
        peer.accept(1)
        harmless(peer, 1)
        assert receive_exactly(sock, 5) == b'hello'
        sock.sendall(b'and back')
        assert peer.wait_data(1, 8) == b'and back'
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
    world = World('--max-control-rate', '0')
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
    world = World('--max-ping-rate', '0')
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
    world = World('--max-ping-rate', '0')
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
