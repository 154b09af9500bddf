#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""The configuration files of vtunnel-tool server and client: read, checked, and read again."""

import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile

tests = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(tests / 'peers'))

from harness import (DEADLINE, TOOL, Target, Tool, echo, echoes, free_port, main,  # noqa: E402
                     receive_exactly, test, user, wait_until)

examples = tests.parent / 'docs' / 'examples'
scratch = tempfile.TemporaryDirectory()
folder = pathlib.Path(scratch.name)


def run(*arguments, **environment):
    """Runs the tool to its end: (status, standard output, standard error)."""
    done = subprocess.run([TOOL, *map(str, arguments)], capture_output=True, text=True,
                          timeout=DEADLINE, stdin=subprocess.DEVNULL,
                          env=dict(os.environ, **environment))
    return done.returncode, done.stdout, done.stderr


class Config:
    """A file of its own folder, that can be written anew."""

    count = 0

    def __init__(self, command, text):
        Config.count += 1
        self.command = command
        self.folder = folder / str(Config.count)
        self.folder.mkdir()
        self.path = self.folder / f'{command}.conf'
        self.write(text)

    def write(self, text):
        self.path.write_text(text, encoding='utf-8')

    def start(self, *arguments):
        tool = Tool(self.command, '--config', str(self.path), *arguments)
        if self.command == 'server':
            tool.port = tool.event('listening')['port']
        return tool

    def run(self, *arguments):
        return run(self.command, '--config', self.path, *arguments)

    def check(self):
        return self.run('--check-config')

    def fault(self, *words, status=2):
        """What is wrong is said, by a check and by a start, and nothing but that line."""
        for arguments in ['--check-config'], []:
            result, output, errors = self.run(*arguments)
            assert result == status and output == '', (result, output, errors)
            assert errors.startswith(f'vtunnel-tool: {self.path}'), errors
            assert errors.count('\n') == 1, errors
            for word in words:
                assert word in errors, (word, errors)


def reload(tool, count=1):
    """Waits until it has been read again."""
    tool.process.send_signal(signal.SIGHUP)
    return tool.wait_events('reloaded', count)


def said(tool, words):
    return wait_until(lambda: [line for line in tool.errors if words in line], what=words)


@test
def a_server_and_a_client():
    target = Target(echo)
    server = Config('server', '[server]\nport=0\njson=true\nmax-forwards=1\n').start()
    config = Config('client', f'''
        # Indented, and with spaces.
        [client]
        server = ws://127.0.0.1:{server.port}/
        json = true
        keep-going = true
        forward = 0={target.spec} ; 0=localhost:1
    ''')
    client = config.start()
    assert echoes(client.forward_port())
    error = client.event('error')
    assert error['code'] == 'limit' and error['target'] == 'localhost:1', error
    client.stop()
    server.stop()


@test
def the_command_line_wins():
    config = Config('server', '[server]\nport=1\nlisten=192.0.2.1\njson=true\nquiet=true\n'
                              'allowed-origin=https://a.example;https://b.example\npath=/a\n')
    server = config.start('--port', '0', '--listen', '127.0.0.1', '--path', '/b', '--verbose')
    told = server.event('listening')
    assert told['url'] == f'ws://127.0.0.1:{server.port}/b', told
    said(server, 'Listening on')
    server.stop()
    config = Config('client', '[client]\nserver=ws://127.0.0.1:1/\nforward=1=localhost:1\n'
                              '[forward web]\nlisten=2\ntarget=localhost:2\n')
    server = Tool.server()
    client = config.start('--server', f'ws://127.0.0.1:{server.port}/', '--json',
                          '--forward', '0=localhost:3')
    client.event('forward-opened', target='localhost:3')
    assert len(server.wait_events('forward-opened')) == 1
    client.stop()
    server.stop()


@test
def names_that_there_are_not():
    Config('server', '[server]\nmax-sesions=1\n').fault('line 2: [server] max-sesions: ',
                                                        '“max-sessions”')
    Config('server', '[server]\nbananas=1\n').fault('line 2: [server] bananas: ', 'long options')
    Config('server', '[serve]\nport=1\n').fault('line 1: ', '[serve]', '[server]')
    Config('server', '[server]\n[forward web]\nlisten=1\n').fault('line 2: ', '[forward web]')
    Config('client', '[client]\nserver=ws://localhost/\nforward=1=2\n[server]\n').fault(
        'line 4: ', '[client]', '[forward NAME]')
    Config('server', 'port=1\n').fault('line 1: port: ', '[server]')
    Config('server', '[server]\nport\n').fault('line 2: [server]: ')
    Config('server', '[server\nport=1\n').fault('line 1: ')
    Config('server', '[server]\nport=1\nport=2\n').fault('line 3: [server] port: ', 'twice')
    Config('server', '[server]\nport=1\n[server]\npath=/\n').fault('line 3: ', 'twice')
    Config('server', '[server]\nport[de]=1\n').fault('line 2: [server] port[de]: ')
    # These are not for a file, and a token has no key.
    for key in 'config', 'check-config', 'help':
        Config('server', f'[server]\n{key}=x\n').fault(f'[server] {key}: ')
    Config('client', '[client]\nserver=ws://localhost/\nforward=1=2\ntoken=x\n').fault(
        'line 4: [client] token: ', '“token-file”')


@test
def values_that_cannot_be():
    for key, value, words in [
            ('port', 'many', '0 to 65535'), ('port', '70000', '0 to 65535'),
            ('max-streams', '0', '1 to'), ('no-auth', 'yes', '“true”'),
            ('listen', 'example.com', 'localhost'), ('allowed-ports', '9-8', '9-8'),
            ('allowed-origin', 'https://a.example/x', 'https://example.com'),
            ('path', 'x', '“/”'),
            ('status-listen', 'x', 'localhost:9091'),
            ('max-buffer', '-1', '1 to'), ('port', '1\\', 'backslash'),
            ('trusted-proxy', 'nobody', 'nobody'), ('port', '\\q', 'backslash'),
            ('trusted-proxy', 'a\\', '“;”'), ('tls-key', 'x', '--tls-certificate')]:
        Config('server', f'[server]\n{key}={value}\n').fault(f': [server] {key}', words)
    for text, words in [('listen=9000\n', 'target: '), ('target=3000\n', 'listen: '),
                        ('listen=x!\ntarget=3000\n', '“x!=3000”'),
                        ('listen=1\ntarget=2\nbananas=3\n', 'bananas=3')]:
        Config('client', f'[client]\nserver=ws://localhost/\nforward=1=2\n[forward web]\n{text}'
               ).fault('[forward web]', words)
    Config('server', '[server]\nlisten=0.0.0.0\n').fault('[server] listen', '--access')
    status, _, errors = run('server', '--config', folder / 'nowhere')
    assert status == 1 and 'nowhere' in errors, errors
    broken = Config('server', '')
    broken.path.write_bytes(b'[server]\npath=\xff\n')
    broken.fault('UTF-8')
    # An empty file is one that says nothing.
    assert Config('server', '').check()[0] == 0


@test
def a_check_says_each_fault():
    status, output, errors = Config('server', '''
        [server]
        max-sesions=1
        port=many
        max-streams=none
        max-forwards=none
        allowed-ports=none
        access=access
        tls-certificate=server.pem
        tls-key=server.key
        listen=example.com
    ''').check()
    assert (status, output) == (2, ''), (status, output)
    for word in ('max-sesions', 'port', 'max-streams', 'max-forwards', 'allowed-ports', '/access',
                 'server.pem', 'listen'):
        assert any(word in line for line in errors.splitlines()), (word, errors)
    assert errors.count('\n') == 8, errors
    status, output, errors = Config('client', '''
        [client]
        forward=nothing
        token-file=token
        pin=none
        tls-ca=ca.pem
        ping-timeout=x
    ''').check()
    assert (status, output, errors.count('\n')) == (2, '', 6), errors
    config = Config('server', '[server]\nport=1\nlisten=127.0.0.1\n')
    assert config.check() == (0, f'{config.path}: fine\n', '')
    # Port 1 was not opened by that, and a file alone is not all that can be checked.
    assert run('server', '--check-config', '--port', 'x')[0] == 2
    assert run('server', '--check-config', '--quiet') == (0, '', '')


@test
def what_follows_from_a_broken_file_is_not_said():
    for text, words in (('[client]\nserver=ws://localhost/\n[forward web\n', 'a group ends'),
                        ('\xe4'.encode('latin-1'), 'UTF-8')):
        config = Config('client', '')
        config.path.write_bytes(text if isinstance(text, bytes) else text.encode())
        config.fault(words)
    missing = Config('client', '')
    missing.path.unlink()
    for arguments in ['--check-config'], []:
        status, _, errors = missing.run(*arguments)
        assert status == 1 and errors.count('\n') == 1 and 'No such file' in errors, errors
    # One that is empty can be read.
    assert Config('client', '').check()[2].count('\n') == 2


@test
def a_credential_is_somebody_elses():
    """A check has none of those that systemd hands to the service, and a start has to have them."""
    place = '/run/credentials/vtunnel-test-none.service/x'
    _, lines, _ = run('token', 'alice')
    for command, keys in (('server', ('access={}', 'tls-certificate={}\ntls-key={}',
                                      f'access=access\ntls-certificate=server.pem\ntls-key={place}',
                                      'access={}\nclient-ca={}\ntls-certificate={}\ntls-key={}')),
                          ('client', ('token-file={}', 'tls-ca={}',
                                      'tls-certificate={}\ntls-key={}'))):
        for key in keys:
            text = key.replace('{}', place)
            more = 'port=0\n' if command == 'server' else 'server=wss://localhost/\nforward=1=2\n'
            config = Config(command, f'[{command}]\n{more}{text}\n')
            (config.folder / 'access').touch(0o600)
            (config.folder / 'access').write_text(lines)
            status, output, errors = config.check()
            assert status == 0 and output.endswith(': fine\n'), (key, errors)
            assert 'was not looked at' in errors and place in errors, errors
            assert config.run('--check-config', '--quiet') == (0, '', ''), key
            status, _, errors = config.run()
            assert status == 1 and 'No such file' in errors, (key, errors)
    # Elsewhere what is missing is missing.
    assert Config('server', '[server]\nport=0\naccess=/run/none\n').check()[0] == 1


@test
def paths_begin_at_the_file():
    config = Config('server', '[server]\nport=0\njson=true\naccess=sub/access\n')
    (config.folder / 'sub').mkdir()
    status, lines, errors = run('token', 'alice')
    token = re.search(r'vt_alice_\S+', errors)[0]
    access = config.folder / 'sub' / 'access'
    access.touch(0o600)
    access.write_text(lines)
    server = config.start()
    client = Config('client', f'[client]\nserver=ws://127.0.0.1:{server.port}/\njson=true\n'
                              'forward=0=localhost:1\ntoken-file=token\n')
    (client.folder / 'token').touch(0o600)
    (client.folder / 'token').write_text(token)
    tool = client.start()
    tool.event('forward-opened')
    assert server.event('session-opened')['user'] == 'alice'
    tool.stop()
    server.stop()


@test
def forwards_with_commas():
    """A group writes the spec, so that nothing has to be escaped in it."""
    server = Tool.server()
    config = Config('client', f'''
        [client]
        server=ws://127.0.0.1:{server.port}/
        json=true
        forward=0=unix:/run/a\\\\,b;0=unix:/run/semi\\;colon

        [forward one]
        listen=0
        target=unix:/run/c,d;e\\\\f
        host-header=keep
    ''')
    client = config.start()
    targets = {event['target'] for event in client.wait_events('forward-opened', 3)}
    assert targets == {'unix:/run/a,b', 'unix:/run/semi;colon', 'unix:/run/c,d;e\\f'}, targets
    client.stop()
    server.stop()


@test
def a_server_reads_again():
    target = Target(echo)
    config = Config('server', '[server]\nport=0\njson=true\nmax-forwards=1\n')
    server = config.start()
    first = Tool.client(server.port, f'0={target.spec}')
    with user(first.forward_port()) as sock:
        sock.sendall(b'before')
        assert receive_exactly(sock, 6) == b'before'

        # What is faulty changes nothing, not even what is right in it.
        config.write('[server]\nport=0\njson=true\nmax-forwards=2\nping-timeout=x\n')
        server.process.send_signal(signal.SIGHUP)
        assert 'ping-timeout' in server.event('error')['message']
        said(server, 'stays in force')
        second = Tool.client(server.port, f'0={target.spec}', f'0={target.spec}')
        assert second.wait() == 3, second.errors

        config.write('[server]\nport=0\njson=true\nmax-forwards=2\nallowed-ports=1024-65535\n')
        reload(server)
        third = Tool.client(server.port, f'0={target.spec}', f'0={target.spec}')
        third.wait_events('forward-opened', 2)
        # Without its line, a limit is the default again.
        config.write('[server]\nport=0\njson=true\n')
        reload(server, 2)
        fourth = Tool.client(server.port, *3 * [f'0={target.spec}'])
        fourth.wait_events('forward-opened', 3)

        sock.sendall(b'after')
        assert receive_exactly(sock, 5) == b'after'
    assert not [e for e in first.events if e['event'] == 'session-suspended']
    for client in first, third, fourth:
        client.stop()
    server.stop()


@test
def what_a_server_cannot_change():
    config = Config('server', '[server]\nport=0\njson=true\n')
    server = config.start()
    config.write('[server]\nport=1\njson=true\npath=/other\nlisten=::1\n')
    reload(server)
    for key in 'port', 'path', 'listen':
        said(server, f'[server] {key}: this takes effect with the next start')
    client = Tool.client(server.port, '0=localhost:1')
    client.event('forward-opened')
    client.stop()
    server.stop()


# Options whose property has another name.
PROPERTIES = {'no-auth': 'allow-anonymous', 'trusted-proxy': 'trusted-proxies',
              'allowed-origin': 'allowed-origins', 'client-ca': 'client-authorities',
              'tls-key': 'tls-certificate'}
# Those that are nobody's property: the last is what shows all others here.
OWN = {'grace', 'quiet', 'verbose'}


def make_certificate(where):
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt',
                    'ec_paramgen_curve:P-256', '-nodes', '-keyout', where / 'server.key', '-out',
                    where / 'server.pem', '-days', '2', '-subj', '/CN=localhost'],
                   check=True, capture_output=True, timeout=DEADLINE)


@test
def every_option_is_taken_or_said_not_to_be():
    """One by one: what a reload neither takes over nor says anything of would be a trap."""
    config = Config('server', '[server]\nport=0\njson=true\nverbose=true\nhttp-port=0\n')
    make_certificate(config.folder)
    (config.folder / 'access').touch(0o600)
    (config.folder / 'client-ca.pem').write_bytes((config.folder / 'server.pem').read_bytes())
    example = dict(re.findall(r'(?m)^#?([a-z-]+)=(.+)$', (examples / 'server.conf').read_text()))
    special = {'json': 'false', 'listen': '127.0.0.2', 'path': '/other', 'no-auth': 'true',
               'bind-address': '127.0.0.1', 'http-listen': '127.0.0.1',
               'allowed-ports': '2000-3000', 'status-listen': '9091'}
    tls = {'tls-certificate': 'server.pem', 'tls-key': 'server.key'}
    beside = {'tls-certificate': tls, 'tls-key': tls, 'client-ca': dict(tls, access='access')}
    server = config.start()
    options = re.findall(r'^  (?:-., )?--([a-z-]+)', run('server', '--help')[1], re.M)
    chosen = sorted(set(options) - OWN - {'help', 'config', 'check-config'})
    assert len(chosen) > 30, chosen
    for count, option in enumerate(chosen, 1):
        value = special.get(option, example[option])
        if value.isdecimal():
            value = str(int(value) - 1)
        keys = {'port': 0, 'json': 'true', 'verbose': 'true', 'http-port': 0,
                **beside.get(option, {}), option: value}
        said_before = len(server.errors)
        config.write('\n'.join(['[server]', *(f'{key}={text}' for key, text in keys.items()), '']))
        reload(server, count)
        words = (f'[server] {option}: this takes effect with the next start',
                 f'Another {PROPERTIES.get(option, option)} is in force')
        wait_until(lambda: any(word in line for line in server.errors[said_before:]
                               for word in words), 5, what=option)
    server.stop()


@test
def a_reload_does_not_open_the_server_to_all():
    """What is fine on loopback is not where it listens."""
    head = '[server]\nport=0\njson=true\n'
    for before, after in (('listen=0.0.0.0\n', 'listen=127.0.0.1\n'),
                          ('http-port=0\nhttp-listen=*\n', '')):
        config = Config('server', head + before + 'access=access\n')
        (config.folder / 'access').touch(0o600)
        server = config.start()
        config.write(head + after)
        server.process.send_signal(signal.SIGHUP)
        assert '--access' in server.event('error')['message']
        client = Tool.client(server.port, '0=localhost:1')
        assert client.wait() == 4, client.errors
        server.stop()


@test
def an_access_file_of_another_name():
    """Those whose token is in it stay; the others go."""
    entries = {}
    for name in 'alice', 'bob':
        _, lines, errors = run('token', name)
        entries[name] = (lines, re.search(rf'vt_{name}_\S+', errors)[0])
    config = Config('server', '[server]\nport=0\njson=true\naccess=one\n')
    for file, names in ('one', ('alice', 'bob')), ('two', ('alice',)):
        (config.folder / file).touch(0o600)
        (config.folder / file).write_text(''.join(entries[name][0] for name in names))
    server = config.start()
    clients = {name: Tool.client(server.port, '0=localhost:1',
                                 environment={'VTUNNEL_TOKEN': entries[name][1]})
               for name in entries}
    for client in clients.values():
        client.event('forward-opened')
    config.write('[server]\nport=0\njson=true\naccess=two\n')
    reload(server)
    assert clients['bob'].wait() == 1, clients['bob'].errors
    # The new one is watched as the old one was.
    (config.folder / 'new').touch(0o600)
    (config.folder / 'new').rename(config.folder / 'two')
    said(server, 'is empty')
    assert clients['alice'].process.poll() is None
    clients['alice'].stop()
    server.stop()


@test
def a_client_reads_again():
    target, other = Target(echo), Target(echo)
    server = Tool.server()
    ports = [free_port() for _ in range(3)]
    head = f'[client]\nserver=ws://127.0.0.1:{server.port}/\njson=true\n'
    config = Config('client', head + f'forward={ports[0]}={target.spec};{ports[1]}=localhost:1\n'
                    f'[forward gone]\nlisten={ports[2]}\ntarget={target.spec}\n')
    client = config.start()
    client.wait_events('forward-opened', 3)
    with user(ports[0]) as kept, user(ports[2]) as going:
        for sock in kept, going:
            sock.sendall(b'before')
            assert receive_exactly(sock, 6) == b'before'

        config.write(head + 'forward=nonsense\n')
        client.process.send_signal(signal.SIGHUP)
        assert 'nonsense' in client.event('error')['message']
        assert echoes(ports[2])

        # One stays, one is changed, one is gone, and one is new.
        config.write(head + f'ping-interval=5\nforward={ports[1]}={other.spec}\n'
                     f'[forward stays]\nlisten={ports[0]}\ntarget={target.spec}\n'
                     f'[forward new]\nlisten=0\ntarget={other.spec}\n')
        reload(client)
        new = client.wait_events('forward-opened', 5)[3:]
        assert {event['target'] for event in new} == {other.spec}
        for event in new:
            assert echoes(event['port'])
        server.event('forward-closed', port=ports[2])
        # What went through it goes on.
        for sock in kept, going:
            sock.sendall(b'after')
            assert receive_exactly(sock, 5) == b'after'
    assert not [e for e in server.events if e.get('port') == ports[0]
                and e['event'] == 'forward-closed']
    assert len(server.wait_events('session-opened')) == 1
    client.stop()
    server.stop()


@test
def a_forward_that_is_refused_later():
    """At the start it would end the client; a client that serves others goes on."""
    server = Tool.server('--max-forwards', '1')
    head = f'[client]\nserver=ws://127.0.0.1:{server.port}/\njson=true\n'
    target = Target(echo)
    config = Config('client', head + f'forward=0={target.spec}\n')
    client = config.start()
    port = client.forward_port()
    config.write(head + f'forward=0={target.spec};0=localhost:1\n')
    reload(client)
    assert client.event('error')['code'] == 'limit'
    assert echoes(port)
    config.write(head + 'forward=0=localhost:1\n')
    reload(client, 2)
    client.event('forward-opened', target='localhost:1')
    config.write(head.replace('127.0.0.1', 'localhost') + 'forward=0=localhost:1\n')
    reload(client, 3)
    said(client, '[client] server: this takes effect with the next start')
    client.stop()
    server.stop()


@test
def a_token_that_was_replaced():
    """It is read again, and used when the client comes back."""
    access = folder / 'replaced'
    access.touch(0o600)
    entries = []
    for _ in range(2):
        _, lines, errors = run('token', 'alice')
        entries.append((lines, re.search(r'vt_alice_\S+', errors)[0]))
    access.write_text(entries[0][0])
    server = Tool.server('--port', str(free_port()), '--access', str(access))
    config = Config('client', f'[client]\nserver=ws://127.0.0.1:{server.port}/\njson=true\n'
                              'forward=0=localhost:1\ntoken-file=token\nreconnect-min=0.1\n')
    token = config.folder / 'token'
    token.touch(0o600)
    token.write_text(entries[0][1])
    client = config.start()
    client.event('forward-opened')
    token.unlink()
    client.process.send_signal(signal.SIGHUP)
    assert 'token' in client.event('error')['message']
    token.touch(0o600)
    token.write_text(entries[1][1])
    reload(client)
    port = server.port
    server.stop()
    access.write_text(entries[1][0])
    server = Tool('server', '--json', '--port', str(port), '--access', str(access))
    server.event('session-opened', user='alice')
    client.wait_events('forward-opened', 2)
    client.stop()
    server.stop()


@test
def without_a_file_sighup_is_as_ever():
    # Whoever runs this may ignore it, as nohup does, and what is ignored is inherited.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    server = Tool.server()
    server.process.send_signal(signal.SIGHUP)
    assert server.wait() == -signal.SIGHUP


@test
def the_examples():
    """As they stand in the documentation, but for the ports; and no option is missing there."""
    server = Config('server', (examples / 'server.conf').read_text())
    # The unit has no need of that line.
    text = (examples / 'client.conf').read_text().replace('#token-file', 'token-file')
    client = Config('client', text)
    _, lines, errors = run('token', 'office')
    for path, text in ((server.folder / 'access', lines),
                       (client.folder / 'office.token', re.search(r'vt_office_\S+', errors)[0])):
        path.touch(0o600)
        path.write_text(text)
    assert server.check()[0] == 0 and client.check()[0] == 0, (server.check(), client.check())
    tool = server.start('--json', '--port', '0', '--status-listen', '0')
    other = client.start('--json', '--server', f'ws://127.0.0.1:{tool.port}/')
    other.event('forward-opened', target='localhost:25')
    other.stop()
    tool.stop()
    for config in server, client:
        text = config.path.read_text()
        options = re.findall(r'^  (?:-., )?--([a-z-]+)', run(config.command, '--help')[1], re.M)
        for option in set(options) - {'help', 'config', 'check-config'}:
            assert re.search(rf'^#?{option}=', text, re.M), option
        # All of it is what it says, also what is commented out.
        config.write(re.sub(r'(?m)^#(?=[a-z-]+=)', '', text))
        errors = config.check()[2]
        assert 'no such key' not in errors and 'needed' not in errors, errors


if __name__ == '__main__':
    main()
