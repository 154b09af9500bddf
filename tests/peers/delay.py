# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""A long way: a TCP relay that holds back each byte, and each end, for a while in each direction.

It is a process of its own, so that it takes no turn from whoever measures. Connecting to it takes
no time; what is said then does. It never lets a byte go too early, and may be a millisecond late.

    with Delay(server.port, 0.05) as way:
        client = Tool.client(way.port, ...)
"""

import argparse
import collections
import contextlib
import selectors
import socket
import struct
import subprocess
import sys
import time

LIMIT = 256 << 20
DEADLINE = 600
BLOCK = 1 << 20
# The least room for which it is worth reading, so that a block is not filled by crumbs.
LEAST_ROOM = 64 << 10
# What an entry of the queue takes besides its bytes: crumbs are bounded too.
ENTRY_COST = 256
MAX_SPARE = 64

END = 'end'
RESET = 'reset'


class Delay:
    """The relay to a port, from the side of whoever starts it."""

    def __init__(self, port, delay, host='127.0.0.1', limit=LIMIT, deadline=DEADLINE):
        words = [sys.executable, __file__, '--delay', delay, '--limit', limit,
                 '--deadline', deadline, host, port]
        self.process = subprocess.Popen([str(word) for word in words], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)
        self.port = int(self.process.stdout.readline())

    def stop(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Blocks:
    """Memory for what is under way: small pieces share a block, and blocks are used again."""

    def __init__(self):
        self.spare = []

    def take(self):
        return self.spare.pop() if self.spare else memoryview(bytearray(BLOCK))

    def give_back(self, block):
        if len(self.spare) < MAX_SPARE:
            self.spare.append(block)


class Direction:
    """From one socket to the other. An entry of the queue: when it is due, its bytes (or END or
    RESET), and the block that is free after it, if one is."""

    def __init__(self, relay, source, sink):
        self.relay = relay
        self.source = source
        self.sink = sink
        self.back = None
        self.queue = collections.deque()
        self.size = 0
        self.block = None
        self.used = 0
        self.reading = True
        self.blocked = False
        self.over = False
        self.resets = False

    def wants_input(self):
        return self.reading and self.size < self.relay.limit

    def due(self):
        """When the next entry is, or None if there is nothing to wait for but the sink."""
        return self.queue[0][0] if self.queue and not self.blocked else None

    def put(self, what):
        self.queue.append([time.monotonic() + self.relay.delay, what, None])

    def receive(self):
        if self.block is None or (not self.queue and self.used > 0):
            self.block, self.used = self.block or self.relay.blocks.take(), 0
        try:
            count = self.source.recv_into(self.block[self.used:])
        except BlockingIOError:
            return
        except OSError:
            self.stop_reading(RESET)
            return
        if count == 0:
            self.stop_reading(END)
            return
        self.put(self.block[self.used:self.used + count])
        self.used += count
        self.size += count + ENTRY_COST
        if BLOCK - self.used < LEAST_ROOM:
            self.queue[-1][2] = self.block
            self.block = None

    def stop_reading(self, what):
        self.reading = False
        self.put(what)

    def send(self, now):
        """Lets go what is due, as far as the sink takes it."""
        self.blocked = False
        while self.queue and self.queue[0][0] <= now and not self.over:
            what = self.queue[0][1]
            try:
                if what is RESET:
                    self.relay.cut(self)
                elif what is END:
                    self.over = True
                    self.queue.clear()
                    self.sink.shutdown(socket.SHUT_WR)
                else:
                    self.sent(what, self.sink.send(what))
            except BlockingIOError:
                self.blocked = True
                return
            except OSError:
                self.fail()

    def sent(self, what, count):
        entry = self.queue[0]
        self.size -= count
        if count < len(what):
            entry[1] = what[count:]
            return
        self.size -= ENTRY_COST
        self.queue.popleft()
        if entry[2] is not None:
            self.relay.blocks.give_back(entry[2])

    def fail(self):
        """Nobody is there any more; whoever sends learns it after the way back."""
        self.over = True
        self.reading = False
        self.queue.clear()
        self.back.reading = False
        self.back.put(RESET)


class Relay:
    def __init__(self, arguments):
        self.where = (arguments.host, arguments.port)
        self.delay = arguments.delay
        self.limit = arguments.limit
        self.until = time.monotonic() + arguments.deadline
        self.blocks = Blocks()
        self.directions = []
        self.selector = selectors.DefaultSelector()
        self.listener = socket.create_server(('127.0.0.1', 0), backlog=1024)
        self.listener.setblocking(False)
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.selector.register(sys.stdin, selectors.EVENT_READ)

    def accept(self):
        try:
            near, _ = self.listener.accept()
        except OSError:
            return
        try:
            far = socket.create_connection(self.where)
        except OSError:
            reset(near)
            return
        for sock in (near, far):
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        forth, back = Direction(self, near, far), Direction(self, far, near)
        forth.back, back.back = back, forth
        self.directions += [forth, back]
        self.watch(forth)
        self.watch(back)

    def watch(self, direction):
        """Watches the source for what is wanted of it now. A socket of which nothing is wanted is
        not watched at all: its hang-up would be told again and again."""
        sock, events = direction.source, 0
        if direction.wants_input():
            events |= selectors.EVENT_READ
        if direction.back.blocked:
            events |= selectors.EVENT_WRITE
        known = self.selector.get_map().get(sock)
        if known is None and events:
            self.selector.register(sock, events, direction)
        elif known is not None and not events:
            self.selector.unregister(sock)
        elif known is not None and known.events != events:
            self.selector.modify(sock, events, direction)

    def cut(self, direction):
        for one in (direction, direction.back):
            one.over = True
            one.reading = one.blocked = False
            one.queue.clear()
            one.resets = True

    def settle(self):
        """After each turn: lets go what is due, and forgets the connections that are over."""
        now = time.monotonic()
        for direction in self.directions:
            if not direction.blocked:
                direction.send(now)
        for direction in self.directions:
            self.watch(direction)
        done = [d for d in self.directions if d.over and d.back.over]
        for direction in done:
            self.directions.remove(direction)
            (reset if direction.resets else socket.socket.close)(direction.source)

    def timeout(self):
        dues = [due for direction in self.directions if (due := direction.due()) is not None]
        return max(min([self.until, *dues]) - time.monotonic(), 0)

    def run(self):
        while time.monotonic() < self.until:
            for key, events in self.selector.select(self.timeout()):
                if key.fileobj is sys.stdin:
                    return
                if key.fileobj is self.listener:
                    self.accept()
                    continue
                if events & selectors.EVENT_WRITE:
                    key.data.back.blocked = False
                if events & selectors.EVENT_READ:
                    key.data.receive()
            self.settle()


def reset(sock):
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    sock.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--delay', type=float, required=True, help='seconds, each way')
    parser.add_argument('--limit', type=int, default=LIMIT,
                        help='bytes under way in one direction, above which it does not read')
    parser.add_argument('--deadline', type=float, default=DEADLINE, help='seconds; then it ends')
    parser.add_argument('host')
    parser.add_argument('port', type=int)
    relay = Relay(parser.parse_args())
    print(relay.listener.getsockname()[1], flush=True)
    relay.run()


if __name__ == '__main__':
    main()
