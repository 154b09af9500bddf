# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""A tunnel with users, to which things happen: to its network, and to its processes."""

import collections
import random
import signal
import threading

from fault import Fault
from harness import DEADLINE, Tool, free_port, wait_until
from users import Users

SIDES = ('server', 'client')
PATIENCE = ('--ping-interval', '1', '--ping-timeout', '1')
# Longer than any interruption here; a client that was killed holds its port so long.
KEPT = '15'
USERS = 8


class Tunnel:
    """`restarts` names what is started anew now and then: `server`, `client`, or nothing. Whatever
    is not has to be the same in the end."""

    def __init__(self, name, restarts, seed, forever):
        self.name = name
        self.restarts = restarts
        self.dice = random.Random(seed)
        self.port = free_port()
        self.users = Users(self.port, USERS, self.dice)
        self.server_port = free_port()
        self.server = self.client = None
        self.way = Fault(self.server_port, deadline=forever)
        self.begin('server')
        self.begin('client')
        self.over = threading.Event()
        # Something happens, or is measured.
        self.turn = threading.Lock()
        self.thread = None
        self.counts = collections.Counter()

    def start_server(self):
        self.server = Tool('server', '--quiet', '--port', str(self.server_port), *PATIENCE,
                            '--resume-timeout', KEPT, '--grace', '1')

    def start_client(self):
        self.client = Tool('client', '--quiet', '--server', f'ws://127.0.0.1:{self.way.port}/',
                            '--forward', f'{self.port}={self.users.target.spec}', *PATIENCE,
                            '--reconnect-min', '0.01', '--reconnect-max', '0.5', '--retry-first')

    # What happens.

    def happenings(self):
        """Each with its weight."""
        return {self.cut: 10, self.cut_soon: 10, self.hold: 3, self.lose: 1, self.refuse: 2,
                self.slow: 1, self.freeze: 1, **({self.restart: 2} if self.restarts else {})}

    def cut(self):
        self.way.do(self.dice.choice(('cut', 'reset')))

    def cut_soon(self):
        """The next links, wherever that is."""
        places = [[int(1e7 ** self.dice.random()), self.dice.choice((None, 'forth', 'back')),
                   self.dice.choice(('cut', 'reset'))] for _ in range(self.dice.randrange(1, 6))]
        self.way.do('cut-after', at=places)
        self.cut()

    def hold(self):
        self.way.do('stop', direction=self.dice.choice((None, 'forth', 'back')))
        self.over.wait(self.dice.random())
        self.way.do('go')

    def lose(self):
        self.way.do('blackhole')
        self.over.wait(3 * self.dice.random())
        self.way.do('go')
        self.way.do('reset')

    def refuse(self):
        self.way.do('refuse')
        self.cut()
        self.over.wait(2 * self.dice.random())
        self.way.do('accept')

    def slow(self):
        self.way.do('delay', ms=self.dice.randrange(1, 50))
        self.over.wait(1)
        self.way.do('delay', ms=0)

    def freeze(self):
        process = self.dice.choice((self.server, self.client)).process
        process.send_signal(signal.SIGSTOP)
        self.over.wait(3 * self.dice.random())
        process.send_signal(signal.SIGCONT)

    def restart(self):
        """In order, or not."""
        tool = getattr(self, self.restarts)
        self.users.upheavals += 1
        tool.process.send_signal(self.dice.choice((signal.SIGTERM, signal.SIGKILL)))
        tool.process.wait(DEADLINE)
        self.begin(self.restarts)
        wait_until(self.is_back, what='the tunnel after a restart')
        self.users.upheavals += 1

    def begin(self, side):
        old = getattr(self, side)
        if old is not None:
            Tool.running.remove(old)
        getattr(self, f'start_{side}')()

    def is_back(self):
        # Its port may still be held for the one before it.
        if self.client.process.poll() == 3 and self.restarts == 'client':
            self.over.wait(0.5)
            self.begin('client')
        return self.users.are_served()

    # Its life.

    def start(self):
        wait_until(self.users.are_served, what='the tunnel')
        self.users.start()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        chances = self.happenings()
        try:
            while not self.over.wait(2 * self.dice.random()):
                happening, = self.dice.choices(list(chances), list(chances.values()))
                with self.turn:
                    happening()
                    self.counts[happening.__name__] += 1
                    self.look()
        except Exception as error:
            self.users.wrong.append(f'after {dict(self.counts)}: {error!r}')

    def look(self):
        for side in SIDES:
            status = getattr(self, side).process.poll()
            if status is not None:
                raise RuntimeError(f'the {side} ended with {status}: '
                                   f'{getattr(self, side).errors[-3:]}')

    def rest(self):
        """Bytes and descriptors of what is never started anew, with nobody there."""
        with self.turn:
            self.users.rest(True)
            wait_until(self.users.are_served, what='the tunnel at rest')
            wait_until(self.is_still, what='the tunnel being still')
            state = {side: self.state(side) for side in SIDES if side != self.restarts}
            self.users.rest(False)
        return state

    def is_still(self):
        """Nothing of the last user is left."""
        before = [self.state(side) for side in SIDES]
        threading.Event().wait(0.5)
        return before == [self.state(side) for side in SIDES]

    def state(self, side):
        tool = getattr(self, side)
        try:
            return tool.memory(), tool.descriptors()
        except (OSError, AssertionError):
            # It is just being started anew.
            return 0, 0

    def line(self):
        sides = ', '.join(f'{side} {memory / 1e6:.1f} MB {descriptors} fds' for side in SIDES
                          for memory, descriptors in [self.state(side)])
        return (f'{self.name}: {sides}; {self.users.done} streams, {self.users.broken} broken, '
                f'{self.users.moved / 1e6:.0f} MB; {sum(self.counts.values())} happenings')

    def stop(self):
        self.over.set()
        with self.turn:
            self.users.upheavals += 1
            self.users.rest(True)
        self.users.stop()
        for side in ('client', 'server'):
            try:
                getattr(self, side).stop()
            except AssertionError as error:
                self.users.wrong.append(f'the {side} did not end well: {error}')
        self.way.stop()
