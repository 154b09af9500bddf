#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""Every byte once and in order, whatever the chunking, and nothing left behind."""

import hashlib
import os
import socket
import struct
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'peers'))

from harness import (Target, Tool, echo, is_turned_away, main, pattern, receive_all,  # noqa: E402
                     receive_exactly, receive_line, send_pattern, swallow, test, user, wait_until)

MIB = 1 << 20


class Tunnel:
    """A server and a client with one forward; sees that both are as they were at the end."""

    def __init__(self, serve, host='127.0.0.1'):
        self.target = Target(serve, host)
        first = Target(echo)
        self.server = Tool.server()
        self.client = Tool.client(self.server.port, f'0={self.target.spec}', f'0={first.spec}')
        self.port = self.client.forward_port()
        # The first connection loads what is loaded lazily.
        with user(self.client.forward_port(1)) as sock:
            sock.sendall(b'first')
            assert receive_exactly(sock, 5) == b'first'
        first.close()
        self.idle()
        self.before = [self.server.descriptors(), self.client.descriptors()]

    def idle(self):
        """Waits until every stream that was opened has been closed, on both sides."""
        for tool in (self.server, self.client):
            wait_until(lambda t=tool: self._balance(t) == 0, what='the end of all streams')

    @staticmethod
    def _balance(tool):
        with tool.changed:
            kinds = [e['event'] for e in tool.events]
        return kinds.count('stream-opened') - kinds.count('stream-closed')

    def finish(self):
        self.idle()
        for tool, before in zip((self.server, self.client), self.before):
            wait_until(lambda t=tool, b=before: t.descriptors() <= b, what='the old descriptors')
        self.client.stop()
        self.server.stop()
        self.target.close()


def run_all(function, arguments):
    failures = []

    def run(argument):
        try:
            function(argument)
        except Exception as error:
            failures.append((argument, error))
    threads = [threading.Thread(target=run, args=(a,), daemon=True) for a in arguments]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive(), 'a user hangs'
    assert not failures, failures[:3]


@test
def one_byte_at_a_time():
    tunnel = Tunnel(echo)
    data = os.urandom(3000)
    with user(tunnel.port) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for value in data:
            sock.sendall(bytes([value]))
        assert receive_exactly(sock, len(data)) == data
    tunnel.finish()


@test
def a_gibibyte_up():
    tunnel = Tunnel(swallow)
    with user(tunnel.port) as sock:
        sent = send_pattern(sock, 1024 * MIB)
        sock.shutdown(socket.SHUT_WR)
        assert tunnel.target.results.get(timeout=120) == sent
    tunnel.finish()


@test
def a_gibibyte_down():
    tunnel = Tunnel(lambda sock: send_pattern(sock, 1024 * MIB))
    with user(tunnel.port) as sock:
        got = swallow(sock)
    assert got == tunnel.target.results.get(timeout=60)
    tunnel.finish()


def echo_with_hash(port, length, seed):
    """Both directions at the same time."""
    with user(port) as sock:
        sent = []
        sender = threading.Thread(target=lambda: sent.append(send_pattern(sock, length, seed)))
        sender.start()
        digest, count = hashlib.sha256(), 0
        while count < length:
            data = sock.recv(MIB)
            assert data, f'the end after {count} of {length}'
            digest.update(data)
            count += len(data)
        sender.join()
        assert (count, digest.hexdigest()) == sent[0]


@test
def both_directions_at_once():
    tunnel = Tunnel(echo)
    echo_with_hash(tunnel.port, 64 * MIB, 1)
    tunnel.finish()


@test
def two_hundred_connections_at_once():
    tunnel = Tunnel(echo)
    run_all(lambda seed: echo_with_hash(tunnel.port, 300_000, seed), range(200))
    tunnel.finish()


@test
def two_hundred_short_connections_in_a_row():
    tunnel = Tunnel(lambda sock: sock.sendall(receive_line(sock) * 2))
    for number in range(200):
        with user(tunnel.port) as sock:
            sock.sendall(b'%d\n' % number)
            assert receive_all(sock) == b'%d\n' % number * 2
    tunnel.finish()


@test
def a_target_that_refuses():
    target = Target(echo)
    server = Tool.server()
    client = Tool.client(server.port, f'0={target.spec}')
    port = client.forward_port()
    target.close()
    assert is_turned_away(port)
    closed = client.event('stream-closed')
    assert closed['error']['code'] == 'target-refused', closed
    server.event('stream-closed')
    client.stop()
    server.stop()


@test
def a_target_that_vanishes():
    """Reset in the middle: the user's connection ends, and others go on."""
    def serve(sock):
        first = receive_line(sock)
        if first == b'vanish\n':
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        else:
            sock.sendall(first)
            echo(sock)
    tunnel = Tunnel(serve)
    with user(tunnel.port) as staying:
        staying.sendall(b'stay\n')
        assert receive_line(staying) == b'stay\n'
        for _ in range(20):
            with user(tunnel.port) as sock:
                sock.sendall(b'vanish\n')
                try:
                    assert receive_all(sock) == b''
                except ConnectionResetError:
                    pass
        staying.sendall(b'still here\n')
        assert receive_line(staying) == b'still here\n'
    tunnel.finish()


@test
def users_that_leave_in_the_middle():
    tunnel = Tunnel(echo)

    def leave(number):
        with user(tunnel.port) as sock:
            sock.sendall(os.urandom(200_000))
            if number % 2:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
            if number % 3 == 0:
                sock.recv(1000)
    run_all(leave, range(60))
    echo_with_hash(tunnel.port, 1 * MIB, 3)
    tunnel.finish()


@test
def a_slow_target():
    """A target that takes 64 KiB only when it is told to."""
    go_on = threading.Semaphore(0)

    def serve(sock):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        digest, count = hashlib.sha256(), 0
        while True:
            go_on.acquire(timeout=0.002)
            data = sock.recv(65536)
            if not data:
                return count, digest.hexdigest()
            digest.update(data)
            count += len(data)
    tunnel = Tunnel(serve)
    with user(tunnel.port) as sock:
        sent = send_pattern(sock, 16 * MIB)
        sock.shutdown(socket.SHUT_WR)
        assert tunnel.target.results.get(timeout=60) == sent
    tunnel.finish()


@test
def ipv6_throughout():
    tunnel = Tunnel(echo, host='::1')
    with user(tunnel.port, host='::1') as sock:
        sock.sendall(b'six')
        assert receive_exactly(sock, 3) == b'six'
    tunnel.finish()


@test
def the_memory_stays_bounded_with_a_slow_reader():
    """The target does not read while a user uploads; what is sent waits outside of both."""
    go_on = threading.Event()

    def serve(sock):
        if receive_line(sock) == b'wait\n':
            go_on.wait(120)
        return swallow(sock)
    tunnel = Tunnel(serve)
    processes = (tunnel.server, tunnel.client)
    before = [tool.memory() for tool in processes]
    sent, progress = [], [0]

    def upload(sock):
        digest = hashlib.sha256()
        for piece in pattern(1024 * MIB, 9):
            sock.sendall(piece)
            digest.update(piece)
            progress[0] += len(piece)
        sock.shutdown(socket.SHUT_WR)
        sent.append((progress[0], digest.hexdigest()))

    with user(tunnel.port) as sock:
        sock.sendall(b'wait\n')
        sock.settimeout(300)
        thread = threading.Thread(target=upload, args=(sock,), daemon=True)
        thread.start()
        # The upload stands when it has not moved for a while.
        last, still = [-1], [0]

        def stands():
            still[0] = still[0] + 1 if progress[0] == last[0] and progress[0] else 0
            last[0] = progress[0]
            return still[0] > 100
        wait_until(stands, what='the upload standing still')
        assert progress[0] < 64 * MIB, progress
        for tool, old in zip(processes, before):
            grown = tool.memory() - old
            print(f'# {tool.process.args[1]}: {grown / MIB:.1f} MiB more while the target waits')
            assert grown < 16 * MIB, grown
        go_on.set()
        count, digest = tunnel.target.results.get(timeout=300)
        thread.join(60)
        assert (count, digest) == sent[0], (count, sent)
    for tool, old in zip(processes, before):
        grown = tool.memory() - old
        print(f'# {tool.process.args[1]}: {grown / MIB:.1f} MiB more afterwards')
        assert grown < 16 * MIB, grown
    tunnel.finish()


main()
