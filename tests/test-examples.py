#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""The examples of the documentation work, and the README shows them as they are."""

import pathlib
import subprocess
import sys

tests = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(tests / 'peers'))
example_c = sys.argv.pop(1)

from harness import Target, Tool, echo, main, receive_exactly, test, user  # noqa: E402

examples = tests.parent / 'docs' / 'examples'


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
