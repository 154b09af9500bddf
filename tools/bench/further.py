# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""What is measured of v2 alone, on a tunnel of its own each."""

import json
import os
import pathlib
import signal
import subprocess
import sys

import contenders
import load
from measure import IDLE_STREAMS
from programs import Failure, Program, free_port, pss, say, settle

STUCK_STREAMS = 50
LOOP_SECONDS = 10
LOOP_PROGRAM = os.environ.get('VT_BENCH_LOOP', 'bench-loop')
PEERS = pathlib.Path(__file__).resolve().parents[2] / 'tests' / 'peers'
DELAY, DELAY_RAMP, DELAY_SECONDS = 0.05, 3, 5


def idle(bench):
    """Requests and new connections a second, beside 5,000 idle streams and without."""
    with bench.start('v2') as contender:
        for _ in bench.each_round('beside idle streams'):
            for case, count in (('none', 0), ('idle', IDLE_STREAMS)):
                users = load.open_users(contender.ports['echo'], count)
                settle(contender.pids)
                for name, close in (('idle-requests', False), ('idle-connections', True)):
                    summary = bench.wrk(contender.ports['http'], 50, bench.seconds, close)
                    bench.results.add(name, case, summary['rate'])
                load.close(users)
                settle(contender.pids)


def download(contender, seconds):
    """Starts one, and waits until it is under way."""
    words = load.iperf_words(contender.ports['iperf'], seconds, reverse=True)
    program = Program(*words, stdout=subprocess.PIPE)
    load.wait_until_busy(contender.pids)
    return program


def under_load(bench):
    """The median time of a request while another stream downloads as fast as it can."""
    with bench.start('v2') as contender:
        port = contender.ports['http']
        for _ in bench.each_round('latency under load'):
            settle(contender.pids)
            bench.results.add('load', 'idle', bench.wrk(port, 1, bench.seconds)['median'])
            program = download(contender, bench.seconds + 2)
            bench.results.add('load', 'loaded', bench.wrk(port, 1, bench.seconds)['median'])
            outcome = json.loads(program.process.communicate(timeout=load.PATIENCE)[0])
            program.end()
            if 'sum_received' not in outcome['end']:
                raise Failure(f'the download failed: {outcome.get("error")}')


def stuck_users(contender, way):
    """Streams that are full: nobody reads what their users send, or what their targets send."""
    users = load.connect(contender.ports['mute' if way == 'up' else 'flood'], STUCK_STREAMS)
    if way == 'up':
        load.fill(users)
    settle(contender.pids)
    return users


def isolate(bench, contender, way):
    """Whether the one stream still moves beside the stuck ones."""
    port, reverse, name = contender.ports['iperf'], way == 'down', f'isolation-{way}'
    settle(contender.pids)
    before = pss(contender.pids)
    bench.results.add(name, 'alone', load.iperf(port, bench.seconds, reverse)[0])
    users = stuck_users(contender, way)
    try:
        speed = load.iperf(port, bench.seconds, reverse)[0]
    except Failure as failure:
        bench.results.note(f'{name}: all streams are stuck, {failure}')
        speed = 0
    bench.results.add(name, 'beside', speed)
    bench.results.add('isolation-memory', way, (pss(contender.pids) - before) / (1 << 20))
    load.close(users)
    return speed > 0


def isolation(bench):
    """One stream's speed beside 50 that nobody reads from, and the memory that these take."""
    for way in ('up', 'down'):
        with bench.start('v2') as contender:
            for _ in bench.each_round(f'beside stuck streams, {way}'):
                if not isolate(bench, contender, way):
                    break


class Loop(Program):
    """A process with a timer in its main context; it says how late that was, when asked."""

    def __init__(self, *arguments, ports=()):
        super().__init__(LOOP_PROGRAM, *arguments, ports=ports, stdout=subprocess.PIPE)
        self.process.stdout.readline()

    def lateness(self):
        """Milliseconds late at most since the last question."""
        self.process.send_signal(signal.SIGUSR1)
        answer = json.loads(self.process.stdout.readline())
        return answer['late_us'] / 1000


def start_loops(bench, port):
    """Both sides of a tunnel from this port to iperf3, and a process that has nothing to do."""
    server_port = free_port()
    server = Loop('server', server_port, ports=[server_port])
    client = Loop('client', f'ws://127.0.0.1:{server_port}/',
                  f'{port}=127.0.0.1:{bench.targets["iperf"]}', ports=[port])
    return {'server': server, 'client': client, 'alone': Loop('alone')}


def loop(bench):
    """How late a 10 ms timer is that shares the main context with a tunnel at full speed."""
    if not pathlib.Path(LOOP_PROGRAM).exists():
        raise Failure(f'{LOOP_PROGRAM} is not built')
    port = free_port()
    loops = start_loops(bench, port)
    for way in ('up', 'down'):
        say(f'the main loop, {way}')
        for process in loops.values():
            process.lateness()
        load.iperf(port, LOOP_SECONDS, way == 'down')
        for name, process in loops.items():
            case = name if name == 'alone' else f'{way}-{name}'
            bench.results.add('loop', case, process.lateness())
    for process in loops.values():
        process.end()


def delaying(port):
    """The relay to this port that holds every byte back, and the relay's own port."""
    program = Program(sys.executable, PEERS / 'delay.py', '--delay', DELAY, '127.0.0.1', port,
                      stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    return program, int(program.process.stdout.readline())


def delay(bench):
    """One stream over a way of 50 ms in each direction, once it is in full swing."""
    if not (PEERS / 'delay.py').exists():
        raise Failure('tests/peers/delay.py is not there')
    with contenders.tunnel('v2', bench.targets, relay=delaying) as contender:
        for way in ('up', 'down'):
            say(f'one stream far away, {way}')
            speed, _ = load.iperf(contender.ports['iperf'], DELAY_SECONDS, way == 'down',
                                  ramp=DELAY_RAMP)
            bench.results.add('delay', way, speed)
