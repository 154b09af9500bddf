# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""What is measured: units, what is compared, and the least that is to be reached."""

import dataclasses
import statistics

CONTENDERS = {
    'direct': 'direct',
    'haproxy': 'two HAProxy relays',
    'ssh': 'ssh -R',
    'v1': 'libvtunnel, v1',
    'v2': 'libvtunnel, v2',
}


@dataclasses.dataclass
class Floor:
    """What a case has to reach: a multiple of another case, or a figure by itself."""

    case: str
    bound: float
    base: str = None


@dataclasses.dataclass
class Metric:
    title: str
    unit: str
    floors: list
    less: bool = False  # the less, the better; a floor is a ceiling then
    digits: int = 0
    cases: dict = dataclasses.field(default_factory=lambda: CONTENDERS)
    worst: bool = False  # of the rounds the worst counts, not the median


IDLE = {'none': 'no idle streams', 'idle': '5,000 idle streams'}
LOOP = {
    'up-server': 'server, user sends', 'up-client': 'client, user sends',
    'down-server': 'server, user receives', 'down-client': 'client, user receives',
    'alone': 'a process without a tunnel',
}
ISOLATION = {'alone': 'one stream alone', 'beside': 'beside 50 that nobody reads'}

METRICS = {
    'stream-up': Metric('One stream, the user sends', 'MB/s', [
        Floor('v2', 1.0, 'haproxy'), Floor('v2', 1.5, 'ssh'), Floor('v1', 0.15, 'haproxy')]),
    'stream-down': Metric('One stream, the user receives', 'MB/s', [
        Floor('v2', 0.7, 'haproxy'), Floor('v2', 1.2, 'ssh'), Floor('v1', 0.15, 'haproxy')]),
    'cpu-up': Metric('Processor time, the user sends', 's/GB', [
        Floor('v2', 1.2, 'haproxy')], less=True, digits=2),
    'cpu-down': Metric('Processor time, the user receives', 's/GB', [
        Floor('v2', 2.0, 'haproxy')], less=True, digits=2),
    'requests': Metric('Requests, 50 kept connections', '1/s', [
        Floor('v2', 1.2, 'haproxy'), Floor('v2', 3, 'ssh')]),
    'latency': Metric('Median latency, 1 connection', 'µs', [
        Floor('v2', 1.2, 'haproxy')], less=True),
    'connections': Metric('New connections, 50 at a time', '1/s', [
        Floor('v2', 1.0, 'haproxy')]),
    'idle-requests': Metric('Requests beside idle streams, v2', '1/s', [
        Floor('idle', 0.9, 'none')], cases=IDLE),
    'idle-connections': Metric('New connections beside idle streams, v2', '1/s', [
        Floor('idle', 0.9, 'none')], cases=IDLE),
    'memory': Metric('Memory of an idle stream, both processes', 'KiB', [
        Floor('v2', 6)], less=True, digits=1),
    'loop': Metric('A 10 ms timer beside the tunnel, late at most, v2', 'ms', [
        Floor(case, 20) for case in LOOP if case != 'alone'], True, 1, LOOP, worst=True),
    'isolation-up': Metric('One stream beside stuck ones, the user sends, v2', 'MB/s', [
        Floor('beside', 0.9, 'alone')], cases=ISOLATION),
    'isolation-down': Metric('One stream beside stuck ones, the user receives, v2', 'MB/s', [
        Floor('beside', 0.9, 'alone')], cases=ISOLATION),
    'isolation-memory': Metric('Memory that 50 stuck streams add, v2', 'MiB', [
        Floor('up', 64), Floor('down', 64)], True, 1,
        {'up': 'whose targets do not read', 'down': 'whose users do not read'}, worst=True),
    'load': Metric('Median latency beside a download, v2', 'µs', [
        Floor('loaded', 5, 'idle')], less=True,
        cases={'idle': 'an idle tunnel', 'loaded': 'while a stream downloads'}),
    'delay': Metric('One stream, 50 ms away each way, v2', 'MB/s', [
        Floor('up', 100), Floor('down', 100)],
        cases={'up': 'the user sends', 'down': 'the user receives'}),
}


class Results:
    """The values of each round, by metric and case."""

    def __init__(self):
        self.values = {}
        self.notes = []
        self.failed = False

    def add(self, name, case, value):
        self.values.setdefault(name, {}).setdefault(case, []).append(value)

    def note(self, text):
        if text not in self.notes:
            self.notes.append(text)

    def value(self, name, case):
        """What counts of a case's rounds; None without any."""
        values = self.values.get(name, {}).get(case)
        if not values:
            return None
        metric = METRICS[name]
        if metric.worst:
            return max(values) if metric.less else min(values)
        return statistics.median(values)

    def ratio(self, name, case, base):
        value, base_value = self.value(name, case), self.value(name, base)
        return value / base_value if value is not None and base_value else None

    def judge(self, name, floor):
        """(the figure that the floor is about, whether it is reached); None if not measured."""
        figure = self.ratio(name, floor.case, floor.base) if floor.base \
            else self.value(name, floor.case)
        if figure is None:
            return None
        return figure, figure <= floor.bound if METRICS[name].less else figure >= floor.bound
