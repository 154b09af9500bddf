#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""vtunnel-tool as its users meet it: exit statuses, lines, events, help, and the demo."""

import http.server
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'peers'))

import v2peer  # noqa: E402
import websocket  # noqa: E402
from harness import (DEADLINE, TOOL, Target, Tool, echo, echoes, free_port,  # noqa: E402
                     is_turned_away, main, receive_exactly, test, user, wait_until)

scratch = tempfile.TemporaryDirectory()
folder = pathlib.Path(scratch.name)
URL = 'ws://127.0.0.1:1/'
FORWARD = '0=localhost:1'


def run(*arguments, **environment):
    """Runs the tool to its end: (status, standard output, standard error)."""
    env = {key: value for key, value in os.environ.items() if key != 'VTUNNEL_TOKEN'}
    done = subprocess.run([TOOL, *arguments], capture_output=True, text=True, timeout=DEADLINE,
                          env=dict(env, **environment), stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout, done.stderr


def fails(status, culprit, *arguments, **environment):
    """It ends with this status, nothing on standard output, and one line that names the culprit."""
    got, output, errors = run(*arguments, **environment)
    assert got == status, (arguments, got, errors)
    assert output == '', output
    check_line(errors, culprit)
    return errors


def check_line(errors, culprit):
    assert errors.startswith('vtunnel-tool: ') and errors.endswith('\n'), errors
    assert errors.count('\n') == 1, errors
    assert culprit in errors, (culprit, errors)


def taken_port():
    listener = socket.create_server(('127.0.0.1', 0))
    return listener, listener.getsockname()[1]


class WebServer:
    """A server of HTTP that answers everything with one status."""

    def __init__(self, status, headers=()):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.server.requests.append(dict(self.headers))
                self.send_response(status)
                for name, value in headers:
                    self.send_header(name, value)
                self.send_header('Content-Length', '0')
                self.end_headers()

            def log_message(self, *arguments):
                pass
        self.server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self.server.requests = []
        self.url = f'ws://127.0.0.1:{self.server.server_port}/'
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def make_certificate():
    certificate, key = folder / 'certificate.pem', folder / 'key.pem'
    if not key.exists():
        subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt',
                        'ec_paramgen_curve:prime256v1', '-nodes', '-subj', '/CN=localhost',
                        '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1', '-days', '30',
                        '-keyout', key, '-out', certificate], check=True, capture_output=True)
    return str(certificate), str(key)


@test
def help_and_version():
    status, output, errors = run('--help')
    assert (status, errors) == (0, ''), (status, errors)
    for command in ('server', 'client', 'token', 'demo'):
        assert re.search(rf'^  {command} +\S', output, re.M), output
        status, page, errors = run(command, '--help')
        assert (status, errors) == (0, ''), (status, errors)
        assert f'vtunnel-tool {command} [' in page, page
        assert 'Examples:' in page and '--verbose' in page, page
        assert max(map(len, page.splitlines())) <= 84, page
    status, output, errors = run('--version')
    assert status == 0 and re.fullmatch(r'vtunnel-tool \d+\.\d+\.\d+\n', output), output


@test
def every_option_of_the_manual_exists():
    manual = pathlib.Path(__file__).parent.parent / 'docs' / 'tool.md'
    overview = run('--help')[1]
    commands = re.findall(r'^  (?!vtunnel)([a-z][a-z-]*) +[A-Z]', overview, re.M)
    assert len(commands) >= 11, commands
    pages = overview + ''.join(run(command, '--help')[1] for command in commands)
    for option in set(re.findall(r'--[a-z][a-z-]+', manual.read_text(encoding='utf-8'))):
        assert option in pages, option


@test
def wrong_commands():
    fails(2, '--help')
    assert '“server”' in fails(2, '“sevrer”', 'sevrer')
    assert '"server"' in fails(2, '"sevrer"', 'sevrer', LC_ALL='C')
    assert '“client”' in fails(2, '“cli”', 'cli')
    fails(2, 'bananas', 'bananas')
    fails(2, '--port', '--port', '3001')
    assert 'x\\u000ay' in fails(2, 'x', 'x\ny')


@test
def wrong_options_of_the_server():
    for culprit, arguments in [
            ('--bananas', ['--bananas']),
            ('--port', ['--port']),
            ('70000', ['--port', '70000']),
            ('-1', ['--port=-1']),
            ('many', ['--port', 'many']),
            ('extra', ['extra']),
            ('999999999999', ['--max-sessions', '999999999999']),
            ('soon', ['--ping-interval', 'soon']),
            ('--resume-timeout', ['--resume-timeout', '65536']),
            ('--grace', ['--grace', '-1']),
            ('1 to 2', ['--max-protocol', '3']),
            ('tunnel', ['--path', 'tunnel']),
            ('--no-auth', ['--listen', '0.0.0.0']),
            ('--no-auth', ['--listen', '::']),
            ('example', ['--listen', 'an example']),
            ('nowhere', ['--bind-address', 'nowhere']),
            ('9000-8000', ['--allowed-ports', '9000-8000']),
            ('--proxy-protocol-ports', ['--proxy-protocol-ports', '0']),
            ('example.com/x', ['--allowed-origin', 'https://example.com/x']),
            ('--tls-key', ['--tls-certificate', 'x.pem']),
            ('--tls-certificate', ['--tls-key', 'x.pem']),
            ('--verbose', ['--quiet', '--verbose'])]:
        fails(2, culprit, 'server', *arguments)


@test
def wrong_options_of_the_client():
    fails(2, '--server', 'client')
    fails(2, '--forward', 'client', '--server', URL)
    for culprit, arguments in [
            ('--bananas', ['--bananas']),
            ('extra', ['extra']),
            ('3600x', ['--ping-interval', '3600x']),
            ('1 to 2', ['--max-protocol', '0']),
            ('--header number 1', ['--header', 'nothing']),
            ('--header number 2', ['--header', 'A: b', '--header', 'A b: c']),
            ('--header number 1', ['--header', 'A: b\r\nC: d']),
            ('“host”', ['--header', 'host: example.com'])]:
        fails(2, culprit, 'client', '--server', URL, '--forward', FORWARD, *arguments)
    for url in ('', 'nonsense', 'ftp://localhost/', 'ws:///', 'http//x', 'ws://localhost:99999/'):
        fails(2, f'“{url}”', 'client', '--forward', FORWARD, '--server', url)
    for forward in ('', '9000', '9000x=localhost:3000', '70000=localhost:3000', '9000=', '9000=:80',
                    '9000=localhost:0', '9000=localhost:70000', '9000=ftp://localhost:80'):
        fails(2, f'“{forward}”', 'client', '--server', URL, '--forward', forward)
    fails(2, '--bananas', 'demo', '--bananas')
    fails(2, 'extra', 'demo', 'extra')


@test
def files_that_cannot_be_read():
    certificate, key = make_certificate()
    missing, empty = str(folder / 'missing'), folder / 'empty'
    empty.touch(0o600)
    client = ['client', '--server', URL, '--forward', FORWARD]
    fails(1, missing, 'server', '--tls-certificate', certificate, '--tls-key', missing)
    fails(1, missing, 'server', '--tls-certificate', missing, '--tls-key', key)
    fails(1, str(empty), 'server', '--tls-certificate', certificate, '--tls-key', str(empty))
    fails(1, str(folder), 'server', '--tls-certificate', str(folder), '--tls-key', key)
    fails(1, missing, *client, '--token-file', missing)
    fails(2, str(empty), *client, '--token-file', str(empty))
    fails(2, 'VTUNNEL_TOKEN', *client, VTUNNEL_TOKEN='two words')
    fails(1, missing, *client, '--tls-ca', missing)


@test
def ports_that_are_taken():
    listener, port = taken_port()
    fails(1, f'{port}', 'server', '--port', str(port))
    status, output, errors = run('server', '--port', str(port), '--json')
    assert status == 1
    check_line(errors, str(port))
    event = json.loads(output)
    assert event['event'] == 'error' and event['code'] == 'address-in-use', event
    assert str(port) in event['message'], event
    listener.close()


@test
def servers_that_are_none():
    listener, port = taken_port()
    listener.close()
    fails(1, f'127.0.0.1:{port}', 'client', '--server', f'ws://127.0.0.1:{port}/', '--forward',
          FORWARD)
    fails(1, 'no-such-host.invalid', 'client', '--server', 'ws://no-such-host.invalid/',
          '--forward', FORWARD)
    for status, words in (200, 'no WebSocket'), (404, 'no WebSocket'), (500, 'answered 500'):
        web = WebServer(status)
        errors = fails(1, web.url, 'client', '--server', web.url, '--forward', FORWARD)
        assert words in errors, errors
    web = WebServer(302, [('Location', 'http://127.0.0.1:1/')])
    fails(1, web.url, 'client', '--server', web.url, '--forward', FORWARD)


@test
def servers_that_say_no():
    for status in (401, 403):
        web = WebServer(status)
        errors = fails(4, f'answered {status} ', 'client', '--server', web.url,
                       '--forward', FORWARD)
        assert web.url in errors, errors
        assert 'with 401, give the server\'s token by --token-file' in errors, errors
        assert 'with 403, a server behind a proxy' in errors and '--trusted-proxy' in errors, errors
    status, output, _ = run('client', '--json', '--server', web.url, '--forward', FORWARD)
    assert status == 4 and json.loads(output)['code'] == 'not-authorised', output


@test
def secrets_stay_secret():
    web = WebServer(401)
    (folder / 'token').touch(0o600)
    (folder / 'token').write_text('t0ken\n')
    url = web.url.replace('ws://', 'ws://anna:pa55@') + '?key=s3cret'
    for arguments, environment in (['--token-file', str(folder / 'token')], {}), \
                                  ([], {'VTUNNEL_TOKEN': 't0ken'}):
        status, output, errors = run('client', '--json', '--verbose', '--server', url, '--forward',
                                     FORWARD, '--header', 'X-Key: h1dden', *arguments,
                                     **environment)
        assert status == 4, (status, errors)
        for secret in ('t0ken', 'pa55', 's3cret', 'h1dden'):
            assert secret not in output + errors, (secret, output, errors)
        assert web.server.requests[-1]['Authorization'] == 'Bearer t0ken', web.server.requests[-1]
        assert web.server.requests[-1]['X-Key'] == 'h1dden', web.server.requests[-1]

    server = Tool.server('--verbose')
    client = Tool('client', '--json', '--verbose', '--forward', FORWARD, '--server',
                  f'ws://anna:pa55@127.0.0.1:{server.port}/?key=s3cret')
    assert client.event('session-opened')['url'] == f'ws://127.0.0.1:{server.port}/'
    client.forward_port()
    client.stop()
    server.stop()
    for line in client.errors + server.errors:
        assert 'pa55' not in line and 's3cret' not in line, line


@test
def tls():
    certificate, key = make_certificate()
    server = Tool.server('--tls-certificate', certificate, '--tls-key', key)
    url = server.event('listening')['url']
    assert url == f'wss://127.0.0.1:{server.port}/', url
    errors = fails(1, f'127.0.0.1:{server.port}', 'client', '--server', url, '--forward', FORWARD)
    assert '--tls-ca' in errors, errors
    target = Target(echo)
    client = Tool('client', '--json', '--server', url, '--forward', f'0={target.spec}', '--tls-ca',
                  certificate)
    assert echoes(client.forward_port())
    client.stop()
    server.stop()


@test
def streams_are_told_in_the_verbose_log():
    """Also where nobody reads events; and with neither, nothing is said of them."""
    target, port, public = Target(echo), free_port(), free_port()
    for options in (['--verbose'], []):
        server = Tool('server', '--port', str(port), *options)
        wait_until(lambda server=server: server.errors, what='the server')
        client = Tool('client', '--server', f'ws://127.0.0.1:{port}/', '--forward',
                      f'{public}={target.spec}', *options)
        wait_until(lambda client=client: any('Forwarding' in line for line in client.errors),
                   what='the forward')
        assert echoes(public)
        for side in (server, client) if options else ():
            for words in (f'Stream 1 on port {public}: opened',
                          f'Stream 1 on port {public}: closed after 5'):
                wait_until(lambda side=side, words=words: any(words in line
                                                              for line in side.errors), what=words)
        client.stop()
        server.stop()
        assert options or not any('Stream' in line for line in server.errors + client.errors)
    target.close()


@test
def the_events_of_a_whole_life():
    target = Target(echo)
    server = Tool.server('--max-protocol', '1')
    client = Tool.client(server.port, f'0={target.spec}')
    port = client.forward_port()
    with user(port) as sock:
        own = sock.getsockname()[1]
        sock.sendall(b'hello')
        assert receive_exactly(sock, 5) == b'hello'
    server.event('stream-closed')
    client.event('stream-closed')
    client.stop()
    server.event('session-closed')
    server.stop()

    listening, opened, forward, begun, ended, *_ = server.events
    session = opened['session']
    assert isinstance(session, str) and session
    assert listening == {'event': 'listening', 'address': '127.0.0.1', 'port': server.port,
                         'url': f'ws://127.0.0.1:{server.port}/'}
    assert opened == {'event': 'session-opened', 'session': session, 'address': '127.0.0.1',
                      'port': opened['port'], 'protocol': 1}
    assert forward['event'] == 'forward-opened' and forward['session'] == session, forward
    assert forward['port'] == port, forward
    stream = {'session': session, 'stream': 1, 'port': port, 'user_address': '127.0.0.1',
              'user_port': own}
    assert begun == {'event': 'stream-opened', **stream}, begun
    assert ended == {'event': 'stream-closed', **stream, 'bytes_sent': 5, 'bytes_received': 5}
    kinds = [event['event'] for event in server.events[5:]]
    assert kinds == ['forward-closed', 'session-closed', 'closed'], server.events
    assert server.events[6]['session'] == session

    opened, forward, begun, ended, *rest = client.events
    assert opened == {'event': 'session-opened', 'url': f'ws://127.0.0.1:{server.port}/',
                      'protocol': 1}
    assert forward == {'event': 'forward-opened', 'port': port, 'target': target.spec}, forward
    assert begun == {'event': 'stream-opened', 'stream': 1, 'port': port}, begun
    assert ended == {'event': 'stream-closed', 'stream': 1, 'port': port, 'bytes_sent': 5,
                     'bytes_received': 5}, ended
    assert rest == [{'event': 'session-closed'}, {'event': 'closed'}], rest


@test
def lines_for_people():
    target = Target(echo)
    server = Tool('server', '--port', '0')
    wait_until(lambda: server.errors, what='a line')
    listening = re.fullmatch(r'Listening on ws://127\.0\.0\.1:(\d+)/', server.errors[0])
    client = Tool('client', '--server', f'ws://127.0.0.1:{listening[1]}/', '--forward',
                  f'0={target.spec}')
    wait_until(lambda: client.errors, what='a line')
    forwarding = re.fullmatch(rf'Forwarding 127\.0\.0\.1:(\d+) → {target.spec}', client.errors[0])
    assert forwarding, client.errors
    user(int(forwarding[1])).close()
    client.stop()
    server.stop()
    assert server.events == client.events == []
    quiet = Tool('client', '--quiet', '--json', '--server', URL, '--forward', FORWARD)
    assert quiet.wait() == 1 and len(quiet.errors) == 1, quiet.errors


@test
def a_dead_target_is_an_error_of_its_stream():
    listener, dead = taken_port()
    listener.close()
    server = Tool.server()
    client = Tool.client(server.port, f'0=127.0.0.1:{dead}')
    assert is_turned_away(client.forward_port())
    error = client.event('stream-closed')['error']
    assert error['code'] in ('target-refused', 'target-unreachable') and error['message'], error
    server.event('stream-closed')
    client.stop()
    server.stop()


@test
def a_refused_forward():
    target = Target(echo)
    listener, port = taken_port()
    server = Tool.server('--allowed-ports', '10000-65535')
    client = Tool.client(server.port, f'{port}={target.spec}')
    assert client.wait() == 3, client.errors
    check_line(client.errors[0] + '\n', str(port))
    assert client.event('error')['code'] == 'address-in-use', client.events
    client = Tool.client(server.port, f'9000={target.spec}')
    assert client.wait() == 3 and '9000' in client.errors[0], client.errors

    client = Tool.client(server.port, f'{port}={target.spec}', f'0={target.spec}',
                         arguments=['--keep-going'])
    error = client.event('error')
    assert (error['port'], error['target']) == (port, target.spec), error
    assert echoes(client.forward_port())
    client.stop()
    server.stop()
    listener.close()


QUICK = ('--reconnect-min', '0.01', '--reconnect-max', '0.05')


def error_lines(client, word):
    return [line for line in client.errors if word in line]


@test
def the_server_comes_back():
    """Another server at the same address: a new session, with the same forwards."""
    target = Target(echo)
    server = Tool.server('--port', str(free_port()))
    client = Tool.client(server.port, f'0={target.spec}', arguments=QUICK)
    port = client.forward_port()
    server.process.kill()
    server.wait()
    lost = client.event('session-suspended')
    assert lost['error']['code'] == 'failed', lost
    # Attempts that fail in the same way are said once.
    with socket.create_server(('127.0.0.1', server.port)) as listener:
        for _ in range(4):
            with listener.accept()[0] as sock:
                sock.recv(65536)
                sock.sendall(b'HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n'
                             b'Content-Length: 0\r\n\r\n')
    again = Tool.server('--port', str(server.port))
    client.wait_events('session-opened', 2)
    opened = client.wait_events('forward-opened', 2)
    assert [e['port'] for e in opened] == [port, port], opened
    assert echoes(port)
    assert len(error_lines(client, 'was lost')) == 1, client.errors
    assert len(error_lines(client, ' 503 ')) == 1, client.errors
    assert len(error_lines(client, 'again, in a new session')) == 1, client.errors
    client.stop()
    again.stop()


@test
def the_token_is_taken_no_more():
    with socket.create_server(('127.0.0.1', 0)) as listener:
        client = Tool.client(listener.getsockname()[1], FORWARD,
                             arguments=(*QUICK, '--retry-first'))
        for status in ('503 Service Unavailable', '401 Unauthorized'):
            sock, _ = listener.accept()
            with sock:
                sock.recv(65536)
                sock.sendall(f'HTTP/1.1 {status}\r\nConnection: close\r\n'
                             'Content-Length: 0\r\n\r\n'.encode())
        assert client.wait() == 4, client.errors
        assert len(error_lines(client, ' 503 ')) == 1, client.errors


@test
def the_server_goes_away():
    for way in (signal.SIGTERM, signal.SIGKILL):
        server = Tool.server()
        client = Tool.client(server.port, FORWARD, arguments=('--no-reconnect',))
        client.forward_port()
        server.process.send_signal(way)
        assert client.wait() == 1, client.errors
        check_line(client.errors[-1] + '\n', f'127.0.0.1:{server.port}')
        assert [e['event'] for e in client.events[-2:]] == ['session-closed', 'error']
        server.wait()


@test
def signals_end_it_in_order():
    for number in (signal.SIGINT, signal.SIGTERM):
        server = Tool.server()
        client = Tool.client(server.port, FORWARD)
        client.forward_port()
        client.process.send_signal(number)
        assert client.wait() == 0, client.errors
        assert 'error' not in server.event('session-closed')
        web = websocket.WebSocket.connect('127.0.0.1', server.port)
        server.wait_events('session-opened', 2)
        server.process.send_signal(number)
        try:
            while True:
                web.receive()
        except websocket.Closed as closed:
            assert closed.code == 1001, closed
        assert server.wait() == 0, server.errors
        assert server.events[-1] == {'event': 'closed'}, server.events[-3:]


@test
def a_signal_while_connecting():
    """The server takes the connection, and says nothing."""
    listener, port = taken_port()
    client = Tool.client(port, FORWARD)
    silent, _ = listener.accept()
    client.process.send_signal(signal.SIGTERM)
    assert client.wait() == 0, client.errors
    silent.close()
    listener.close()


@test
def a_second_signal_ends_it_at_once():
    """A peer that never answers the closing handshake."""
    server = Tool.server()
    web = websocket.WebSocket.connect('127.0.0.1', server.port)
    server.event('session-opened')
    server.process.send_signal(signal.SIGINT)
    while web.receive_frame()[0] != websocket.CLOSE:
        pass
    server.process.send_signal(signal.SIGINT)
    server.process.wait(3)
    web.sock.close()


class Visit:
    """A client of v2, and a user of its port whose stream is open."""

    def __init__(self, *arguments):
        self.server = Tool.server(*arguments)
        self.client = v2peer.Client(self.server.port)
        self.port = self.client.listen(1)
        self.user = user(self.port)
        self.client.accept(1)
        self.server.event('stream-opened')

    def close(self):
        self.user.close()
        self.client.abort()

    def check_turned_away(self):
        assert self.client.wait_control('goaway')['reason'] == 'shutting down'
        self.server.event('forward-closed')
        try:
            user(self.port).close()
            raise AssertionError('a new user got through')
        except ConnectionRefusedError:
            pass


@test
def open_connections_finish_at_the_end():
    visit = Visit()
    visit.server.process.send_signal(signal.SIGTERM)
    visit.check_turned_away()
    visit.user.sendall(b'last')
    assert visit.client.wait_data(1, 4) == b'last'
    visit.client.send_data(1, b'word')
    assert receive_exactly(visit.user, 4) == b'word'
    visit.client.send(v2peer.frame(v2peer.EOF, 1))
    visit.close()
    assert visit.server.wait() == 0, visit.server.errors
    assert visit.server.events[-1] == {'event': 'closed'}, visit.server.events[-3:]
    assert any('(1)' in line and '10 s' in line for line in visit.server.errors)


@test
def open_connections_have_only_so_long():
    visit = Visit('--grace', '1')
    visit.server.process.send_signal(signal.SIGINT)
    visit.check_turned_away()
    assert visit.client.wait_gone().code == 1001
    assert visit.server.wait() == 0, visit.server.errors
    assert 'error' in visit.server.event('stream-closed')
    visit.close()


@test
def a_second_signal_does_not_wait_for_connections():
    visit = Visit('--grace', '1000')
    visit.server.process.send_signal(signal.SIGTERM)
    visit.check_turned_away()
    visit.server.process.send_signal(signal.SIGTERM)
    assert visit.server.wait() == 0, visit.server.errors
    visit.close()


@test
def no_grace():
    visit = Visit('--grace', '0')
    visit.server.process.send_signal(signal.SIGTERM)
    assert visit.client.wait_gone().code == 1001
    assert visit.server.wait() == 0, visit.server.errors
    assert not any('Shutting down' in line for line in visit.server.errors)
    visit.close()


@test
def a_client_comes_back():
    visit = Visit('--resume-timeout', '500')
    old = visit.client
    assert old.greeting['resume_timeout'] == 500
    old.abort()
    session = visit.server.event('session-suspended')['session']
    visit.client = v2peer.Client(visit.server.port, greets=False)
    visit.client.streams, visit.client.received = old.streams, old.received
    visit.client.send_control('hello', session=old.greeting['session'],
                              secret=old.greeting['secret'], received=old.received,
                              **old.limits())
    assert visit.client.wait_control('welcome')['resumed'] is True
    resumed = visit.server.event('session-resumed')
    assert resumed == {'event': 'session-resumed', 'session': session, 'address': '127.0.0.1',
                       'port': visit.client.local_port}, resumed
    visit.user.sendall(b'hello')
    assert visit.client.wait_data(1, 5) == b'hello'
    visit.client.web.close()
    visit.server.event('session-closed')
    assert [e for e in visit.server.events if e['event'] == 'session-suspended'] == [
        {'event': 'session-suspended', 'session': session}]
    visit.server.stop()
    visit.close()


@test
def a_client_does_not_come_back():
    for seconds, events in ('1', 1), ('0', 0):
        visit = Visit('--resume-timeout', seconds)
        visit.client.abort()
        closed = visit.server.event('session-closed')
        assert closed['error']['code'] == ('not-resumed' if events else 'failed'), closed
        told = [e for e in visit.server.events if e['event'] == 'session-suspended']
        assert len(told) == events, told
        visit.server.stop()
        visit.close()


@test
def nobody_reads_the_events():
    """Not before anything is written, nor later: the pipe itself tells."""
    process = subprocess.Popen([TOOL, 'server', '--port', '0', '--json'], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    assert json.loads(process.stdout.readline())['event'] == 'listening'
    process.stdout.close()
    assert process.wait(DEADLINE) == 0
    assert 'vtunnel-tool:' not in process.stderr.read()
    process.stderr.close()

    with open('/dev/full', 'w', encoding='ascii') as full:
        done = subprocess.run([TOOL, 'server', '--port', '0', '--json'], stdout=full,
                              stderr=subprocess.PIPE, text=True, timeout=DEADLINE)
    assert done.returncode == 1 and 'standard output' in done.stderr, done


@test
def demo_once():
    status, output, errors = run('demo', '--once')
    assert status == 0, errors
    assert output.startswith('<!DOCTYPE html>') and output.endswith('</html>\n'), output[-200:]
    assert 'through a tunnel' in output and '<b>1</b>' in output
    assert not re.search('@[A-Z_]+@', output)
    assert 'vtunnel-tool:' not in errors, errors
    assert run('demo', '--once', '--quiet')[2] == ''


@test
def demo_for_a_browser():
    process = subprocess.Popen([TOOL, 'demo', '--quiet'], stdout=subprocess.PIPE, text=True)
    address = re.fullmatch(r'http://127\.0\.0\.1:(\d+)/\n', process.stdout.readline())
    for count in (1, 2):
        with user(int(address[1])) as sock:
            sock.sendall(b'GET /<b>@HOST@ HTTP/1.1\r\nHost: "here"\r\nConnection: close\r\n\r\n')
            page = b''
            while piece := sock.recv(65536):
                page += piece
        assert f'<b>{count}</b>'.encode() in page, page[-300:]
        assert b'/&lt;b&gt;&#64;HOST&#64;' in page and b'&quot;here&quot;' in page, page
    process.send_signal(signal.SIGINT)
    assert process.wait(DEADLINE) == 0
    process.stdout.close()


@test
def the_limit_of_descriptors_is_raised():
    server = Tool.server(prefix=('prlimit', '--nofile=256:512'))
    limits = pathlib.Path(f'/proc/{server.process.pid}/limits').read_text(encoding='ascii')
    assert re.search(r'^Max open files +512 +512 ', limits, re.M), limits
    server.stop()


def in_language(code):
    return {'LANGUAGE': code, 'LC_ALL': 'C.UTF-8', 'VT_LOCALEDIR': os.environ['VT_LOCALEDIR']}


@test
def german():
    language = in_language('de')
    assert 'Befehle:' in run('--help', **language)[1]
    assert 'Beispiele:' in run('client', '--help', **language)[1]
    fails(2, 'Es gibt keinen Befehl „sevrer“', 'sevrer', **language)
    status, output, _ = run('demo', '--once', **language)
    assert status == 0 and '<html lang="de">' in output and 'Tunnel' in output, output


@test
def french():
    """With the spaces and apostrophes of French typography, and the library's messages, too."""
    language = in_language('fr')
    assert 'Commandes\N{NO-BREAK SPACE}:' in run('--help', **language)[1]
    assert 'redirection' in run('client', '--help', **language)[1]
    fails(2, 'La commande «\N{NO-BREAK SPACE}sevrer\N{NO-BREAK SPACE}» n’existe pas', 'sevrer',
          **language)
    fails(2, 'le port manque', 'client', '--server', 'ws://127.0.0.1:1/', '--forward',
          '9000=localhost', **language)
    status, output, _ = run('demo', '--once', **language)
    assert status == 0 and '<html lang="fr">' in output and 'un tunnel' in output, output


@test
def help_fits_in_every_language():
    commands = re.findall(r'^  (?!vtunnel)([a-z][a-z-]*) +[A-Z]', run('--help')[1], re.M)
    for code in ('de', 'fr'):
        for command in commands:
            page = run(command, '--help', **in_language(code))[1]
            assert max(map(len, page.splitlines())) <= 90, page


@test
def a_terminal_that_knows_only_ascii():
    status, output, _ = run('--help', LC_ALL='C')
    assert status == 0 and output.isascii() and '?' not in output, output


main()
