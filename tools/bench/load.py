# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""The users: iperf3 for a stream, wrk for requests, and sockets of our own that rest."""

import json
import os
import select
import socket
import subprocess

from programs import PATH, Failure, cpu_seconds, wait_until

# Called once, at the end: requests are made by wrk itself.
SUMMARY = '''
function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format('{"requests": %d, "microseconds": %d, "median": %d, "errors": %d}\\n',
    summary.requests, summary.duration, latency:percentile(50),
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
'''
ENVIRONMENT = dict(os.environ, PATH=PATH)
PATIENCE = 20
PIECE = bytes(65536)


def run(words, seconds):
    """What a program prints that should end after these seconds."""
    try:
        return subprocess.run(words, check=False, capture_output=True, text=True, env=ENVIRONMENT,
                              timeout=seconds + PATIENCE).stdout
    except subprocess.TimeoutExpired as error:
        raise Failure(f'{words[0]} came to no end') from error


def iperf_words(port, seconds, reverse, ramp=0):
    words = ['iperf3', '--json', '--client', '127.0.0.1', '--port', port, '--time', seconds]
    words += ['--omit', ramp] if ramp else []
    return [str(word) for word in words + (['--reverse'] if reverse else [])]


def iperf(port, seconds, reverse, pids=(), ramp=0):
    """Megabytes a second that the receiver got, and what these processes used for a gigabyte."""
    words = iperf_words(port, seconds, reverse, ramp)

    def measure():
        used = cpu_seconds(pids)
        output = run(words, seconds + ramp)
        used = cpu_seconds(pids) - used
        # Without a result the server is still busy with the one before.
        received = json.loads(output)['end'].get('sum_received')
        return received and received['bytes'] and (received, used)
    received, used = wait_until(measure, what='a measurement')
    return received['bits_per_second'] / 8e6, used / (received['bytes'] / 1e9)


def wrk(folder, port, connections, seconds, close=False):
    """What wrk counted: requests a second, the median latency in microseconds, errors."""
    script = folder / 'summary.lua'
    script.write_text(SUMMARY)
    words = ['wrk', '--threads', '1', '--connections', str(connections), '--script', str(script),
             '--duration', f'{seconds}s'] + (['--header', 'Connection: close'] if close else [])
    output = run([*words, f'http://127.0.0.1:{port}/'], seconds)
    summary = json.loads(output.splitlines()[-1])
    if not summary['requests']:
        raise Failure(f'no request was answered: {output}')
    summary['rate'] = summary['requests'] / summary['microseconds'] * 1e6
    return summary


def receive(sock, length):
    while length:
        piece = sock.recv(length)
        if not piece:
            raise Failure('a stream ended before its answer')
        length -= len(piece)


def open_users(port, count, payload=bytes(1024)):
    """Streams that have each moved the payload both ways, a hundred at a time, and now rest."""
    socks = []
    while len(socks) < count:
        batch = [socket.create_connection(('127.0.0.1', port), timeout=30)
                 for _ in range(min(100, count - len(socks)))]
        socks += batch
        for sock in batch:
            sock.sendall(payload)
        for sock in batch:
            receive(sock, len(payload))
    return socks


def connect(port, count):
    return [socket.create_connection(('127.0.0.1', port), timeout=30) for _ in range(count)]


def close(socks):
    for sock in socks:
        sock.close()


def fill(socks):
    """Sends into each until none has taken anything for half a second: bytes."""
    total = 0
    for sock in socks:
        sock.setblocking(False)
    while writable := select.select([], socks, [], 0.5)[1]:
        for sock in writable:
            try:
                total += sock.send(PIECE)
            except BlockingIOError:
                pass
    return total


def wait_until_busy(pids):
    """Until a download that was just started is under way."""
    before = cpu_seconds(pids)
    wait_until(lambda: cpu_seconds(pids) - before > 0.2, what='a download')
