#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""Every error of the session service has its name, from Python, from C and from JavaScript."""

import os
import socket
import subprocess
import sys
import threading

tests = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(tests, 'peers'))

from gi.repository import Gio, GLib  # noqa: E402

from desktop import NAME, ROOT, TUNNEL, Desktop, error_name  # noqa: E402
from harness import Target, Tool, echo, free_port, main, test, wait_until  # noqa: E402

REFUSALS = ['NoSuchTunnel', 'NotAuthorised', 'InvalidArgument', 'Limit', 'PermissionDenied',
            'SecretsUnavailable']
FAILURES = ['ConnectionFailed', 'Tls', 'AddressInUse', 'Protocol', 'NotAuthorised',
            'PermissionDenied']


def full(names):
    return [f'{NAME}.Error.{name}' for name in names]


def refusing_desktop():
    """There is no keyring, and what would be the folder is a file."""
    desktop = Desktop()
    desktop.config.mkdir()
    (desktop.config / 'vtunnel').write_text('')
    return desktop


def web_server(answer):
    """Answers each connection with this, whatever it is asked."""
    listener = socket.create_server(('127.0.0.1', 0))

    def serve():
        while True:
            sock, _ = listener.accept()
            with sock:
                sock.recv(4096)
                sock.sendall(answer)
    threading.Thread(target=serve, daemon=True).start()
    return listener.getsockname()[1]


@test
def refusals_in_python():
    desktop = refusing_desktop()
    other = desktop.connect()
    path = desktop.create(bus=other)
    own = desktop.create()
    assert [
        error_name(desktop.find, 'none'),
        error_name(desktop.do, path, 'Open'),
        error_name(desktop.create, unknown=GLib.Variant('u', 1)),
        error_name(desktop.create, forwards=[('0', '1')] * 65),
        error_name(desktop.create, lifetime='persistent'),
        error_name(desktop.set_token, own, 'x', 'keyring'),
    ] == full(REFUSALS)
    desktop.close()


def fail_each(desktop):
    """The paths of tunnels that have failed, as FAILURES has it, and a server to be stopped."""
    server = Tool.server()
    uri = f'ws://127.0.0.1:{server.port}/'
    taken = Target(echo)
    paths = [desktop.create(*arguments, open=True) for arguments in (
        (f'ws://127.0.0.1:{free_port()}/',),
        (f'wss://127.0.0.1:{web_server(b"HTTP/1.1 400 x")}/',),
        (uri, [(str(taken.port), '1')]),
        ('ws://127.0.0.1:%d/' % web_server(
            b'HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n'),),
        ('ws://127.0.0.1:%d/' % web_server(
            b'HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n'),),
        (uri, [('80', '1')]))]
    for path in paths:
        wait_until(lambda: desktop.get(path, 'LastError')[0], what='the error')
    return paths, server


def errors_of(*command):
    """What a program sees of all errors."""
    desktop = refusing_desktop()
    path = desktop.create()
    failed, server = fail_each(desktop)
    result = subprocess.run([*command, path, *failed], stdout=subprocess.PIPE, text=True,
                            env=dict(os.environ, DBUS_SESSION_BUS_ADDRESS=desktop.address),
                            timeout=60, check=True)
    assert result.stdout.split() == full(REFUSALS + FAILURES), result.stdout
    server.stop()
    desktop.close()


@test
def errors_in_c():
    errors_of(os.environ['VT_SESSION_ERRORS'])


@test
def errors_in_javascript():
    errors_of(os.path.join(tests, 'peers', 'session-errors.js'))


@test
def failures_in_python():
    """What a tunnel fails with is in LastError, by its name."""
    desktop = Desktop()
    paths, server = fail_each(desktop)
    assert [desktop.get(path, 'LastError')[0] for path in paths] == full(FAILURES)
    # As a program sees them that follows all objects.
    manager = Gio.DBusObjectManagerClient.new_sync(
        desktop.bus, Gio.DBusObjectManagerClientFlags.NONE, NAME, ROOT, None, None, None)
    tunnels = [manager.get_interface(path, TUNNEL) for path in paths]
    assert [tunnel.get_cached_property('LastError').unpack()[0] for tunnel in tunnels] \
        == full(FAILURES)
    server.stop()
    desktop.close()


@test
def one_refused_forward_of_two():
    """The other one works, and the tunnel says what is missing."""
    desktop = Desktop()
    server = Tool.server()
    taken = Target(echo)
    path = desktop.create(f'ws://127.0.0.1:{server.port}/',
                          [(str(taken.port), '1'), ('0', taken.spec)], open=True)
    wait_until(lambda: desktop.get(path, 'LastError')[0] == f'{NAME}.Error.AddressInUse',
               what='the error')
    assert desktop.state(path) == 'connected'
    forwards = desktop.do(path, 'GetStatistics')['forwards']
    assert [forward['state'] for forward in forwards] == ['failed', 'listening'], forwards
    assert forwards[0]['error'] and not forwards[1]['error'], forwards
    server.stop()
    desktop.close()


if __name__ == '__main__':
    try:
        main()
    finally:
        Desktop.end_all()
