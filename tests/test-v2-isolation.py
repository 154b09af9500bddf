#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""Streams of v2 that stand still hold up no other, and go on where they stood."""

import hashlib
import os
import socket
import struct
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'peers'))

from delay import Delay  # noqa: E402
from harness import (DEADLINE, Sampler, Target, Tool, echo, in_thread, main,  # noqa: E402
                     pattern, receive_all, receive_exactly, receive_line, send_pattern, swallow,
                     test, user, wait_until)

MIB = 1 << 20
HELD = 0.05
# Room of a socket whose owner reads nothing, so that what stands still stands somewhere else.
SMALL = 32 << 10


def end(client, server):
    for tool in (client, server):
        tool.wait_events('stream-closed', sum(e['event'] == 'stream-opened' for e in tool.events))
        tool.stop()
        assert not any('error' in e for e in tool.events), tool.events[-5:]


class Crowd:
    """Users of which nobody reads, or whose targets do not, until they are let go on."""

    # What each says after it was let go on.
    MORE = 1 * MIB

    def __init__(self, count, uploads):
        self.uploads = uploads
        self.progress = [0] * count
        self.go_on = threading.Event()
        self.socks = []

    def come(self, port):
        for seed in range(len(self.progress)):
            sock = socket.socket()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL)
            sock.connect(('127.0.0.1', port))
            sock.sendall(b'%s %d\n' % (b'up' if self.uploads else b'down', seed))
            self.socks.append(sock)
        self.waits = [in_thread(self.use, *one) for one in enumerate(self.socks)]

    def use(self, seed, sock):
        if self.uploads:
            return self.send(sock, seed)
        self.go_on.wait()
        return swallow(sock)

    def send(self, sock, seed):
        """As much as goes away: how much that is, is the kernels' matter. Then a little more."""
        digest, left = hashlib.sha256(), self.MORE
        for piece in pattern(1 << 30, seed):
            left -= len(piece) if self.go_on.is_set() else 0
            sock.sendall(piece)
            digest.update(piece)
            self.progress[seed] += len(piece)
            if left < 0:
                break
        assert left < 0, 'nothing held it up'
        sock.shutdown(socket.SHUT_WR)
        return self.progress[seed], digest.hexdigest()

    def serve(self, sock, seed):
        """The target's side: (who, what was sent or came)."""
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL)
        if not self.uploads:
            return seed, self.send(sock, seed)
        self.go_on.wait()
        return seed, swallow(sock)

    def wait_stuck(self):
        """Until each has begun, and nothing has moved for a while."""
        last, still = [None], [0]

        def stands():
            still[0] = still[0] + 1 if self.progress == last[0] and all(self.progress) else 0
            last[0] = self.progress[:]
            return still[0] > 30
        wait_until(stands, what='the crowd standing still')


def isolation(uploads):
    crowd = Crowd(50, uploads)

    def serve(sock):
        word, seed = receive_line(sock).split()
        if word == b'free':
            count, digest = swallow(sock)
            return 'free', (count, digest), send_pattern(sock, count, int(seed))
        return crowd.serve(sock, int(seed))
    target = Target(serve)
    # Who is accepted has it from the beginning; later would be too late for the first bytes.
    target.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
    server = Tool.server('--quiet')
    client = Tool.client(server.port, f'0={target.spec}')
    port = client.forward_port()
    sampler = Sampler(server, client)
    crowd.come(port)
    crowd.wait_stuck()

    with user(port) as sock:
        sock.sendall(b'free 99\n')
        sent = send_pattern(sock, 64 * MIB, 98)
        sock.shutdown(socket.SHUT_WR)
        got = swallow(sock)
    assert target.results.get(timeout=DEADLINE) == ('free', sent, got)
    most = sampler.end()
    print(f'# {most / MIB:.1f} MiB more, both together')
    assert most < 64 * MIB, most

    stood = crowd.progress[:]
    crowd.go_on.set()
    ours = dict(enumerate(wait() for wait in crowd.waits))
    theirs = dict(target.results.get(timeout=DEADLINE) for _ in crowd.socks)
    assert ours == theirs
    assert all(ours[seed][0] >= stood[seed] + crowd.MORE for seed in ours), (ours, stood)
    for sock in crowd.socks:
        sock.close()
    end(client, server)


@test
def fifty_users_who_do_not_read():
    isolation(uploads=False)


@test
def fifty_targets_that_do_not_read():
    isolation(uploads=True)


@test
def a_stream_that_goes_on():
    """It stops and goes on again and again; the others have never stopped."""
    steps = threading.Semaphore(0)

    def serve(sock):
        if receive_line(sock) == b'echo\n':
            return echo(sock)
        return send_pattern(sock, 24 * MIB, 3)
    target = Target(serve)
    server = Tool.server()
    client = Tool.client(server.port, f'0={target.spec}')
    port = client.forward_port()
    moving = user(port)
    moving.sendall(b'echo\n')

    def reads_in_steps():
        digest, count = hashlib.sha256(), 0
        with user(port) as sock:
            sock.sendall(b'send\n')
            while True:
                if count % (8 * MIB) == 0:
                    steps.acquire()
                data = sock.recv(min(MIB, 8 * MIB - count % (8 * MIB)))
                if not data:
                    return count, digest.hexdigest()
                digest.update(data)
                count += len(data)
    got = in_thread(reads_in_steps)
    for number in range(5):
        block = struct.pack('!Q', number) * 32768
        for _ in range(16):
            sender = in_thread(moving.sendall, block)
            assert receive_exactly(moving, len(block)) == block
            sender()
        steps.release()
    assert got() == target.results.get(timeout=DEADLINE)
    moving.close()
    end(client, server)


@test
def over_a_long_way():
    """32 MiB each way at once; then the user ends, and only then the target says the last."""
    def serve(sock):
        sent = in_thread(send_pattern, sock, 32 * MIB, 1)
        count, digest = swallow(sock)
        sent()
        sock.sendall(digest.encode())
        return count
    target = Target(serve)
    server = Tool.server()
    with Delay(server.port, HELD) as way:
        client = Tool.client(way.port, f'0={target.spec}')
        with user(client.forward_port()) as sock:
            sender = in_thread(send_pattern, sock, 32 * MIB, 2)
            expected = hashlib.sha256()
            for piece in pattern(32 * MIB, 1):
                expected.update(piece)
            digest, left = hashlib.sha256(), 32 * MIB
            while left:
                piece = sock.recv(min(left, MIB))
                assert piece, f'the end, {left} bytes too early'
                digest.update(piece)
                left -= len(piece)
            sent = sender()
            sock.shutdown(socket.SHUT_WR)
            assert receive_all(sock) == sent[1].encode()
            assert digest.digest() == expected.digest()
        end(client, server)


main()
