#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""The session service as a program on a bus of its own, with real tunnels."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'peers'))

from gi.repository import Gio, GLib  # noqa: E402

from desktop import MANAGER, NAME, ROOT, TUNNEL, Desktop, error_name  # noqa: E402
from harness import (Target, Tool, echo, free_port, main, receive_exactly, test,  # noqa: E402
                     user, wait_until)


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
        forwards = self.desktop.do(path, 'GetStatistics')['forwards']
        return forwards[index]['bound-port']

    def exchange(self, path):
        port = wait_until(lambda: self.bound_port(path), what='the port')
        with user(port) as sock:
            sock.sendall(b'hello')
            assert receive_exactly(sock, 5) == b'hello'

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
    wait_until(lambda: world.bound_port(path, 1) == port, what='the second port')
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
    port = wait_until(lambda: world.bound_port(path), what='the port')
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


@test
def one_notification_for_a_failure():
    world = World()
    told = []
    bus = world.desktop.connect()

    def notify(connection, sender, path, interface, method, parameters, invocation):
        told.append(parameters.unpack())
        invocation.return_value(GLib.Variant('(u)', (1,)))
    bus.register_object('/org/freedesktop/Notifications', NOTIFICATIONS.interfaces[0], notify,
                        None, None)
    Gio.bus_own_name_on_connection(bus, 'org.freedesktop.Notifications',
                                   Gio.BusNameOwnerFlags.NONE, None, None)
    iterate_until(lambda: world.desktop.ask_bus('NameHasOwner', 'org.freedesktop.Notifications'),
                  'the notifications')
    # Not for one that belongs to a program, nor for what goes well.
    refused = [(str(world.target.port), '1')]
    own = world.create(refused, open=True)
    world.desktop.wait_for_state(own, 'failed')
    world.desktop.do(world.open(lifetime='session'), 'Close')
    path = world.create(refused, name='<b>web</b>', lifetime='session', open=True)
    iterate_until(lambda: told, 'the notification')
    assert world.desktop.state(path) == 'failed'
    iterate_until(lambda: True, '')
    (application, _, _, summary, body, actions, hints, _), = told
    assert '<b>web</b>' in summary and body and '<' not in body, told
    world.close()


if __name__ == '__main__':
    try:
        main()
    finally:
        Desktop.end_all()
