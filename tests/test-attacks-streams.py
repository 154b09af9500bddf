#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""Attacks of docs/security.md by way of streams, ports and sessions; as in tests/test-attacks.py,
another client's small requests go on."""

import contextlib
import os
import socket
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'peers'))

import v2peer  # noqa: E402
import vectors  # noqa: E402
from attacked import GROWTH, IS_LONG, MIB, attack, flood, leave, reset_at_once  # noqa: E402
from harness import (DEADLINE, Sampler, Target, Tool, echo, in_thread, main, swallow,  # noqa: E402
                     user)
from websocket import BINARY, TEXT  # noqa: E402


@attack()
def wrong_frames_of_streams(world):
    """All of tests/vectors/, and frames for streams that never were."""
    unknown = [v2peer.frame(kind, 4711, payload) for kind, payload in (
        (v2peer.DATA, b'x'), (v2peer.EOF, b''), (v2peer.RESET, bytes(4)),
        (v2peer.CREDIT, bytes(8)), (v2peer.OPENED, b''), (v2peer.OPEN, bytes(10)))]
    while world.goes_on():
        for message in vectors.frames() + unknown:
            peer = world.peer()
            peer.web.send(message, opcode=BINARY)
            gone = peer.wait_gone()
            assert getattr(gone, 'code', None) == 1002 and gone.reason, (message, gone)


@attack()
def frames_for_nobody(world):
    """What v1 drops in silence, and v2 as well where the stream is gone: it may come late."""
    while world.goes_on():
        web = world.connect()
        for kind in ('data', 'close'):
            flood(web, web.frame(TEXT, b'{"type":"%s","stream_id":7,"data":"AAAA"}'
                                 % kind.encode()) * 1000, 10)
        web.abort()
        peer = world.peer()
        with user(peer.listen(1)):
            peer.wait_frame(v2peer.OPEN, 1)
        peer.send(v2peer.reset(1))
        late = (v2peer.frame(v2peer.DATA, 1, b'late') + v2peer.frame(v2peer.EOF, 1)
                + v2peer.credit(1, 5) + v2peer.reset(1)) * 1000
        for _ in range(10):
            peer.send(late)
        peer.sync()
        leave(peer)


def open_stream(peer, answers=True):
    """A stream of a user who does not read: (its number, the user)."""
    if not peer.streams:
        peer.port = peer.listen(1)
    number = len(peer.streams) + 1
    sock = user(peer.port)
    peer.wait_frame(v2peer.OPEN, number)
    if answers:
        peer.send(v2peer.frame(v2peer.OPENED, number))
        peer.sync()
    return number, sock


@attack()
def credit_overruns_by_one(world):
    while world.goes_on():
        for over in (0, 1):
            peer = world.peer()
            number, sock = open_stream(peer)
            limit = peer.streams[number].send_limit
            # In one frame, so that nothing of it moves the limit first.
            assert limit < peer.greeting['max_frame'], limit
            peer.send(v2peer.frame(v2peer.DATA, number, bytes(limit + over)))
            if over:
                assert peer.wait_gone().code == 1002
            else:
                peer.sync()
                leave(peer)
            sock.close()


LIMITS = (0, 1, v2peer.WINDOW - 1, v2peer.WINDOW, v2peer.WINDOW + 1, (1 << 31) - 1, 1 << 32,
          (1 << 63) - 1, 1 << 63, (1 << 64) - 1, 0)


@attack()
def zero_and_overflowing_credit(world):
    """None of it is an error; the last and least of them does not take back what was granted."""
    while world.goes_on():
        peer = world.peer(grants=False)
        number, sock = open_stream(peer)
        stream = peer.streams[number]
        stream.receive_limit = 1 << 65
        for limit in LIMITS:
            peer.send(*[v2peer.credit(number, limit)] * 100)
        sock.settimeout(0.02)
        with contextlib.suppress(OSError):
            sock.sendall(bytes(1 << 20))
        peer.sync()
        sock.close()
        leave(peer)


@attack('--max-control-rate', '0')
def ids_used_twice(world):
    while world.goes_on():
        for kind in ('listen', 'unlisten, listen'):
            peer = world.peer()
            peer.listen(1)
            if kind != 'listen':
                peer.send_control('unlisten', id=1)
                peer.wait_control('unlisten_ok', id=1)
            peer.send_control('listen', id=1)
            assert peer.wait_gone().code == 1002
        for kind in (v2peer.OPENED, v2peer.EOF):
            peer = world.peer()
            number, sock = open_stream(peer)
            with contextlib.suppress(OSError):
                for _ in range(2):
                    peer.send(v2peer.frame(kind, number))
            assert peer.wait_gone().code == 1002
            sock.close()


@attack('--max-reset-rate', '0')
def streams_opened_and_reset(world):
    """100,000 of them where there is time for it: by users who go, by the client, by both."""
    peer = world.peer()
    port, first = peer.listen(1), 1
    total = 100_000 if IS_LONG else 2000
    while first <= total:
        users = [user(port) for _ in range(100)]
        peer.wait_frame(v2peer.OPEN, first + 99)
        for sock in users[::2]:
            reset_at_once(sock)
        peer.send(*[v2peer.reset(number) for number in range(first, first + 100)])
        for sock in users[1::2]:
            reset_at_once(sock)
        first += 100
        if first % 1000 == 1:
            peer.sync()
        peer.record.clear()
    leave(peer)


@attack()
def a_connect_flood_on_a_port(world):
    """Of a client of ours, whose target takes them all; some stay for a while."""
    target = Target(echo)
    client = Tool.client(world.port, f'0={target.spec}', arguments=('--quiet',))
    port = client.forward_port()
    staying = []
    while world.goes_on():
        for number in range(100):
            sock = user(port)
            if number % 10:
                reset_at_once(sock)
            else:
                staying.append(sock)
        while len(staying) > 200:
            reset_at_once(staying.pop(0))
    for sock in staying:
        reset_at_once(sock)
    client.stop()
    target.close()


def write_away(sock):
    with contextlib.suppress(OSError):
        while True:
            sock.sendall(bytes(1 << 18))


@attack()
def a_hundred_users_who_never_read(world):
    """From targets that never stop."""
    target = Target(write_away)
    client = Tool.client(world.port, f'0={target.spec}', arguments=('--quiet',))
    port = client.forward_port()
    users = [user(port) for _ in range(100)]
    client.wait_events('stream-opened', 100)
    while world.goes_on():
        with user(port) as sock:
            assert sock.recv(1)
    for sock in users:
        reset_at_once(sock)
    client.stop()
    target.close()


@attack()
def a_hundred_targets_that_never_read(world):
    """Of users who never stop. It is their client that has to hold what comes."""
    go_on = threading.Event()
    target = Target(lambda _sock: go_on.wait(DEADLINE))
    client = Tool.client(world.port, f'0={target.spec}', arguments=('--quiet',))
    sampler = Sampler(client)
    port = client.forward_port()
    users = [user(port) for _ in range(100)]
    writers = [in_thread(write_away, sock) for sock in users]
    client.wait_events('stream-opened', 100)
    while world.goes_on():
        threading.Event().wait(0.05)
    grown = sampler.end()
    print(f'# a hundred targets that never read: the client grew {grown / MIB:.1f} MiB')
    assert grown <= GROWTH, grown
    for sock, written in zip(users, writers):
        sock.shutdown(socket.SHUT_RDWR)
        written()
        reset_at_once(sock)
    go_on.set()
    client.stop()
    target.close()


@attack()
def both_sides_full(world):
    """Ten users and their targets only write, until nothing moves; then all of it arrives."""
    go_on, length = threading.Event(), 2 << 20

    def serve(sock):
        sender = threading.Thread(target=sock.sendall, args=(bytes(length),), daemon=True)
        sender.start()
        go_on.wait(DEADLINE)
        count, _ = swallow(sock)
        sender.join(DEADLINE)
        return count

    def write(sock):
        sock.sendall(bytes(length))
        sock.shutdown(socket.SHUT_WR)
    target = Target(serve)
    client = Tool.client(world.port, f'0={target.spec}', arguments=('--quiet',))
    port = client.forward_port()
    users = [user(port) for _ in range(10)]
    writers = [in_thread(write, sock) for sock in users]
    while world.goes_on():
        threading.Event().wait(0.05)
    go_on.set()
    for sock, written in zip(users, writers):
        assert swallow(sock)[0] == length
        written()
        sock.close()
    assert [target.results.get(timeout=DEADLINE) for _ in users] == [length] * 10
    client.stop()
    target.close()


@attack()
def frames_without_end(world):
    """All of them allowed, as fast as they are taken."""
    while world.goes_on():
        peer = world.peer()
        number, sock = open_stream(peer)
        many = v2peer.credit(number, 1 << 20) * 500
        for _ in range(50):
            peer.send(many)
            peer.web.send(v2peer.ack(peer.received), opcode=BINARY)
        for _ in range(1000):
            peer.send(v2peer.frame(v2peer.CREDIT, number, bytes(8)))
        peer.sync()
        sock.close()
        leave(peer)


@attack()
def sessions_that_nobody_had(world):
    """A flood of clients that want to resume, and go."""
    while world.goes_on():
        peer = world.peer(greets=False)
        peer.send_control('hello', agent='raw', session='s' * 22, secret='t' * 22, received=0,
                          attempt=1, **peer.limits())
        assert 'resumed' not in peer.wait_control('welcome')
        leave(peer)


POLICY = '1024-1100,2000,40000-40063,65535'
# Port 0, which leaves it to the system, is no port that can be named.
ALLOWED = {0, *range(1024, 1101), 2000, *range(40000, 40064), 65535}


@attack('--allowed-ports', POLICY, '--max-control-rate', '0')
def every_port_there_is(world):
    """Asked for in a row, 500 at a time; those that are opened are given back."""
    peer, opened = world.peer(), set()
    for first in range(0, 65536, 500):
        ports = range(first, min(first + 500, 65536))
        for port in ports:
            peer.send_control('listen', id=port + 1, port=port)
            if port in ALLOWED:
                peer.send_control('unlisten', id=port + 1)
        peer.sync()
        for message in [m for m in peer.record if isinstance(m, dict)]:
            port = message.get('id', 0) - 1
            if message['type'] == 'listen_ok' or message.get('code') == 'address-in-use':
                opened.add(port)
            elif message['type'] == 'listen_err':
                assert message['code'] == 'permission-denied', message
        peer.record.clear()
    assert opened == ALLOWED, opened ^ ALLOWED
    leave(peer)


@attack(fresh=False, prefix=('prlimit', '--nofile=256'))
def no_descriptors_left(world):
    """600 users of 256 descriptors: who is there already notices nothing."""
    peer = world.peer()
    port = peer.listen(1)
    users = []
    for _ in range(600):
        sock = socket.socket()
        sock.setblocking(False)
        sock.connect_ex(('127.0.0.1', port))
        users.append(sock)
    while world.goes_on():
        threading.Event().wait(0.05)
        assert world.server.descriptors() <= 256
    for sock in users:
        reset_at_once(sock)
    leave(peer)


main()
