#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""Peers that do what no honest one does, while an honest one's traffic goes on."""

import contextlib
import json
import os
import pathlib
import random
import socket
import struct
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'peers'))

from harness import (Target, Tool, echo, main, receive_exactly, test, user,  # noqa: E402
                     wait_until)
from websocket import raw_frame as frame  # noqa: E402
from websocket import BINARY, CLOSE, CONTINUATION, PING, TEXT, Closed, WebSocket  # noqa: E402

MIB = 1 << 20
PONG_WANTED = b'{"type":"ping"}'
scratch = tempfile.TemporaryDirectory()


class World:
    """A server that is attacked, and a tunnel through it that has to go on."""

    def __init__(self, *arguments):
        self.target = Target(echo)
        self.server = Tool.server('--quiet', *arguments)
        self.client = Tool.client(self.server.port, f'0={self.target.spec}')
        self.port = self.client.forward_port()
        self.check()
        self.before = self.server.descriptors()

    def check(self):
        with user(self.port) as sock:
            sock.sendall(b'still here')
            assert receive_exactly(sock, 10) == b'still here'

    def connect(self):
        return WebSocket.connect('127.0.0.1', self.server.port)

    def finish(self):
        self.check()
        wait_until(lambda: self.server.descriptors() <= self.before, what='the old descriptors')
        self.client.stop()
        self.server.stop()
        assert not self.server.errors, self.server.errors


class HostileServer:
    """Takes one client, and says to it whatever a test wants."""

    def __init__(self, *forwards):
        listener = socket.create_server(('127.0.0.1', 0))
        self.client = Tool.client(listener.getsockname()[1], *forwards,
                                  arguments=('--no-reconnect',))
        sock, _ = listener.accept()
        sock.settimeout(20)
        listener.close()
        self.web = WebSocket.accept(sock)
        for _ in forwards:
            self.web.receive()

    def message(self, kind, **fields):
        return self.web.frame(TEXT, json.dumps({'type': kind, **fields}).encode())

    def read_away(self):
        def read():
            try:
                while True:
                    self.web.receive()
            except (Closed, OSError):
                pass
        threading.Thread(target=read, daemon=True).start()

    def count(self, kind):
        with self.client.changed:
            return sum(e['event'] == kind for e in self.client.events)


def wrong_frames(masked):
    """(what, bytes, the close codes that answer it)."""
    text = 0x80 | TEXT
    yield 'the wrong mask', frame(text, PONG_WANTED, not masked), {1002}
    for bit in (0x40, 0x20, 0x10):
        yield f'reserved bit {bit:#x}', frame(text | bit, PONG_WANTED, masked), {1002}
    for opcode in (3, 7, 11, 15):
        yield f'opcode {opcode}', frame(0x80 | opcode, b'', masked), {1002}
    yield 'a continuation of nothing', frame(0x80, PONG_WANTED, masked), {1002}
    yield ('a message in a message', frame(TEXT, b'{', masked) + frame(text, b'}', masked), {1002})
    yield 'a long ping', frame(0x80 | PING, b'x' * 126, masked), {1002}
    yield 'a ping in fragments', frame(PING, b'x', masked), {1002}
    yield 'a close in fragments', frame(CLOSE, b'\x03\xe8', masked), {1002}
    yield 'half a close code', frame(0x80 | CLOSE, b'\x03', masked), {1002}
    yield 'a close of no text', frame(0x80 | CLOSE, b'\x03\xe8\xff', masked), {1002, 1007}
    yield 'text that is none', frame(text, b'\xff\xfe', masked), {1007}
    yield 'a frame too large', frame(text, b'x', masked, MIB + 1), {1009}
    yield 'the largest frame', frame(text, b'x', masked, (1 << 63) - 1), {1009}
    yield 'a length that is negative', frame(text, b'x', masked, (1 << 64) - 1), {1002, 1009}
    yield ('too many fragments', frame(TEXT, b'x', masked)
           + frame(CONTINUATION, b'', masked) * 5000, {1008})
    for code in (0, 999, 1005, 1006, 1015, 5000, 65535):
        payload = struct.pack('!H', code)
        yield f'close code {code}', frame(0x80 | CLOSE, payload, masked), {1002}
    for code in (1000, 1001, 1008, 3000, 4999):
        payload = struct.pack('!H', code) + b'bye'
        data = frame(0x80 | CLOSE, payload, masked) + frame(text, PONG_WANTED, masked) * 10
        yield f'close code {code}, and data', data, {code}


@test
def wrong_frames_from_clients():
    world = World()
    for what, data, codes in wrong_frames(masked=True):
        web = world.connect()
        web.send_raw(data)
        try:
            while True:
                _, payload = web.receive()
                raise AssertionError(f'{what} was answered: {payload}')
        except Closed as closed:
            assert closed.code in codes, (what, closed)
        except ConnectionResetError:
            # It is right to go while more comes that nobody will read.
            assert 'and data' in what or 'fragments' in what, what
        web.sock.close()
    world.finish()


@test
def wrong_frames_from_servers():
    """All clients at once, since each waits a second for its server to go."""
    failures = []

    def attack(what, data, codes):
        try:
            server = HostileServer('9000=localhost:1')
            server.web.send_raw(data)
            try:
                while True:
                    _, payload = server.web.receive()
                    assert b'ping' in payload, payload
            except Closed as closed:
                assert closed.code in codes, closed
            except ConnectionResetError:
                pass
            server.web.sock.close()
            assert server.client.wait(20) == 1, server.client.events
            assert 'vtunnel-tool: ' in server.client.errors[-1], server.client.errors
        except Exception as error:
            failures.append((what, error))
    threads = [threading.Thread(target=attack, args=case) for case in wrong_frames(masked=False)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures[:3]


@test
def rubbish():
    world = World()
    noise = random.Random(4)
    for number in range(300):
        port = (world.server.port, world.port)[number % 2]
        with socket.create_connection(('127.0.0.1', port)) as sock:
            sock.sendall(noise.randbytes(noise.randrange(1, 3000)))
    for _ in range(100):
        web = world.connect()
        web.send_raw(noise.randbytes(noise.randrange(1, 3000)))
        web.abort()
    world.finish()


@test
def half_a_frame_and_silence():
    world = World('--ping-interval', '1', '--ping-timeout', '1')
    whole = frame(0x80 | BINARY, b'x' * 1000, True)
    webs = []
    for length in (1, 2, 5, 10, 500):
        webs.append(world.connect())
        webs[-1].send_raw(whole[:length])
    for event in world.server.wait_events('session-closed', len(webs), timeout=20):
        assert event['error']['code'] == 'timed-out', event
    world.finish()


@test
def messages_that_mean_nothing():
    world = World()
    web = world.connect()
    for text in ('', '{}', '[]', 'null', '{', '[' * 100_000, '{"a":' * 500, '{"type":1}',
                 '{"type":["listen"]}', '{"type":"listen","port":-1}', '{"type":"Listen"}',
                 '{"type":"listen","port":4294975376}', '{"type":"listen","port":1.5}',
                 '{"type":"listen_ok","port":80}', '{"type":"connect","port":1,"stream_id":1}',
                 '{"type":"data","stream_id":1,"data":"AAAA"}', '{"type":"close","stream_id":1}',
                 '{"type":"data","stream_id":1,"data":"#"}', '{"type":"\\ud800"}',
                 '{"type":"data","stream_id":1,"data":"%s"}' % ('A' * 900_000)):
        web.send(text, fragment=4096)
        web.send(text, opcode=BINARY)
    web.send(b'\xff\xfe\x00' * 100, opcode=BINARY)
    closes = web.frame(TEXT, b'{"type":"close","stream_id":7}')
    for _ in range(20):
        web.send_raw(closes * 1000)
    web.send(PONG_WANTED)
    assert web.receive()[1] == b'{"type":"pong"}'
    web.abort()
    world.finish()


@test
def thousands_of_listens():
    world = World('--max-forwards', '64', '--max-control-rate', '0')
    web = world.connect()
    frames = web.frame(TEXT, b'{"type":"listen"}') * 5000
    threading.Thread(target=web.send_raw, args=(frames,), daemon=True).start()
    kinds = [json.loads(web.receive()[1])['type'] for _ in range(5000)]
    assert kinds.count('listen_ok') == 64 and kinds.count('listen_err') == 5000 - 64, kinds[-5:]
    web.abort()
    world.finish()


@test
def more_than_anybody_has_to_ask():
    """Whoever asks faster than its rate is told so, and goes."""
    world = World()
    for text in (PONG_WANTED, b'{"type":"listen","port":1}', b'{"type":"unlisten","port":1}'):
        web = world.connect()
        session = world.server.event('session-opened', port=web.sock.getsockname()[1])
        web.send_raw(web.frame(TEXT, text) * 10_000)
        try:
            while True:
                web.receive()
        except Closed as closed:
            assert closed.code == 1008 and closed.reason, closed
        except ConnectionResetError:
            # It is right to go while more comes that nobody will read.
            pass
        closed = world.server.event('session-closed', session=session['session'])
        assert closed['error']['code'] == 'limit', closed
        assert 'a second' in closed['error']['message'], closed
        web.sock.close()
    world.finish()


@test
def answers_that_nobody_reads():
    """A million pongs are asked for; what the server keeps of them has a bound."""
    world = World('--max-ping-rate', '0')
    web = world.connect()
    before = world.server.memory()
    frames = web.frame(TEXT, PONG_WANTED) * 1000
    most = 0
    try:
        for _ in range(1000):
            web.send_raw(frames)
            most = max(most, world.server.memory() - before)
    except OSError:
        pass
    world.check()
    most = max(most, world.server.memory() - before)
    print(f'# {most / MIB:.1f} MiB')
    assert most < 16 * MIB, most
    web.abort()
    closed = world.server.event('session-closed')
    assert closed['error']['code'] == 'limit', closed
    world.finish()


@test
def a_user_who_reads_nothing():
    """It holds up the session's other streams, as v1 must, but no other session."""
    world = World()
    web = world.connect()
    web.send('{"type":"listen"}')
    port = json.loads(web.receive()[1])['port']
    stuck, waiting = user(port), user(port)
    ids = [json.loads(web.receive()[1])['stream_id'] for _ in range(2)]
    before = world.server.memory()
    data = web.frame(TEXT, json.dumps({'type': 'data', 'stream_id': ids[0],
                                       'data': 'A' * 43688}).encode())
    left = data * 1000 + web.frame(TEXT, json.dumps({'type': 'data', 'stream_id': ids[1],
                                                     'data': 'aGVsbG8='}).encode())
    web.sock.settimeout(1)
    try:
        while left:
            left = left[web.sock.send(left):]
        raise AssertionError('32 MB were taken for somebody who does not read')
    except socket.timeout:
        pass
    world.check()
    assert world.server.memory() - before < 8 * MIB
    web.sock.settimeout(None)
    threading.Thread(target=web.send_raw, args=(left,), daemon=True).start()
    receive_exactly(stuck, 1000 * 43688 // 4 * 3)
    assert receive_exactly(waiting, 5) == b'hello'
    web.abort()
    world.finish()


def accept_all(listener, taken):
    """Quicker than a client can dial, of which not many may wait at a time."""
    with contextlib.suppress(OSError):
        while True:
            taken.append(listener.accept()[0])


@test
def thousands_of_connects():
    target, taken = socket.create_server(('127.0.0.1', 0), backlog=4096), []
    threading.Thread(target=accept_all, args=(target, taken), daemon=True).start()
    server = HostileServer(f'9000=127.0.0.1:{target.getsockname()[1]}')
    web, client = server.web, server.client
    server.read_away()
    web.send_raw(server.message('listen_ok', port=9000))
    client.forward_port()
    web.send_raw(server.message('connect', port=9000, stream_id=1) * 5000)
    web.send_raw(b''.join(server.message('connect', port=9000, stream_id=number)
                          for number in range(2, 10_000)))
    client.wait_events('stream-opened', 8192)
    web.send_raw(b''.join(server.message('connect', port=number % 65536, stream_id=number)
                          for number in range(10_000, 12_000)))
    web.send_raw(b''.join(server.message('data', stream_id=number, data='AAAA')
                          for number in range(12_000, 20_000)))
    web.send_raw(server.message('pong') * 20_000)
    web.send_raw(server.message('close', stream_id=1) * 5000)
    client.event('stream-closed', stream=1)
    assert server.count('stream-opened') == 8192
    # There is room for exactly one again.
    web.send_raw(server.message('connect', port=9000, stream_id=30_000)
                 + server.message('connect', port=9000, stream_id=30_001))
    client.event('stream-opened', stream=30_000)
    web.sock.shutdown(socket.SHUT_RDWR)
    assert client.wait() == 1, client.errors
    assert server.count('stream-opened') == server.count('stream-closed') == 8193
    target.shutdown(socket.SHUT_RDWR)
    for sock in (target, *taken):
        sock.close()


@test
def a_server_that_changes_its_mind():
    """A port is refused after it was granted, at once or when silence had counted as yes."""
    for arguments, granted in ((['9000=localhost:1'], True), (['9000=localhost:1'], False)):
        server = HostileServer(*arguments)
        no = server.message('listen_err', port=9000, error='address already in use')
        if granted:
            server.web.send_raw(server.message('listen_ok', port=9000) + no)
        else:
            server.client.forward_port()
            server.web.send_raw(no)
        server.read_away()
        error = server.client.event('error')
        assert error['code'] == 'address-in-use', error
        for event in server.client.events:
            assert event.get('port', 9000) == 9000, event
        wait_until(lambda web=server.web: web.closing, what='a goodbye')
        server.web.sock.close()
        assert server.client.wait() == 3, server.client.errors


@test
def silence_before_tls():
    """Nothing is read or kept for a client that has not said anything yet."""
    certificate, key = (str(pathlib.Path(scratch.name, name)) for name in ('cert.pem', 'key.pem'))
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt',
                    'ec_paramgen_curve:prime256v1', '-nodes', '-subj', '/CN=localhost', '-days',
                    '30', '-keyout', key, '-out', certificate], check=True, capture_output=True)
    server = Tool.server('--tls-certificate', certificate, '--tls-key', key)
    before, descriptors = server.memory(), server.descriptors()
    silent = [user(server.port) for _ in range(100)]
    wait_until(lambda: server.descriptors() >= descriptors + 100, what='a hundred connections')
    grown = server.memory() - before
    print(f'# {grown / MIB:.1f} MiB')
    assert grown < 32 * MIB, grown
    for sock in silent:
        sock.close()
    server.stop()


main()
