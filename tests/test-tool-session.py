#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""The commands for the tunnels of the session service, against one that does as it is told."""

import contextlib
import json
import os
import pathlib
import re
import shlex
import signal
import subprocess
import sys

PEERS = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'peers')
sys.path.insert(0, PEERS)

import mockservice  # noqa: E402
from harness import DEADLINE, TOOL, main, test, wait_until  # noqa: E402
from mockservice import BUS_NAME  # noqa: E402

SERVER = 'wss://tunnel.example.org/'
NAMED = ('show', 'open', 'close', 'remove', 'set-token')
COMMANDS = ('add', 'list', *NAMED, 'monitor')
DBUS_ERROR = 'org.freedesktop.DBus.Error.'


@contextlib.contextmanager
def session(start=None):
    """A bus, and a service on it unless the bus is to start one."""
    bus = mockservice.Bus(start)
    service = None if start else mockservice.Service(bus.address)
    try:
        if service:
            service.environment = bus.environment
            service.bus_process = bus.process
        yield service or bus
    finally:
        if service:
            service.close()
        bus.close()


def run(world, *arguments, stdin='', **environment):
    """Runs the tool to its end: (status, standard output, standard error)."""
    env = dict(os.environ, **world.environment)
    done = subprocess.run([TOOL, *arguments], capture_output=True, text=True, timeout=DEADLINE,
                          env=dict(env, **environment), input=stdin)
    return done.returncode, done.stdout, done.stderr


def succeeds(world, *arguments, **options):
    status, output, errors = run(world, *arguments, **options)
    assert status == 0, (arguments, status, errors)
    return output, errors


def fails(world, status, culprit, *arguments, **options):
    """With this status, and one line that names the culprit and no error of the bus."""
    got, output, errors = run(world, *arguments, **options)
    lines = [line for line in errors.splitlines() if line.startswith('vtunnel-tool: ')]
    assert got == status, (arguments, got, errors)
    assert output == '', output
    assert len(lines) == 1 and culprit in lines[0], (culprit, errors)
    assert 'GDBus' not in errors and 'org.freedesktop' not in errors, errors
    return errors


def start(world, *arguments):
    return subprocess.Popen([TOOL, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            stdin=subprocess.DEVNULL, text=True,
                            env=dict(os.environ, **world.environment))


def finish(process, status):
    output, errors = process.communicate(timeout=DEADLINE)
    assert process.returncode == status, (process.returncode, output, errors)
    return output, errors


@test
def help_of_each():
    with session() as service:
        overview = succeeds(service, '--help')[0]
        for command in COMMANDS:
            assert re.search(rf'^  {command} +\S', overview, re.M), overview
            page, errors = succeeds(service, command, '--help')
            assert f'vtunnel-tool {command} [' in page and 'Examples:' in page, page
            assert max(map(len, page.splitlines())) <= 90, page
            assert errors == ''
        assert service.calls == []


@test
def wrong_usage():
    with session() as service:
        for command in NAMED:
            fails(service, 2, 'name', command)
            fails(service, 2, 'name', command, '')
            fails(service, 2, '“two”', command, 'one', 'two')
            fails(service, 2, 'frobnicate', command, 'one', '--frobnicate')
            fails(service, 2, '--timeout “0”', command, 'one', '--timeout', '0')
        fails(service, 2, '--server', 'add', 'web', '--forward', '0=80')
        fails(service, 2, '--forward', 'add', 'web', '--server', SERVER)
        fails(service, 2, '“9000=x:y”', 'add', 'web', '--server', SERVER, '--forward', '9000=x:y')
        fails(service, 2, '--session', 'add', 'web', '--server', SERVER, '--forward', '0=80',
              '--session', '--autoconnect')
        fails(service, 2, '“cloud”', 'set-token', 'web', '--storage', 'cloud')
        fails(service, 2, '“x”', 'list', 'x')
        assert service.calls == []


@test
def add_makes_a_persistent_tunnel():
    with session() as service:
        _, errors = succeeds(
            service, 'add', 'web', '--server', SERVER,
            '--forward', '127.0.0.1:9000=localhost:3000,proxy-protocol=2',
            '--forward', '8000-8001=tls://example.com:443,host-header=keep',
            '--forward', '[::1]:0=unix:/run/a\\,b=c,host-header=Example.com', '--autoconnect')
        assert 'Added “web”' in errors
        (uri, forwards, options), = service.called('CreateTunnel')
        assert uri == SERVER
        assert forwards == [
            ('127.0.0.1:9000', 'localhost:3000', {'proxy-protocol': 2}),
            ('8000', 'tls://example.com:443', {'host-header': 'keep'}),
            ('8001', 'tls://example.com:443', {'host-header': 'keep'}),
            ('[::1]:0', 'unix:/run/a,b=c', {'host-header': 'Example.com'})], forwards
        assert options == {'name': 'web', 'open': False, 'autoconnect': True,
                           'lifetime': 'persistent'}, options


@test
def add_for_the_session():
    with session() as service:
        succeeds(service, 'add', '--session', '--server', SERVER, '--forward', '0=80', '--', '-web')
        options = service.called('CreateTunnel')[0][2]
        assert options['lifetime'] == 'session' and options['name'] == '-web', options


@test
def add_takes_no_name_twice():
    with session() as service:
        service.add('web')
        for name in ('web', 'id-1'):
            fails(service, 1, f'“{name}” already', 'add', name, '--server', SERVER,
                  '--forward', '0=80')
        assert service.called('CreateTunnel') == []


@test
def add_and_open():
    with session() as service:
        _, errors = succeeds(service, 'add', 'web', '--server', SERVER, '--forward',
                             '127.0.0.1:0=localhost:3000', '--open')
        assert service.called('CreateTunnel')[0][2]['open'] is True
        assert '“web” is connected' in errors, errors
        assert 'Forwarding 127.0.0.1:41000 → localhost:3000' in errors, errors


@test
def open_waits():
    with session() as service:
        tunnel = service.add('web')
        tunnel.on_open = lambda: tunnel.set(State='connecting')
        process = start(service, 'open', 'web')
        wait_until(lambda: service.called('Open'))
        tunnel.error('ConnectionFailed', 'Connection refused', 'waiting')
        assert 'Connection refused' in process.stderr.readline()
        tunnel.set(State='connecting')
        tunnel.connect()
        _, errors = finish(process, 0)
        assert 'Forwarding 41000 → localhost:3000' in errors, errors


@test
def open_waits_for_forwards():
    """The server answers for a forward after the tunnel is connected."""
    with session() as service:
        forwards = [('9000', 'localhost:1', {}), ('1', 'localhost:2', {})]
        tunnel = service.add('web', Forwards=forwards)
        pending = {'state': 'pending', 'error': '', 'bound-port': 0}
        one = {'listen': '9000', 'target': 'localhost:1'}
        other = {'listen': '1', 'target': 'localhost:2'}
        tunnel.on_open = lambda: tunnel.connect(forwards=[{**one, **pending}, {**other, **pending}])
        process = start(service, 'open', 'web')
        wait_until(lambda: len(service.called('GetStatistics')) >= 2)
        assert process.poll() is None
        tunnel.count({'forwards': [
            {**one, 'state': 'listening', 'error': '', 'bound-port': 9000},
            {**other, 'state': 'failed', 'error': 'Port 1 is not allowed', 'bound-port': 0}]})
        _, errors = finish(process, 3)
        assert 'Forwarding 9000 → localhost:1' in errors, errors
        assert 'vtunnel-tool: The server refused 1: Port 1 is not allowed\n' in errors, errors


@test
def open_without_waiting():
    with session() as service:
        tunnel = service.add('web')
        tunnel.on_open = lambda: tunnel.set(State='connecting')
        succeeds(service, 'open', 'web', '--no-wait')
        assert len(service.called('Open')) == 1


@test
def open_fails():
    with session() as service:
        tunnel = service.add('web')
        # What it failed with before is not what it fails with now.
        tunnel.error('Tls', 'yesterday')
        cases = [('NotAuthorised', 4), ('ConnectionFailed', 1), ('Tls', 1), ('Protocol', 1),
                 ('Limit', 1), ('AddressInUse', 3), ('PermissionDenied', 3), ('OfLater', 1)]
        for name, status in cases:
            tunnel.on_open = lambda: tunnel.error(name, f'because of {name}')
            errors = fails(service, status, f'“web” failed: because of {name}', 'open', 'web')
            assert ('set-token' in errors) == (status == 4), errors
        tunnel.on_open = lambda: tunnel.error('', '', 'needs-secrets')
        fails(service, 4, 'set-token', 'open', 'web')
        tunnel.on_open = lambda: tunnel.error('', '', 'failed')
        fails(service, 1, 'without a reason', 'open', 'web')


@test
def open_is_interrupted():
    """Ctrl+C ends the waiting, and not the tunnel."""
    with session() as service:
        tunnel = service.add('web')
        for number in (signal.SIGINT, signal.SIGTERM):
            tunnel.on_open = lambda: tunnel.error('x', 'not yet', 'waiting')
            process = start(service, 'open', 'web')
            assert 'not yet' in process.stderr.readline()
            process.send_signal(number)
            _, errors = finish(process, 1)
            assert 'still being opened' in errors, errors
            tunnel.set(LastError=('', ''))
        assert service.called('Close') == []


@test
def open_and_something_happens():
    with session() as service:
        tunnel = service.add('web')

        def begin():
            tunnel.on_open = lambda: tunnel.error('x', 'not yet', 'waiting')
            process = start(service, 'open', 'web')
            assert 'not yet' in process.stderr.readline()
            return process
        process = begin()
        tunnel.set(State='inactive', LastError=('', ''))
        assert 'closed meanwhile' in finish(process, 1)[1]
        process = begin()
        tunnel.remove()
        assert 'removed meanwhile' in finish(process, 5)[1]
        tunnel = service.add('web')
        process = begin()
        service.disown()
        assert 'has ended' in finish(process, 1)[1]


@test
def close_and_remove():
    with session() as service:
        tunnel = service.add('web')
        tunnel.connect()
        assert '“web” is closed' in succeeds(service, 'close', 'web')[1]
        assert tunnel.properties['State'] == 'inactive'
        assert '“id-1” is removed' in succeeds(service, 'remove', 'id-1')[1]
        assert service.tunnels == []
        assert succeeds(service, 'close', '--quiet', service.add('x').properties['Id']) == ('', '')


@test
def no_such_tunnel():
    with session() as service:
        for command in NAMED:
            fails(service, 5, 'There is no tunnel “web”', command, 'web', stdin='secret\n')
        fails(service, 5, 'There is no tunnel “web”', 'monitor', 'web')
        service.add('web')
        service.add('web')
        for command in NAMED:
            fails(service, 5, 'Several tunnels are called “web”', command, 'web', stdin='secret\n')
        # Removed between being found and being used.
        service.failures['Open'] = (DBUS_ERROR + 'UnknownObject', 'no such object')
        fails(service, 5, 'There is no tunnel “id-1”', 'open', 'id-1')


@test
def errors_by_name():
    """Whatever a call fails with: the text of the service, or a word about the bus."""
    own = BUS_NAME + '.Error.'
    cases = [
        (own + 'NotAuthorised', 4, 'as the service says'),
        (own + 'PermissionDenied', 1, 'as the service says'),
        (own + 'ConnectionFailed', 1, 'as the service says'),
        (own + 'Tls', 1, 'as the service says'),
        (own + 'AddressInUse', 1, 'as the service says'),
        (own + 'Protocol', 1, 'as the service says'),
        (own + 'SecretsUnavailable', 1, 'as the service says'),
        (own + 'Limit', 1, 'as the service says'),
        (own + 'InvalidArgument', 2, 'as the service says'),
        (own + 'OfALaterVersion', 1, 'as the service says'),
        ('com.example.Whatever', 1, 'as the service says'),
        (DBUS_ERROR + 'InvalidArgs', 2, 'as the service says'),
        (DBUS_ERROR + 'UnknownMethod', 1, 'version'),
        (DBUS_ERROR + 'AccessDenied', 1, 'permit'),
        (DBUS_ERROR + 'NoReply', 1, 'ended before it answered'),
        (DBUS_ERROR + 'Timeout', 1, 'does not answer'),
    ]
    with session() as service:
        service.add('web')
        for name, status, text in cases:
            service.failures = {'Close': (name, 'as the service says')}
            fails(service, status, text, 'close', 'web')
        service.failures = {m: (own + 'Limit', 'too\nmany\x1b[2J') for m in
                            ('CreateTunnel', 'Open', 'Delete', 'SetSecrets', 'GetStatistics')}
        escaped = 'too\\u000amany\\u001b[2J'
        fails(service, 1, escaped, 'add', 'x', '--server', SERVER, '--forward', '0=80')
        fails(service, 1, escaped, 'open', 'web')
        fails(service, 1, escaped, 'remove', 'web')
        fails(service, 1, escaped, 'show', 'web')
        fails(service, 1, escaped, 'set-token', 'web', stdin='x')


class Nowhere:
    environment = {'DBUS_SESSION_BUS_ADDRESS': 'unix:path=/nonexistent/bus'}


def each_command():
    yield 'add', 'web', '--server', SERVER, '--forward', '0=80'
    yield ('list',)
    for command in NAMED:
        yield command, 'web'


@test
def no_bus():
    for command in each_command():
        fails(Nowhere, 1, 'There is no session bus', *command, stdin='x')
    fails(Nowhere, 1, 'There is no session bus', 'monitor')


@test
def no_service():
    with session() as service:
        service.disown()
        for command in each_command():
            fails(service, 1, 'not installed', *command, stdin='x')
    with session('/bin/false') as bus:
        for command in each_command():
            fails(bus, 1, 'cannot be started', *command, stdin='x')


@test
def the_bus_starts_the_service():
    mock = shlex.join([sys.executable, os.path.join(PEERS, 'mockservice.py'), 'web', 'db'])
    with session(mock) as bus:
        output, _ = succeeds(bus, 'list', '--json')
        assert [json.loads(line)['name'] for line in output.splitlines()] == ['db', 'web']


@test
def a_service_that_never_answers():
    with session() as service:
        service.add('web')
        service.hanging = {'all'}
        for command in each_command():
            fails(service, 1, 'does not answer', *command, '--timeout', '1', stdin='x')
        service.hanging = {'GetStatistics', 'Open', 'Delete', 'Close', 'SetSecrets'}
        for command in NAMED:
            fails(service, 1, 'does not answer', command, 'web', '--timeout', '1', stdin='x')


@test
def the_service_ends_while_it_is_asked():
    with session() as service:
        service.hanging = {'FindTunnel'}
        process = start(service, 'close', 'web')
        wait_until(lambda: service.unanswered)
        service.do(lambda: service.bus.close_sync(None))
        assert 'ended before it answered' in finish(process, 1)[1]


@test
def the_list():
    with session() as service:
        assert succeeds(service, 'list') == (
            '', 'There are no tunnels yet; “vtunnel-tool add” adds one\n')
        assert succeeds(service, 'list', '--json', '--quiet') == ('', '')
        service.add('web', Forwards=[('9000', 'localhost:3000', {}), ('0', '1', {})]).connect()
        service.add('db').set(ActiveStreams=12)
        service.add('', Forwards=[]).error('Limit', 'no')
        assert succeeds(service, 'list')[0] == (
            'NAME  STATE      SERVER                     FORWARDS                    STREAMS\n'
            'db    inactive   wss://tunnel.example.org/  9000 → localhost:3000            12\n'
            'id-3  failed     wss://tunnel.example.org/                                    0\n'
            'web   connected  wss://tunnel.example.org/  9000 → localhost:3000 (+1)        0\n')
        ascii_only = succeeds(service, 'list', LC_ALL='C')[0]
        assert ascii_only.isascii() and '9000 -> localhost:3000 (+1)' in ascii_only, ascii_only


@test
def the_list_for_scripts():
    with session() as service:
        tunnel = service.add('web', Forwards=[
            ('9000', 'localhost:3000',
             {'host-header': mockservice.GLib.Variant('s', 'keep'),
              'proxy-protocol': mockservice.GLib.Variant('u', 2)})], Autoconnect=True)
        tunnel.error('NotAuthorised', 'Not\nyou', 'waiting')
        tunnel.set(NextRetry=1795546453000000)
        service.add('db').set(ConnectedSince=1795546453999999)
        lines = succeeds(service, 'list', '--json')[0].splitlines()
        common = {'server': SERVER, 'lifetime': 'persistent', 'active_streams': 0}
        assert [json.loads(line) for line in lines] == [
            {'id': 'id-2', 'name': 'db', 'state': 'inactive', 'autoconnect': False,
             'connected_since': '2026-11-24T18:54:13Z',
             'forwards': [{'listen': '9000', 'target': 'localhost:3000'}], **common},
            {'id': 'id-1', 'name': 'web', 'state': 'waiting', 'autoconnect': True,
             'next_retry': '2026-11-24T18:54:13Z',
             'error': {'code': 'not-authorised', 'message': 'Not\nyou'},
             'forwards': [{'listen': '9000', 'target': 'localhost:3000', 'host_header': 'keep',
                           'proxy_protocol': 2}], **common}], lines


@test
def show():
    with session() as service:
        tunnel = service.add('web', Forwards=[('127.0.0.1:0', 'localhost:3000', {})])
        opened = 1795546453000000
        tunnel.connect(**{
            'streams-opened': 7, 'n-resumed': 2, 'last-seen': opened, 'bytes-sent': 1234567,
            'streams': [{'id': 3, 'listen': '127.0.0.1:0', 'user-address': '203.0.113.7:51022',
                         'opened-at': opened, 'bytes-sent': 5, 'bytes-received': 6}]})
        tunnel.set(ActiveStreams=1)
        page = succeeds(service, 'show', 'web')[0]
        for part in ('Name: +web', 'Id: +id-1', 'State: +connected since 20', 'Round trip: +4.2 ms',
                     'Streams: +1 open, 7 in all', 'Sent: +1.2 MB', 'Resumed: +2',
                     '127.0.0.1:41000 → localhost:3000 +listening +0 +0 B +0 B'):
            assert re.search(part, page), (part, page)
        told = json.loads(succeeds(service, 'show', 'web', '--json')[0])
        assert told['forwards'] == [
            {'listen': '127.0.0.1:0', 'target': 'localhost:3000', 'port': 41000,
             'state': 'listening', 'active_streams': 0, 'bytes_sent': 0, 'bytes_received': 0}]
        assert told['streams'] == [
            {'stream': 3, 'listen': '127.0.0.1:0', 'user': '203.0.113.7:51022',
             'opened_at': '2026-11-24T18:54:13Z', 'bytes_sent': 5, 'bytes_received': 6}]
        assert {name: told[name] for name in (
            'protocol', 'rtt_us', 'resumed', 'streams_opened', 'bytes_sent', 'last_seen')} == {
                'protocol': 2, 'rtt_us': 4200, 'resumed': 2, 'streams_opened': 7,
                'bytes_sent': 1234567, 'last_seen': '2026-11-24T18:54:13Z'}


@test
def hostile_names():
    """Nothing that the service says gets to a terminal as it is."""
    with session() as service:
        name = 'a\x1b]0;x\x07\x9b2J\u202e\nb'
        tunnel = service.add(name, Uri='wss://\x1b[31m/')
        tunnel.error('Limit', '\x1b[2J')
        for arguments in (('list',), ('show', name), ('show', 'id-1'), ('close', name)):
            output, errors = succeeds(service, *arguments)
            text = (output + errors).replace('\n', '')
            assert text.isprintable(), (arguments, text)
            assert 'a\\u001b]0;x\\u0007\\u009b2J\\u202e\\u000ab' in text, text
        fails(service, 5, 'b\\u001bc', 'show', 'b\x1bc')
        raw = subprocess.run([TOOL, 'show', b'\xff'], env=dict(os.environ, **service.environment),
                             capture_output=True, check=False)
        assert raw.returncode == 2 and raw.stderr.startswith(b'vtunnel-tool: '), raw


@test
def output_that_nobody_takes():
    with session() as service:
        service.add('web')
        env = dict(os.environ, **service.environment)
        with open('/dev/full', 'w', encoding='ascii') as full:
            done = subprocess.run([TOOL, 'list'], stdout=full, stderr=subprocess.PIPE, text=True,
                                  env=env, timeout=DEADLINE, check=False)
        assert done.returncode == 1 and 'standard output' in done.stderr, done
        for command in (('list',), ('monitor',)):
            process = start(service, *command)
            process.stdout.close()
            process.stdout = None
            finish(process, 0)


@test
def a_token_from_standard_input():
    with session() as service:
        tunnel = service.add('web')
        succeeds(service, 'set-token', 'web', stdin='s3cret\nmore\n')
        assert tunnel.secrets == ({'token': 's3cret'}, 'keyring'), tunnel.secrets
        succeeds(service, 'set-token', 'web', '--storage', 'file', stdin='other')
        assert tunnel.secrets == ({'token': 'other'}, 'file'), tunnel.secrets
        succeeds(service, 'set-token', 'web', '--storage', 'memory', '--forget')
        assert tunnel.secrets == ({'token': ''}, 'memory'), tunnel.secrets
        tunnel.secrets = None
        for wrong in ('', '\n', 'two words\n', 'ü\n', 'x' * 8193):
            errors = fails(service, 2, 'no token', 'set-token', 'web', stdin=wrong)
            assert 'two words' not in errors
        assert tunnel.secrets is None
        service.failures['SetSecrets'] = (BUS_NAME + '.Error.SecretsUnavailable', 'Locked')
        fails(service, 1, 'Locked; --storage', 'set-token', 'web', stdin='x')


@test
def monitor_in_a_pipe():
    """A line for each change, at once."""
    with session() as service:
        tunnel = service.add('web')
        process = start(service, 'monitor')

        def line():
            text = process.stdout.readline()
            assert re.match(r'20\d\d-\d\d-\d\d \d\d:\d\d:\d\d ', text), text
            return text[20:].rstrip('\n')
        assert line() == 'web: inactive'
        tunnel.set(State='connecting')
        assert line() == 'web: connecting: wss://tunnel.example.org/'
        tunnel.connect()
        assert line() == 'web: connected: wss://tunnel.example.org/'
        assert line() == 'web: 41000 → localhost:3000: listening'
        tunnel.set(ActiveStreams=3)
        assert line() == 'web: 3 streams'
        other = service.add('\x1b[31mdb')
        assert line() == '\\u001b[31mdb: inactive'
        other.remove()
        assert line() == '\\u001b[31mdb: removed'
        service.disown()
        assert 'is not running' in line()
        service.do(service.own)
        assert line() == 'web: connected: wss://tunnel.example.org/'
        process.send_signal(signal.SIGTERM)
        finish(process, 0)


@test
def monitor_of_one():
    with session() as service:
        tunnel, other = service.add('web'), service.add('db')
        process = start(service, 'monitor', 'web')
        assert 'web: inactive' in process.stdout.readline()
        other.connect()
        tunnel.set(State='connecting')
        assert 'web: connecting' in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert 'db' not in finish(process, 0)[0]


@test
def monitor_without_a_service():
    """It waits for one."""
    with session() as service:
        service.disown()
        process = start(service, 'monitor')
        assert 'not installed' in process.stdout.readline()
        service.add('web')
        service.do(service.own)
        assert 'web: inactive' in process.stdout.readline()
        service.bus_process.terminate()
        _, errors = finish(process, 1)
        assert 'The session bus has ended' in errors, errors


@test
def the_manual():
    """It names each command, each of their options, and each member of the JSON."""
    manual = (pathlib.Path(__file__).parents[1] / 'docs' / 'tool.md').read_text(encoding='utf-8')
    with session() as service:
        tunnel = service.add('web')
        tunnel.error('Limit', 'x', 'waiting')
        tunnel.connect(streams=[{'id': 1, 'listen': '9000', 'user-address': 'x', 'opened-at': 1}])
        told = json.loads(succeeds(service, 'show', 'web', '--json')[0])
        for command in COMMANDS:
            assert f'vtunnel-tool {command}' in manual, command
            page = succeeds(service, command, '--help')[0]
            for option in re.findall(r'^  (?:-\w, )?(--[a-z-]+)', page, re.M):
                assert option in manual or option == '--help', (command, option)
        members = {*told, *told['forwards'][0], *told['streams'][0]}
        for member in members:
            assert f'`{member}`' in manual, member


@test
def german():
    with session() as service:
        service.add('web')
        language = {'LANGUAGE': 'de', 'LC_ALL': 'C.UTF-8',
                    'VT_LOCALEDIR': os.environ['VT_LOCALEDIR']}
        assert 'inaktiv' in succeeds(service, 'list', **language)[0]
        assert 'Es gibt keinen Tunnel „x“' in run(service, 'show', 'x', **language)[2]


main()
