#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""The session service as a program on a bus of its own, with real tunnels."""

import os
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'peers'))

from gi.repository import Gio, GLib  # noqa: E402

import network  # noqa: E402
from desktop import MANAGER, NAME, ROOT, Desktop, error_name  # noqa: E402
from harness import (Target, Tool, echo, echoes, free_port, main, receive_exactly,  # noqa: E402
                     test, user, wait_until)


class World:
    """A desktop, a server, and something to forward to."""

    def __init__(self, **options):
        self.desktop = Desktop(**options)
        self.server = Tool.server()
        self.target = Target(echo)
        self.uri = f'ws://127.0.0.1:{self.server.port}/'

    def create(self, forwards=None, **options):
        forwards = [('0', self.target.spec)] if forwards is None else forwards
        return self.desktop.create(self.uri, forwards, **options)

    def open(self, **options):
        path = self.create(open=True, **options)
        self.desktop.wait_for_state(path, 'connected')
        return path

    def bound_port(self, path, index=0):
        """The tunnel is connected before the server has answered for its forwards."""
        def look():
            forwards = self.desktop.do(path, 'GetStatistics')['forwards']
            return forwards[index]['bound-port']
        return wait_until(look, what='the port')

    def exchange(self, path):
        port = self.bound_port(path)
        assert echoes(port)

    def close(self):
        self.server.stop()
        self.desktop.close()


@test
def from_nothing_to_a_byte():
    """The first call starts the service, and opens a tunnel that works."""
    world = World()
    assert not world.desktop.is_running()
    path = world.create(name='web', open=True)
    assert world.desktop.is_running()
    world.desktop.wait_for_state(path, 'connected')
    world.exchange(path)
    get = world.desktop.get
    wait_until(lambda: get(path, 'ActiveStreams') == 0, what='the end of the stream')
    statistics = world.desktop.do(path, 'GetStatistics')
    assert statistics['streams-opened'] == 1, statistics
    assert statistics['bytes-sent'] == statistics['bytes-received'] == 5, statistics
    assert statistics['protocol'] == 2 and statistics['streams'] == [], statistics
    assert get(path, 'ConnectedSince') > 0 and get(path, 'NextRetry') == 0
    assert get(path, 'Name') == 'web' and get(path, 'Lifetime') == 'caller'
    assert get(path, 'Owner') == world.desktop.bus.get_unique_name()
    assert get(path, 'Forwards') == [('0', world.target.spec, {})]
    assert world.desktop.find('web') == world.desktop.find(get(path, 'Id')) == path
    world.desktop.do(path, 'Close')
    assert world.desktop.state(path) == 'inactive' and get(path, 'ConnectedSince') == 0
    world.desktop.do(path, 'Open')
    world.desktop.wait_for_state(path, 'connected')
    world.exchange(path)
    world.desktop.do(path, 'Delete')
    assert world.desktop.paths() == []
    world.close()


@test
def the_manager_says_what_it_is():
    desktop = Desktop()
    managed = desktop.objects()
    properties = managed[f'{ROOT}/Manager'][MANAGER]
    assert properties['Version'][0].isdigit() and isinstance(properties['Features'], list)
    desktop.close()


@test
def a_stream_shows():
    world = World()
    path = world.open()
    port = world.bound_port(path)
    with user(port) as sock:
        sock.sendall(b'hello')
        receive_exactly(sock, 5)
        wait_until(lambda: world.desktop.get(path, 'ActiveStreams') == 1, what='the stream')
        stream, = world.desktop.do(path, 'GetStatistics')['streams']
        assert stream['listen'] == '0' and stream['bytes-sent'] == 5, stream
        host, number = stream['user-address'].rsplit(':', 1)
        assert (host, int(number)) == sock.getsockname(), stream
        assert stream['opened-at'] > 1e15, stream
    wait_until(lambda: world.desktop.get(path, 'ActiveStreams') == 0, what='its end')
    world.close()


@test
def forwards_change_at_once():
    world = World()
    path = world.open()
    first = world.bound_port(path)
    port = free_port()
    forwards = GLib.Variant('a(ssa{sv})', [('0', world.target.spec, {}),
                                           (str(port), world.target.spec, {})])
    world.desktop.do(path, 'Update', GLib.Variant('(a{sv})', ({'forwards': forwards},)))
    assert world.bound_port(path, 1) == port
    assert world.bound_port(path) == first
    with user(port) as sock:
        sock.sendall(b'hello')
        receive_exactly(sock, 5)
    forwards = GLib.Variant('a(ssa{sv})', [(str(port), world.target.spec, {})])
    world.desktop.do(path, 'Update', GLib.Variant('(a{sv})', ({'forwards': forwards},)))
    assert world.bound_port(path) == port
    assert world.desktop.get(path, 'Forwards') == [(str(port), world.target.spec, {})]
    world.close()


@test
def an_owner_vanishes():
    world = World()
    other = world.desktop.connect()
    path = world.create(bus=other, open=True)
    kept = world.create(bus=other, lifetime='session')
    world.desktop.wait_for_state(path, 'connected')
    port = world.bound_port(path)
    other.close_sync(None)
    wait_until(lambda: world.desktop.paths() == [kept], what='the end of the tunnel')
    wait_until(lambda: is_closed(port), what='the end of the port')
    world.close()


def is_closed(port):
    try:
        user(port).close()
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:
        # In the very moment in which it is closed.
        pass
    return False


@test
def a_wrong_caller():
    """Nobody but its owner changes the tunnel of a caller; everybody may look at it."""
    desktop = Desktop()
    other = desktop.connect()
    path = desktop.create()
    nothing = GLib.Variant('(a{sv})', ({},))
    for method, arguments in (('Open', None), ('Close', None), ('Delete', None),
                              ('Update', nothing)):
        name = error_name(desktop.do, path, method, arguments, other)
        assert name == f'{NAME}.Error.NotAuthorised', name
    name = error_name(desktop.set_token, path, 'x', 'memory', other)
    assert name == f'{NAME}.Error.NotAuthorised', name
    assert desktop.do(path, 'GetStatistics', None, other)['streams-opened'] == 0
    shared = desktop.create(lifetime='session')
    desktop.do(shared, 'Update', nothing, other)
    desktop.do(shared, 'Delete', None, other)
    desktop.close()


@test
def persistent_tunnels_come_back():
    world = World()
    path = world.create(name='kept', lifetime='persistent', autoconnect=True)
    world.create(name='idle', lifetime='persistent')
    world.create(name='gone', lifetime='session')
    assert sorted(file.stat().st_mode & 0o777 for file in world.desktop.tunnels.iterdir()) \
        == [0o600, 0o600]
    world.desktop.stop_service()
    assert world.desktop.state(path) in ('connecting', 'connected')
    world.desktop.wait_for_state(path, 'connected')
    assert world.desktop.get(path, 'Name') == 'kept' and world.desktop.get(path, 'Autoconnect')
    assert world.desktop.state(world.desktop.find('idle')) == 'inactive'
    assert len(world.desktop.paths()) == 2
    world.exchange(path)
    world.desktop.do(path, 'Delete')
    assert len(list(world.desktop.tunnels.iterdir())) == 1
    world.close()


def iterate_until(condition, what):
    """Takes signals and calls while it waits."""
    def look():
        while GLib.MainContext.default().iteration(False):
            pass
        return condition()
    return wait_until(look, what=what)


def watch_changes(desktop):
    changes = []
    desktop.bus.signal_subscribe(
        NAME, 'org.freedesktop.DBus.Properties', 'PropertiesChanged', None, None,
        Gio.DBusSignalFlags.NONE, lambda *arguments: changes.append(arguments[5].unpack()[1]))
    return changes


@test
def a_server_comes_and_goes_and_comes():
    """A tunnel waits for its server, from the first attempt on, and says until when."""
    desktop = Desktop()
    port = free_port()
    path = desktop.create(f'ws://127.0.0.1:{port}/', lifetime='session', open=True)
    for _ in range(2):
        desktop.wait_for_state(path, 'waiting')
        assert desktop.get(path, 'LastError')[0] == f'{NAME}.Error.ConnectionFailed'
        wait_until(lambda: desktop.get(path, 'NextRetry') > 0, what='the time')
        assert desktop.get(path, 'ConnectedSince') == 0
        server = Tool.server('--port', str(port))
        desktop.wait_for_state(path, 'connected')
        assert desktop.get(path, 'LastError') == ('', '') and desktop.get(path, 'NextRetry') == 0
        server.process.kill()
        server.wait()
    desktop.wait_for_state(path, 'waiting')
    desktop.do(path, 'Close')
    assert desktop.state(path) == 'inactive' and desktop.get(path, 'NextRetry') == 0
    desktop.close()


@test
def changes_are_told_together():
    world = World()
    changes = watch_changes(world.desktop)
    path = world.open()
    iterate_until(lambda: any(c.get('State') == 'connected' for c in changes), 'the signal')
    for change in changes:
        if change.get('State') == 'connected':
            assert change['ConnectedSince'] > 0, change
    # What is the same as before is not told.
    changes.clear()
    world.desktop.do(path, 'Update', GLib.Variant('(a{sv})', ({},)))
    changed = GLib.Variant('(a{sv})', ({'name': GLib.Variant('s', 'new'),
                                        'autoconnect': GLib.Variant('b', True)},))
    world.desktop.do(path, 'Update', changed)
    iterate_until(lambda: changes, 'the change')
    assert changes == [{'Name': 'new', 'Autoconnect': True}], changes
    world.close()


@test
def streams_are_told_once_a_second():
    world = World()
    changes = watch_changes(world.desktop)
    path = world.open()
    port = world.bound_port(path)
    begin = GLib.get_monotonic_time()
    users = []
    for _ in range(40):
        users.append(user(port))
        users[-1].sendall(b'x')
        receive_exactly(users[-1], 1)
        if len(users) > 5:
            users.pop(0).close()
        iterate_until(lambda: True, '')
    for sock in users:
        sock.close()
    iterate_until(lambda: world.desktop.get(path, 'ActiveStreams') == 0, 'the end of all')
    seconds = (GLib.get_monotonic_time() - begin) / 1e6
    told = [c['ActiveStreams'] for c in changes if 'ActiveStreams' in c]
    assert told and len(told) <= seconds + 2, (told, seconds)
    world.close()


NOTIFICATIONS = Gio.DBusNodeInfo.new_for_xml('''<node>
<interface name="org.freedesktop.Notifications"><method name="Notify">
<arg type="s" direction="in"/><arg type="u" direction="in"/><arg type="s" direction="in"/>
<arg type="s" direction="in"/><arg type="s" direction="in"/><arg type="as" direction="in"/>
<arg type="a{sv}" direction="in"/><arg type="i" direction="in"/><arg type="u" direction="out"/>
</method></interface></node>''')


class Notifications:
    """What a user would have been told."""

    def __init__(self, desktop):
        self.told = []
        self.bus = desktop.connect()
        self.bus.register_object('/org/freedesktop/Notifications', NOTIFICATIONS.interfaces[0],
                                 self.notify, None, None)
        self.call_bus('RequestName', GLib.Variant('(su)', ('org.freedesktop.Notifications', 4)))

    def call_bus(self, method, arguments=None):
        self.bus.call_sync('org.freedesktop.DBus', '/org/freedesktop/DBus', 'org.freedesktop.DBus',
                           method, arguments, None, Gio.DBusCallFlags.NONE, -1, None)

    def notify(self, connection, sender, path, interface, method, parameters, invocation):
        self.told.append(parameters.unpack())
        invocation.return_value(GLib.Variant('(u)', (1,)))

    def count(self):
        """With all that was sent before."""
        self.call_bus('GetId')
        iterate_until(lambda: True, '')
        return len(self.told)


@test
def one_notification_for_a_failure():
    world = World()
    desktop = world.desktop
    notifications = Notifications(desktop)
    refused = [(str(world.target.port), '1')]
    path = world.create(refused, name='<b>web</b>', lifetime='session', open=True)
    desktop.wait_for_state(path, 'failed')
    assert notifications.count() == 1
    (application, _, _, summary, body, actions, hints, _), = notifications.told
    assert '<b>web</b>' in summary and body and '<' not in body, notifications.told
    # Closing it is none, and when it is opened again it is the next one.
    desktop.do(path, 'Close')
    assert notifications.count() == 1
    desktop.do(path, 'Open')
    desktop.wait_for_state(path, 'failed')
    assert notifications.count() == 2
    desktop.do(path, 'Delete')
    # One that was open, and does not come back.
    port = free_port()
    server = Tool.server('--port', str(port))
    path = desktop.create(f'ws://127.0.0.1:{port}/', [], lifetime='persistent', open=True)
    desktop.wait_for_state(path, 'connected')
    server.process.kill()
    server.wait()
    assert notifications.count() == 2
    answer_each(b'HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n', port)
    desktop.wait_for_state(path, 'failed')
    assert notifications.count() == 3
    world.close()


@test
def no_other_notification():
    """Not for a tunnel of a program, nor for what goes well or will, nor for a missing token."""
    world = World()
    desktop = world.desktop
    notifications = Notifications(desktop)
    refused = (str(world.target.port), '1')
    desktop.wait_for_state(world.create([refused], open=True), 'failed')
    path = world.open(lifetime='session')
    desktop.do(path, 'Close')
    path = world.create([refused, ('0', '1')], lifetime='session', open=True)
    wait_until(lambda: desktop.get(path, 'LastError')[0], what='the refusal of one of two')
    path = desktop.create(f'ws://127.0.0.1:{free_port()}/', lifetime='session', open=True)
    desktop.wait_for_state(path, 'waiting')
    desktop.set_token(path, 'token', 'file')
    desktop.do(path, 'Close')
    for file in desktop.secrets.iterdir():
        file.unlink()
    desktop.do(path, 'Open')
    desktop.wait_for_state(path, 'needs-secrets')
    assert notifications.count() == 0, notifications.told
    world.close()


def answer_each(answer, port=0):
    """A server that answers each connection with this: its port, and the connections so far."""
    listener = socket.create_server(('127.0.0.1', port))
    seen = []

    def serve():
        while True:
            sock, _ = listener.accept()
            with sock:
                sock.recv(4096)
                seen.append(sock)
                sock.sendall(answer)
    threading.Thread(target=serve, daemon=True).start()
    return listener.getsockname()[1], seen


def waiting_tunnel(desktop):
    """One that is told to come back in an hour, and the attempts that it has made."""
    port, attempts = answer_each(b'HTTP/1.1 503 Busy\r\nRetry-After: 3600\r\n'
                                 b'Content-Length: 0\r\n\r\n')
    path = desktop.create(f'ws://127.0.0.1:{port}/', lifetime='session', open=True)
    wait_for_an_hour(desktop, path)
    assert len(attempts) == 1
    return path, attempts


def wait_for_an_hour(desktop, path):
    wait_until(lambda: desktop.state(path) == 'waiting'
               and desktop.get(path, 'NextRetry') > (time.time() + 3000) * 1e6,
               what='the long wait')


@test
def a_user_does_not_wait():
    desktop = Desktop()
    path, attempts = waiting_tunnel(desktop)
    desktop.do(path, 'Open')
    wait_until(lambda: len(attempts) == 2, what='another attempt')
    wait_for_an_hour(desktop, path)
    desktop.do(path, 'Close')
    assert len(attempts) == 2
    desktop.close()


@test
def the_network_comes_back():
    desktop = Desktop(**network.ENVIRONMENT)
    portal = network.Network(desktop)
    path, attempts = waiting_tunnel(desktop)
    wait_until(lambda: portal.asked, what='a question for the network')
    # Without a network there is nothing to try.
    portal.change(available=False)
    wait_until(lambda: portal.asked >= 2, what='another question')
    assert desktop.state(path) == 'waiting' and len(attempts) == 1
    portal.change(available=True)
    wait_until(lambda: len(attempts) == 2, what='another attempt')
    wait_for_an_hour(desktop, path)
    portal.end()
    desktop.close()


if __name__ == '__main__':
    try:
        main()
    finally:
        Desktop.end_all()
