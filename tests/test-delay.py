#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""The relay that other tests measure with does what it says."""

import hashlib
import os
import socket
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'peers'))

from delay import Delay  # noqa: E402
from harness import (DEADLINE, Target, Tool, echo, main, receive_all,  # noqa: E402
                     receive_exactly, send_pattern, swallow, test, user)

MIB = 1 << 20
HELD = 0.05
# In the kernels' buffers of two connections, at most.
KERNEL = 64 * MIB


def send_some(sock):
    return send_pattern(sock, 50 * MIB, seed=2)


@test
def bytes_forth():
    target = Target(swallow)
    with Delay(target.port, HELD) as way, user(way.port) as sock:
        sent = send_pattern(sock, 100 * MIB + 1, seed=1)
        sock.shutdown(socket.SHUT_WR)
        assert target.results.get(timeout=DEADLINE) == sent
        assert sock.recv(1) == b''


@test
def bytes_back():
    target = Target(send_some)
    with Delay(target.port, HELD) as way, user(way.port) as sock:
        assert swallow(sock) == target.results.get(timeout=DEADLINE)


@test
def both_ways_at_once():
    target = Target(echo)
    with Delay(target.port, 0.01) as way:
        socks = [user(way.port) for _ in range(4)]
        sent = []

        def speak(sock, seed):
            sent.append(send_pattern(sock, 5 * MIB, seed))
            sock.shutdown(socket.SHUT_WR)
        threads = [threading.Thread(target=speak, args=pair) for pair in zip(socks, range(4))]
        for thread in threads:
            thread.start()
        came = [swallow(sock) for sock in socks]
        assert sorted(came) == sorted(sent)


def read_stamps(sock):
    """How long each record took that says when it was sent."""
    taken = []
    while record := sock.recv(8, socket.MSG_WAITALL):
        taken.append(time.monotonic() - struct.unpack('!d', record)[0])
    return taken


def write_stamps(sock):
    pause = threading.Event()
    for _ in range(300):
        sock.sendall(struct.pack('!d', time.monotonic()))
        pause.wait(0.001)
    sock.shutdown(socket.SHUT_WR)


@test
def each_byte_is_held_forth():
    target = Target(read_stamps)
    with Delay(target.port, HELD) as way, user(way.port) as sock:
        write_stamps(sock)
        taken = target.results.get(timeout=DEADLINE)
        assert len(taken) == 300 and min(taken) >= HELD, (len(taken), min(taken))


@test
def each_byte_is_held_back():
    target = Target(write_stamps)
    with Delay(target.port, HELD) as way, user(way.port) as sock:
        taken = read_stamps(sock)
        assert len(taken) == 300 and min(taken) >= HELD, (len(taken), min(taken))


@test
def ends_are_held_and_each_way_has_its_own():
    heard = []

    def answer(sock):
        heard.append((receive_all(sock), time.monotonic()))
        sock.sendall(b'and yet it answers')
        heard.append(time.monotonic())
    target = Target(answer)
    with Delay(target.port, HELD) as way, user(way.port) as sock:
        sock.sendall(b'the last')
        # The end has a time of its own, which is not that of the bytes before it.
        threading.Event().wait(HELD / 2)
        ended = time.monotonic()
        sock.shutdown(socket.SHUT_WR)
        assert receive_all(sock) == b'and yet it answers'
        (data, end_came), answered = heard
        assert data == b'the last', data
        assert end_came - ended >= HELD
        assert time.monotonic() - answered >= HELD


def close_by_reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    sock.close()


@test
def a_reset_goes_the_way_too():
    def expect_reset(sock):
        try:
            receive_all(sock)
        except ConnectionResetError:
            return time.monotonic()
        return None
    target = Target(expect_reset)
    with Delay(target.port, HELD) as way:
        sock = user(way.port)
        begun = time.monotonic()
        close_by_reset(sock)
        came = target.results.get(timeout=DEADLINE)
        assert came is not None and came - begun >= HELD


@test
def what_is_under_way_is_bounded():
    go = threading.Event()

    def read_late(sock):
        go.wait(DEADLINE)
        return swallow(sock)
    target = Target(read_late)
    with Delay(target.port, 0.01, limit=2 * MIB) as way, user(way.port) as sock:
        digest, count = hashlib.sha256(), 0
        sock.settimeout(1)
        try:
            while count < 2 * KERNEL:
                piece = os.urandom(65536)
                sent = sock.send(piece)
                digest.update(piece[:sent])
                count += sent
        except TimeoutError:
            pass
        assert 2 * MIB <= count < KERNEL, count
        go.set()
        sock.shutdown(socket.SHUT_WR)
        assert target.results.get(timeout=DEADLINE) == (count, digest.hexdigest())


@test
def it_rests():
    """With a sink that takes nothing, and with a side that has ended and then is reset."""
    stop = threading.Event()
    target = Target(lambda sock: stop.wait(DEADLINE))
    with Delay(target.port, 0.01, limit=MIB) as way:
        with user(way.port) as full:
            ended = user(way.port)
            ended.shutdown(socket.SHUT_WR)
            full.settimeout(0.5)
            try:
                while True:
                    full.sendall(bytes(MIB))
            except TimeoutError:
                pass
            close_by_reset(ended)
            before = Tool.cpu_seconds(way)
            threading.Event().wait(1)
            used = Tool.cpu_seconds(way) - before
        stop.set()
        assert used < 0.3, used


@test
def it_ends_by_itself():
    target = Target(echo)
    way = Delay(target.port, HELD, deadline=1)
    with user(way.port) as sock:
        sock.sendall(b'hello')
        assert receive_exactly(sock, 5) == b'hello'
        assert way.process.wait(DEADLINE) == 0
    way.stop()
    way = Delay(target.port, HELD)
    with user(way.port) as sock:
        way.process.stdin.close()
        assert way.process.wait(DEADLINE) == 0
    way.stop()


@test
def nobody_behind_it():
    with socket.create_server(('127.0.0.1', 0)) as gone:
        port = gone.getsockname()[1]
    with Delay(port, HELD) as way:
        try:
            with user(way.port) as sock:
                assert sock.recv(1) != b'', 'an end instead of a reset'
        except ConnectionResetError:
            pass


main()
