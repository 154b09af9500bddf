# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""Commands of vtunnel-tool that ask a session service, and a session with one that is a mock."""

import contextlib
import os
import subprocess

import mockservice
from harness import DEADLINE, TOOL

SERVER = 'wss://tunnel.example.org/'
NAMED = ('show', 'open', 'close', 'remove', 'set-token')


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


class Nowhere:
    environment = {'DBUS_SESSION_BUS_ADDRESS': 'unix:path=/nonexistent/bus'}


def each_command():
    yield 'add', 'web', '--server', SERVER, '--forward', '0=80'
    yield ('list',)
    for command in NAMED:
        yield command, 'web'
