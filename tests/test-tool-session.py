#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""The commands for the tunnels of the session service, against one that does as it is told."""

import json
import os
import pathlib
import re
import signal
import sys

PEERS = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'peers')
sys.path.insert(0, PEERS)

import mockservice  # noqa: E402
from asking import NAMED, SERVER, fails, finish, run, session, start, succeeds  # noqa: E402
from harness import main, test, wait_until  # noqa: E402
from mockservice import BUS_NAME  # noqa: E402


COMMANDS = ('add', 'list', *NAMED, 'monitor')


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
            '--forward', '[::1]:0=unix:/run/a\\,b=c,host-header=Example.com', '--autoconnect',
            '--forward', '1=2,forwarded=both,http,health=30',
            '--forward', '2=2,forwarded=forwarded')
        assert 'Added “web”' in errors
        (uri, forwards, options), = service.called('CreateTunnel')
        assert uri == SERVER
        assert forwards == [
            ('127.0.0.1:9000', 'localhost:3000', {'proxy-protocol': 2}),
            ('8000', 'tls://example.com:443', {'host-header': 'keep'}),
            ('8001', 'tls://example.com:443', {'host-header': 'keep'}),
            ('[::1]:0', 'unix:/run/a,b=c', {'host-header': 'Example.com'}),
            ('1', 'localhost:2', {'forwarded': 'both', 'http': True, 'health': 30}),
            ('2', 'localhost:2', {'forwarded': 'forwarded'})], forwards
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
        forwards = [('9000', 'localhost:1', {}), ('1', 'localhost:2', {}),
                    ('a.example', 'localhost:3', {})]
        tunnel = service.add('web', Forwards=forwards)
        pending = {'state': 'pending', 'error': '', 'bound-port': 0}
        one = {'listen': '9000', 'target': 'localhost:1'}
        other = {'listen': '1', 'target': 'localhost:2'}
        named = {'listen': 'a.example', 'target': 'localhost:3'}
        tunnel.on_open = lambda: tunnel.connect(
            forwards=[{**forward, **pending} for forward in (one, other, named)])
        process = start(service, 'open', 'web')
        wait_until(lambda: len(service.called('GetStatistics')) >= 2)
        assert process.poll() is None
        tunnel.count({'forwards': [
            {**one, 'state': 'listening', 'error': '', 'bound-port': 9000},
            {**other, 'state': 'failed', 'error': 'Port 1 is not allowed', 'bound-port': 0},
            {**named, 'state': 'listening', 'error': '', 'bound-port': 0,
             'url': 'https://a.example:8443/'}]})
        _, errors = finish(process, 3)
        assert 'Forwarding 9000 → localhost:1' in errors, errors
        assert 'Forwarding https://a.example:8443/ → localhost:3' in errors, errors
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
def open_and_it_is_removed_at_once():
    """While its state is asked for, before it is known."""
    with session() as service:
        tunnel = service.add('web')
        tunnel.on_open = lambda: tunnel.error('x', 'not yet', 'waiting')
        tunnel.on_read = lambda: service.tell_removed(tunnel)
        assert 'removed meanwhile' in finish(start(service, 'open', 'web'), 5)[1]
        assert tunnel.on_read is None


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
