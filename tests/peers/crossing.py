# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""A tunnel over a network that breaks: server, relay, client and target, and how they end."""

import socket

from fault import Fault
from harness import Target, Tool, receive_exactly, user, wait_until

QUICK = ('--reconnect-min', '0.01', '--reconnect-max', '0.05')
# A black hole or a process that stands is noticed after two seconds.
IMPATIENT = ('--ping-interval', '1', '--ping-timeout', '1')


class Crossing:
    """`serve` is the target's side of a stream, as in Target; `server` and `client` are further
    arguments. `forwards` end where the target's address follows. `plan` cuts the first links."""

    def __init__(self, serve, forwards=('0=',), server=(), client=(), plan=(), **options):
        self.target = Target(serve)
        self.server = Tool.server(*server, **options)
        self.way = Fault(self.server.port)
        self.way.do('cut-after', at=list(plan))
        self.client = Tool.client(self.way.port, *[f + self.target.spec for f in forwards],
                                  arguments=(*QUICK, *client), **options)
        self.ports = [self.client.forward_port(index) for index in range(len(forwards))]
        self.port = self.ports[0]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.way.stop()
        self.target.close()

    def status(self):
        return self.way.do('status')

    def cut(self, how='cut'):
        """Cuts the link that there is, and waits until there is one."""
        wait_until(lambda: self.status()['open'], what='a link')
        self.way.do(how)

    def cut_after(self, at, **fields):
        """Cuts the link that there is so many bytes later."""
        wait_until(lambda: self.status()['open'], what='a link')
        self.way.do('cut-after', at=at, connection=self.status()['connections'], **fields)

    def restart_server(self, *arguments, **options):
        """Another server takes the place of one that has ended, at another port: only the relay
        knows."""
        self.server = Tool.server(*arguments, **options)
        self.way.do('upstream', port=self.server.port)

    def wait_served(self):
        """Until a user is, at the port that the client has now."""
        def is_served():
            self.port = next(e['port'] for e in self.client.events[::-1]
                             if e['event'] == 'forward-opened')
            return works(self.port)
        wait_until(is_served, what='a user who is served')

    def end(self):
        """Both sides end well, and no stream has failed."""
        for tool in (self.client, self.server):
            opened = [e for e in tool.events if e['event'] == 'stream-opened']
            tool.wait_events('stream-closed', len(opened))
        for tool in (self.client, self.server):
            tool.stop()
            assert not stream_errors(tool), stream_errors(tool)[:5]


def stream_errors(tool):
    return [e['error'] for e in tool.events if e['event'] == 'stream-closed' and 'error' in e]


def works(port, timeout=5):
    """Whether a user is served, by an echo."""
    try:
        with user(port, timeout=timeout) as sock:
            sock.sendall(b'ok')
            return receive_exactly(sock, 2) == b'ok'
    except (OSError, AssertionError):
        return False


def is_free(port):
    try:
        socket.create_server(('127.0.0.1', port)).close()
        return True
    except OSError:
        return False
