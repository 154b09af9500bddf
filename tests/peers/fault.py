# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""A network that breaks when it is told to: a TCP relay, byte for byte, and fast.

It is a process of its own, so that it takes no turn from whoever tests. It takes one command a
line, JSON, on standard input, and answers each with a line on standard output:

    with Fault(server.port) as way:
        client = Tool.client(way.port, ...)
        way.do('cut-after', at=[100, [7, 'back']])
        way.do('status')['open']

Bytes go `forth`, from who connects to it to where it leads, and `back`. Connections are numbered
from 1, in the order they came. `connection` is the number of one that is open, without it all are
meant; `direction` is one of the two, without it both are.

cut         ends both sides in order; what still comes is dropped
reset       ends both sides with RST
stop, go    `direction`: nothing is read, until `go`
blackhole   `direction`: what comes is read and dropped, ends too, for good. Without `connection`
            and `direction` the same for the next ones, to which nobody answers; until `go`
delay       `ms`: each byte and end goes on so much later, as far as a pipe holds what is under way
cut-after   `at`: cuts exactly after that byte of `direction`, or of both in sum. A number, which
            with `connection` counts from now on; or a list for the next connections, of numbers,
            null, and [number, direction or null, how]. `how`: `cut`, `reset` or `blackhole`
refuse      nothing listens at the port, which stays taken
accept      something does again
upstream    `port`: where the next connections lead
status      answers `connections`, `open`, `forth`, `back` (bytes that went on), `breaks` (made by
            `cut-after`), `waiting` (of its list), and the last connections in `each`
"""

import argparse
import collections
import errno
import json
import os
import selectors
import socket
import subprocess
import sys
import threading
import time

from breaking import PIPE, Connection

DEADLINE = 600
DIRECTIONS = ('forth', 'back')
HOW = ('cut', 'reset', 'blackhole')
# The connections that `status` tells of.
REMEMBERED = 2000


class Fault:
    """The relay to a port, from the side of whoever starts it."""

    def __init__(self, port, host='127.0.0.1', deadline=DEADLINE):
        words = [sys.executable, __file__, '--deadline', deadline, host, port]
        self.process = subprocess.Popen([str(word) for word in words], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.lock = threading.Lock()
        self.port = json.loads(self.process.stdout.readline())['port']

    def do(self, command, **fields):
        """Says a command, and returns the answer."""
        with self.lock:
            self.process.stdin.write(json.dumps({'command': command, **fields}) + '\n')
            self.process.stdin.flush()
            answer = json.loads(self.process.stdout.readline())
        if 'error' in answer:
            raise ValueError(answer['error'])
        return answer

    def stop(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Relay:
    def __init__(self, arguments):
        self.where = (arguments.host, arguments.port)
        self.until = time.monotonic() + arguments.deadline
        self.delay = 0
        self.scratch = bytearray(PIPE)
        self.selector = selectors.DefaultSelector()
        self.open = {}
        self.gone = collections.deque(maxlen=REMEMBERED)
        self.count = self.breaks = 0
        self.totals = dict.fromkeys(DIRECTIONS, 0)
        self.plans = collections.deque()
        self.is_black = False
        # Keeps the port while nothing listens there.
        self.holder = self.bind(0)
        self.port = self.holder.getsockname()[1]
        self.listener = None
        self.do_accept()
        self.input = b''
        os.set_blocking(0, False)
        self.selector.register(0, selectors.EVENT_READ)

    @staticmethod
    def bind(port):
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(('127.0.0.1', port))
        return sock

    # Commands.

    def chosen(self, number):
        if number is None:
            return list(self.open.values())
        if number not in self.open:
            raise ValueError(f'there is no connection {number}')
        return [self.open[number]]

    def do_cut(self, connection=None, how='cut'):
        for one in self.chosen(connection):
            one.end(how)

    def do_reset(self, connection=None):
        self.do_cut(connection, 'reset')

    def do_stop(self, direction=None, connection=None, stopped=True):
        for one in self.chosen(connection):
            for way in one.directions(direction):
                way.stopped = stopped and not way.black
        if not stopped and connection is None:
            self.is_black = False

    def do_go(self, direction=None, connection=None):
        self.do_stop(direction, connection, False)

    def do_blackhole(self, direction=None, connection=None):
        for one in self.chosen(connection):
            for way in one.directions(direction):
                way.become_black()
        if connection is None and direction is None:
            self.is_black = True

    def do_delay(self, ms):
        self.delay = ms / 1000

    def do_cut_after(self, at, direction=None, connection=None, how='cut'):
        if connection is not None:
            assert direction in (None, *DIRECTIONS) and how in HOW
            one, = self.chosen(connection)
            taken = sum(way.taken for way in one.directions(direction))
            one.break_after(direction, taken + at, how)
            return
        self.plans.clear()
        for item in at if isinstance(at, list) else [at]:
            plan = item if isinstance(item, list) else [item]
            position, name, way = plan + [None, direction, how][len(plan):]
            assert name in (None, *DIRECTIONS) and way in HOW
            self.plans.append(None if position is None else (name, position, way))

    def do_refuse(self):
        if self.listener is not None:
            self.selector.unregister(self.listener)
            self.listener.close()
            self.listener = None

    def do_accept(self):
        if self.listener is None:
            self.listener = self.bind(self.port)
            self.listener.setblocking(False)
            self.listener.listen(1024)
            self.selector.register(self.listener, selectors.EVENT_READ)

    def do_upstream(self, port):
        self.where = (self.where[0], port)

    def do_status(self):
        each = [*self.gone, *(one.status() for one in self.open.values())]
        sums = {name: self.totals[name] + sum(getattr(one, name).moved
                                              for one in self.open.values())
                for name in DIRECTIONS}
        return {'connections': self.count, 'open': sum(one['open'] for one in each), **sums,
                'breaks': self.breaks, 'waiting': len(self.plans),
                'each': sorted(each, key=lambda one: one['number'])}

    def answer(self, line):
        try:
            fields = json.loads(line)
            name = fields.pop('command').replace('-', '_')
            answer = getattr(self, f'do_{name}')(**fields) or {}
        except (ValueError, TypeError, KeyError, AttributeError, AssertionError) as error:
            answer = {'error': f'{type(error).__name__}: {error}'}
        print(json.dumps(answer), flush=True)

    def read_commands(self):
        """Whether there can be more."""
        data = os.read(0, 65536)
        *lines, self.input = (self.input + data).split(b'\n')
        for line in lines:
            self.answer(line)
        return bool(data)

    # Connections.

    def accept(self):
        try:
            near, _ = self.listener.accept()
        except OSError:
            return
        far = socket.socket()
        for sock in (near, far):
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.count += 1
        one = self.open[self.count] = Connection(self, self.count, near, far)
        if self.is_black:
            # Nobody is behind it, and nobody says so.
            one.end('blackhole')
            one.connecting = False
            one.back.ended = True
            return
        if self.plans:
            one.plan = self.plans.popleft()
        if far.connect_ex(self.where) not in (0, errno.EINPROGRESS):
            one.end('reset')

    def forget(self, connection):
        del self.open[connection.number]
        self.gone.append(connection.status())
        for way in connection.both:
            self.totals[way.name] += way.moved

    def watch(self, sock, events, data):
        known = self.selector.get_map().get(sock)
        if known is None and events:
            self.selector.register(sock, events, data)
        elif known is not None and not events:
            self.selector.unregister(sock)
        elif known is not None and known.events != events:
            self.selector.modify(sock, events, data)

    def settle(self):
        now = time.monotonic()
        for one in list(self.open.values()):
            one.settle(now)
            one.watch()

    def timeout(self):
        whens = [when for one in self.open.values() if (when := one.when()) is not None]
        return max(min([self.until, *whens]) - time.monotonic(), 0)

    def run(self):
        while time.monotonic() < self.until:
            for key, events in self.selector.select(self.timeout()):
                if key.fileobj == 0:
                    if not self.read_commands():
                        return
                elif key.fileobj is self.listener:
                    self.accept()
                elif key.data is not None:
                    key.data.handle(key.fileobj, events)
            self.settle()


def main():
    parser = argparse.ArgumentParser(description='Relays connections until it is told to break '
                                     'them: commands on standard input, a line of JSON each.')
    parser.add_argument('--deadline', type=float, default=DEADLINE, help='seconds; then it ends')
    parser.add_argument('host')
    parser.add_argument('port', type=int)
    relay = Relay(parser.parse_args())
    print(json.dumps({'port': relay.port}), flush=True)
    relay.run()


if __name__ == '__main__':
    main()
