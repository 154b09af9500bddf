#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""Streams that come and go faster than anybody can follow: nobody grows by more than 16 MiB."""

import collections
import contextlib
import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'peers'))

import v2peer  # noqa: E402
from attack import World  # noqa: E402
from harness import Sampler, Target, Tool, echo, main, receive_exactly, test  # noqa: E402
from v2peer import DATA, EOF, OPEN, OPENED, RESET, frame, opening, reset  # noqa: E402
from websocket import BINARY, TEXT, WebSocket  # noqa: E402

Tool.frail = True

MIB = 1 << 20
MOST = 16 * MIB
STREAMS = 100_000
# What a client dials at a time.
DIALS = 1024
# In one message: far more than a dispatch can begin, and few enough for what a message may have.
TOGETHER = 500
CLIENT = ('client', '--quiet', '--no-reconnect', '--server')


class Flooder(v2peer.Server):
    """A server that opens streams without a look at what becomes of them; it counts what comes."""

    def __init__(self, listener):
        self.frames = collections.Counter()
        self.codes = collections.Counter()
        super().__init__(listener)

    def take_frame(self, one):
        self.frames[one.kind] += 1
        if one.kind == RESET:
            self.codes[v2peer.read_reset(one)[0]] += 1

    def flood(self, *make):
        """Messages of so many streams each, without a pause; `make` are what is said of one."""
        messages = []
        for first in range(1, STREAMS, TOGETHER):
            frames = [m(n) for n in range(first, first + TOGETHER) for m in make]
            messages.append(self.web.frame(BINARY, b''.join(frames)))
        for message in messages:
            self.sent += 1
            self.web.send_raw(message)
        self.sync()


class Victim:
    """A client of ours that has come to a flooder, with one forward."""

    def __init__(self, spec):
        with socket.create_server(('127.0.0.1', 0)) as listener:
            self.client = Tool(*CLIENT, f'ws://127.0.0.1:{listener.getsockname()[1]}/',
                               '--forward', f'0={spec}')
            self.peer = Flooder(listener)
        self.peer.grant_listen()
        self.peer.sync()
        self.sampler = Sampler(self.client)

    def finish(self):
        """It has not grown, still does what it is told, and ends well."""
        grown = self.sampler.end()
        print(f'# {grown / MIB:.1f} MiB')
        assert grown < MOST, grown
        self.client.stop()


@contextlib.contextmanager
def slow_target():
    """Connects to it are neither taken nor refused, since its backlog is full."""
    with socket.create_server(('127.0.0.1', 0), backlog=0) as listener, \
            contextlib.ExitStack() as stack:
        for _ in range(4):
            sock = stack.enter_context(socket.socket())
            sock.setblocking(False)
            sock.connect_ex(listener.getsockname())
        yield f'127.0.0.1:{listener.getsockname()[1]}'


def open_one(n):
    return opening(n, 1, ('192.0.2.7', 4711), ('198.51.100.1', 40000))


@test
def opened_and_reset_by_a_server():
    with slow_target() as spec:
        victim = Victim(spec)
        victim.peer.flood(open_one, reset)
        victim.finish()


@test
def opened_and_reset_later_by_a_server():
    """When the dials of some of them are under way."""
    with slow_target() as spec:
        victim = Victim(spec)
        peer = victim.peer
        for first in range(1, STREAMS, TOGETHER):
            together = range(first, first + TOGETHER)
            peer.send(b''.join(open_one(n) for n in together))
            peer.send(b''.join(reset(n) for n in together))
        peer.sync()
        victim.finish()


@test
def opened_by_a_server_to_a_slow_target():
    """What is refused is said so; those that are opened have not ended when the others come."""
    with slow_target() as spec:
        victim = Victim(spec)
        victim.peer.flood(open_one, lambda n: frame(EOF, n))
        print(f'# {dict(victim.peer.codes)}')
        assert victim.peer.codes['limit'] > STREAMS - 8193, victim.peer.codes
        victim.finish()


@test
def as_many_dials_as_may_be():
    """Not one more, and one more when one of them has ended, however it did."""
    with slow_target() as spec:
        victim = Victim(spec)
        peer = victim.peer
        peer.send(b''.join(open_one(n) for n in range(1, DIALS + 1)))
        peer.sync()
        assert not peer.frames[RESET], peer.codes
        peer.send(open_one(DIALS + 1), reset(7), open_one(DIALS + 2), open_one(DIALS + 3))
        peer.sync()
        assert peer.codes == {'limit': 2}, peer.codes
        victim.finish()


def connect_many(stack, port, count):
    """So many users at once; none of them is waited for."""
    users = []
    for _ in range(count):
        users.append(stack.enter_context(socket.socket()))
        users[-1].setblocking(False)
        users[-1].connect_ex(('127.0.0.1', port))
    return users


@test
def users_of_a_client_that_does_not_answer():
    """Not one more stream than may be; half of them answered, and others come; nobody is lost."""
    world = World('--max-opening', '8')
    peer = v2peer.Client(world.server.port)
    port = peer.listen(1)
    with contextlib.ExitStack() as stack:
        users = connect_many(stack, port, 20)
        peer.wait_frame(OPEN, 8)
        # Others of its ports are held, too, and those of others are not.
        users += connect_many(stack, peer.listen(2), 1)
        world.check()
        peer.sync()
        assert len(peer.streams) == 8, peer.streams
        peer.send(*(frame(OPENED, n) for n in (1, 2, 3)))
        peer.sync()
        assert len(peer.streams) == 8, peer.streams
        peer.send(frame(OPENED, 4))
        peer.wait_frame(OPEN, 12)
        world.check()
        peer.sync()
        assert len(peer.streams) == 12, peer.streams
        for number in range(5, 22):
            peer.accept(number)
            peer.send(frame(DATA, number, b'in'))
        for sock in users:
            sock.setblocking(True)
        for sock in users[8:]:
            assert receive_exactly(sock, 2) == b'in'
    peer.abort()
    world.finish()


@test
def users_who_come_and_are_reset():
    """By a client that does nothing else; what it resets is taken apart at once, too."""
    world = World('--max-streams', '600')
    peer = v2peer.Client(world.server.port)
    port, sampler, number = peer.listen(1), Sampler(world.server), 0
    for _ in range(20):
        with contextlib.ExitStack() as stack:
            connect_many(stack, port, 500)
            peer.wait_frame(OPEN, number + 500)
            peer.send(*(reset(n) for n in range(number + 1, number + 501)))
            number += 500
            peer.record.clear()
            peer.sync()
    grown = sampler.end()
    print(f'# {grown / MIB:.1f} MiB after {number} users')
    assert grown < MOST, grown
    peer.abort()
    world.finish()


@test
def more_users_at_once_than_may_wait():
    """All of them are served, whatever of them waits for whom."""
    target = Target(echo)
    server = Tool.server('--quiet', '--max-opening', '16', '--max-accept-rate', '400')
    client = Tool.client(server.port, f'0={target.spec}')
    with contextlib.ExitStack() as stack:
        users = connect_many(stack, client.forward_port(), 1000)
        for number, sock in enumerate(users):
            sock.setblocking(True)
            sock.sendall(b'%08d' % number)
        for number, sock in enumerate(users):
            assert receive_exactly(sock, 8) == b'%08d' % number
    client.stop()
    server.stop()


@test
def opened_and_closed_by_a_server_of_v1():
    with slow_target() as spec, socket.create_server(('127.0.0.1', 0)) as listener:
        client = Tool(*CLIENT, f'ws://127.0.0.1:{listener.getsockname()[1]}/',
                      '--forward', f'7000={spec}')
        web = WebSocket.accept(listener.accept()[0])
        while b'"listen"' not in web.receive()[1]:
            pass
        web.send('{"type":"listen_ok","port":7000}')
        web.send('{"type":"ping"}')
        sampler = Sampler(client)
        text = '{"type":"%s","port":7000,"stream_id":%d%s}'
        pairs = [web.frame(TEXT, (text % (kind, n, more)).encode()) for n in range(1, STREAMS)
                 for kind, more in (('connect', ''), ('data', ',"data":"eA=="'), ('close', ''))]
        answered = 0
        for first in range(0, len(pairs), 300):
            web.send_raw(b''.join(pairs[first:first + 300]))
            while answered < (first + 300) // 3 and answered < STREAMS - 1:
                answered += b'"close"' in web.receive()[1]
        grown = sampler.end()
        print(f'# {grown / MIB:.1f} MiB')
        assert grown < MOST, grown
        client.stop()


main()
