#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""What the monitor writes where there is no screen."""

import os
import re
import signal
import sys

PEERS = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'peers')
sys.path.insert(0, PEERS)

from asking import finish, session, start  # noqa: E402
from harness import main, test  # noqa: E402



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


main()
