#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""What v2 gives its users: two halves, reasons, addresses; and v1 where one side knows no more."""

import hashlib
import http.server
import os
import socket
import struct
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'peers'))

from harness import (DEADLINE, Target, Tool, echo, echoes, free_port, in_thread,  # noqa: E402
                     main, pattern, places_of, receive_all, receive_exactly, receive_line,
                     send_pattern, swallow, test, user)

MIB = 1 << 20


def pair(serve, *forwards, arguments=(), host='127.0.0.1'):
    """A server, a client and a target; each of `forwards` ends before the target's address."""
    target = Target(serve, host)
    server = Tool.server(*arguments)
    client = Tool.client(server.port, *[f'{words}{target.spec}' for words in forwards or ['0=']])
    client.forward_port(len(forwards or [1]) - 1)
    return target, server, client


def end(client, server):
    for tool in (client, server):
        kinds = [e['event'] for e in tool.events]
        tool.wait_events('stream-closed', kinds.count('stream-opened'))
        tool.stop()


def errors_of(tool):
    return [e['error'] for e in tool.events if e['event'] == 'stream-closed' and 'error' in e]


# Two halves.

@test
def an_answer_after_the_users_end():
    """The user says all it has to say, as `nc -N` does, and reads; the answer waits for its end."""
    def serve(sock):
        request = receive_all(sock)
        return request, send_pattern(sock, 64 * MIB)
    target, server, client = pair(serve)
    with user(client.forward_port()) as sock:
        sock.sendall(b'GET / HTTP/1.0\r\n\r\n')
        sock.shutdown(socket.SHUT_WR)
        got = swallow(sock)
    request, sent = target.results.get(timeout=DEADLINE)
    assert request == b'GET / HTTP/1.0\r\n\r\n' and got == sent, (request, got, sent)
    end(client, server)
    assert not errors_of(client) and not errors_of(server)


@test
def an_upload_after_the_targets_end():
    """The target has nothing more to say; all that the user says later arrives."""
    def serve(sock):
        sock.sendall(b'go on')
        sock.shutdown(socket.SHUT_WR)
        return swallow(sock)
    target, server, client = pair(serve)
    with user(client.forward_port()) as sock:
        assert receive_all(sock) == b'go on'
        sent = send_pattern(sock, 64 * MIB)
        sock.shutdown(socket.SHUT_WR)
        assert target.results.get(timeout=DEADLINE) == sent
    end(client, server)
    assert not errors_of(client) and not errors_of(server)


@test
def ends_without_a_byte():
    """Of both sides in both orders: an end is told as it is, and nothing else."""
    user_is_first = threading.Event()

    def serve(sock):
        if not user_is_first.is_set():
            sock.shutdown(socket.SHUT_WR)
        return receive_all(sock)
    target, server, client = pair(serve)
    for first in (False, True):
        (user_is_first.set if first else user_is_first.clear)()
        with user(client.forward_port()) as sock:
            if first:
                sock.shutdown(socket.SHUT_WR)
            assert receive_all(sock) == b''
            if not first:
                sock.shutdown(socket.SHUT_WR)
            assert target.results.get(timeout=DEADLINE) == b''
    end(client, server)
    assert not errors_of(client) and not errors_of(server)


@test
def a_server_of_the_standard_library():
    """HTTP/1.0, whose answers end with the connection, and users that have ended before."""
    body = b''.join(pattern(8 * MIB, 5))

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            pass
    web = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    threading.Thread(target=web.serve_forever, daemon=True).start()
    server = Tool.server()
    client = Tool.client(server.port, f'0={web.server_port}')

    def fetch():
        with user(client.forward_port()) as sock:
            sock.sendall(b'GET / HTTP/1.0\r\n\r\n')
            sock.shutdown(socket.SHUT_WR)
            digest, data = hashlib.sha256(), b''
            while b'\r\n\r\n' not in data:
                data += sock.recv(65536)
            head, rest = data.split(b'\r\n\r\n', 1)
            digest.update(rest)
            while piece := sock.recv(MIB):
                digest.update(piece)
            return head.startswith(b'HTTP/1.0 200 '), digest.digest()
    for wait in [in_thread(fetch) for _ in range(8)]:
        assert wait() == (True, hashlib.sha256(body).digest())
    end(client, server)
    web.shutdown()
    web.server_close()


# Reasons and addresses.

def is_reset(port):
    """Whether a user is reset, which is not what an end is."""
    try:
        with user(port) as sock:
            sock.recv(1)
            return False
    except ConnectionResetError:
        return True


@test
def a_dead_target():
    dead = free_port()
    server = Tool.server()
    client = Tool.client(server.port, f'0=127.0.0.1:{dead}', '0=no-such-host.invalid:80')
    for index, code in enumerate(('target-refused', 'target-unreachable')):
        assert is_reset(client.forward_port(index))
        for tool in (client, server):
            error = tool.wait_events('stream-closed', index + 1)[index]['error']
            assert error['code'] == code and error['message'], (tool.process.args, error)
    end(client, server)


@test
def a_target_that_resets():
    """Both sides of a stream know that it did not end well; the other stream does."""
    def serve(sock):
        if receive_line(sock) == b'reset\n':
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    target, server, client = pair(serve)
    for word, failed in ((b'end\n', False), (b'reset\n', True)):
        with user(client.forward_port()) as sock:
            sock.sendall(word)
            try:
                assert receive_all(sock) == b'' and not failed
            except ConnectionResetError:
                assert failed
    end(client, server)
    assert len(errors_of(client)) == len(errors_of(server)) == 1


@test
def the_events_of_a_whole_life():
    """The twin of what test-tool.py shows of v1."""
    target, server, client = pair(echo, '127.0.0.1:0=')
    port = client.forward_port()
    with user(port) as sock:
        own = sock.getsockname()[1]
        sock.sendall(b'hello')
        assert receive_exactly(sock, 5) == b'hello'
    for tool in (client, server):
        tool.event('stream-closed')
    end(client, server)

    _, opened, forward, begun, ended, *rest = server.events
    session = opened['session']
    assert opened == {'event': 'session-opened', 'session': session, 'address': '127.0.0.1',
                      'port': opened['port'], 'protocol': 2}
    stream = {'stream': 1, 'port': port, 'user_address': '127.0.0.1', 'user_port': own}
    assert forward == {'event': 'forward-opened', 'session': session, 'address': '127.0.0.1',
                       'port': port}, forward
    assert begun == {'event': 'stream-opened', 'session': session, **stream}, begun
    assert ended == {'event': 'stream-closed', 'session': session, **stream, 'bytes_sent': 5,
                     'bytes_received': 5}, ended
    assert [e['event'] for e in rest] == ['forward-closed', 'session-closed', 'closed'], rest
    assert not any('error' in e for e in server.events), server.events

    opened, forward, begun, ended, *rest = client.events
    assert opened == {'event': 'session-opened', 'url': f'ws://127.0.0.1:{server.port}/',
                      'protocol': 2}
    assert forward == {'event': 'forward-opened', 'address': '127.0.0.1', 'port': port,
                       'target': target.spec}, forward
    assert begun == {'event': 'stream-opened', **stream}, begun
    assert ended == {'event': 'stream-closed', **stream, 'bytes_sent': 5,
                     'bytes_received': 5}, ended
    assert rest == [{'event': 'session-closed'}, {'event': 'closed'}], rest


def read_proxy_2(sock):
    """(family, user, destination) of a binary header, after HAProxy's proxy-protocol.txt."""
    head = receive_exactly(sock, 16)
    assert head[:13] == b'\r\n\r\n\0\r\nQUIT\n\x21', head
    body = receive_exactly(sock, struct.unpack('!H', head[14:])[0])
    size = {0x11: 4, 0x21: 16}[head[13]]
    family = socket.AF_INET if size == 4 else socket.AF_INET6
    hosts = [socket.inet_ntop(family, body[i:i + size]) for i in (0, size)]
    ports = struct.unpack('!HH', body[2 * size:2 * size + 4])
    return list(zip(hosts, ports))


@test
def the_addresses_of_users():
    """In the header of the PROXY protocol, whichever way the user came; v1 does not know them."""
    def serve(sock):
        first = sock.recv(1, socket.MSG_PEEK)
        said = receive_line(sock) if first == b'P' else read_proxy_2(sock)
        sock.sendall(b'served')
        return said
    target = Target(serve)
    forwards = [f'0={target.spec},proxy-protocol={version}' for version in (1, 2)]
    server = Tool.server('--bind-address', '*', '--no-auth')
    client = Tool.client(server.port, *forwards)
    for host, word in (('127.0.0.1', 'TCP4'), ('127.0.0.3', 'TCP4'), ('::1', 'TCP6')):
        for index in range(2):
            port = client.forward_port(index)
            with user(port, host=host) as sock:
                own = sock.getsockname()[:2]
                receive_exactly(sock, 6)
            said = target.results.get(timeout=DEADLINE)
            if index == 0:
                line = f'PROXY {word} {own[0]} {host} {own[1]} {port}\r\n'
                assert said == line.encode(), (said, line)
            else:
                assert said == [own, (host, port)], (said, own)
            event = client.wait_events('stream-opened', user_port=own[1])[0]
            assert event['user_address'] == own[0], event
    end(client, server)

    server = Tool.server('--max-protocol', '1')
    client = Tool.client(server.port, forwards[0])
    with user(client.forward_port()) as sock:
        receive_exactly(sock, 6)
    assert target.results.get(timeout=DEADLINE) == b'PROXY UNKNOWN\r\n'
    end(client, server)


def listens(host, port):
    try:
        socket.create_connection((host, port), timeout=DEADLINE).close()
        return True
    except ConnectionRefusedError:
        return False


@test
def addresses_to_listen_at():
    """What the server's own covers is granted, and nothing beyond."""
    places = ('127.0.0.1', '127.0.0.2', '::1')
    for bind, wished, heard in [
            ('localhost', '', ('127.0.0.1', '::1')),
            ('localhost', '127.0.0.1', ('127.0.0.1',)),
            ('localhost', '127.0.0.2', ('127.0.0.2',)),
            ('localhost', '[::1]', ('::1',)),
            ('127.0.0.2', '', ('127.0.0.2',)),
            ('0.0.0.0', '127.0.0.2', ('127.0.0.2',)),
            ('0.0.0.0', '0.0.0.0', ('127.0.0.1', '127.0.0.2')),
            ('*', '*', places),
            ('localhost', '0.0.0.0', ()),
            ('localhost', '*', ()),
            ('localhost', '192.0.2.1', ()),
            ('127.0.0.2', '127.0.0.1', ()),
            ('127.0.0.2', 'localhost', ()),
            ('0.0.0.0', '[::1]', ()),
            ('::', '127.0.0.1', ())]:
        server = Tool.server('--bind-address', bind, '--no-auth')
        target = Target(echo)
        client = Tool.client(server.port, f'{wished}{":" if wished else ""}0={target.spec}')
        if heard:
            opened = client.event('forward-opened')
            assert opened['port'] > 0, opened
            assert server.event('forward-opened')['port'] == opened['port'], server.events
            assert not wished or opened['address'] == wished.strip('[]'), opened
            own = places_of(server.process)
            for place in places:
                if place in heard:
                    assert listens(place, opened['port']), (bind, wished, place)
                    continue
                # Somebody else may. What is open for all of IPv6 can be so for IPv4, too.
                for address in (place, '::') if ':' in place else (place, '0.0.0.0', '::'):
                    assert (address, opened['port']) not in own, (bind, wished, own)
            client.stop()
        else:
            assert client.wait() == 3, (bind, wished, client.events)
            assert client.event('error')['code'] == 'permission-denied', client.events
            line, = client.errors
            assert line.startswith('vtunnel-tool: ') and f'“{bind}”' in line, line
            assert f'“{wished.strip("[]")}”' in line, line
        server.stop()
        target.close()


# Both sides of every version.

@test
def every_pair_of_versions():
    """Where one side knows only v1, both speak it, however it came to know no more."""
    older = {'environment': {'VT_PROTOCOL': '1'}}
    limit = ('--max-protocol', '1')
    target = Target(echo)
    for expected, server_words, server_options, client_words, client_options in [
            (2, (), {}, (), {}),
            (1, limit, {}, (), {}),
            (1, (), {}, limit, {}),
            (1, limit, {}, limit, {}),
            (1, (), older, (), {}),
            (1, (), {}, (), older),
            (1, (), older, limit, {})]:
        server = Tool.server(*server_words, **server_options)
        client = Tool.client(server.port, f'0={target.spec}', arguments=client_words,
                             **client_options)
        assert echoes(client.forward_port())
        for tool in (server, client):
            assert tool.event('session-opened')['protocol'] == expected, tool.events
        knows = 'user_address' in client.event('stream-opened')
        assert knows == (expected == 2), client.events
        end(client, server)
    # What only v2 can carry is refused before anybody is asked.
    server = Tool.server(*limit)
    client = Tool.client(server.port, f'127.0.0.1:0={target.spec}')
    assert client.wait() == 3 and client.errors, client.events
    server.stop()


main()
