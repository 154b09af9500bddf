#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""When the session service ends by itself, and that no call is lost over it."""

import os
import random
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'peers'))

from gi.repository import GLib  # noqa: E402

from desktop import MANAGER, NAME, ROOT, TUNNEL, Desktop  # noqa: E402
from harness import DEADLINE, main, test, wait_until  # noqa: E402

IDLE = 60  # ms


def idle_desktop(idle=IDLE):
    return Desktop(idle=idle)


@test
def it_ends_with_nothing_to_keep():
    desktop = idle_desktop()
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
    kept = desktop.create(lifetime='persistent')
    desktop.set_token(kept, 'token', 'memory')
    other.close_sync(None)
    wait_until(lambda: desktop.paths() == [kept], what='the end of the tunnel')
    assert_stays(desktop, pid)
    desktop.set_token(kept, '', 'memory')
    desktop.wait_for_exit(pid)
    desktop.close()


def assert_stays(desktop, pid):
    """It would have ended in this time. There is no event for what does not happen."""
    threading.Event().wait((IDLE + 1200) / 1000)
    assert desktop.is_running() and desktop.pid() == pid


@test
def no_call_is_lost_around_the_end():
    """200 calls, each at another moment around the one at which the name is given back."""
    desktop = idle_desktop()
    pids = set()
    for number in range(200):
        path = desktop.create(lifetime='persistent', name=f'tunnel {number}')
        pids.add(desktop.pid())
        desktop.do(path, 'Delete')
        # From well before to well after; the moment itself is where most of them are.
        threading.Event().wait(max(0, random.gauss(IDLE, 2)) / 1000)
    print('#', len(pids), 'processes')
    assert desktop.paths() == []
    desktop.close()


@test
def no_call_to_the_unique_name_is_lost():
    """A proxy sends to the owner that it knows, also when that has given the name back."""
    desktop = idle_desktop()
    for number in range(50):
        desktop.objects()
        owner = desktop.ask_bus('GetNameOwner', NAME)
        threading.Event().wait((IDLE + 5 + random.random() * 100) / 1000)
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
            threading.Event().wait(max(0, random.gauss(20, 3)) / 1000)
        bus.close_sync(None)
    threads = [threading.Thread(target=calls) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)
    assert not errors, errors[0]
    desktop.close()


if __name__ == '__main__':
    try:
        main()
    finally:
        Desktop.end_all()
