# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""Users and targets that say random things at random times, and look at each byte that comes."""

import random
import socket
import struct
import threading

from harness import DEADLINE, Target, pattern, receive_exactly

MOST = 4 << 20
HEAD = struct.Struct('!QQQ')


class Wrong(Exception):
    """A byte that is not the one that was sent, or one that is missing."""


class Expected:
    """What has to come: compared as it does, so that a stream that breaks was right so far."""

    def __init__(self, length, seed):
        block = next(pattern(65537, seed))
        self.size, self.twice = len(block), block * 2
        self.length = length
        self.count = 0

    def take(self, data):
        view = memoryview(self.twice)
        while data:
            start = self.count % self.size
            piece = data[:self.size]
            if self.count + len(piece) > self.length:
                raise Wrong(f'more than {self.length} bytes')
            if piece != view[start:start + len(piece)]:
                raise Wrong(f'another byte within {len(piece)} after {self.count}')
            self.count += len(piece)
            data = data[len(piece):]

    def read(self, sock):
        """To the end."""
        while data := sock.recv(1 << 18):
            self.take(data)
        if self.count < self.length:
            raise EOFError(f'the end after {self.count} of {self.length} bytes')


class Sender(threading.Thread):
    """Sends in pieces, now and then after a pause, and ends this direction."""

    def __init__(self, sock, length, seed, pauses):
        super().__init__(daemon=True)
        self.arguments = sock, length, seed
        self.pause = pauses.wait
        self.dice = random.Random(seed)
        self.start()

    def run(self):
        sock, length, seed = self.arguments
        try:
            for piece in pattern(length, seed):
                sock.sendall(piece)
                if self.dice.random() < 0.1:
                    self.pause(self.dice.random() / 4)
            sock.shutdown(socket.SHUT_WR)
        except OSError:
            # Whoever reads is told, too.
            pass


class Users:
    """`count` of them at a time, each with one connection after the other, until `stop ()`."""

    def __init__(self, port, count, dice):
        self.port = port
        self.over = threading.Event()
        self.changed = threading.Condition()
        self.resting = False
        self.active = self.done = self.broken = self.moved = 0
        # Odd while something goes on that may break streams, and another number after it.
        self.upheavals = 0
        self.wrong = []
        self.target = Target(self.serve)
        self.target.results = Ignored()
        self.threads = [threading.Thread(target=self.run, args=(random.Random(dice.random()),),
                                         daemon=True) for _ in range(count)]

    def start(self):
        for thread in self.threads:
            thread.start()

    def stop(self):
        with self.changed:
            self.over.set()
            self.changed.notify_all()
        for thread in self.threads:
            thread.join(DEADLINE)
        self.target.close()

    def rest(self, resting):
        """Lets nobody come any more, and waits until all are gone; or lets them come again."""
        with self.changed:
            self.resting = resting
            self.changed.notify_all()
            if resting and not self.changed.wait_for(lambda: self.active == 0, DEADLINE):
                self.wrong.append(f'{self.active} users hang')

    def serve(self, sock):
        try:
            seed, up, down = HEAD.unpack(receive_exactly(sock, HEAD.size))
        except AssertionError:
            # The stream was broken before its user had said anything: the user knows.
            return
        sender = Sender(sock, down, seed + 1, self.over)
        try:
            Expected(up, seed).read(sock)
        except (EOFError, OSError):
            # Its user knows, and whether that may be.
            pass
        except Wrong as error:
            self.wrong.append(f'target of {seed}: {error}')
        sender.join(DEADLINE)

    def run(self, dice):
        while not self.over.is_set():
            with self.changed:
                self.changed.wait_for(lambda: not self.resting or self.over.is_set())
                self.active += 1
                upheavals = self.upheavals
            failed = self.try_once(dice)
            with self.changed:
                self.active -= 1
                self.broken += failed is not None
                if failed and self.upheavals == upheavals and upheavals % 2 == 0:
                    self.wrong.append(f'a stream broke: {failed!r}')
                self.changed.notify_all()
            if failed:
                self.over.wait(0.1)

    def try_once(self, dice):
        """How it broke, if it did."""
        seed = dice.randrange(1 << 62)
        up, down = (int(MOST ** dice.random()) for _ in range(2))
        try:
            self.use(seed, up, down)
        except (OSError, EOFError) as error:
            return error
        except Wrong as error:
            self.wrong.append(f'user of {seed}: {error}')
        return None

    def use(self, seed, up, down):
        with socket.create_connection(('127.0.0.1', self.port), timeout=DEADLINE) as sock:
            sock.sendall(HEAD.pack(seed, up, down))
            sender = Sender(sock, up, seed, self.over)
            Expected(down, seed + 1).read(sock)
            sender.join(DEADLINE)
        with self.changed:
            self.done += 1
            self.moved += up + down

    def are_served(self):
        try:
            with socket.create_connection(('127.0.0.1', self.port), timeout=5) as sock:
                sock.sendall(HEAD.pack(0, 0, 10))
                Expected(10, 1).read(sock)
                return True
        except (OSError, EOFError):
            return False


class Ignored:
    """Keeps no results."""

    @staticmethod
    def put(_result):
        pass
