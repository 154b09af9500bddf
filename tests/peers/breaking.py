# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""The connections of the relay in fault.py: how bytes go on, and how a connection breaks."""

import collections
import contextlib
import fcntl
import os
import selectors
import socket
import struct
import time

PIPE = 1 << 20
# How long whoever was told of an end has to end too.
PATIENCE = 5
# Bytes that TCP has not sent: <linux/sockios.h>.
SIOCOUTQNSD = 0x894b
END, RESET = 'end', 'reset'


class Direction:
    """From one socket to the other, through a pipe: the bytes are never in this program."""

    def __init__(self, connection, name, source, sink):
        self.connection = connection
        self.name = name
        self.source = source
        self.sink = sink
        self.outlet, self.inlet = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        # Only so much of it is for one user; it goes with less.
        with contextlib.suppress(OSError):
            fcntl.fcntl(self.inlet, fcntl.F_SETPIPE_SZ, PIPE)
        # What is in the pipe: when it is due, and how many bytes, or END or RESET.
        self.queue = collections.deque()
        self.taken = self.moved = 0
        self.stop_at = None
        self.stopped = self.black = False
        # No room in the pipe, or none behind it.
        self.choked = self.blocked = False
        self.ended = self.over = False
        # The source is gone, which was noticed when something was sent to it.
        self.broken = False

    def wants_input(self):
        return not (self.ended or self.stopped or self.choked) and self.connection.allowed(self) > 0

    def receive(self):
        if self.black:
            self.drop()
            return
        size = min(self.connection.allowed(self), PIPE)
        try:
            count = os.splice(self.source.fileno(), self.inlet, size, flags=os.SPLICE_F_NONBLOCK)
        except BlockingIOError:
            self.choked = bool(self.queue)
            return
        except OSError:
            count, self.broken = 0, True
        self.ended = count == 0
        self.taken += count
        what = count or (RESET if self.broken else END)
        self.queue.append([time.monotonic() + self.connection.relay.delay, what])

    def drop(self):
        """Reads without looking, for nobody."""
        try:
            self.ended = self.source.recv_into(self.connection.relay.scratch, 0,
                                               socket.MSG_TRUNC) == 0
        except BlockingIOError:
            pass
        except OSError:
            self.ended = True

    def send(self, now):
        self.blocked = False
        while self.queue and self.queue[0][0] <= now and not self.over and not self.black:
            try:
                self.send_first()
            except BlockingIOError:
                self.blocked = True
                return
            except OSError:
                # What comes back goes on, and is followed by the end of all.
                self.become_black()
                self.over = True
                self.connection.opposite(self).broken = True

    def send_first(self):
        entry = self.queue[0]
        if entry[1] is RESET:
            self.over = True
            self.connection.end('reset')
        elif entry[1] is END:
            self.over = True
            self.sink.shutdown(socket.SHUT_WR)
        else:
            count = os.splice(self.outlet, self.sink.fileno(), entry[1],
                              flags=os.SPLICE_F_NONBLOCK)
            self.choked = False
            self.moved += count
            entry[1] -= count
            if entry[1] == 0:
                self.queue.popleft()

    def due(self):
        waits = self.queue and not (self.blocked or self.black or self.over)
        return self.queue[0][0] if waits else None

    def is_delivered(self):
        """Whether the other side's kernel has all that went on: on this machine, what was sent has
        arrived. It is acknowledged up to 40 ms later, which would be most of the time of a test."""
        try:
            waiting = fcntl.ioctl(self.sink, SIOCOUTQNSD, bytes(4))
        except OSError:
            return True
        return struct.unpack('i', waiting)[0] == 0

    def become_black(self):
        self.black = True
        self.stopped = self.choked = self.blocked = False

    def close(self):
        os.close(self.inlet)
        os.close(self.outlet)


class Connection:
    def __init__(self, relay, number, near, far):
        self.relay = relay
        self.number = number
        self.near = near
        self.far = far
        self.connecting = True
        self.forth = Direction(self, 'forth', near, far)
        self.back = Direction(self, 'back', far, near)
        self.both = (self.forth, self.back)
        # Where a `cut-after` is: (direction or None, position, how).
        self.plan = None
        # How it ends, when it does not by itself; and since when it is ending.
        self.how = None
        self.ending = None
        self.closed = False

    def opposite(self, direction):
        return self.back if direction is self.forth else self.forth

    def directions(self, name):
        return [one for one in self.both if name in (None, one.name)]

    def allowed(self, direction):
        """How much of a direction may be read before something happens."""
        if self.plan is None or direction.black:
            return PIPE
        if self.has_reached():
            return 0
        name, position, _ = self.plan
        if name not in (None, direction.name):
            return PIPE
        return position - sum(one.taken for one in self.directions(name))

    def break_after(self, name, position, how):
        self.plan = (name, position, how)
        self.settle(time.monotonic())

    def is_at_its_break(self):
        """And what went on before has arrived, so that a break loses nothing of it."""
        return (self.has_reached()
                and all(one.is_delivered() for one in self.directions(self.plan[0])))

    def has_reached(self):
        return (self.plan is not None and not self.connecting
                and sum(one.moved for one in self.directions(self.plan[0])) == self.plan[1])

    def settle(self, now):
        """After something happened: lets go what is due, and sees whether it is time to end."""
        if self.closed or self.connecting:
            return
        if self.ending is not None:
            if all(one.ended for one in self.both) or now >= self.ending + PATIENCE:
                self.close()
            return
        for one in self.both:
            if not one.blocked and not self.closed:
                one.send(now)
        if self.closed:
            return
        if self.is_at_its_break():
            self.relay.breaks += 1
            how, self.plan = self.plan[2], None
            self.end(how)
        elif all(one.over or one.black and one.ended for one in self.both):
            self.close()

    def when(self):
        """When it wants a turn, whatever happens."""
        if self.ending is not None:
            return self.ending + PATIENCE
        dues = [due for one in self.both if (due := one.due()) is not None]
        if self.has_reached():
            dues.append(time.monotonic() + 0.001)
        return min(dues, default=None)

    def end(self, how):
        if self.closed or self.ending is not None:
            return
        if how == 'blackhole':
            for one in self.both:
                one.become_black()
            return
        self.how = how
        self.plan = None
        if how == 'reset' or self.connecting:
            self.close()
            return
        self.ending = time.monotonic()
        for one in self.both:
            one.become_black()
            with contextlib.suppress(OSError):
                one.sink.shutdown(socket.SHUT_WR)

    def close(self):
        self.closed = True
        for sock in (self.near, self.far):
            self.relay.watch(sock, 0, self)
            # Also what is ending and has not: its owner does not read.
            if self.how is not None and not all(one.ended for one in self.both):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
            sock.close()
        for one in self.both:
            one.close()
        self.relay.forget(self)

    def start(self):
        """The far side has answered, or has not."""
        if self.far.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self.end('reset')
        self.connecting = False

    def handle(self, sock, events):
        if self.closed:
            return
        if self.connecting:
            if sock is self.far:
                self.start()
            return
        source, sink = self.both if sock is self.near else self.both[::-1]
        if events & selectors.EVENT_WRITE:
            sink.blocked = False
        if events & selectors.EVENT_READ and source.wants_input():
            source.receive()

    def watch(self):
        """Watches for what is wanted now. A socket of which nothing is wanted is not watched at
        all: its hang-up would be told again and again."""
        if self.closed:
            return
        if self.connecting:
            self.relay.watch(self.far, selectors.EVENT_WRITE, self)
            return
        for one, other in (self.both, self.both[::-1]):
            events = selectors.EVENT_READ if one.wants_input() else 0
            self.relay.watch(one.source, events | (selectors.EVENT_WRITE * other.blocked), self)

    def status(self):
        return {'number': self.number, 'open': not self.closed and self.ending is None,
                'forth': self.forth.moved, 'back': self.back.moved,
                'near_ended': self.forth.ended, 'far_ended': self.back.ended}
