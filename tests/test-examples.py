#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""The examples of the documentation work, and the README shows them as they are."""

import pathlib
import signal
import socket
import subprocess
import sys

tests = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(tests / 'peers'))
example_c = sys.argv.pop(1)

from harness import (DEADLINE, Target, Tool, echo, free_port, main, receive_exactly,  # noqa: E402
                     test, user)

examples = tests.parent / 'docs' / 'examples'
# They are ended by signals, and nobody is to wait for them to come back.
Tool.frail = True


def forwards(*command):
    target = Target(echo)
    server = Tool.server()
    where = [f'ws://127.0.0.1:{server.port}', f'127.0.0.1:{target.port}']
    process = subprocess.Popen([*command, *where], stdout=subprocess.PIPE, text=True)
    Tool.running.append(type('Example', (), {'process': process}))
    word, port = process.stdout.readline().split()
    assert word == 'Port'
    with user(int(port)) as sock:
        sock.sendall(b'hello')
        assert receive_exactly(sock, 5) == b'hello'
    process.terminate()
    process.wait()
    server.stop()


@test
def forward_in_c():
    forwards(example_c)


@test
def forward_in_python():
    forwards(str(examples / 'forward.py'))


@test
def forward_in_javascript():
    forwards(str(examples / 'forward.js'))


def start_asyncio(port):
    process = subprocess.Popen([str(examples / 'asyncio-forward.py'), f'ws://127.0.0.1:{port}'],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    Tool.running.append(type('Example', (), {'process': process}))
    return process


@test
def asyncio_in_python():
    server = Tool.server()
    process = start_asyncio(server.port)
    word, port = process.stdout.readline().split()
    assert word == 'Port'
    for _ in range(3):
        with user(int(port)) as sock:
            sock.sendall(b'hello' * 20_000)
            assert receive_exactly(sock, 100_000) == b'hello' * 20_000
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=DEADLINE)
    assert process.returncode == 0 and not errors, (process.returncode, errors)
    server.stop()


@test
def asyncio_is_cancelled():
    """By a signal, while a server does not answer; and what fails is raised where it is awaited."""
    with socket.create_server(('127.0.0.1', 0)) as silent:
        process = start_asyncio(silent.getsockname()[1])
        connection, _ = silent.accept()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=DEADLINE)
        assert process.returncode == 0 and not errors, (process.returncode, errors)
        connection.close()
    process = start_asyncio(free_port())
    _, errors = process.communicate(timeout=DEADLINE)
    assert process.returncode == 1 and 'vt-error-quark' in errors, (process.returncode, errors)


def body(path):
    """The example without its SPDX lines, as the README shows it."""
    lines = path.read_text(encoding='utf-8').splitlines()
    kept = [line for line in lines if 'SPDX' not in line and not line.startswith('#!')]
    return '\n'.join(kept).strip()


@test
def the_readme_shows_them():
    readme = (tests.parent / 'README.md').read_text(encoding='utf-8')
    for name in ('forward.c', 'forward.py', 'forward.js'):
        assert body(examples / name) in readme, f'{name} differs from the README'


main()
