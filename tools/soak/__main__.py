# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""Lets random users through tunnels, whose networks and processes break at random, for long."""

import argparse
import pathlib
import random
import signal
import sys
import threading
import time
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / 'tests' / 'peers'))

from harness import Tool  # noqa: E402
from tunnels import Tunnel  # noqa: E402

# What is never started anew may be larger in the end than after the warm-up, by so much.
GROWTH = 16 << 20
WARM = 0.25
EVERY = 10


def arguments():
    parser = argparse.ArgumentParser(
        prog='tools/dev soak', description='Three tunnels with random users, cuts, and '
        'interruptions of all kinds; of one the server is started anew now and then, of one the '
        'client. Fails if a byte is wrong, if a stream breaks that must not, and if what was never '
        'started anew has more memory or descriptors in the end than after a quarter of the time.')
    parser.add_argument('--minutes', type=float, default=30, help='(30)')
    parser.add_argument('--seed', type=int, default=random.SystemRandom().randrange(1 << 32),
                        help='of everything that is random; what comes of it also hangs on time')
    options = parser.parse_args()
    if options.minutes <= 0:
        parser.error('it takes a while')
    return options


def say(*words):
    print(time.strftime('%H:%M:%S'), *words, flush=True)


def watch(tunnels, until):
    """A line each now and then; false as soon as something was wrong."""
    pause = threading.Event()
    while (left := until - time.monotonic()) > 0:
        pause.wait(min(EVERY, left))
        for tunnel in tunnels:
            say(tunnel.line())
        if any(tunnel.users.wrong for tunnel in tunnels):
            return False
    return True


def rest(tunnels, name):
    states = {}
    for tunnel in tunnels:
        for side, (memory, descriptors) in tunnel.rest().items():
            say(f'{name}: {tunnel.name}, {side}: {memory / 1e6:.1f} MB, {descriptors} descriptors')
            states[tunnel.name, side] = memory, descriptors
    return states


def compare(warm, final):
    """What has grown, in words."""
    for (name, side), (memory, descriptors) in final.items():
        old_memory, old_descriptors = warm[name, side]
        if memory > old_memory + GROWTH:
            yield f'{name}, {side}: {(memory - old_memory) / 1e6:.1f} MB more'
        if descriptors > old_descriptors:
            yield f'{name}, {side}: {descriptors - old_descriptors} descriptors more'


def soak(options):
    seconds, began = options.minutes * 60, time.monotonic()
    dice = random.Random(options.seed)
    say(f'{options.minutes:g} minutes, --seed {options.seed}')
    tunnels = [Tunnel(name, restarts, dice.random(), seconds + 600)
               for name, restarts in (('cuts', None), ('new servers', 'server'),
                                      ('new clients', 'client'))]
    for tunnel in tunnels:
        tunnel.start()
    wrong = []
    if watch(tunnels, began + seconds * WARM):
        warm = rest(tunnels, 'warm')
        if watch(tunnels, began + seconds):
            wrong += compare(warm, rest(tunnels, 'in the end'))
    for tunnel in tunnels:
        tunnel.stop()
        say(f'{tunnel.name}: {dict(tunnel.counts)}')
        wrong += [f'{tunnel.name}: {words}' for words in tunnel.users.wrong]
    return wrong


def main():
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        wrong = soak(options)
    except Exception:
        traceback.print_exc()
        wrong = ['see above']
    finally:
        Tool.end_all()
    for words in wrong[:20]:
        say('WRONG:', words)
    say(f'{len(wrong)} things were wrong' if wrong else 'nothing was wrong')
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())
