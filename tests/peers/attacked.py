# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""A server of ours that is attacked for a while, who else is there, and what both of them felt."""

import contextlib
import os
import re
import struct
import socket
import time

import v2peer
from bystander import Bystander
from harness import DEADLINE, MEMORY_FACTOR, Sampler, Tool, test, wait_until
from websocket import Closed, WebSocket

MIB = 1 << 20
# How long an attack goes on, and how many times as much of what is counted it does, where it is
# not a test that must be over soon: `tools/dev attacks`.
SECONDS = float(os.environ.get('VT_ATTACK_SECONDS', '0.4'))
IS_LONG = 'VT_ATTACK_SECONDS' in os.environ

# What docs/security.md promises of the attacked one.
GROWTH = 16 * MIB
# It is far from what is promised of the others (50 ms): a test machine may be busy.
PATIENCE = 1000 * MEMORY_FACTOR


class Attacked:
    """The server says nothing to a script: what it logs is all that the operator would have."""

    def __init__(self, *arguments, fresh=True, prefix=()):
        self.server = Tool('server', '--port', '0', *arguments, prefix=prefix)
        line = wait_until(lambda: self.server.errors and self.server.errors[0], what='a server')
        self.port = int(re.search(r'Listening on \w+://127\.0\.0\.1:(\d+)/', line)[1])
        self.bystander = Bystander(self.port, fresh)
        self.descriptors = self.server.descriptors()
        self.sampler = Sampler(self.server)
        self.until = time.monotonic() + SECONDS
        self.rounds = 0

    def goes_on(self):
        """At least once, and for as long as it is measured."""
        self.rounds += 1
        return self.rounds == 1 or time.monotonic() < self.until

    def connect(self, **options):
        """Waits for a place: whoever breaks a rule of the frames has one for a second more, and a
        fast machine comes to more than there are."""
        def attempt():
            try:
                return WebSocket.connect('127.0.0.1', self.port, **options)
            except Closed as closed:
                if ' 503 ' not in closed.reason:
                    raise
                return None
        web = wait_until(attempt, what='a place')
        web.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return web

    def peer(self, **options):
        return v2peer.Client(self.port, **options)

    def finish(self, name):
        figures, grown = self.bystander.end(), self.sampler.end()
        print(f'# {name}: others p99 {figures.p99:.1f} ms, at most {figures.most:.1f} ms, of '
              f'{figures.count}; the server grew {grown / MIB:.1f} MiB', flush=True)
        assert not figures.wrong, figures.wrong
        assert figures.p99 < PATIENCE, figures
        assert grown <= GROWTH, grown
        wait_until(lambda: self.server.descriptors() <= self.descriptors,
                   what='the old descriptors')
        self.bystander.client.stop()
        self.server.stop()
        wrong = [line for line in self.server.errors if 'CRITICAL' in line or 'WARNING' in line]
        assert not wrong, wrong


def attack(*arguments, **options):
    """Marks `function (world)` as an attack, on a server with these arguments."""
    def mark(function):
        def run():
            world = Attacked(*arguments, **options)
            function(world)
            world.finish(function.__name__.replace('_', ' '))
        run.__name__ = function.__name__
        run.__doc__ = function.__doc__
        return test(run)
    return mark


def end_of(web):
    """How it ended, whatever was said before: a close code, 'reset', or None for just the end."""
    try:
        web.sock.settimeout(DEADLINE)
        while True:
            web.receive()
    except Closed as closed:
        return closed.code
    except (ConnectionResetError, BrokenPipeError):
        return 'reset'
    finally:
        web.sock.close()


def leave(peer):
    """In order: for one who is only gone the server keeps ports, and what was not acknowledged."""
    with contextlib.suppress(OSError):
        peer.web.close()
    peer.wait_gone()


def flood(web, data, times):
    """Says it so often, or until the other side is gone."""
    try:
        for _ in range(times):
            web.send_raw(data)
    except OSError:
        pass


def reset_at_once(sock):
    """So that no port of ours has to wait for it: floods would run out of them."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    sock.close()
