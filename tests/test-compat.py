#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""Both generations of the Go programs against our two sides."""

import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'peers'))

import gopeer  # noqa: E402
import websocket  # noqa: E402
from harness import (Target, Tool, echo, free_port, main, receive_exactly,  # noqa: E402
                     send_pattern, swallow, test, user, wait_until)


def round_trip(port, payload=b'hello through the tunnel'):
    with user(port) as sock:
        sock.sendall(payload)
        assert receive_exactly(sock, len(payload)) == payload


def go_client_works(newer):
    target = Target(echo)
    server = Tool.server()
    port = free_port()
    client = gopeer.GoClient(server.port, {port: ('127.0.0.1', target.port)}, newer)
    # Our server answers each listen; the older client ignores what it does not know.
    assert client.wait(lambda m: m['type'] == 'listen_ok') == {'type': 'listen_ok', 'port': port}
    round_trip(port)
    round_trip(port, os.urandom(300_000))
    assert client.raw[1] == b'{"type":"connect","port":%d,"stream_id":1}' % port, client.raw[1]
    ids = [m['stream_id'] for m in client.record if m['type'] == 'connect']
    assert ids == [1, 2], ids
    assert all(len(m['data']) <= 32 * 1024 for m in client.record if m['type'] == 'data')
    client.ping()
    if newer:
        client.wait(lambda m: m['type'] == 'pong')
    else:
        wait_until(lambda: client.web.pongs_seen, what='a WebSocket pong')
    server.stop()


@test
def older_go_client_with_our_server():
    go_client_works(newer=False)


@test
def newer_go_client_with_our_server():
    go_client_works(newer=True)


def go_server_works(newer):
    target = Target(echo)
    go = gopeer.GoServer(newer)
    port = free_port()
    client = Tool.client(go.port, f'{port}=127.0.0.1:{target.port}',
                         arguments=('--ping-interval', '1'))
    opened = client.event('forward-opened')
    assert opened['port'] == port, opened
    # Which is offered in vain: these programs select none, and so it is v1.
    assert go.web.headers.get('sec-websocket-protocol') == 'vtunnel.v2'
    assert go.web.headers.get('sec-websocket-extensions') is None
    assert go.web.headers.get('origin') is None
    assert go.raw[0] == b'{"type":"listen","port":%d}' % port, go.raw[0]
    round_trip(port)
    round_trip(port, os.urandom(300_000))
    # The older server is kept alive by a WebSocket ping, the newer one by the JSON message.
    wait_until(lambda: go.web.pings_seen, what='a WebSocket ping')
    go.wait(lambda m: m == {'type': 'ping'})
    client.stop()
    assert go.wait_gone().code == 1000
    go.stop()


@test
def our_client_with_the_older_go_server():
    go_server_works(newer=False)


@test
def our_client_with_the_newer_go_server():
    go_server_works(newer=True)


@test
def newer_go_server_refuses_a_port():
    go = gopeer.GoServer(newer=True)
    taken = Target(echo)
    client = Tool.client(go.port, f'{taken.port}=127.0.0.1:{taken.port}')
    assert client.wait() == 3
    assert client.event('error')['code'] == 'address-in-use', client.events
    go.stop()


@test
def one_close_is_answered_by_one_close():
    target = Target(echo)
    server = Tool.server()
    port = free_port()
    client = gopeer.GoClient(server.port, {port: ('127.0.0.1', target.port)}, newer=True)
    client.wait(lambda m: m['type'] == 'listen_ok')
    for count in range(1, 6):
        round_trip(port)
        client.wait(lambda m: m['type'] == 'close' and m['stream_id'] == count)
    client.send('ping')
    client.wait(lambda m: m['type'] == 'pong')
    closes = [m['stream_id'] for m in client.record if m['type'] == 'close']
    assert sorted(closes) == [1, 2, 3, 4, 5], closes
    server.stop()


@test
def what_is_unknown_is_dropped_in_silence():
    server = Tool.server()
    web = websocket.WebSocket.connect('127.0.0.1', server.port)
    for message in (
            '{"type":"data","stream_id":77,"data":"AAAA"}', '{"type":"close","stream_id":77}',
            '{"type":"connect","port":1,"stream_id":1}', '{"type":"nonsense"}', '{}', '[]', 'null',
            'rubbish', '{"type":"listen","port":"80"}', '{"type":"listen","port":1.5}',
            '{"type":"listen","port":4294975376}', '{"type":"data","stream_id":1,"data":"!"}',
            '{"type":"ping"} trailing', '[' * 50_000, '{"a":' * 9 + '1' + '}' * 9, '"', '\x00',
            '{"type":null,"port":null}', '{"unknown":{"deep":[1,2,3]},"type":"pong"}'):
        web.send(message)
    web.send('{"TYPE":"ping","other":true}', opcode=websocket.BINARY)
    assert web.receive() == (websocket.TEXT, b'{"type":"pong"}')
    web.abort()
    server.stop()


@test
def fragments_with_pings_between_them():
    server = Tool.server()
    web = websocket.WebSocket.connect('127.0.0.1', server.port)
    web.send('{"type":"ping","padding":"' + 'x' * 900 + '"}', fragment=1)
    assert web.receive()[1] == b'{"type":"pong"}'
    web.send('{"type":"ping","padding":"' + 'x' * 20_000 + '"}', fragment=4096, ping_between=True)
    assert web.receive()[1] == b'{"type":"pong"}'
    web.abort()
    server.stop()


@test
def data_is_kept_while_the_target_is_dialled():
    """`data` and `close` come right behind `connect`, in one piece, before anything was dialled."""
    target = Target(swallow)
    go = gopeer.GoServer(newer=True)
    port = free_port()
    client = Tool.client(go.port, f'{port}=127.0.0.1:{target.port}')
    client.event('forward-opened')
    go.web.send_raw(b''.join(
        go.web.frame(websocket.TEXT, gopeer.encode(*m[:1], **m[1]).encode()) for m in (
            ('connect', {'port': port, 'stream_id': 1}),
            ('data', {'stream_id': 1, 'data': b'first '}),
            ('data', {'stream_id': 1, 'data': b'second'}),
            ('close', {'stream_id': 1}))))
    count, _ = target.results.get(timeout=20)
    assert count == len(b'first second'), count
    go.wait(lambda m: m == {'type': 'close', 'stream_id': 1})
    client.stop()
    go.stop()


@test
def an_unreachable_target_is_answered_by_close():
    go = gopeer.GoServer(newer=True)
    port = free_port()
    client = Tool.client(go.port, f'{port}=127.0.0.1:{free_port()}')
    client.event('forward-opened')
    go.send('connect', port=port, stream_id=1)
    go.wait(lambda m: m == {'type': 'close', 'stream_id': 1})
    go.send('connect', port=port ^ 1, stream_id=2)
    go.wait(lambda m: m == {'type': 'close', 'stream_id': 2})
    assert client.event('stream-closed')['error']
    client.stop()
    go.stop()


@test
def the_end_comes_after_the_last_byte():
    """The target sends 8 MiB and closes: the user has all of it."""
    expected = []

    def serve(sock):
        expected.append(send_pattern(sock, 8 << 20))
    target = Target(serve)
    server = Tool.server()
    port = free_port()
    client = gopeer.GoClient(server.port, {port: ('127.0.0.1', target.port)}, newer=False)
    client.wait(lambda m: m['type'] == 'listen_ok')
    with user(port) as sock:
        got = swallow(sock)
    target.results.get(timeout=20)
    assert got == expected[0], (got, expected)
    server.stop()


@test
def many_go_clients_at_once():
    target = Target(echo)
    server = Tool.server()
    clients = []
    for number in range(20):
        port = free_port()
        client = gopeer.GoClient(server.port, {port: ('127.0.0.1', target.port)}, number % 2 == 0)
        client.wait(lambda m: m['type'] == 'listen_ok')
        clients.append(port)
    failures = []

    def run(port):
        try:
            round_trip(port, os.urandom(100_000))
        except Exception as error:
            failures.append(error)
    threads = [threading.Thread(target=run, args=(port,)) for port in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failures, failures
    server.stop()


@test
def a_server_that_sends_garbage():
    """Our client drops what it cannot read, and goes on."""
    target = Target(lambda sock: sock.sendall(b'here\n'))
    go = gopeer.GoServer(newer=True)
    port = free_port()
    client = Tool.client(go.port, f'{port}=127.0.0.1:{target.port}')
    client.event('forward-opened')
    for message in ('rubbish', '{"type":"data","stream_id":9}', '{"type":"listen","port":1}',
                    '{"type":"connect","port":1}', '{"type":"connect","port":-1}', '\x1b[31m'):
        go.web.send(message)
    go.send('connect', port=port, stream_id=5)
    data = go.wait(lambda m: m['type'] == 'data')
    assert data == {'type': 'data', 'stream_id': 5, 'data': b'here\n'}, data
    assert not any('\x1b' in line for line in client.errors)
    client.stop()
    go.stop()


main()
