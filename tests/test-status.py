#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""What a server shows of itself: /ready, /metrics, /status, and who may see them."""

import base64
import contextlib
import http.client
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'peers'))

from prometheus_client.parser import text_string_to_metric_families  # noqa: E402

from harness import (DEADLINE, TOOL, Target, Tool, echo, main, receive_all,  # noqa: E402
                     receive_exactly, test, user, wait_until)

scratch = tempfile.TemporaryDirectory()
folder = pathlib.Path(scratch.name)
PAGES = ('/metrics', '/metrics?sessions=1', '/status')


def ask(port, path, method='GET', body=None, **headers):
    """(status, headers, body)"""
    connection = http.client.HTTPConnection('127.0.0.1', port, timeout=DEADLINE)
    connection.request(method, path, body=body,
                       headers={name.replace('_', '-'): text for name, text in headers.items()})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, answer.headers, text


def status_of(port, path, **options):
    return ask(port, path, **options)[0]


NAME = r'[a-z][a-z0-9_]*'
LABELS = r'\{[a-z_]+="(?:[^"\\\n]|\\[\\"n])*"(?:,[a-z_]+="(?:[^"\\\n]|\\[\\"n])*")*\}'
NUMBER = r'-?[0-9]+(?:\.[0-9]+)?(?:e[+-][0-9]+)?'


def parse(text):
    """Stricter than the format: {sample with its labels: number}."""
    assert text.endswith('\n') and '\n\n' not in text
    values, families, family, kind = {}, set(), None, None
    for line in text.splitlines():
        comment = re.fullmatch(rf'# (HELP|TYPE) ({NAME}) (.+)', line)
        if comment and comment[1] == 'HELP':
            family, kind = comment[2], None
            assert family not in families, family
            families.add(family)
            continue
        if comment:
            assert comment[2] == family and kind is None, line
            kind = comment[3]
            assert kind in ('counter', 'gauge', 'histogram'), line
            assert (kind == 'counter') == family.endswith('_total'), line
            continue
        sample = re.fullmatch(rf'({NAME})({LABELS})? ({NUMBER})', line)
        assert sample and kind, line
        ends = ('_bucket', '_sum', '_count') if kind == 'histogram' else ('',)
        assert sample[1] in {family + end for end in ends}, line
        name = sample[1] + (sample[2] or '')
        assert name not in values, name
        values[name] = float(sample[3])
    # Somebody else's parser understands the same.
    theirs = {sample.name + ('{' + ','.join(f'{key}="{value}"' for key, value
                                            in sample.labels.items()) + '}'
                             if sample.labels else ''): sample.value
              for family in text_string_to_metric_families(text) for sample in family.samples}
    assert theirs == values, set(theirs.items()) ^ set(values.items())
    return values


def metrics(port, query='', **headers):
    status, answer, text = ask(port, '/metrics' + query, **headers)
    assert status == 200, (status, text)
    assert answer['Content-Type'] == 'text/plain; version=0.0.4; charset=utf-8', answer
    assert answer['Content-Encoding'] is None
    return {name.removeprefix('vtunnel_'): value for name, value in parse(text).items()}


def wait_for(port, **wanted):
    def look():
        now = metrics(port)
        return all(now[name] == value for name, value in wanted.items()) and now
    return wait_until(look, what=str(wanted))


def make_access(**entries):
    """Writes an access file: (path, tokens by name)."""
    path, tokens, lines = folder / f'access-{len(list(folder.iterdir()))}', {}, ''
    for name, rest in entries.items():
        done = subprocess.run([TOOL, 'token', name], capture_output=True, text=True, check=True)
        tokens[name] = re.search(rf'vt_{name}_\S+', done.stderr)[0]
        lines += done.stdout + rest + '\n'
    path.touch(0o600)
    path.write_text(lines)
    return str(path), tokens


def basic(password, name='scraper'):
    return 'Basic ' + base64.b64encode(f'{name}:{password}'.encode()).decode()


@test
def ready_while_a_client_is_there():
    server = Tool.server()
    assert ask(server.port, '/ready')[::2] == (503, 'No client is connected.\n')
    client = Tool.client(server.port, '0=localhost:1')
    client.event('forward-opened')
    assert ask(server.port, '/ready')[::2] == (200, 'ready\n')
    # Like /health, for whoever asks, wherever from.
    assert status_of(server.port, '/ready', Host='example.com', Via='1.1 balancer') == 200
    assert status_of(server.port, '/ready', method='POST') == 405
    client.stop()
    wait_until(lambda: status_of(server.port, '/ready') == 503)
    assert status_of(server.port, '/health') == 200
    server.stop()


@test
def what_was_really_done():
    target = Target(echo)
    server = Tool.server('--max-forwards', '2')
    first = Tool.client(server.port, f'0={target.spec}', '0=localhost:1', '0=localhost:1',
                        arguments=['--keep-going'])
    second = Tool.client(server.port, '0=localhost:1', environment={'VT_PROTOCOL': '1'})
    first.wait_events('forward-opened', 2)
    first.event('error')
    second.event('forward-opened')
    port = first.forward_port()
    for length in 1000, 77:
        with user(port) as sock:
            sock.sendall(b'x' * length)
            sock.shutdown(socket.SHUT_WR)
            assert len(receive_all(sock)) == length
    with user(port) as sock:
        sock.sendall(b'y' * 5000)
        receive_exactly(sock, 5000)
        now = wait_for(server.port, streams=1, sent_bytes_total=6077, received_bytes_total=6077)
        assert now['streams_opened_total'] == 3 and now['streams_failed_total'] == 0, now
        assert now['sessions{protocol="1"}'] == now['sessions{protocol="2"}'] == 1, now
        assert now['sessions_opened_total{protocol="1"}'] == 1, now
        assert now['sessions_opened_total{protocol="2"}'] == 1, now
        assert now['forwards'] == now['forwards_opened_total'] == 3, now
        assert now['forwards_refused_total{reason="limit"}'] == 1, now
        assert now['buffered_bytes'] == 0 and now['sessions_suspended'] == 0, now
        assert wait_for(server.port, round_trip_seconds_count=1)['round_trip_seconds_sum'] > 0
    # Nobody listens at that target: the stream fails, and nothing else changes.
    with contextlib.suppress(ConnectionResetError), user(first.forward_port(1)) as sock:
        assert sock.recv(1) == b''
    now = wait_for(server.port, streams=0, streams_failed_total=1)
    assert now['sent_bytes_total'] == 6077, now
    first.stop()
    second.stop()
    now = wait_for(server.port, forwards=0)
    assert now['sent_bytes_total'] == 6077 and now['sessions{protocol="2"}'] == 0, now
    server.stop()


@test
def refusals_are_counted():
    path, tokens = make_access(alice='', scraper='status=true')
    server = Tool.server('--access', path, '--max-sessions', '1', '--status-listen', '0')
    port = server.event('status-listening')['port']
    before = metrics(port)
    assert Tool.client(server.port, '0=1').wait() == 4
    client = Tool.client(server.port, '0=1', environment={'VTUNNEL_TOKEN': tokens['alice']})
    client.event('forward-opened')
    other = Tool.client(server.port, '0=1', arguments=['--no-reconnect'],
                        environment={'VTUNNEL_TOKEN': tokens['alice'], 'VT_PROTOCOL': '1'})
    assert other.wait() == 1
    assert status_of(server.port, '/nowhere') == 426
    now = metrics(port)
    grown = {name: now[name] - before[name] for name in before if '_refused_' in name
             and now[name] != before[name]}
    assert grown == {'requests_refused_total{status="401"}': 1,
                     'requests_refused_total{status="503"}': 1,
                     'requests_refused_total{status="426"}': 1,
                     'sessions_refused_total{reason="full"}': 1}, grown
    client.stop()
    server.stop()


def serve_alice(place):
    """A server that shows what it does at this place, with which port, a client, and its token."""
    target = Target(echo)
    path, tokens = make_access(alice='')
    server = Tool.server('--access', path, '--status-listen', place)
    port = server.event('status-listening')['port']
    client = Tool.client(server.port, f'0={target.spec}',
                         environment={'VTUNNEL_TOKEN': tokens['alice']})
    return server, port, client, tokens['alice']


@test
def series_for_each_session():
    server, port, client, _ = serve_alice('localhost:0')
    with user(client.forward_port()) as sock:
        sock.sendall(b'hello')
        receive_exactly(sock, 5)
        labels = f'{{session="{server.event("session-opened")["session"]}",user="alice"}}'
        now = metrics(port, '?sessions=1')
        assert now['session_streams' + labels] == 1, now
        assert now['session_sent_bytes_total' + labels] == 5, now
        assert now['session_received_bytes_total' + labels] == 5, now
        assert not [name for name in metrics(port) if 'session=' in name]
    client.stop()
    server.stop()


@test
def the_page():
    server, port, client, token = serve_alice('0')
    opened = client.forward_port()
    with user(opened) as sock:
        sock.sendall(b'x' * 1234)
        receive_exactly(sock, 1234)
        status, headers, text = ask(port, '/status')
    assert status == 200 and headers['Content-Type'] == 'text/html; charset=utf-8'
    for words in ('<h2>alice</h2>', '127.0.0.1', f'localhost:{opened}', 'listening',
                  '1 connections', '1.2 kB', 'protocol 2', 'http-equiv="refresh"',
                  'prefers-color-scheme: dark', 'width=device-width'):
        assert words in text, (words, text)
    # Nothing is fetched from anywhere, and no token is on it.
    assert not re.search(r'(?i)src=|href=|url\(|@import|<script', text), text
    assert token not in text
    for name, wanted in (('Cache-Control', 'no-store'), ('X-Content-Type-Options', 'nosniff'),
                         ('Cross-Origin-Resource-Policy', 'same-origin'),
                         ('Content-Encoding', None), ('Access-Control-Allow-Origin', None)):
        assert headers[name] == wanted, (name, headers[name])
    assert "default-src 'none'" in headers['Content-Security-Policy']
    assert "frame-ancestors 'none'" in headers['Content-Security-Policy']
    client.stop()
    server.stop()


@test
def methods_and_paths():
    server = Tool.server('--status-listen', '0')
    port = server.event('status-listening')['port']
    for path in PAGES + ('/ready', '/health'):
        for one in server.port, port:
            status, headers, text = ask(one, path, method='HEAD')
            assert status == (503 if path == '/ready' else 200) and text == '', (path, status)
            assert int(headers['Content-Length']) > 0
            status, headers, _ = ask(one, path, method='POST', body='')
            assert (status, headers['Allow']) == (405, 'GET, HEAD'), (path, status)
            assert status_of(one, path, method='POST', body='x' * 100000) == 400, path
            assert status_of(one, path, Range='bytes=0-0,1-1') in (200, 503), path
    # The other port is for these alone: no client comes in there.
    for path in '/', '/status/', '/metric', '/tunnel':
        assert status_of(port, path) == 404, path
    upgrade = {'Connection': 'Upgrade', 'Upgrade': 'websocket', 'Sec_WebSocket_Version': '13',
               'Sec_WebSocket_Key': 'dGhlIHNhbXBsZSBub25jZQ=='}
    for path in '/', '/status':
        assert status_of(port, path, **upgrade) == 404, path
    client = Tool('client', '--json', '--server', f'ws://127.0.0.1:{port}/', '--forward', '0=1')
    assert client.wait() == 1
    # A WebSocket may have such a path on the other one, as before.
    client = Tool('client', '--json', '--server', f'ws://127.0.0.1:{server.port}/status',
                  '--forward', '0=localhost:1')
    client.event('forward-opened')
    client.stop()
    server.stop()


@test
def without_an_access_file():
    """For who is on this machine, and for no web page that is open there."""
    server = Tool.server('--status-listen', '0')
    for port in server.port, server.event('status-listening')['port']:
        for path in PAGES:
            assert status_of(port, path) == 200
            assert status_of(port, path, Host='localhost') == 200
            assert status_of(port, path, Host='[::1]:80') == 200
            for headers in ({'Host': 'example.com'}, {'Host': 'localhost.example.com'},
                            {'Origin': 'https://example.com'}, {'Origin': 'null'},
                            {'Origin': f'http://localhost:{port}'},
                            {'Sec_Fetch_Site': 'cross-site', 'Sec_Fetch_Mode': 'no-cors'},
                            {'Sec_Fetch_Site': 'same-site'},
                            {'X_Forwarded_For': '192.0.2.1'}, {'Forwarded': 'for=192.0.2.1'},
                            {'Via': '1.1 proxy'}):
                assert status_of(port, path, **headers) == 403, headers
            for headers in ({'Sec_Fetch_Site': 'none', 'Sec_Fetch_Mode': 'navigate'},
                            {'Sec_Fetch_Site': 'cross-site', 'Sec_Fetch_Mode': 'navigate'},
                            {'Sec_Fetch_Site': 'same-origin'}):
                assert status_of(port, path, **headers) == 200, headers
    server.stop()


@test
def who_says_localhost_from_elsewhere():
    """A server for everybody shows nothing to those who are not on its machine."""
    script = '''
        ip link set lo up && ip address add 192.0.2.1/32 dev lo || exit 1
        "$0" server --quiet --no-auth --listen 0.0.0.0 --port 4000 & server=$!
        for address in 127.0.0.1 192.0.2.1; do
          curl --silent --retry 50 --retry-connrefused --retry-delay 1 --output /dev/null \
            --write-out '%{http_code}\n' --header 'Host: localhost' "http://$address:4000/metrics"
        done
        kill $server; wait $server
    '''
    done = subprocess.run(['unshare', '--user', '--map-root-user', '--net', 'sh', '-c', script,
                           TOOL], capture_output=True, text=True, timeout=DEADLINE)
    assert done.stdout.split() == ['200', '403'], (done.stdout, done.stderr)


@test
def with_an_access_file():
    path, tokens = make_access(alice='', scraper='status=true\nmax-sessions=0')
    server = Tool.server('--access', path, '--status-listen', '0')
    local = server.event('status-listening')['port']
    for page in PAGES:
        status, headers, _ = ask(server.port, page)
        assert status == 401 and any('Basic' in value for value
                                     in headers.get_all('WWW-Authenticate')), headers
        for credentials in f'Bearer {tokens["scraper"]}', basic(tokens['scraper']):
            assert status_of(server.port, page, Authorization=credentials) == 200, credentials
            # The token says who it is, whatever the address is called; but not for web pages.
            assert status_of(server.port, page, Authorization=credentials,
                             Host='tunnel.example.com') == 200
            assert status_of(server.port, page, Authorization=credentials,
                             Origin='https://example.com') == 403
            assert status_of(server.port, page, Authorization=credentials,
                             X_Forwarded_For='192.0.2.1') == 403
        assert status_of(server.port, page, Authorization=f'Bearer {tokens["alice"]}') == 403
        # On a port of its own on loopback, nobody is asked.
        assert status_of(local, page) == 200
        assert status_of(local, page, Host='tunnel.example.com') == 403
    assert status_of(server.port, '/ready') == 503
    # Who may look may still be nobody to open ports.
    client = Tool.client(server.port, '0=1', arguments=['--no-reconnect'],
                         environment={'VTUNNEL_TOKEN': tokens['scraper']})
    assert client.wait() == 1, client.errors
    wrong = [status_of(server.port, '/metrics', Authorization=basic('vt_scraper_' + 'A' * 43))
             for _ in range(7)]
    assert wrong[0] == 401 and wrong[-1] == 429, wrong
    server.stop()


@test
def a_port_of_its_own_beyond_loopback():
    done = subprocess.run([TOOL, 'server', '--port', '0', '--status-listen', '0.0.0.0:0'],
                          capture_output=True, text=True, timeout=DEADLINE)
    assert done.returncode == 1 and '--status-listen: ' in done.stderr, done.stderr
    path, tokens = make_access(scraper='status=true')
    server = Tool.server('--access', path, '--status-listen', '0.0.0.0:0')
    port = server.event('status-listening')['port']
    assert status_of(port, '/metrics') == 401
    assert status_of(port, '/metrics', Authorization=basic(tokens['scraper'])) == 200
    assert status_of(port, '/ready') == 503
    server.stop()


if __name__ == '__main__':
    main()
