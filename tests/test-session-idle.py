#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""When the session service ends by itself, and that no call is lost over it."""

import os
import random
import shutil
import signal
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'peers'))

from gi.repository import Gio, GLib  # noqa: E402

from desktop import MANAGER, NAME, ROOT, TUNNEL, Desktop, error_name  # noqa: E402
from harness import (DEADLINE, Target, Tool, echo, in_thread, main, receive_exactly,  # noqa: E402
                     test, user, wait_until)

IDLE = 40  # ms
LINGER = 20  # ms
LONG_IDLE = 100  # ms, where something has to be done meanwhile

half_a_minute = []


def idle_desktop(idle=IDLE, linger=LINGER, **options):
    return Desktop(idle=idle, linger=linger, **options)


@test
def half_a_minute_begins():
    """The others take about as long."""
    desktop = Desktop()
    desktop.create(lifetime='persistent')
    begin, pid = time.monotonic(), desktop.pid()

    def wait():
        desktop.wait_for_exit(pid)
        return desktop, time.monotonic() - begin
    half_a_minute.append(in_thread(wait))


@test
def it_ends_with_nothing_to_keep():
    desktop = idle_desktop(LONG_IDLE)
    path = desktop.create(lifetime='persistent')
    desktop.wait_for_exit(desktop.pid())
    assert not desktop.is_running()
    assert desktop.state(path) == 'inactive'
    desktop.do(path, 'Delete')
    desktop.wait_for_exit(desktop.pid())
    desktop.close()


@test
def it_stays_for_what_it_keeps():
    """A tunnel of the session, one of a caller, one that waits, a token in memory."""
    desktop = idle_desktop()
    path = desktop.create(lifetime='session')
    pid = desktop.pid()
    other = desktop.connect()
    owned = desktop.create(bus=other)
    assert_stays(desktop, pid)
    desktop.do(path, 'Delete')
    assert_stays(desktop, pid)
    assert desktop.paths() == [owned]
    kept = desktop.create(lifetime='persistent', open=True)
    other.close_sync(None)
    wait_until(lambda: desktop.paths() == [kept], what='the end of the tunnel')
    desktop.wait_for_state(kept, 'waiting')
    assert_stays(desktop, pid)
    desktop.set_token(kept, 'token', 'memory')
    desktop.do(kept, 'Close')
    assert_stays(desktop, pid)
    desktop.set_token(kept, '', 'memory')
    desktop.wait_for_exit(pid)
    desktop.close()


def assert_stays(desktop, pid):
    """It would have ended in this time. There is no event for what does not happen."""
    pause((IDLE + LINGER + 300) / 1000)
    assert desktop.is_running() and desktop.pid() == pid


def pause(seconds):
    threading.Event().wait(max(0, seconds))


def call_around_the_end(desktop):
    """200 calls, each at another moment around the one at which the name is given back."""
    owners = set()
    for number in range(200):
        path = desktop.create(lifetime='persistent', name=f'tunnel {number}')
        desktop.do(path, 'Delete')
        owners.add(desktop.owner())
        # From well before to well after; the moment itself is where most of them are.
        pause(random.gauss(IDLE, 2) / 1000)
    print('#', len(owners), 'processes')
    assert len(owners) > 20, 'none ended meanwhile'
    assert desktop.paths() == []


@test
def no_call_is_lost_around_the_end():
    """Started by the bus; and by a service manager, which ends the service when it gives its name
    back, and starts it again when it is gone."""
    alone, managed = desktops = idle_desktop(), idle_desktop(managed=True)
    for wait in [in_thread(call_around_the_end, desktop) for desktop in desktops]:
        wait()
    alone.close()
    managed.close()
    # The signal may come when all is done. It is no failure to a service manager.
    assert set(managed.manager.statuses) <= {0, -signal.SIGTERM}, managed.manager.statuses


def pid_of_idle(desktop):
    """Of the service, whose time begins now; None if the machine was too slow to ask for it."""
    error_name(desktop.find, 'none')
    try:
        return desktop.pid()
    except GLib.Error:
        return None


def call_at_the_end(desktop, **options):
    """A call that is there when the service finds that it has nothing to keep: a path, or an
    error."""
    results = []
    pid = wait_until(lambda: pid_of_idle(desktop), what='the service')
    os.kill(pid, signal.SIGSTOP)
    pause(LONG_IDLE * 1.1 / 1000)
    variants = {key: GLib.Variant('s' if isinstance(value, str) else 'b', value)
                for key, value in options.items()}
    arguments = GLib.Variant('(sa(ssa{sv})a{sv})', ('ws://127.0.0.1:1/', [], variants))

    def answered(bus, result):
        try:
            results.append(bus.call_finish(result).unpack()[0])
        except GLib.Error as error:
            results.append(error)
    desktop.bus.call(NAME, f'{ROOT}/Manager', MANAGER, 'CreateTunnel', arguments, None,
                     Gio.DBusCallFlags.NONE, int(DEADLINE * 1000), None, answered)
    # Behind the call: when this is answered, the bus has handed it over.
    desktop.ask_bus('GetId')
    os.kill(pid, signal.SIGCONT)
    while not results:
        GLib.MainContext.default().iteration(True)
    return results[0]


@test
def a_call_that_needs_a_managed_service():
    """It cannot stay, so what would be lost with it is refused; all else is done."""
    desktop = idle_desktop(LONG_IDLE, managed=True)
    rounds = refused = 0
    while refused < 3 or rounds < 12:
        rounds += 1
        assert rounds < 500, 'it never met the moment'
        path = call_at_the_end(desktop, lifetime='persistent')
        assert desktop.paths() == [path]
        desktop.do(path, 'Delete')
        for options in ({'lifetime': 'session'}, {'lifetime': 'persistent', 'open': True}):
            path = call_at_the_end(desktop, **options)
            if isinstance(path, GLib.Error):
                name = Gio.dbus_error_get_remote_error(path)
                assert name == 'org.freedesktop.DBus.Error.NoReply', path
                assert desktop.paths() == []
                path = desktop.create(**options)
                refused += 1
            pause(LINGER / 1000)
            assert desktop.paths() == [path]
            desktop.do(path, 'Delete')
    print('#', rounds, 'rounds')
    desktop.close()


@test
def a_call_that_needs_a_service():
    """Without a service manager it takes its name back, and stays."""
    desktop = idle_desktop(LONG_IDLE)
    owners = []
    desktop.bus.signal_subscribe(
        'org.freedesktop.DBus', 'org.freedesktop.DBus', 'NameOwnerChanged', None, NAME,
        Gio.DBusSignalFlags.NONE, lambda *arguments: owners.append(arguments[5].unpack()[2]))
    rounds = 0
    # One that is there again after nobody was.
    while sum(owner == before != '' for before, owner in zip(owners, owners[2:])) < 2:
        rounds += 1
        assert rounds < 500, 'it never met the moment'
        path = call_at_the_end(desktop, lifetime='session')
        pause(LINGER * 2 / 1000)
        assert desktop.paths() == [path]
        desktop.do(path, 'Delete')
    print('#', rounds, 'rounds')
    desktop.close()


@test
def no_call_to_the_unique_name_is_lost():
    """A proxy sends to the owner that it knows, also when that has given the name back."""
    desktop = idle_desktop(LONG_IDLE, linger=5000)
    for _ in range(30):
        # On a slow machine it may be leaving already.
        owner = wait_until(lambda: error_name(desktop.find, 'none') and desktop.owner(),
                           what='the owner')
        pause((LONG_IDLE + 5 + random.random() * 50) / 1000)
        path = desktop.call(f'{ROOT}/Manager', MANAGER, 'CreateTunnel',
                            GLib.Variant('(sa(ssa{sv})a{sv})', ('ws://localhost:1/', [], {})),
                            name=owner)
        # It has its name again, and the tunnel is where everybody looks for it.
        assert desktop.paths() == [path]
        desktop.do(path, 'Delete')
    desktop.close()


@test
def many_callers_at_once():
    desktop = idle_desktop(idle=20)
    errors = []

    def calls():
        bus = desktop.connect()
        for number in range(50):
            try:
                path = desktop.create(bus=bus, lifetime='persistent')
                desktop.call(path, TUNNEL, 'Delete', None, bus)
            except GLib.Error as error:
                errors.append(error)
            pause(random.gauss(20, 3) / 1000)
        bus.close_sync(None)
    threads = [threading.Thread(target=calls) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)
    assert not errors, errors[0]
    desktop.close()


def ends_with_its_bus(desktop):
    pid = desktop.pid()
    desktop.daemon.kill()
    desktop.wait_for_exit(pid)
    desktop.end()
    text = desktop.logged()
    shutil.rmtree(desktop.folder)
    assert 'CRITICAL' not in text and 'WARNING' not in text, text


@test
def its_bus_ends():
    """With nothing to do; with a tunnel that waits; with one that is as busy as it can be."""
    desktop = Desktop()
    desktop.create(lifetime='persistent')
    ends_with_its_bus(desktop)

    desktop = Desktop()
    path = desktop.create(lifetime='session', open=True)
    desktop.wait_for_state(path, 'waiting')
    ends_with_its_bus(desktop)

    desktop, server, target = Desktop(), Tool.server(), Target(echo)
    path = desktop.create(f'ws://127.0.0.1:{server.port}/', [('0', target.spec)], open=True)
    port = wait_until(lambda: desktop.do(path, 'GetStatistics')['forwards'][0]['bound-port'])
    for _ in range(4):
        threading.Thread(target=keep_busy, args=(port,), daemon=True).start()
    wait_until(lambda: desktop.do(path, 'GetStatistics')['bytes-sent'] > 1 << 20, what='traffic')
    ends_with_its_bus(desktop)
    server.stop()


def keep_busy(port):
    """Sends and reads until it cannot."""
    with user(port) as sock:
        try:
            while True:
                sock.sendall(bytes(65536))
                receive_exactly(sock, 65536)
        except (OSError, AssertionError):
            pass


@test
def half_a_minute_is_over():
    desktop, seconds = half_a_minute.pop()()
    assert seconds >= 29, seconds
    assert not desktop.is_running()
    desktop.close()


if __name__ == '__main__':
    try:
        main()
    finally:
        Desktop.end_all()
