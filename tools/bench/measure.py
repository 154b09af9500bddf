# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""What is compared between the contenders: each in turn, round after round."""

import contenders
import load
from metrics import CONTENDERS
from programs import Failure, pss, say, settle

IDLE_STREAMS = 5000


class Bench:
    """What a run has: its targets, its contenders, its length, and what came out so far."""

    def __init__(self, folder, targets, results, rounds, seconds):
        self.folder = folder
        self.targets = targets
        self.results = results
        self.rounds = rounds
        self.seconds = seconds
        self.contenders = {}

    def start(self, key):
        return contenders.start(key, self.folder, self.targets)

    def start_contenders(self):
        for key, title in CONTENDERS.items():
            try:
                self.contenders[key] = self.start(key)
            except (Failure, AssertionError) as failure:
                self.results.note(f'{title} could not be measured: {failure}')

    def wrk(self, *arguments, **options):
        summary = load.wrk(self.folder, *arguments, **options)
        if summary['errors']:
            self.results.note(f'wrk counted errors, {summary["errors"]} in one run')
        return summary

    def each_round(self, what):
        for number in range(1, self.rounds + 1):
            say(f'{what}, round {number} of {self.rounds}')
            yield number


def compare(bench, what, measure):
    """`measure` takes a contender and returns values by metric."""
    if not bench.contenders:
        bench.start_contenders()
    for _ in bench.each_round(what):
        for contender in bench.contenders.values():
            for name, value in measure(contender).items():
                bench.results.add(name, contender.key, value)


def stream(bench):
    """Speed of one stream, and processor time for a gigabyte, both ways."""
    def measure(contender):
        values = {}
        for way in ('up', 'down'):
            speed, used = load.iperf(contender.ports['iperf'], bench.seconds, way == 'down',
                                     contender.pids)
            values[f'stream-{way}'] = speed
            if contender.pids:
                values[f'cpu-{way}'] = used
        return values
    compare(bench, 'one stream', measure)


def requests(bench):
    """Requests a second over 50 kept connections."""
    compare(bench, 'requests', lambda contender: {
        'requests': bench.wrk(contender.ports['http'], 50, bench.seconds)['rate']})


def latency(bench):
    """The median time of a request, one after the other on one connection."""
    compare(bench, 'latency', lambda contender: {
        'latency': bench.wrk(contender.ports['http'], 1, bench.seconds)['median']})


def connections(bench):
    """New connections a second, each with one request, 50 at a time."""
    compare(bench, 'new connections', lambda contender: {
        'connections': bench.wrk(contender.ports['http'], 50, bench.seconds, close=True)['rate']})


def memory_of(contender):
    """Bytes that an idle stream adds."""
    settle(contender.pids)
    before = pss(contender.pids)
    users = load.open_users(contender.ports['echo'], IDLE_STREAMS)
    settle(contender.pids)
    added = pss(contender.pids) - before
    load.close(users)
    return added / IDLE_STREAMS


def memory(bench):
    """Memory of a stream that rests: of new processes, with 5,000 streams and with none."""
    for key in ('haproxy', 'ssh', 'v1', 'v2'):
        say(f'memory of idle streams: {CONTENDERS[key]}')
        try:
            with bench.start(key) as contender:
                bench.results.add('memory', key, memory_of(contender) / 1024)
        except (Failure, AssertionError) as failure:
            bench.results.note(f'memory, {CONTENDERS[key]}: {failure}')
