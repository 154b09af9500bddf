#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""Processes that are killed or stopped, that nobody reads, and that come in crowds."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'peers'))

from harness import (DEADLINE, TOOL, Target, Tool, echo, main, pattern,  # noqa: E402
                     receive_exactly, send_pattern, swallow, test, user, wait_until)
from websocket import Closed, WebSocket  # noqa: E402

Tool.frail = True

MIB = 1 << 20
# Nobody comes back: what a lost client had is free at once.
FORGETFUL = ('--resume-timeout', '0')
IMPATIENT = ('--ping-interval', '1', '--ping-timeout', '1')


def works(port):
    try:
        with user(port, timeout=5) as sock:
            sock.sendall(b'ok')
            return receive_exactly(sock, 2) == b'ok'
    except (OSError, AssertionError):
        return False


@contextlib.contextmanager
def running(*command, **options):
    """A process that is gone afterwards, even if it should have ended by itself and did not."""
    with subprocess.Popen(command, **options) as process:
        try:
            yield process
        finally:
            process.kill()


def ends_well(process):
    process.terminate()
    return process.wait(DEADLINE) == 0


class Traffic:
    """Users that send all the time, and read what comes back, until their connections break."""

    def __init__(self, port, count=4):
        self.moved = 0
        self.threads = []
        for _ in range(count):
            sock = user(port)
            for work in (self.send, self.receive):
                self.threads.append(threading.Thread(target=work, args=(sock,), daemon=True))
        for thread in self.threads:
            thread.start()
        wait_until(lambda: self.moved > MIB, what='traffic')

    @staticmethod
    def send(sock):
        try:
            while True:
                sock.sendall(b'x' * 65536)
        except OSError:
            pass

    def receive(self, sock):
        try:
            while data := sock.recv(65536):
                self.moved += len(data)
        except OSError:
            pass

    def wait_broken(self):
        for thread in self.threads:
            thread.join(DEADLINE)
            assert not thread.is_alive(), 'a user was not told'


def is_free(port):
    try:
        socket.create_server(('127.0.0.1', port)).close()
        return True
    except OSError:
        return False


@test
def a_client_is_killed():
    target = Target(echo)
    server = Tool.server(*FORGETFUL)
    other = Tool.client(server.port, f'0={target.spec}')
    assert works(other.forward_port())
    before = server.descriptors()
    client = Tool.client(server.port, f'0={target.spec}')
    port = client.forward_port()
    traffic = Traffic(port)
    client.process.kill()
    traffic.wait_broken()
    assert 'error' in server.event('session-closed')
    wait_until(lambda: server.descriptors() <= before, what='the old descriptors')
    assert is_free(port)
    assert works(other.forward_port())
    assert len(server.wait_events('stream-closed', 5)) == 5
    other.stop()
    server.stop()


@test
def a_server_is_killed():
    target = Target(echo)
    server = Tool.server()
    client = Tool.client(server.port, f'0={target.spec}', arguments=('--no-reconnect',))
    traffic = Traffic(client.forward_port())
    server.process.kill()
    traffic.wait_broken()
    assert client.wait() == 1, client.errors
    assert 'error' in client.event('session-closed')
    assert len(client.wait_events('stream-closed', 4)) == 4


@test
def a_client_stops():
    """Without a word, as one whose network is gone: the server notices, and frees everything."""
    target = Target(echo)
    server = Tool.server(*IMPATIENT, *FORGETFUL)
    other = Tool.client(server.port, f'0={target.spec}')
    client = Tool.client(server.port, f'0={target.spec}', arguments=('--no-reconnect',))
    port = client.forward_port()
    traffic = Traffic(port)
    client.process.send_signal(signal.SIGSTOP)
    closed = server.event('session-closed', timeout=10)
    assert closed['error']['code'] == 'timed-out', closed
    traffic.wait_broken()
    assert is_free(port)
    assert works(other.forward_port())
    client.process.send_signal(signal.SIGCONT)
    assert client.wait() == 1, client.errors
    other.stop()
    server.stop()


@test
def a_server_stops():
    target = Target(echo)
    server = Tool.server()
    client = Tool.client(server.port, f'0={target.spec}',
                         arguments=(*IMPATIENT, '--no-reconnect'))
    client.forward_port()
    server.process.send_signal(signal.SIGSTOP)
    assert client.wait(10) == 1
    assert client.event('session-closed')['error']['code'] == 'timed-out', client.events


def stop_for(tool, seconds):
    """That much real time has to pass for the one that is stopped."""
    tool.process.send_signal(signal.SIGSTOP)
    threading.Event().wait(seconds)
    tool.process.send_signal(signal.SIGCONT)


@test
def the_own_sleep_is_not_the_silence_of_others():
    target = Target(echo)
    patient, impatient = Tool.server(), Tool.server(*IMPATIENT)
    one = Tool.client(patient.port, f'0={target.spec}', arguments=IMPATIENT)
    two = Tool.client(impatient.port, f'0={target.spec}')
    ports = [one.forward_port(), two.forward_port()]
    stop_for(one, 3)
    stop_for(impatient, 3)
    # They would notice within their patience.
    threading.Event().wait(3)
    assert all(works(port) for port in ports), (one.errors, impatient.events)
    for tool in (one, two, patient, impatient):
        tool.stop()


@test
def both_directions_are_full():
    """Users and targets only write, until nothing moves; then they read, and all of it is there."""
    length, go_on = 16 * MIB, threading.Event()

    def serve(sock):
        sender = threading.Thread(target=send_pattern, args=(sock, length, 2), daemon=True)
        sender.start()
        go_on.wait(DEADLINE)
        got = swallow(sock)
        sender.join(DEADLINE)
        return got
    target = Target(serve)
    server = Tool.server()
    client = Tool.client(server.port, f'0={target.spec}')
    port = client.forward_port()
    sent, results = [0] * 6, []

    def write(number, sock):
        for piece in pattern(length, 1):
            sock.sendall(piece)
            sent[number] += len(piece)
    users = [user(port) for _ in sent]
    writers = [threading.Thread(target=write, args=pair, daemon=True) for pair in enumerate(users)]
    for writer in writers:
        writer.start()
    last, still = [None], [0]

    def stands():
        still[0] = still[0] + 1 if sum(sent) == last[0] and all(sent) else 0
        last[0] = sum(sent)
        return still[0] > 50
    wait_until(stands, what='everything standing still')
    assert sum(sent) < len(sent) * length, 'nothing was ever full'

    def read(sock):
        count = 0
        while count < length:
            count += len(sock.recv(MIB))
        results.append(count)
    go_on.set()
    readers = [threading.Thread(target=read, args=(sock,), daemon=True) for sock in users]
    for thread in readers:
        thread.start()
    for thread in readers + writers:
        thread.join(DEADLINE)
    assert results == [length] * 6, (results, sent)
    for sock in users:
        sock.shutdown(socket.SHUT_WR)
    for _ in users:
        assert target.results.get(timeout=DEADLINE)[0] == length
    client.stop()
    server.stop()


@test
def a_hundred_clients():
    target = Target(echo)
    server = Tool.server('--quiet', *FORGETFUL)
    # With the first client comes the place where links wait, which stays.
    before = server.descriptors() + 1
    clients = [Tool.client(server.port, f'0={target.spec}') for _ in range(100)]
    ports = [client.forward_port() for client in clients]
    assert all(works(port) for port in ports)
    for client in clients[::2]:
        client.process.kill()
    server.wait_events('session-closed', 50)
    assert all(works(port) for port in ports[1::2])
    for client in clients[1::2]:
        client.stop()
    server.wait_events('session-closed', 100)
    wait_until(lambda: server.descriptors() <= before, what='the old descriptors')
    server.stop()


@test
def a_thousand_clients_in_a_row():
    """None leaves anything behind."""
    server = Tool.server('--quiet')

    def come_and_go(count):
        for _ in range(count):
            web = WebSocket.connect('127.0.0.1', server.port)
            web.sock.close()
    come_and_go(200)
    before = server.memory()
    come_and_go(1000)
    server.wait_events('session-closed', 1200)
    grown = server.memory() - before
    print(f'# {grown / 1024:.0f} KiB more')
    assert grown < 2 * MIB, grown
    server.stop()


@test
def two_thousand_idle_streams():
    target = Target(echo)
    server = Tool.server('--quiet')
    client = Tool.client(server.port, f'0={target.spec}')
    port = client.forward_port()
    users = [user(port) for _ in range(2000)]
    client.wait_events('stream-opened', 2000)
    cpu = [tool.cpu_seconds() for tool in (server, client)]
    threading.Event().wait(1)
    used = [tool.cpu_seconds() - old for tool, old in zip((server, client), cpu)]
    assert max(used) < 0.3, used
    for number, sock in enumerate(users):
        sock.sendall(b'%4d' % number)
    for number, sock in enumerate(users):
        assert receive_exactly(sock, 4) == b'%4d' % number
        sock.close()
    client.wait_events('stream-closed', 2000)
    client.stop()
    server.stop()


@test
def closed_standard_descriptors():
    """No connection may get their numbers, and the log with it."""
    target = Target(echo)
    for closed in ('<&-', '>&-', '2>&-', '<&- >&- 2>&-'):
        with socket.create_server(('127.0.0.1', 0)) as taken:
            port = taken.getsockname()[1]
        with running('sh', '-c', f'exec "$0" server --port {port} {closed}', TOOL,
                     stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
            wait_until(lambda p=port: not is_free(p), what='the server')
            client = Tool.client(port, f'0={target.spec}')
            assert works(client.forward_port())
            for number in range(3):
                link = os.readlink(f'/proc/{process.pid}/fd/{number}')
                assert link == '/dev/null', (closed, number, link)
            client.stop()
            assert ends_well(process)
    done = subprocess.run(['sh', '-c', 'exec "$0" server --json --port 0 >&-', TOOL],
                          stderr=subprocess.PIPE, text=True, timeout=DEADLINE)
    assert done.returncode == 1 and 'standard output' in done.stderr, done


@test
def a_full_standard_error():
    target = Target(echo)
    with open('/dev/full', 'w', encoding='ascii') as full, \
         running(TOOL, 'server', '--port', '0', '--json', '--verbose', stdout=subprocess.PIPE,
                 stderr=full) as process:
        client = Tool.client(json.loads(process.stdout.readline())['port'], f'0={target.spec}')
        assert works(client.forward_port())
        client.stop()
        assert ends_well(process)


@test
def a_signal_while_nobody_reads_the_events():
    with running(TOOL, 'server', '--port', '0', '--json', '--quiet', stdout=subprocess.PIPE,
                 stderr=subprocess.DEVNULL) as process:
        port = json.loads(process.stdout.readline())['port']

        def is_stuck():
            try:
                WebSocket.connect('127.0.0.1', port, timeout=1).sock.close()
                return False
            except (Closed, OSError):
                return True
        wait_until(is_stuck, what='a full pipe')
        assert ends_well(process)
        for line in process.stdout:
            json.loads(line)


main()
