#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""Measures one stream: without a tunnel, through two HAProxy relays in a row, and through ours.

Each round takes all of them in turn, so that what else the machine does strikes all alike; of the
rounds the median counts. Everything is on the loopback, and ends by itself.
Usage: bench.py [ROUNDS] [SECONDS]
"""

import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

tools = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(tools.parent / 'tests' / 'peers'))

import harness  # noqa: E402

LISTENING = '0A'
RELAY = '''
listen {name}
  bind 127.0.0.1:{port}
  server next 127.0.0.1:{next_port}
'''
HAPROXY = '''
defaults
  mode tcp
  option splice-auto
  timeout connect 5s
  timeout client 60s
  timeout server 60s
'''


class Program:
    """A program in the foreground, which ends with the measurement."""

    def __init__(self, port, *arguments):
        self.process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        harness.Tool.running.append(self)
        harness.wait_until(lambda: self.listens(port), what=f'{arguments[0]} listening')

    @staticmethod
    def listens(port):
        # Not by connecting: iperf3 serves one at a time, and would take that for a measurement.
        sockets = pathlib.Path('/proc/net/tcp').read_text(encoding='ascii').splitlines()[1:]
        return any(fields[1].endswith(f':{port:04X}') and fields[3] == LISTENING
                   for fields in map(str.split, sockets))


def iperf(port, seconds, reverse):
    """Megabytes a second that the receiver got."""
    words = ['iperf3', '--json', '--client', '127.0.0.1']
    words += ['--port', str(port), '--time', str(seconds)]
    if reverse:
        words.append('--reverse')

    def measure():
        # Without a result the server is still busy with the one before.
        output = subprocess.run(words, check=False, capture_output=True).stdout
        return json.loads(output)['end'].get('sum_received')
    return harness.wait_until(measure, what='a measurement')['bits_per_second'] / 8e6


def start(folder):
    """Starts everything: what is measured, and the port of each."""
    target, first, second = harness.free_port(), harness.free_port(), harness.free_port()
    Program(target, 'iperf3', '--server', '--bind', '127.0.0.1', '--port', str(target))
    configuration = folder / 'haproxy.cfg'
    configuration.write_text(HAPROXY + RELAY.format(name='first', port=first, next_port=second)
                             + RELAY.format(name='second', port=second, next_port=target))
    Program(first, 'haproxy', '-db', '-f', str(configuration))
    server = harness.Tool.server()
    client = harness.Tool.client(server.port, f'0=127.0.0.1:{target}')
    return {'direct': target, 'two HAProxy relays': first,
            'libvtunnel, JSON protocol': client.forward_port()}


def main():
    rounds, seconds = [int(word) for word in sys.argv[1:]] + [3, 3][len(sys.argv) - 1:]
    with tempfile.TemporaryDirectory() as name:
        try:
            ports = start(pathlib.Path(name))
            speeds = {what: {'up': [], 'down': []} for what in ports}
            for _ in range(rounds):
                for what, port in ports.items():
                    speeds[what]['up'].append(iperf(port, seconds, reverse=False))
                    speeds[what]['down'].append(iperf(port, seconds, reverse=True))
        finally:
            harness.Tool.end_all()

    medians = {what: {way: statistics.median(values) for way, values in ways.items()}
               for what, ways in speeds.items()}
    base = medians['two HAProxy relays']
    print(f'One stream, median of {rounds} rounds of {seconds} s; ratios to two HAProxy relays.\n')
    print(f'{"":26}{"up MB/s":>9}{"ratio":>7}{"down MB/s":>11}{"ratio":>7}')
    for what, ways in medians.items():
        print(f'{what:26}{ways["up"]:9.0f}{ways["up"] / base["up"]:7.2f}'
              f'{ways["down"]:11.0f}{ways["down"] / base["down"]:7.2f}')


main()
