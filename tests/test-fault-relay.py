#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""The relay that breaks connections breaks them where it is told to, and nowhere else."""

import hashlib
import os
import socket
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'peers'))

from fault import Fault  # noqa: E402
from harness import (DEADLINE, Target, Tool, echo, echoes, free_port, in_thread,  # noqa: E402
                     main, pattern, receive_all, receive_exactly, send_pattern, swallow, test,
                     user, wait_until)

MIB = 1 << 20


class Ends:
    """Both ends of connections through a relay, in this process."""

    def __init__(self, **options):
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.way = Fault(self.listener.getsockname()[1], **options)

    def connect(self):
        """(who connects, who is connected to)"""
        near = user(self.way.port)
        self.listener.settimeout(DEADLINE)
        far, _ = self.listener.accept()
        far.settimeout(DEADLINE)
        return near, far

    def status(self, number):
        each = self.way.do('status')['each']
        return next((one for one in each if one['number'] == number), {})

    def wait_status(self, number, **fields):
        wait_until(lambda: fields.items() <= self.status(number).items(),
                   what=f'{fields} of connection {number}')

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.way.stop()
        self.listener.close()


def close_by_reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    sock.close()


def what_comes(sock):
    """(bytes, whether a reset followed them)"""
    data = b''
    try:
        while piece := sock.recv(65536):
            data += piece
        return data, False
    except ConnectionResetError:
        return data, True


def goes_both_ways(near, far):
    for one, other in ((near, far), (far, near)):
        one.sendall(b'still here')
        assert receive_exactly(other, 10) == b'still here'


@test
def bytes_both_ways_at_once():
    begun = time.monotonic()
    with Ends() as ends:
        near, far = ends.connect()
        waits = [in_thread(swallow, near), in_thread(swallow, far)]

        def speak(sock, seed):
            sent = send_pattern(sock, 32 * MIB + seed, seed)
            sock.shutdown(socket.SHUT_WR)
            return sent
        sent = [in_thread(speak, far, 1), in_thread(speak, near, 2)]
        assert [wait() for wait in waits] == [wait() for wait in sent]
        ends.wait_status(1, open=False, forth=32 * MIB + 2, back=32 * MIB + 1)
    print(f'# {64 * MIB / 1e6 / (time.monotonic() - begun):.0f} MB/s, with those who test')


@test
def each_end_is_its_own():
    with Ends() as ends:
        near, far = ends.connect()
        near.sendall(b'the last')
        near.shutdown(socket.SHUT_WR)
        assert receive_all(far) == b'the last'
        far.sendall(b'and yet it answers')
        far.close()
        assert receive_all(near) == b'and yet it answers'


@test
def a_reset_goes_the_way_too():
    for one, other in ((0, 1), (1, 0)):
        with Ends() as ends:
            pair = ends.connect()
            pair[one].sendall(b'the last')
            assert receive_exactly(pair[other], 8) == b'the last'
            close_by_reset(pair[one])
            assert what_comes(pair[other]) == (b'', True)


@test
def a_cut_ends_both_sides():
    """Of one connection, then of all."""
    with Ends() as ends:
        pairs = [ends.connect() for _ in range(3)]
        ends.way.do('cut', connection=2)
        for sock in pairs[1]:
            assert what_comes(sock) == (b'', False)
        for pair in (pairs[0], pairs[2]):
            goes_both_ways(*pair)
        ends.way.do('cut')
        for sock in (*pairs[0], *pairs[2]):
            assert what_comes(sock) == (b'', False)
        # What they still say gets no reset for an answer, as long as they are ending.
        pairs[0][0].sendall(b'too late')
        pairs[0][0].close()
        pairs[0][1].close()
        wait_until(lambda: ends.way.do('status')['open'] == 0, what='the end of all')
        goes_both_ways(*ends.connect())


@test
def a_reset_ends_both_sides():
    with Ends() as ends:
        pairs = [ends.connect() for _ in range(2)]
        ends.way.do('reset', connection=1)
        for sock in pairs[0]:
            assert what_comes(sock) == (b'', True)
        goes_both_ways(*pairs[1])


@test
def it_stops_and_goes_on():
    with Ends() as ends:
        near, far = ends.connect()
        other = ends.connect()
        ends.way.do('stop', direction='forth', connection=1)
        near.sendall(b'held')
        far.sendall(b'free')
        assert receive_exactly(near, 4) == b'free'
        goes_both_ways(*other)
        assert ends.status(1)['forth'] == 0 and ends.status(1)['back'] == 4
        ends.way.do('go', connection=1)
        assert receive_exactly(far, 4) == b'held'
        ends.way.do('stop')
        for sock in (near, far, *other):
            sock.sendall(b'held')
        assert ends.way.do('status')['open'] == 2
        assert [ends.status(n)['forth'] for n in (1, 2)] == [4, 10]
        ends.way.do('go')
        for sock in (near, far, *other):
            assert receive_exactly(sock, 4) == b'held'


@test
def a_black_hole_takes_everything():
    with Ends() as ends:
        near, far = ends.connect()
        goes_both_ways(near, far)
        ends.way.do('blackhole')
        send_pattern(near, 8 * MIB)
        send_pattern(far, 8 * MIB)
        near.close()
        ends.wait_status(1, near_ended=True, far_ended=False)
        late = user(ends.way.port)
        late.sendall(b'nobody is there')
        late.shutdown(socket.SHUT_WR)
        ends.wait_status(2, near_ended=True, forth=0)
        ends.way.do('go')
        # The next one is not lost; who was there before remains so.
        goes_both_ways(*ends.connect())
        far.settimeout(0)
        try:
            assert not far.recv(1), 'a byte'
            raise AssertionError('an end')
        except BlockingIOError:
            pass
        assert ends.status(1)['open'] and ends.status(1)['forth'] == ends.status(1)['back'] == 10


@test
def a_black_hole_of_one_direction():
    with Ends() as ends:
        near, far = ends.connect()
        ends.way.do('blackhole', direction='back', connection=1)
        far.sendall(b'lost')
        near.sendall(b'comes')
        assert receive_exactly(far, 5) == b'comes'
        goes_both_ways(*ends.connect())
        assert ends.status(1)['back'] == 0


@test
def a_delay():
    with Ends() as ends:
        near, far = ends.connect()
        ends.way.do('delay', ms=50)
        for one, other in ((near, far), (far, near)):
            begun = time.monotonic()
            one.sendall(b'slowly')
            one.shutdown(socket.SHUT_WR)
            assert receive_exactly(other, 6) == b'slowly'
            assert time.monotonic() - begun >= 0.05
            assert other.recv(1) == b''
        ends.way.do('delay', ms=0)
        near, far = ends.connect()
        wait = in_thread(swallow, far)
        sent = send_pattern(near, 8 * MIB)
        near.shutdown(socket.SHUT_WR)
        assert wait() == sent


def cut_exactly(ends, position, direction, how):
    """What comes of more than `position` bytes, and what else comes."""
    if (position, how) == (0, 'reset'):
        assert is_reset(ends.way.port)
        ends.listener.accept()[0].close()
        return
    near, far = ends.connect()
    source, sink = (near, far) if direction == 'forth' else (far, near)
    data = b''.join(pattern(position + 1000, position))

    def say():
        try:
            source.sendall(data)
        except OSError:
            pass
    say = in_thread(say)
    if how == 'blackhole':
        came, reset = receive_exactly(sink, position), False
        say()
        sink.settimeout(0)
        try:
            came += sink.recv(1)
        except BlockingIOError:
            pass
    else:
        came, reset = what_comes(sink)
    assert came == data[:position], (position, direction, how, len(came))
    assert reset == (how == 'reset'), (position, direction, how)
    near.close()
    far.close()


@test
def a_cut_after_exactly_so_many_bytes():
    positions = [*range(12), 1000, 4095, 4096, 65535, 65537, MIB - 1, MIB, 3 * MIB + 7]
    for how in ('cut', 'reset', 'blackhole'):
        with Ends() as ends:
            plan = [[n, direction] for n in positions for direction in ('forth', 'back')]
            ends.way.do('cut-after', at=plan, how=how)
            for position, direction in plan:
                cut_exactly(ends, position, direction, how)
            wait_until(lambda way=ends.way: way.do('status')['breaks'] == len(plan),
                       what='all the breaks')
            status = ends.way.do('status')
            assert status['waiting'] == 0, status
            for (position, direction), one in zip(plan, status['each']):
                assert one[direction] == position, (position, direction, one)
            goes_both_ways(*ends.connect())


@test
def a_cut_after_both_directions_in_sum():
    with Ends() as ends:
        ends.way.do('cut-after', at=[None, 5 * MIB + 1, 0])
        goes_both_ways(*ends.connect())
        near, far = ends.connect()

        def speak(sock):
            try:
                send_pattern(sock, 16 * MIB)
            except OSError:
                pass
        came = [in_thread(swallow, sock) for sock in (near, far)]
        for sock in (near, far):
            in_thread(speak, sock)
        counts = [wait()[0] for wait in came]
        assert sum(counts) == 5 * MIB + 1, counts
        assert (ends.status(2)['back'], ends.status(2)['forth']) == tuple(counts)
        for sock in ends.connect():
            assert what_comes(sock) == (b'', False)


@test
def a_cut_of_the_present_connection():
    with Ends() as ends:
        near, far = ends.connect()
        goes_both_ways(near, far)
        ends.way.do('cut-after', at=3, direction='back', connection=1)
        near.sendall(b'not counted')
        assert receive_exactly(far, 11) == b'not counted'
        far.sendall(b'abcdef')
        assert what_comes(near) == (b'abc', False)
        near, far = ends.connect()
        ends.way.do('cut-after', at=0, connection=2)
        assert what_comes(near) == what_comes(far) == (b'', False)


def is_refused(port):
    try:
        user(port).close()
        return False
    except ConnectionRefusedError:
        return True


@test
def it_refuses_and_accepts_again():
    with Ends() as ends:
        ends.way.do('refuse')
        assert is_refused(ends.way.port)
        # Nobody else gets the port meanwhile.
        try:
            socket.create_server(('127.0.0.1', ends.way.port)).close()
            raise AssertionError('the port was free')
        except OSError:
            pass
        ends.way.do('accept')
        near, far = ends.connect()
        ends.way.do('refuse')
        assert is_refused(ends.way.port)
        goes_both_ways(near, far)
        ends.way.do('accept')
        goes_both_ways(*ends.connect())


def is_reset(port):
    """A reset can come before connect () has returned."""
    try:
        with user(port) as sock:
            return what_comes(sock) == (b'', True)
    except ConnectionResetError:
        return True


@test
def it_leads_somewhere_else():
    target = Target(echo)
    with Ends() as ends:
        near, far = ends.connect()
        ends.way.do('upstream', port=target.port)
        assert echoes(ends.way.port)
        goes_both_ways(near, far)
        ends.way.do('upstream', port=free_port())
        assert is_reset(ends.way.port)


@test
def what_it_does_not_understand():
    with Ends() as ends:
        for command, fields in (('fly', {}), ('cut', {'connection': 7}), ('delay', {}),
                                ('cut-after', {'at': 1, 'direction': 'up'})):
            try:
                ends.way.do(command, **fields)
                raise AssertionError(command)
            except ValueError:
                pass
        goes_both_ways(*ends.connect())


@test
def it_rests():
    """With a sink that takes nothing, what is stopped, and what is ending and does not end."""
    with Ends() as ends:
        full, stopped, half, _ending, lost = pairs = [ends.connect() for _ in range(5)]
        full[0].settimeout(0.2)
        try:
            send_pattern(full[0], 64 * MIB)
        except TimeoutError:
            pass
        ends.way.do('stop', connection=2)
        stopped[0].sendall(b'held')
        half[1].shutdown(socket.SHUT_WR)
        ends.way.do('cut', connection=4)
        ends.way.do('blackhole', connection=5)
        lost[0].close()
        ends.wait_status(5, near_ended=True)
        before = Tool.cpu_seconds(ends.way)
        threading.Event().wait(0.5)
        used = Tool.cpu_seconds(ends.way) - before
        assert used < 0.1 and len(pairs) == 5, used


@test
def it_ends_by_itself():
    with Ends(deadline=0.3) as ends:
        near, far = ends.connect()
        assert what_comes(near)[0] == what_comes(far)[0] == b''
        assert ends.way.process.wait(DEADLINE) == 0
    with Ends() as ends:
        near, far = ends.connect()
        ends.way.process.stdin.close()
        assert ends.way.process.wait(DEADLINE) == 0
        assert what_comes(near)[0] == what_comes(far)[0] == b''


@test
def nothing_is_left_of_a_thousand_connections():
    target = Target(echo)
    with Fault(target.port) as way:
        way.do('cut-after', at=[2, 5, 6] * 100)
        before = None
        digest = hashlib.sha256()
        for number in range(1000):
            with user(way.port) as sock:
                sock.sendall(b'abc')
                digest.update(what_comes(sock)[0] if number < 300 else receive_exactly(sock, 3))
            if number == 20:
                wait_until(lambda: way.do('status')['open'] == 0, what='the end of all')
                before = len(os.listdir(f'/proc/{way.process.pid}/fd'))
        wait_until(lambda: way.do('status')['open'] == 0, what='the end of all')
        wait_until(lambda: len(os.listdir(f'/proc/{way.process.pid}/fd')) <= before,
                   what='the old descriptors')
        expected = (b'' + b'ab' + b'abc') * 100 + b'abc' * 700
        assert digest.digest() == hashlib.sha256(expected).digest()


main()
