#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""Limits of a server that its operator sets: what is at one of them passes, and nothing beyond."""

import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'peers'))

import v2peer  # noqa: E402
from attack import World, expect_close  # noqa: E402
from harness import TOOL, Tool, in_thread, main, receive_all, swallow, test, user  # noqa: E402
from websocket import TEXT, Closed, WebSocket  # noqa: E402

Tool.frail = True

KIB = 1 << 10
REQUEST = b'GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-Long: '


def head(size):
    end = b'\r\n\r\n'
    return REQUEST + b'x' * (size - len(REQUEST) - len(end)) + end


def answer_to(port, request):
    with user(port) as sock:
        sock.sendall(request)
        try:
            return receive_all(sock)
        except ConnectionResetError:
            return b''


@test
def the_head_of_a_request():
    for arguments, size in ((), 16 * KIB), (('--max-head-size', '1024'), KIB):
        server = Tool.server(*arguments)
        assert answer_to(server.port, head(size)).endswith(b'ok'), size
        assert not answer_to(server.port, head(size + 1)).endswith(b'ok'), size
        server.stop()


@test
def the_time_for_a_request():
    """That of one server is over while another's goes on."""
    quick, patient = Tool.server('--request-timeout', '1'), Tool.server()
    with user(patient.port) as waiting, user(quick.port) as sock:
        for one in (waiting, sock):
            one.sendall(REQUEST)
        receive_all(sock)
        waiting.sendall(b'x\r\n\r\n')
        assert receive_all(waiting).endswith(b'ok'), 'the patient one has no patience'
    for server in (quick, patient):
        server.stop()


def text_of(size):
    text = '{"type":"x","y":"%s"}'
    return text % ('x' * (size - len(text) + 2))


@test
def a_message_of_v1():
    for arguments, size in ((), 1 << 20), (('--max-message-size', '65536'), 64 * KIB):
        world = World(*arguments)
        web = WebSocket.connect('127.0.0.1', world.server.port)
        web.send(text_of(size), fragment=4096)
        web.send('{"type":"ping"}')
        while web.receive() != (TEXT, b'{"type":"pong"}'):
            pass
        web.send(text_of(size + 1), fragment=4096)
        try:
            while True:
                web.receive()
        except (Closed, ConnectionResetError) as end:
            assert not isinstance(end, Closed) or end.code == 1009, end
        world.finish()


@test
def a_message_of_v2():
    for given, most in (65536, 65536), (262144, 262144), (1048576, 262144):
        world = World('--max-message-size', str(given))
        peer = v2peer.Client(world.server.port)
        assert peer.greeting['max_message'] == most, peer.greeting
        assert peer.greeting['max_frame'] == min(65536, most - 12), peer.greeting
        peer.sent += 1
        peer.web.send(text_of(most))
        peer.sync()
        peer.web.send(text_of(most + 1))
        expect_close(peer, 1009, '')
        world.finish()


def nested(levels):
    return '{"type":"x","y":' + '[' * (levels - 1) + ']' * (levels - 1) + '}'


@test
def the_depth_of_a_message():
    for arguments, levels in ((), 8), (('--max-json-depth', '2'), 2), \
            (('--max-json-depth', '64'), 64):
        world = World(*arguments)
        peer = v2peer.Client(world.server.port)
        peer.sent += 1
        peer.web.send(nested(levels))
        peer.sync()
        peer.web.send(nested(levels + 1))
        expect_close(peer, 1002, 'deep')
        world.finish()


@test
def the_depth_of_a_greeting():
    world = World('--max-json-depth', '3')
    for levels, welcome in ((3, True), (4, False)):
        peer = v2peer.Client(world.server.port, greets=False)
        peer.send_control('hello', **peer.limits(), y=eval('[' * (levels - 1) + ']' * (levels - 1)))
        if welcome:
            peer.wait_control('welcome')
        else:
            expect_close(peer, 1002, 'deep')
        peer.abort()
    world.finish()


def most_ahead(arguments):
    """How far a server lets a client be ahead of a user who takes all that there is."""
    world = World(*arguments)
    peer = v2peer.Client(world.server.port)
    with user(peer.listen(1)) as sock:
        peer.accept(1)
        done, stream, most = in_thread(swallow, sock), peer.streams[1], 0
        while stream.sent < 8 << 20:
            with peer.arrived:
                assert peer.arrived.wait_for(lambda: stream.send_limit > stream.sent, 20)
                ahead = stream.send_limit - stream.sent
            most = max(most, ahead)
            peer.send_data(1, bytes(min(ahead, 64 * KIB)))
        peer.send(v2peer.frame(v2peer.EOF, 1))
        assert done()[0] == stream.sent
    peer.abort()
    world.finish()
    return most


@test
def the_window_of_a_stream():
    assert most_ahead(('--max-window', '16384')) == 16 * KIB
    assert 16 * KIB < most_ahead(('--max-window', '40000')) <= 40_000
    assert most_ahead(()) > 40_000


@test
def what_cannot_be_a_limit():
    """Of each option one number too few and one too many, where there can be one."""
    for option, least, most in [
            ('--max-head-size', 1024, 65536), ('--request-timeout', 1, 65535),
            ('--max-message-size', 65536, 1048576), ('--max-json-depth', 2, 64),
            ('--max-window', 16384, 16777216), ('--max-opening', 1, None),
            ('--max-accept-rate', None, None)]:
        wrong = ['-1', 'x', '1x', '', '4294967296']
        wrong += [str(n) for n in (least and least - 1, most and most + 1) if n is not None]
        for value in wrong:
            done = subprocess.run([TOOL, 'server', '--port', '0', option, value],
                                  capture_output=True, text=True, timeout=60, check=False)
            assert done.returncode == 2 and option in done.stderr, (option, value, done)
        for value in (least, most):
            if value is not None:
                Tool.server(option, str(value)).stop()


main()
