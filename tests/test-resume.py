#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""Streams that go on when their connection is cut, wherever that is: no byte is lost or doubled.

VT_TEST_SEED repeats a run. VT_TEST_MIB and VT_TEST_CUTS are how much goes each way at once through
how many cuts; less than by default is for sanitizers.
"""

import hashlib
import os
import random
import socket
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'peers'))

import shell  # noqa: E402
from crossing import IMPATIENT, Crossing  # noqa: E402
from harness import (DEADLINE, Sampler, echo, in_thread, main, pattern,  # noqa: E402
                     receive_all, receive_exactly, receive_line, send_pattern, swallow, test, user,
                     wait_until)

MIB = 1 << 20
SEED = int(os.environ.get('VT_TEST_SEED') or random.SystemRandom().randrange(1 << 32))
WHOLE = 1024, 200
AMOUNT = int(os.environ.get('VT_TEST_MIB', WHOLE[0])) * MIB
CUTS = int(os.environ.get('VT_TEST_CUTS', WHOLE[1]))
# Both sides may grow by so much together: as in test-v2-isolation.py.
GROWTH = 64 * MIB


def chance(name):
    print(f'# {name}: VT_TEST_SEED={SEED}', flush=True)
    return random.Random(SEED)


def random_cuts(dice, count, total):
    """Places for cuts which are reached when `total` bytes have passed in sum: what is sent again
    only adds to that. One in ten is early, while the session is being resumed."""
    places = [dice.randrange(1500) if dice.random() < 0.1 else dice.randrange(1, 2 * total // count)
              for _ in range(count)]
    scale = min(1, total / max(sum(places), 1))
    return [[int(place * scale), None, dice.choice(('cut', 'reset'))] for place in places]


def exchange(sock, length, seed):
    """Sends and receives at the same time, each to its end: (what was sent, what came)."""
    def speak():
        sent = send_pattern(sock, length, seed)
        sock.shutdown(socket.SHUT_WR)
        return sent
    speak = in_thread(speak)
    came = swallow(sock)
    return speak(), came


@test
def both_directions_full_through_cuts():
    dice = chance('full')
    places = random_cuts(dice, CUTS, AMOUNT * 9 // 5)
    with Crossing(lambda sock: exchange(sock, AMOUNT, 1)) as way:
        sampler = Sampler(way.server, way.client)
        way.way.do('cut-after', at=places)
        way.cut()
        with user(way.port) as sock:
            ours = exchange(sock, AMOUNT, 2)
        theirs = way.target.results.get(timeout=DEADLINE)
        assert ours == theirs[::-1], (ours, theirs)
        most, status = sampler.end(), way.status()
        print(f'# {most / MIB:.1f} MiB more, both together; {status["connections"]} connections, '
              f'{(status["forth"] + status["back"]) / MIB:.0f} MiB for {2 * AMOUNT / MIB:.0f}')
        if (AMOUNT / MIB, CUTS) != WHOLE:
            print(f'# Only {AMOUNT / MIB:.0f} MiB each way through {CUTS} cuts; the whole proof is '
                  f'{WHOLE[0]} MiB through {WHOLE[1]}')
        assert status['breaks'] == CUTS, status
        assert most < GROWTH, most
        for tool in (way.server, way.client):
            closed = tool.event('stream-closed')
            assert closed['bytes_sent'] == closed['bytes_received'] == AMOUNT, closed
        way.end()
        for tool in (way.server, way.client):
            # What goes on is not told of as something new.
            told = [e['event'] for e in tool.events]
            once = ('session-opened', 'forward-opened', 'stream-opened', 'stream-closed')
            assert [told.count(event) for event in once] == [1] * 4, set(told)
            assert told.count('session-resumed') > 0, set(told)


@test
def a_hundred_streams_through_cuts():
    """Some large, some small, some that say nothing for a while; each of them to both its ends."""
    dice = chance('hundred')
    lengths = [dice.choice((0, 1, 1000, MIB // 2, 3 * MIB)) for _ in range(100)]
    places = random_cuts(dice, 20, sum(lengths))

    def serve(sock):
        seed = int(receive_line(sock))
        return seed, exchange(sock, lengths[seed], 1000 + seed)

    def use(port, seed):
        with user(port) as sock:
            sock.sendall(b'%d\n' % seed)
            return seed, exchange(sock, lengths[seed], seed)
    with Crossing(serve) as way:
        way.way.do('cut-after', at=places)
        with user(way.port) as silent:
            way.cut()
            ours = dict(wait() for wait in [in_thread(use, way.port, n) for n in range(100)])
            theirs = dict(way.target.results.get(timeout=DEADLINE) for _ in range(100))
            assert ours == {seed: both[::-1] for seed, both in theirs.items()}
            assert way.status()['breaks'] == 20, way.status()
            silent.sendall(b'0\n')
            ours = exchange(silent, lengths[0], 0)
            assert ours == way.target.results.get(timeout=DEADLINE)[1][::-1]
        way.end()


@test
def a_shell_through_cuts():
    """Each line typed is answered, before, while and after the connection is gone."""
    with tempfile.TemporaryDirectory() as folder:
        sshd = shell.Sshd(folder)
        with Crossing(sshd.serve) as way:
            terminal = shell.Shell(sshd, way.port)
            try:
                for number in range(5):
                    terminal.type(f'echo $(({number} + 1000)) before')
                    terminal.read_until(f'{number + 1000} before', DEADLINE)
                    way.cut(('cut', 'reset')[number % 2])
                    terminal.type(f'echo $(({number} + 2000)) after')
                    terminal.read_until(f'{number + 2000} after', DEADLINE)
                    # In the middle of an answer.
                    way.cut_after(500 + number, direction='forth')
                    terminal.type(f'seq 3000; echo $(({number} + 4000)) within')
                    terminal.read_until(f'{number + 4000} within', DEADLINE)
                    assert terminal.process.poll() is None, sshd.said()
                lines = terminal.screen.replace(b'\r', b'').split(b'\n')
                # What the terminal showed is what was typed and answered, nothing twice.
                assert lines.count(b'3000') == 5 and lines.count(b'1234') == 5
                assert way.status()['breaks'] == 5, way.status()
                terminal.type('exit 7')
                assert terminal.wait(DEADLINE) == 7, terminal.screen[-500:]
            finally:
                terminal.close()
            way.end()


# Every byte.

def converse(port):
    """The recorded conversation: a request, its answer, the user's end, the target's last word."""
    with user(port) as sock:
        sock.sendall(b'request')
        assert receive_exactly(sock, 6) == b'answer'
        sock.shutdown(socket.SHUT_WR)
        assert receive_all(sock) == b'the last'


def answer(sock):
    request = receive_exactly(sock, 7)
    sock.sendall(b'answer')
    rest = receive_all(sock)
    sock.sendall(b'the last')
    return request, rest


def length_of_a_conversation(way, direction):
    """How many bytes a connection has passed that resumes, and has one conversation."""
    way.cut()
    converse(way.port)
    last = way.status()['each'][-1]
    return last[direction]


def cut_at_every_byte(direction, ways):
    """Each connection is cut a byte later than the one before it, from the first byte of the
    request to upgrade to the last of a conversation; as many as it takes go on through them."""
    with Crossing(answer, client=('--reconnect-max', '0.01')) as way:
        converse(way.port)
        length = length_of_a_conversation(way, direction)
        way.way.do('cut-after', at=[[place, direction, ways[place % len(ways)]]
                                    for place in range(length)])
        way.cut()
        count = 0
        while way.status()['breaks'] < length:
            converse(way.port)
            count += 1
        print(f'# {length} cuts, {way.status()["connections"]} connections, {count} conversations')
        for _ in range(count + 2):
            assert way.target.results.get(timeout=DEADLINE) == (b'request', b'')
        way.end()
        for tool in (way.server, way.client):
            # The side that ends a stream first sees all that was said, too.
            sizes = {(e['bytes_sent'], e['bytes_received']) for e in tool.events
                     if e['event'] == 'stream-closed'}
            assert sizes == {(7, 14) if tool is way.server else (14, 7)}, sizes


@test
def a_cut_at_every_byte_forth():
    cut_at_every_byte('forth', ('cut', 'reset'))


@test
def a_cut_at_every_byte_back():
    cut_at_every_byte('back', ('cut',))


@test
def the_first_connection_is_cut():
    """With `--retry-first` that is no end either, wherever it is."""
    places = [[place, direction] for direction in ('forth', 'back') for place in range(0, 500, 3)]
    with Crossing(answer, client=('--retry-first', '--reconnect-max', '0.01'), plan=places) as way:
        converse(way.port)
        status = way.status()
        assert status['breaks'] > 100, status
        way.way.do('cut-after', at=[])
        print(f'# {status["breaks"]} cuts')
        way.end()


# Where frames are large.

@test
def in_the_middle_of_a_frame():
    """Both of a frame on its way to a server and of one to a client."""
    with Crossing(echo) as way:
        with user(way.port) as sock:
            for number, (place, direction) in enumerate(
                    [(place, direction) for place in (1, 2, 13, 14, 1000, 16384, 65535, 65536)
                     for direction in ('forth', 'back')]):
                data = b''.join(pattern(MIB, number))
                way.cut_after(place, direction=direction)
                sender = in_thread(sock.sendall, data)
                assert receive_exactly(sock, MIB) == data
                sender()
            assert way.status()['breaks'] == 16, way.status()
        way.end()


@test
def breaks_while_it_is_sent_again():
    """Much is on its way when the link breaks, and so do the next thirty, each a little later."""
    with Crossing(lambda sock: send_pattern(sock, 32 * MIB, 3)) as way:
        way.way.do('cut-after', at=[[8 * MIB, 'forth'],
                                    *[[number * 20000, 'forth'] for number in range(30)]])
        way.cut()
        with user(way.port) as sock:
            assert swallow(sock) == way.target.results.get(timeout=DEADLINE)
        assert way.status()['breaks'] == 31, way.status()
        way.end()


# While there is no link.

@test
def what_happens_without_a_link():
    """Users come, speak and go, and targets too: all of that is told when there is one again."""
    def serve(sock):
        return receive_line(sock), sock.sendall(b'answer\n'), receive_all(sock)
    with Crossing(serve) as way:
        begun = user(way.port)
        begun.sendall(b'before\n')
        assert receive_line(begun) == b'answer\n'
        way.way.do('refuse')
        way.cut()
        begun.sendall(b'more')
        begun.shutdown(socket.SHUT_WR)
        late = user(way.port)
        late.sendall(b'late\n')
        gone = user(way.port)
        gone.sendall(b'gone\n')
        gone.shutdown(socket.SHUT_WR)
        way.way.do('accept')
        assert receive_line(late) == b'answer\n'
        assert receive_all(gone) == b'answer\n' and receive_all(begun) == b''
        late.close()
        results = {way.target.results.get(timeout=DEADLINE) for _ in range(3)}
        assert results == {(b'before\n', None, b'more'), (b'late\n', None, b''),
                           (b'gone\n', None, b'')}, results
        for sock in (begun, gone):
            sock.close()
        way.end()


class Writer:
    """A user who writes much, and reads what comes at the same time."""

    def __init__(self, port, length, seed):
        self.sock = user(port)
        self.sock.sendall(b'%d\n' % seed)
        self.sent = 0
        self.wait = in_thread(self.write, length, seed)
        self.came = in_thread(swallow, self.sock)

    def write(self, length, seed):
        digest = hashlib.sha256()
        for piece in pattern(length, seed):
            self.sock.sendall(piece)
            digest.update(piece)
            self.sent += len(piece)
        self.sock.shutdown(socket.SHUT_WR)
        return length, digest.hexdigest()


@test
def what_is_kept_is_bounded():
    """Users only write, and targets too, while there is nobody to send it to."""
    length = 64 * MIB

    def serve(sock):
        seed = int(receive_line(sock))
        return seed, exchange(sock, length, 100 + seed)
    with Crossing(serve) as way:
        sampler = Sampler(way.server, way.client)
        writers = [Writer(way.port, length, seed) for seed in range(4)]
        wait_until(lambda: all(writer.sent for writer in writers), what='the users')
        way.way.do('refuse')
        way.cut()
        last, still = [None], [0]

        def stands():
            now = [writer.sent for writer in writers]
            still[0] = still[0] + 1 if now == last[0] else 0
            last[0] = now
            return still[0] > 30
        wait_until(stands, what='everything standing still')
        assert max(last[0]) < length, 'nothing held them up'
        most = sampler.end()
        print(f'# {most / MIB:.1f} MiB more, both together')
        assert most < GROWTH, most
        way.way.do('accept')
        ours = {seed: (one.came(), one.wait()) for seed, one in enumerate(writers)}
        assert ours == dict(way.target.results.get(timeout=DEADLINE) for _ in writers)
        for writer in writers:
            writer.sock.close()
        way.end()


@test
def a_client_that_is_back_before_the_server_has_noticed():
    """Its old connection leads nowhere, which only the client knows: the server ends that one,
    and has a place for it though it takes no more clients."""
    with Crossing(echo, server=('--max-sessions', '1'), client=IMPATIENT) as way:
        with user(way.port) as sock:
            for number in range(2):
                seen = way.status()['connections']
                way.way.do('blackhole', connection=seen)
                data = b''.join(pattern(MIB, number))
                sender = in_thread(sock.sendall, data)
                assert receive_exactly(sock, MIB) == data
                sender()
                wait_until(lambda seen=seen: any(
                    one['number'] == seen and one['far_ended'] for one in way.status()['each']),
                    what='the end of the old connection')
        way.end()


main()
