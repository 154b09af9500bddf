#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""The examples of the documentation work, and its pages show them as they are."""

import http.client
import os
import pathlib
import re
import select
import signal
import socket
import subprocess
import sys
import tempfile

tests = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(tests / 'peers'))
forward_c, policy_c = map(os.path.abspath, (sys.argv.pop(1), sys.argv.pop(1)))

from harness import (DEADLINE, Target, Tool, echo, echoes, free_port, main, pattern,  # noqa: E402
                     places_of, receive_all, receive_exactly, test, user)

docs = tests.parent / 'docs'
examples = docs / 'examples'
# They are ended by signals, and nobody is to wait for them to come back.
Tool.frail = True


class Example:
    """A program that says `Port` and a number once it can be reached."""

    def __init__(self, name, *arguments, **options):
        command = name if os.path.isabs(name) else str(examples / name)
        self.process = subprocess.Popen([command, *arguments], stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, **options)
        self.said = b''
        Tool.running.append(self)

    def line(self):
        output = self.process.stdout
        while b'\n' not in self.said:
            assert select.select([output], [], [], DEADLINE)[0], f'it says no more: {self.said}'
            piece = os.read(output.fileno(), 65536)
            assert piece, f'it ended: {self.said}'
            self.said += piece
        line, self.said = self.said.split(b'\n', 1)
        return line.decode()

    def port(self):
        word, number = self.line().split()
        assert word == 'Port', (word, number)
        return int(number)

    def end(self):
        """Whatever else it had to say."""
        self.process.terminate()
        rest = self.said + self.process.stdout.read()
        self.process.wait()
        self.process.stdout.close()
        return rest.decode()


def create_server():
    """It does not wait for the streams of an example that is gone."""
    return Tool.server('--grace', '0')


def forwards(name):
    target = Target(echo)
    server = create_server()
    example = Example(name, f'ws://127.0.0.1:{server.port}', f'127.0.0.1:{target.port}')
    assert echoes(example.port())
    example.end()
    server.stop()


@test
def forward_in_c():
    forwards(forward_c)


@test
def forward_in_python():
    forwards('forward.py')


@test
def forward_in_javascript():
    forwards('forward.js')


@test
def the_development_environment():
    """What the README says of `meson devenv`: all three languages find the library."""
    code = 'import gi; gi.require_version("Vt", "1"); from gi.repository import Vt; Vt.Server()'
    script = (f"eval cc -Werror -c -o /dev/null \\''{examples / 'forward.c'}'\\' "
              "$(pkg-config --cflags vtunnel-1) && pkg-config --libs vtunnel-1 && "
              f"{sys.executable} -c '{code}' && "
              "gjs -c 'imports.gi.versions.Vt = \"1\"; new imports.gi.Vt.Server()'")
    # As a developer calls it, not as this test is called.
    env = {name: value for name, value in os.environ.items()
           if name not in ('GI_TYPELIB_PATH', 'LD_LIBRARY_PATH')}
    build = pathlib.Path(os.environ['G_TEST_BUILDDIR']).parent
    result = subprocess.run(['meson', 'devenv', '-C', str(build), 'sh', '-c', script], env=env,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert result.returncode == 0 and '-lvtunnel-1' in result.stdout, result.stdout


def ask(port, method, path, body=None, **headers):
    """The status, the headers and the body of an answer."""
    connection = http.client.HTTPConnection('127.0.0.1', port, timeout=60)
    connection.request(method, path, body,
                       {name.replace('_', '-'): value for name, value in headers.items()})
    answer = connection.getresponse()
    data = answer.read()
    connection.close()
    return answer.status, answer.headers, data


def fill(folder):
    root = folder / 'shared'
    (root / 'inner').mkdir(parents=True)
    (root / 'hello.txt').write_text('hello\n')
    (root / 'inner' / 'deep.html').write_text('<p>deep</p>')
    (root / 'a & <b> ü%2f.txt').write_text('odd')
    (root / '.hidden').write_text('secret')
    (root / 'empty').write_text('')
    (root / 'big').write_bytes(b''.join(pattern(3_000_000)))
    (folder / 'outside').write_text('secret')
    (root / 'way-out').symlink_to('../outside')
    (root / 'way-in').symlink_to('inner')
    return root


@test
def share_folder():
    server = create_server()
    with tempfile.TemporaryDirectory() as folder:
        root = fill(pathlib.Path(folder))
        example = Example('share-folder.py', f'ws://127.0.0.1:{server.port}', str(root))
        port = example.port()
        assert not places_of(example.process)

        status, headers, page = ask(port, 'GET', '/')
        links = re.findall('href="([^"]*)"', page.decode())
        assert status == 200 and sorted(links) == [
            './a%20%26%20%3Cb%3E%20%C3%BC%252f.txt', './big', './empty', './hello.txt', './inner/',
            './way-in/'], links
        assert 'a &amp; &lt;b&gt; ü%2f.txt' in page.decode()
        assert ask(port, 'GET', '/' + links[0])[2] == b'odd' or links[0].endswith('/')
        status, headers, data = ask(port, 'GET', '/hello.txt')
        assert (status, data) == (200, b'hello\n')
        assert headers['Content-Type'] == 'text/plain', headers
        status, headers, data = ask(port, 'HEAD', '/big')
        assert (status, headers['Content-Length'], data) == (200, '3000000', b'')
        assert ask(port, 'GET', '/big')[2] == (root / 'big').read_bytes()
        assert ask(port, 'GET', '/empty')[::2] == (200, b'')
        status, headers, _ = ask(port, 'GET', '/way-in')
        assert (status, headers['Location']) == (301, 'inner/') or headers['Location'] == 'way-in/'
        assert b'../' in ask(port, 'GET', '/inner/')[2]
        example.end()
    server.stop()


@test
def share_folder_by_parts():
    server = create_server()
    with tempfile.TemporaryDirectory() as folder:
        root = fill(pathlib.Path(folder))
        example = Example('share-folder.py', f'ws://127.0.0.1:{server.port}', str(root))
        port = example.port()
        whole = (root / 'big').read_bytes()
        for wanted, begin, end in [('0-99', 0, 100), ('2999990-', 2999990, 3000000),
                                   ('-7', 2999993, 3000000), ('-9999999', 0, 3000000),
                                   ('2999999-9999999', 2999999, 3000000)]:
            status, headers, data = ask(port, 'GET', '/big', Range=f'bytes={wanted}')
            assert status == 206 and data == whole[begin:end], (wanted, status, len(data))
            assert headers['Content-Range'] == f'bytes {begin}-{end - 1}/3000000', wanted
        for wanted in ('3000000-', '9-1', '-0'):
            status, headers, _ = ask(port, 'GET', '/big', Range=f'bytes={wanted}')
            assert (status, headers['Content-Range']) == (416, 'bytes */3000000'), wanted
        for wanted in ('bytes=0-1,5-6', 'bytes=-', 'lines=1-2', 'bytes=x-y'):
            status, _, data = ask(port, 'GET', '/big', Range=wanted)
            assert (status, data) == (200, whole), wanted
        example.end()
    server.stop()


@test
def share_folder_keeps_to_the_folder():
    server = create_server()
    with tempfile.TemporaryDirectory() as folder:
        root = fill(pathlib.Path(folder))
        example = Example('share-folder.py', f'ws://127.0.0.1:{server.port}', str(root))
        port = example.port()
        for path in ('/.hidden', '/way-out', '/../outside', '/%2e%2e/outside', '/..%2foutside',
                     '/inner/../../outside', '/inner/%2e%2e%2f%2e%2e%2foutside', '/%00',
                     '/hello%00', '//etc/passwd', '/%2fetc/passwd', '/nothing', '/hello.txt/',
                     '/%ff', '/%zz'):
            status, _, data = ask(port, 'GET', path)
            assert status in (400, 404) and b'secret' not in data, (path, status, data)
        for method in ('POST', 'PUT', 'DELETE'):
            status, headers, _ = ask(port, method, '/hello.txt', b'x' * 100000)
            assert (status, headers['Allow']) == (405, 'GET, HEAD'), (method, status)
        assert (root / 'hello.txt').read_text() == 'hello\n'

        # Cut short while it is on its way, it ends the connection.
        with user(port) as sock:
            os.truncate(root / 'big', 100_000_000)
            sock.sendall(b'GET /big HTTP/1.1\r\nHost: x\r\n\r\n')
            receive_exactly(sock, 1000)
            os.truncate(root / 'big', 2000)
            assert len(receive_all(sock)) < 100_000_000
        assert ask(port, 'GET', '/hello.txt')[2] == b'hello\n'
        rest = example.end()
        assert 'Traceback' not in rest and 'WARNING' not in rest, rest
    server.stop()


@test
def webhook_receiver():
    server = create_server()
    example = Example('webhook-receiver.py', f'ws://127.0.0.1:{server.port}')
    port = example.port()
    assert not places_of(example.process)

    def arrived():
        """The first line, the headers and the body of what is printed next."""
        first, headers, body = example.line(), {}, []
        for text in iter(example.line, ''):
            name, _, value = text.partition(': ')
            headers[name] = value
        for text in iter(example.line, ''):
            body.append(text)
        return first, headers, '\n'.join(body)
    status, _, _ = ask(port, 'POST', '/hook?x=1', b'{"a": [1, "\\u001b"]}', X_Event='push')
    first, headers, body = arrived()
    assert status == 204 and headers['X-Event'] == 'push', headers
    assert re.fullmatch(r'POST http://127.0.0.1:\d+/hook\?x=1 from 127.0.0.1', first), first
    assert body == '{\n  "a": [\n    1,\n    "\\u001b"\n  ]\n}', body

    status, _, _ = ask(port, 'POST', '/', iter([b'\x1b[31m', b'red\nnext \xff']))
    assert status == 204 and arrived()[2] == '\\x1b[31mred\nnext \\xff'
    status, _, _ = ask(port, 'POST', '/', b'y' * (1024 * 1024 + 1))
    assert status == 413 and 'too large' in arrived()[2]
    rest = example.end()
    assert rest == '', rest
    server.stop()


@test
def live_streams():
    target = Target(echo)
    server = create_server()
    example = Example('live-streams.js', f'ws://127.0.0.1:{server.port}', f'0={target.spec}')
    port = example.port()
    for number in (1, 2):
        with user(port) as sock:
            name = f'stream {number} from 127.0.0.1:{sock.getsockname()[1]} to {target.spec}'
            sock.sendall(b'hello')
            assert receive_exactly(sock, 5) == b'hello'
            assert [example.line(), example.line()] == [f'+ {name}', '1 open']
        assert [example.line(), example.line()] == [
            f'- {name}: 5 bytes sent, 5 received', '0 open']
    example.end()
    server.stop()


def policy(name):
    """Two ports for a client, and none but 9000 to 9009 and chosen ones."""
    example = Example(name, '0')
    port = example.port()
    target = Target(echo)
    client = Tool.client(port, f'0={target.port}', f'0={target.port}')
    for index in range(2):
        assert echoes(client.forward_port(index))
    third = Tool.client(port, '0=1', '0=2', '0=3')
    assert third.wait() == 3 and third.event('error')['code'] == 'permission-denied'
    other = Tool.client(port, f'{free_port()}=1')
    assert other.wait() == 3 and other.event('error')['code'] == 'permission-denied'
    client.stop()
    return example, port


@test
def server_policy_in_c():
    example, _ = policy(policy_c)
    rest = example.end()
    assert rest.count('granted') == 4 and rest.count('denied') == 2, rest


@test
def server_policy_in_python():
    example, port = policy('server-policy.py')
    target = Target(echo)
    client = Tool.client(port, f'0={target.port}')
    with user(client.forward_port()) as sock:
        for _ in range(60):
            sock.sendall(b'x' * 100_000)
            receive_exactly(sock, 100_000)
    # It has used up what there is for a session, and does not come back.
    assert client.wait() == 1
    rest = example.end()
    assert rest.count('granted') == 5 and rest.count('denied') == 2, rest
    assert 'bytes are too many' in rest, rest


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


@test
def the_pages_show_nothing_else():
    """Code in the pages is part of an example."""
    endings = {'c': '.c', 'nginx': '.conf', 'python': '.py', 'js': '.js'}
    bodies = [(path.suffix, body(path)) for path in examples.iterdir()]
    shown = 0
    for page in (tests.parent / 'README.md', *sorted(docs.glob('*.md'))):
        text = page.read_text(encoding='utf-8')
        for language, code in re.findall(r'^```(\w+)\n(.*?)^```$', text, re.M | re.S):
            shown += 1
            assert any(suffix == endings[language] and code.strip('\n') in body
                       for suffix, body in bodies), f'{page.name}: in no example: {code}'
    assert shown > 5, shown


@test
def every_example_is_tested():
    words = ''.join(path.read_text(encoding='utf-8') for path in (
        tests / 'meson.build', *tests.glob('test-*.py')))
    for path in examples.iterdir():
        assert path.name in words, f'{path.name} is in no test'


main()
