#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""Real programs at both ends: curl and nginx, also on a Unix socket, and Redis."""

import hashlib
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'peers'))

import programs  # noqa: E402
from harness import Tool, free_port, main, test  # noqa: E402

scratch = tempfile.TemporaryDirectory()
folder = pathlib.Path(scratch.name)
folder.chmod(0o755)


def web_server(port, unix_path):
    page = folder / 'www'
    page.mkdir(exist_ok=True)
    (page / 'index.html').write_text('<h1>through the tunnel</h1>\n')
    (page / 'large.bin').write_bytes(os.urandom(20 << 20))
    programs.nginx(folder, port, f'''
    client_max_body_size 100m;
    listen unix:{unix_path};
    root {page};
''')


def curl(*arguments):
    return subprocess.run(['curl', '--silent', '--show-error', '--fail', '--max-time', '60',
                           '--noproxy', '*', *arguments], check=True, capture_output=True).stdout


@test
def curl_and_nginx():
    port, unix_path = free_port(), folder / 'web.sock'
    web_server(port, unix_path)
    server = Tool.server()
    client = Tool.client(server.port, f'0=localhost:{port}', f'0=unix:{unix_path}')
    for index in range(2):
        public = client.forward_port(index)
        url = f'http://127.0.0.1:{public}'
        assert curl(url + '/') == b'<h1>through the tunnel</h1>\n'
        large = curl(url + '/large.bin')
        expected = (folder / 'www' / 'large.bin').read_bytes()
        assert hashlib.sha256(large).digest() == hashlib.sha256(expected).digest()
        # Ten requests on one kept-alive connection, and thirty at once.
        assert curl(*[url + '/'] * 10).count(b'tunnel') == 10
        assert curl('--parallel', '--parallel-max', '30', *[url + '/'] * 30).count(b'tunnel') == 30
    client.stop()
    server.stop()


@test
def redis():
    unix_path = str(folder / 'redis.sock')
    port = free_port()
    programs.Program(['/usr/bin/redis-server', '--port', str(port), '--bind', '127.0.0.1',
                      '--unixsocket', unix_path, '--save', '', '--dir', str(folder)],
                     ('127.0.0.1', port))
    server = Tool.server()
    client = Tool.client(server.port, f'0={port}')
    public = client.forward_port()
    answer = subprocess.run(['redis-cli', '-p', str(public), '--pipe'], check=True,
                            capture_output=True, input=b''.join(
                                b'*3\r\n$3\r\nSET\r\n$%d\r\nkey%d\r\n$5\r\nvalue\r\n'
                                % (len(b'key%d' % n), n) for n in range(20_000))).stdout
    assert b'replies: 20000' in answer, answer
    size = subprocess.run(['redis-cli', '-p', str(public), 'dbsize'], check=True,
                          capture_output=True).stdout
    assert size.strip() == b'20000', size
    client.stop()
    server.stop()


main()
