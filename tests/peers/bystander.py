# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""Somebody who has nothing to do with an attack: small requests at a steady pace, through a tunnel
of a client of its own, and how long each took.

It is a process of its own, target and user alike, so that what is measured is not the turn that an
attacker in the same interpreter did not give away.
"""

import collections
import json
import os
import select
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from harness import Tool, echo, receive_exactly  # noqa: E402

# Seconds between two requests.
PACE = 0.004
# Every so many requests one comes over a connection of its own.
FRESH = 8

# Milliseconds; `wrong` is what ended it early, or empty.
Figures = collections.namedtuple('Figures', 'count p50 p99 most wrong')


class Bystander:
    """A client of ours with one forward, whose user asks until `end ()`."""

    def __init__(self, port, fresh=True):
        words = [sys.executable, __file__, str(FRESH if fresh else 0)]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)
        target = json.loads(self.process.stdout.readline())
        self.client = Tool.client(port, f'0=127.0.0.1:{target}', arguments=('--quiet',))
        self.process.stdin.write(f'{self.client.forward_port()}\n')
        self.process.stdin.flush()
        assert self.process.stdout.readline() == 'served\n', 'not even the first was answered'

    def end(self):
        self.process.stdin.close()
        figures = Figures(**json.loads(self.process.stdout.read()))
        self.process.wait()
        self.process.stdout.close()
        return figures


def ask(sock):
    sock.sendall(b'small')
    receive_exactly(sock, 5)


def connect(port):
    sock = socket.create_connection(('127.0.0.1', port), timeout=30)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def request(port, standing, number, fresh):
    """The seconds that it took."""
    begun = time.monotonic()
    if fresh and number % fresh == 0:
        with connect(port) as sock:
            ask(sock)
    else:
        ask(standing)
    return time.monotonic() - begun


def serve(listener):
    while True:
        sock, _ = listener.accept()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=serve_one, args=(sock,), daemon=True).start()


def serve_one(sock):
    with sock:
        try:
            echo(sock)
        except OSError:
            pass


def use(port, fresh):
    took, wrong = [], ''
    try:
        with connect(port) as standing:
            ask(standing)
            print('served', flush=True)
            while not select.select([sys.stdin], [], [], PACE)[0]:
                took.append(request(port, standing, len(took) + 1, fresh))
    except (AssertionError, OSError) as error:
        wrong = repr(error)
    took.sort()
    return Figures(len(took), *(1000 * took[min(int(len(took) * part), len(took) - 1)]
                                if took else 0 for part in (0.5, 0.99, 1)), wrong)


def main():
    listener = socket.create_server(('127.0.0.1', 0), backlog=128)
    print(listener.getsockname()[1], flush=True)
    threading.Thread(target=serve, args=(listener,), daemon=True).start()
    figures = use(int(sys.stdin.readline()), int(sys.argv[1]))
    print(json.dumps(figures._asdict()), flush=True)
    # The interpreter does not wait for the threads that serve.
    os._exit(0)


if __name__ == '__main__':
    main()
