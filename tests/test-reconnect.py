#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""Sides that are gone, that stand still, or that nobody can reach; and what is left of it after."""

import hashlib
import http.server
import os
import resource
import signal
import socket
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'peers'))

from crossing import (IMPATIENT, QUICK, Crossing, is_free, stream_errors,  # noqa: E402
                      works)
from harness import (DEADLINE, TOOL, Target, Tool, cpu_seconds, echo, free_port,  # noqa: E402
                     in_thread, main, pattern, receive_all, receive_exactly, receive_line, test,
                     user, wait_until)

MIB = 1 << 20
V1 = os.environ.get('VT_PROTOCOL') == '1'


class Traffic:
    """Users that send all the time, and get it back, until `end ()` or something breaks them."""

    def __init__(self, port, count=4):
        self.received = [0] * count
        self.ending = threading.Event()
        self.socks = [user(port) for _ in range(count)]
        self.sent = [in_thread(self.send, *one) for one in enumerate(self.socks)]
        self.came = [in_thread(self.receive, *one) for one in enumerate(self.socks)]
        self.wait_moving()

    def send(self, number, sock):
        digest, count = hashlib.sha256(), 0
        for piece in pattern(1 << 40, number):
            if self.ending.is_set():
                break
            try:
                sock.sendall(piece)
            except OSError as error:
                return error, None
            digest.update(piece)
            count += len(piece)
        return count, digest.hexdigest()

    def receive(self, number, sock):
        digest = hashlib.sha256()
        try:
            while data := sock.recv(65536):
                self.received[number] += len(data)
                digest.update(data)
        except OSError as error:
            return error, None
        return self.received[number], digest.hexdigest()

    def wait_moving(self):
        before = sum(self.received)
        wait_until(lambda: sum(self.received) > before + MIB, what='traffic')

    def close(self):
        for sock in self.socks:
            sock.close()

    def wait_broken(self):
        """All were told; none of them that it had ended well."""
        for sent, came in zip(self.sent, self.came):
            assert isinstance(sent()[0], OSError)
            came()
        self.close()

    def end(self):
        """They end in order, when everything has come back."""
        self.ending.set()
        sent = [wait() for wait in self.sent]
        wait_until(lambda: self.received == [count for count, _ in sent], what='the last bytes')
        for sock in self.socks:
            sock.shutdown(socket.SHUT_WR)
        assert sent == [wait() for wait in self.came], 'other bytes than were sent'
        self.close()


def wait_clean(tool, descriptors):
    """Nothing is left of streams and links."""
    wait_until(lambda: tool.descriptors() <= descriptors, what=f'{descriptors} descriptors')
    opened = sum(e['event'] == 'stream-opened' for e in tool.events)
    tool.wait_events('stream-closed', opened)


# Processes that are killed.

# What a process may have more after several deaths of the other side than after the first.
REST = 4 * MIB


@test
def a_client_is_killed():
    """The server keeps its session for a while, and then nothing of it: for the next client."""
    with Crossing(echo, server=('--resume-timeout', '1')) as way:
        before, memory = way.server.descriptors(), []
        for number in range(3):
            traffic = Traffic(way.port)
            way.client.process.kill()
            traffic.wait_broken()
            wait_clean(way.server, before - 1)
            wait_until(lambda: is_free(way.port), what='the port being free')
            assert len(stream_errors(way.server)) == 4 * (number + 1), way.server.events[-5:]
            memory.append(way.server.memory())
            way.client = Tool.client(way.way.port, f'{way.port}={way.target.spec}', arguments=QUICK)
            assert way.client.forward_port() == way.port
            assert works(way.port)
        assert memory[-1] < memory[0] + REST, memory
        way.client.stop()
        way.server.stop()


@test
def a_server_is_killed():
    """The client waits for it, and asks for its forwards again; its streams could not go on."""
    ports = [free_port(), free_port()]
    with Crossing(echo, forwards=[f'{port}=' for port in ports]) as way:
        before, memory = way.client.descriptors(), []
        for number in range(4):
            traffic = Traffic(way.port)
            way.server.process.kill()
            traffic.wait_broken()
            way.restart_server()
            for port in ports:
                wait_until(lambda port=port: works(port), what='a user who is served')
            wait_clean(way.client, before)
            memory.append(way.client.memory())
            errors = stream_errors(way.client)
            assert len(errors) == 4 * (number + 1), errors
            assert V1 or all(error['code'] == 'not-resumed' for error in errors), errors
        assert memory[-1] < memory[0] + REST, memory
        way.client.stop()
        way.server.stop()


@test
def a_server_starts_again():
    """In order, at the same port, again and again."""
    port, public, target = free_port(), free_port(), Target(echo)
    client = Tool.client(port, f'{public}={target.spec}', arguments=(*QUICK, '--retry-first'))
    for _ in range(5):
        server = Tool('server', '--json', '--port', str(port), '--grace', '0')
        server.event('listening')
        wait_until(lambda: works(public), what='a user who is served')
        server.stop()
        assert is_free(public)
    client.stop()
    target.close()


# Processes and networks that stand still.

def goes_on(way, traffic):
    """After an interruption: v2's streams are the same, v1's have ended; new users are served."""
    if V1:
        traffic.wait_broken()
    else:
        traffic.wait_moving()
        traffic.end()
    way.wait_served()


def finish(way):
    if V1:
        way.client.stop()
        way.server.stop()
    else:
        way.end()


def link_ends(way, side):
    """Which connections' `side` has ended it."""
    return [one['number'] for one in way.status()['each'] if one[f'{side}_ended']]


def rests(*processes):
    """Whoever waits for the other side does nothing else."""
    before = sum(map(cpu_seconds, processes))
    threading.Event().wait(0.5)
    used = sum(map(cpu_seconds, processes)) - before
    assert used < 0.25, used


def gave_up(tool):
    return any(e['event'] in ('session-closed', 'session-suspended') for e in tool.events)


def has_given_up(way, tool, side):
    """What v1 still has to say stands before its end, where nobody reads it."""
    return V1 and gave_up(tool) or link_ends(way, side)


@test
def a_client_stands_still():
    with Crossing(echo, server=IMPATIENT) as way:
        traffic = Traffic(way.port)
        way.client.process.send_signal(signal.SIGSTOP)
        wait_until(lambda: has_given_up(way, way.server, 'far'), 20, 'the server giving up')
        rests(way.server.process)
        way.client.process.send_signal(signal.SIGCONT)
        goes_on(way, traffic)
        finish(way)


@test
def a_server_stands_still():
    with Crossing(echo, client=IMPATIENT) as way:
        traffic = Traffic(way.port)
        way.server.process.send_signal(signal.SIGSTOP)
        wait_until(lambda: has_given_up(way, way.client, 'near'), 20, 'the client giving up')
        rests(way.client.process)
        way.server.process.send_signal(signal.SIGCONT)
        goes_on(way, traffic)
        finish(way)


@test
def nothing_gets_through():
    """Neither side is told; each of them notices by itself. Then there is a way again."""
    with Crossing(echo, server=IMPATIENT, client=IMPATIENT) as way:
        traffic = Traffic(way.port)
        way.way.do('blackhole')
        wait_until(lambda: link_ends(way, 'near') and link_ends(way, 'far'), 20,
                   'both sides giving up')
        lost = way.client.event('session-suspended')
        assert lost['error']['code'] == 'timed-out', lost
        wait_until(lambda: any('Nothing was heard' in line for line in way.client.errors),
                   what='a word of it')
        rests(way.client.process, way.server.process)
        way.way.do('go')
        # An attempt that was made meanwhile has a deadline of its own.
        way.way.do('reset')
        goes_on(way, traffic)
        finish(way)


@test
def the_way_stands_still_for_a_moment():
    """Shorter than anybody's patience: nobody gives up, and nothing is lost."""
    with Crossing(echo) as way:
        traffic = Traffic(way.port)
        way.way.do('stop')
        before = way.status()
        threading.Event().wait(0.3)
        way.way.do('go')
        traffic.wait_moving()
        traffic.end()
        assert way.status()['connections'] == before['connections'] == 1
        finish(way)


# What is not there when it is wanted.

@test
def nobody_answers_for_a_while():
    """The server's port is closed, then whoever is there resets, then answers with rubbish."""
    def rubbish(sock):
        receive_line(sock)
        sock.sendall(b'SSH-2.0-not_a_tunnel\r\n')
    with Crossing(echo) as way:
        traffic = Traffic(way.port)
        way.way.do('refuse')
        way.cut()
        dead, wrong = free_port(), Target(rubbish)
        way.way.do('upstream', port=dead)
        way.way.do('accept')
        seen = way.status()['connections']
        wait_until(lambda: way.status()['connections'] > seen + 3, what='attempts')
        way.way.do('upstream', port=wrong.port)
        for _ in range(3):
            wrong.results.get(timeout=DEADLINE)
        way.way.do('upstream', port=way.server.port)
        goes_on(way, traffic)
        finish(way)
        wrong.close()


@test
def somebody_else_has_the_port():
    """The new server cannot open it at first: the client asks again until it can."""
    port, other = free_port(), free_port()
    with Crossing(echo, forwards=(f'{port}=', f'{other}=')) as way:
        way.server.process.kill()
        way.server.wait()
        with socket.create_server(('127.0.0.1', port)):
            way.restart_server()
            # The other forward is there; this one is not, and the client is.
            wait_until(lambda: works(other), what='the other forward')
            assert way.client.process.poll() is None
        wait_until(lambda: works(port), what='the forward')
        way.client.stop()
        way.server.stop()


@test
def a_port_is_held_for_who_may_come_back():
    """Another client is told when it may have it."""
    with Crossing(echo, server=('--resume-timeout', '30')) as way:
        way.way.do('refuse')
        way.client.process.kill()
        way.client.wait()
        wait_until(lambda: not way.status()['open'], what='the end of the link')
        other = Tool.client(way.server.port, f'{way.port}={way.target.spec}')
        assert other.wait() == 3, (other.events, other.errors)
        error = other.event('error')
        assert error['code'] == 'address-in-use', error
        seconds = [int(word) for word in error['message'].replace('.', ' ').split()
                   if word.isdigit() and int(word) <= 30]
        assert seconds, error
        way.server.stop()


class Stub:
    """An HTTP server that answers each request with a status."""

    def __init__(self, status):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(status)
                self.send_header('Content-Length', '0')
                self.end_headers()

            def log_message(self, *arguments):
                pass
        self.server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@test
def an_answer_that_is_final():
    """Who is not authorised any more does not come back; its streams and forwards end."""
    stub = Stub(401)
    with Crossing(echo) as way:
        sock = user(way.port)
        sock.sendall(b'hello')
        assert receive_exactly(sock, 5) == b'hello'
        way.way.do('upstream', port=stub.port)
        way.cut()
        assert way.client.wait() == 4, (way.client.events, way.client.errors)
        line = way.client.errors[-1]
        assert line.startswith('vtunnel-tool: '), way.client.errors
        assert way.client.event('error')['code'] == 'not-authorised', way.client.events
        assert len(stream_errors(way.client)) == 1
        way.server.process.send_signal(signal.SIGTERM)
        way.server.process.send_signal(signal.SIGTERM)
        way.server.wait()
    stub.close()


@test
def an_answer_that_is_not():
    """A proxy whose server is away says so; a network where one has to log in shows a page."""
    stubs = [Stub(status) for status in (503, 200, 404)]
    with Crossing(echo) as way:
        traffic = Traffic(way.port)
        for stub in stubs:
            way.way.do('upstream', port=stub.port)
            way.cut()
            seen = way.status()['connections']
            wait_until(lambda seen=seen: way.status()['connections'] > seen + 3, what='attempts')
            way.way.do('upstream', port=way.server.port)
            traffic.wait_moving()
        goes_on(way, traffic)
        finish(way)
    for stub in stubs:
        stub.close()


@test
def without_reconnecting():
    with Crossing(echo, client=('--no-reconnect',)) as way:
        traffic = Traffic(way.port)
        way.cut()
        assert way.client.wait() == 1, way.client.events
        assert len(stream_errors(way.client)) == 4
        assert way.client.errors[-1].startswith('vtunnel-tool: '), way.client.errors
        way.server.process.kill()
        traffic.wait_broken()


@test
def the_first_time():
    """Somebody who mistypes is told; who starts before the server says so, and waits."""
    port = free_port()
    target = Target(echo)
    client = Tool.client(port, f'0={target.spec}', arguments=QUICK)
    assert client.wait() == 1, client.events
    client = Tool.client(port, f'0={target.spec}', arguments=(*QUICK, '--retry-first'))
    wait_until(lambda: client.errors, what='a word')
    server = Tool('server', '--json', '--port', str(port))
    assert works(client.forward_port())
    client.stop()
    server.stop()
    target.close()


@test
def no_session_is_kept():
    """With `--resume-timeout 0`, v2 is as v1: the client is there again, its streams are not."""
    with Crossing(echo, server=('--resume-timeout', '0')) as way:
        before = way.server.descriptors(), way.client.descriptors()
        traffic = Traffic(way.port)
        way.cut()
        traffic.wait_broken()
        way.wait_served()
        wait_clean(way.server, before[0])
        wait_clean(way.client, before[1])
        way.client.stop()
        way.server.stop()


@test
def a_session_is_not_kept_longer():
    with Crossing(echo, server=('--resume-timeout', '1')) as way:
        traffic = Traffic(way.port)
        before = way.server.descriptors()
        way.way.do('refuse')
        way.cut()
        wait_clean(way.server, before - 5)
        wait_until(lambda: is_free(way.port), what='the port being free')
        traffic.wait_broken()
        way.way.do('accept')
        way.wait_served()
        way.client.stop()
        way.server.stop()


# A machine that has nothing left.

@test
def a_full_disk():
    """Of the log: nothing can be said of cuts, and all goes on."""
    port, public, target = free_port(), free_port(), Target(echo)
    words = [('server', '--verbose', '--port', str(port)),
             ('client', '--verbose', '--server', None, '--forward', f'{public}={target.spec}',
              *QUICK, '--retry-first')]
    processes = []
    with Crossing(echo) as way, open('/dev/full', 'w', encoding='ascii') as full:
        way.way.do('upstream', port=port)
        words[1] = [word or f'ws://127.0.0.1:{way.way.port}/' for word in words[1]]
        way.client.stop()
        way.server.stop()
        try:
            for arguments in words:
                processes.append(subprocess.Popen([TOOL, *arguments], stdout=full, stderr=full))
            wait_until(lambda: works(public), what='the tunnel')
            for _ in range(3):
                way.cut()
                wait_until(lambda: works(public), what='the tunnel')
            rests(*processes)
            for process in processes[::-1]:
                process.terminate()
                assert process.wait(DEADLINE) == 0
        finally:
            for process in processes:
                process.kill()
                process.wait()
    target.close()


def limit_descriptors(tool, count):
    """Lets the process have no number for a descriptor from `count` on; None: as many as ever."""
    hard = resource.prlimit(tool.process.pid, resource.RLIMIT_NOFILE)[1]
    resource.prlimit(tool.process.pid, resource.RLIMIT_NOFILE, (count or hard, hard))


def lowest_free(tool):
    """The lowest number for a descriptor that is free now and then, while the tool tries again and
    again to connect. With a limit there it gets none; with a lower one it could not even poll."""
    found, pause = [], threading.Event()
    for _ in range(50):
        taken = {int(name) for name in os.listdir(f'/proc/{tool.process.pid}/fd')}
        found.append(min(set(range(len(taken) + 1)) - taken))
        pause.wait(0.005)
    return min(found)


def no_descriptors_left(side):
    with Crossing(echo) as way:
        tool = getattr(way, side)
        with user(way.port) as sock:
            sock.sendall(b'hello')
            assert receive_exactly(sock, 5) == b'hello'
            way.way.do('refuse')
            way.cut()
            limit_descriptors(tool, lowest_free(tool))
            said, cpu = len(tool.errors), tool.cpu_seconds()
            way.way.do('accept')
            threading.Event().wait(2)
            used, lines = tool.cpu_seconds() - cpu, tool.errors[said:]
            print(f'# {used:.2f} s of processor time in 2 s without descriptors; {lines}')
            assert used < 0.5, used
            said = [line for line in lines if 'descriptors' in line or 'open files' in line]
            assert len(said) == 1 and len(lines) < 4, lines
            limit_descriptors(tool, None)
            if not V1:
                sock.sendall(b'again')
                assert receive_exactly(sock, 5) == b'again'
            way.wait_served()
        finish(way)


@test
def no_descriptors_left_for_a_client():
    """It cannot make a connection: it says so once, rests, and goes on when it can."""
    no_descriptors_left('client')


@test
def no_descriptors_left_for_a_server():
    """It cannot take one."""
    no_descriptors_left('server')


# A server that goes in order.

def is_let_in(way):
    client = Tool.client(way.server.port, f'0={way.target.spec}', arguments=('--no-reconnect',))
    status = client.wait()
    assert status == 1, (status, client.events)
    return any(e['event'] == 'forward-opened' for e in client.events)


@test
def a_server_drains():
    """Nobody new is let in; who is there may finish, and may come back to do so."""
    with Crossing(echo, server=('--grace', '600')) as way:
        sock = user(way.port)
        sock.sendall(b'hello')
        assert receive_exactly(sock, 5) == b'hello'
        way.server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: is_free(way.port), what='the drain')
        assert not is_let_in(way)
        sock.sendall(b'still')
        assert receive_exactly(sock, 5) == b'still'
        if not V1:
            way.cut()
            sock.sendall(b'there')
            assert receive_exactly(sock, 5) == b'there'
        assert way.server.process.poll() is None
        sock.shutdown(socket.SHUT_WR)
        assert receive_all(sock) == b''
        sock.close()
        assert way.server.wait() == 0, way.server.errors
        assert not stream_errors(way.server) and not stream_errors(way.client)
        way.restart_server()
        way.wait_served()
        way.client.stop()
        way.server.stop()


@test
def a_drain_has_an_end():
    """After `--grace`, or with a second signal, whoever is still there."""
    for arguments, signals in ((('--grace', '1'), 1), (('--grace', '600'), 2),
                               (('--grace', '0'), 1)):
        with Crossing(echo, server=arguments) as way:
            sock = user(way.port)
            sock.sendall(b'hello')
            assert receive_exactly(sock, 5) == b'hello'
            way.server.process.send_signal(signal.SIGTERM)
            if signals > 1:
                wait_until(lambda port=way.port: is_free(port), what='the drain')
                assert way.server.process.poll() is None
                way.server.process.send_signal(signal.SIGTERM)
            status = way.server.wait()
            assert signals > 1 or status == 0, (status, way.server.errors)
            sock.settimeout(DEADLINE)
            try:
                assert receive_all(sock) == b''
            except ConnectionResetError:
                pass
            sock.close()
            way.client.stop()


@test
def a_server_without_streams_goes_at_once():
    with Crossing(echo, server=('--grace', '600')) as way:
        assert works(way.port)
        way.server.wait_events('stream-closed')
        way.server.stop()
        way.client.stop()


main()
