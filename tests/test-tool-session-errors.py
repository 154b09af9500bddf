#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""The commands for the session service, where it is not there, fails, or means no good."""

import json
import os
import shlex
import subprocess
import sys

PEERS = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'peers')
sys.path.insert(0, PEERS)

from asking import (NAMED, SERVER, Nowhere, each_command, fails, finish, session,  # noqa: E402
                    start, succeeds)
from harness import DEADLINE, TOOL, main, test, wait_until  # noqa: E402
from mockservice import BUS_NAME  # noqa: E402


DBUS_ERROR = 'org.freedesktop.DBus.Error.'


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


main()
