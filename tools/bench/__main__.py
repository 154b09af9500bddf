# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""Measures tunnels and relays on this machine, all in one run: docs/performance.md."""

import argparse
import functools
import pathlib
import resource
import signal
import sys
import tempfile
import time
import traceback

import contenders
import further
import measure
import report
import scale
import targets
from metrics import Results
from programs import Failure, Program, say

MEASUREMENTS = {
    'stream': measure.stream,
    'requests': measure.requests,
    'latency': measure.latency,
    'connections': measure.connections,
    'memory': measure.memory,
    'idle': further.idle,
    'load': further.under_load,
    'isolation': further.isolation,
    'loop': further.loop,
    'delay': further.delay,
}
DESCRIPTORS = 12_000


def arguments():
    parser = argparse.ArgumentParser(
        prog='tools/dev bench', description='Measures a direct connection, two HAProxy relays, '
        'ssh -R, and libvtunnel with both of its protocols, in turn, on this machine. Prints a '
        'table; DIR gets results.json, index.md, and a plot of each measurement.',
        epilog=f'Measurements: {", ".join(MEASUREMENTS)}.')
    parser.add_argument('--rounds', type=int, default=3, help='of each measurement (3)')
    parser.add_argument('--seconds', type=int, default=2, help='that a measurement takes (2)')
    parser.add_argument('--quick', action='store_true', help='the same as --rounds 1 --seconds 1')
    parser.add_argument('--only', metavar='NAME,…', help='only these measurements')
    parser.add_argument('--scale', metavar='N,…', nargs='?', const='1000',
                        help='in their place: what so many clients of one server cost (1000)')
    parser.add_argument('--output', metavar='DIR', type=pathlib.Path,
                        help='(_build/bench, or _build/scale)')
    options = parser.parse_args()
    if options.quick:
        options.rounds = options.seconds = 1
    if options.rounds < 1 or options.seconds < 1:
        parser.error('a measurement takes a round and a second at least')
    options.names = options.only.split(',') if options.only else list(MEASUREMENTS)
    for name in options.names:
        if name not in MEASUREMENTS:
            parser.error(f'there is no measurement “{name}”')
    if options.scale:
        choose_scale(parser, options)
    options.output = options.output or pathlib.Path('_build', 'scale' if options.scale else 'bench')
    return options


def choose_scale(parser, options):
    """The numbers of clients become the measurements."""
    try:
        counts = [int(word) for word in options.scale.split(',')]
    except ValueError:
        counts = [0]
    if not all(1 <= count <= scale.MOST_CLIENTS for count in counts):
        parser.error(f'1 to {scale.MOST_CLIENTS} clients, and commas between them')
    scale.declare(counts)
    MEASUREMENTS.clear()
    for count in counts:
        MEASUREMENTS[count] = functools.partial(scale.run, count=count)
    options.names = counts
    options.rounds = 1


def raise_descriptors(needed):
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard != resource.RLIM_INFINITY and hard < needed:
        sys.exit(f'tools/dev bench: {hard} open files are allowed, and {needed} needed: '
                 f'ulimit -n')


def end_by_signal(number, _frame):
    sys.exit(128 + number)


def run(options, folder, results):
    bench = measure.Bench(folder, targets.start(folder), results, options.rounds, options.seconds)
    for name in options.names:
        try:
            MEASUREMENTS[name](bench)
        except (Failure, AssertionError) as failure:
            results.note(f'{name} was not measured to its end: {failure}')
            say(results.notes[-1])
        except Exception:
            # What was measured is not lost for it.
            traceback.print_exc()
            results.note(f'{name} ended with an error of the benchmark')
            results.failed = True


def protocols(results):
    """What ours speak: a build of before v2 has only one."""
    spoken = {key: contenders.spoken(key) for key in ('v1', 'v2')}
    for key, number in spoken.items():
        if f'v{number}' != key:
            results.note(f'this build speaks v{number} where {key} is to be measured')
    return spoken


def main():
    options = arguments()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end_by_signal)
    raise_descriptors(scale.descriptors(max(options.names)) if options.scale else DESCRIPTORS)
    results, begun = Results(), time.monotonic()
    about = {'machine': report.machine(), 'rounds': options.rounds, 'seconds': options.seconds,
             'protocols': protocols(results)}
    with tempfile.TemporaryDirectory(prefix='vt-bench-') as name, \
            contenders.SshdFolder() as made:
        if made:
            say(f'made {contenders.SSHD_FOLDER}, which sshd asks for; it goes afterwards')
        try:
            run(options, pathlib.Path(name), results)
        finally:
            Program.end_all()
    about['text'] = f'Rounds: {options.rounds}, of {options.seconds} s each; medians. Users and ' \
                    f'targets share the {about["machine"]["processors"]} processors with what is ' \
                    f'between them, alike for all. {time.monotonic() - begun:.0f} s in all.'
    print(f'{about["text"]}\n\n{report.write(results, about, options.output)}')
    say(f'{options.output}/index.md, {options.output}/results.json')
    return 1 if results.failed or not results.values else 0


if __name__ == '__main__':
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
