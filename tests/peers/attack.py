# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""Our server and our client with raw peers of v2 that attack them, and who else is there."""

import socket
import threading
import time

import v2peer
from harness import Target, Tool, echo, receive_exactly, user
from websocket import Closed


class World:
    """A server that is attacked, and a tunnel through it that has to go on."""

    def __init__(self, *arguments):
        self.target = Target(echo)
        self.server = Tool.server('--quiet', *arguments)
        self.client = Tool.client(self.server.port, f'0={self.target.spec}')
        self.port = self.client.forward_port()
        self.staying = user(self.port)
        self.users = [self.staying]
        self.check()

    def check(self):
        for sock in (self.staying, user(self.port)):
            sock.sendall(b'still here')
            assert receive_exactly(sock, 10) == b'still here'
            if sock is not self.staying:
                self.users.append(sock)
                sock.close()

    def session_of(self, peer):
        return self.server.event('session-opened', port=peer.local_port)['session']

    def finish(self):
        self.check()
        self.staying.close()
        self.client.wait_events('stream-closed', len(self.users))
        self.client.stop()
        self.server.stop()
        assert not self.server.errors, self.server.errors
        assert not any('error' in e for e in self.client.events), self.client.events


class Victim:
    """A client of ours with one forward, that has come to a server of ours that is none."""

    def __init__(self, serve=echo, arguments=(), **options):
        self.target = Target(serve)
        with socket.create_server(('127.0.0.1', 0)) as listener:
            self.client = Tool.client(listener.getsockname()[1], f'0={self.target.spec}',
                                      arguments=('--no-reconnect', *arguments))
            self.peer = v2peer.Server(listener, **options)
        if options.get('greets', True):
            self.peer.grant_listen()
            self.client.forward_port()


def expect_close(peer, code, word):
    """It is told why, as docs/protocol.md says."""
    gone = peer.wait_gone()
    assert isinstance(gone, Closed) and gone.code == code, gone
    assert gone.reason and gone.reason.isascii(), gone
    assert len(gone.reason) <= 123 and word in gone.reason, gone


def run_all(cases, run, patience=120):
    """Some at a time, each with its number; tells which failed and how. `patience`: seconds."""
    failures, left, lock = [], list(enumerate(cases)), threading.Lock()

    def work():
        while True:
            with lock:
                if not left:
                    return
                number, case = left.pop(0)
            try:
                run(number, *case)
            except Exception as error:
                failures.append((' '.join(map(str, case))[:100], repr(error)[:300]))
    threads = [threading.Thread(target=work, daemon=True) for _ in range(8)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + patience
    for thread in threads:
        thread.join(max(deadline - time.monotonic(), 0))
        assert not thread.is_alive(), 'somebody was not cut'
    assert not failures, '\n'.join(map(str, failures))
