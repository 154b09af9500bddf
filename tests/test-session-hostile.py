#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""What the session service takes from callers and from files that mean no good."""

import os
import pathlib
import stat
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'peers'))

from gi.repository import Gio, GLib  # noqa: E402

from desktop import MANAGER, NAME, ROOT, TUNNEL, Desktop, error_name  # noqa: E402
from harness import main, test, wait_until  # noqa: E402

INVALID = f'{NAME}.Error.InvalidArgument'
LIMIT = f'{NAME}.Error.Limit'
GOOD = '[Tunnel]\nUri=ws://localhost:1/\n'

# Every type that could be taken for another.
VALUES = [GLib.Variant('b', True), GLib.Variant('s', '1'), GLib.Variant('u', 1),
          GLib.Variant('i', -1), GLib.Variant('t', 1), GLib.Variant('d', 1.0),
          GLib.Variant('o', '/'), GLib.Variant('as', ['1']), GLib.Variant('ay', b'1'),
          GLib.Variant('v', GLib.Variant('s', '1')), GLib.Variant('a{sv}', {}),
          GLib.Variant('a(ss)', [('1', '1')]), GLib.Variant('g', 's'),
          GLib.Variant('y', 1)]


def others(*types):
    return [value for value in VALUES if value.get_type_string() not in types]


@test
def wrong_types_everywhere():
    desktop = Desktop()
    path = desktop.create()
    for key, right in (('name', 's'), ('open', 'b'), ('autoconnect', 'b'), ('lifetime', 's'),
                       ('unknown', ''), ('', '')):
        for value in others(right):
            assert error_name(desktop.create, **{key: value}) == INVALID, (key, value)
    for key, right in (('proxy-protocol', 'u'), ('host-header', 's'), ('forwarded', 's'),
                       ('http', 'b'), ('health', 'u'), ('unknown', '')):
        for value in others(right):
            name = error_name(desktop.create, forwards=[('1', '1', {key: value})])
            assert name == INVALID, (key, value)
    for key, right in (('name', 's'), ('uri', 's'), ('forwards', 'a(ssa{sv})'),
                       ('autoconnect', 'b'), ('lifetime', ''), ('id', '')):
        for value in others(right):
            arguments = GLib.Variant('(a{sv})', ({key: value},))
            assert error_name(desktop.do, path, 'Update', arguments) == INVALID, (key, value)
    for value in others('s'):
        arguments = GLib.Variant('(a{sv}s)', ({'token': value}, 'memory'))
        assert error_name(desktop.do, path, 'SetSecrets', arguments) == INVALID, value
    assert desktop.paths() == [path]
    desktop.close()


@test
def wrong_signatures():
    """GDBus refuses them; nothing of it reaches a handler."""
    desktop = Desktop()
    path = desktop.create()
    for method in ('Open', 'Close', 'Delete', 'GetStatistics', 'Update', 'SetSecrets', 'None'):
        name = error_name(desktop.do, path, method, GLib.Variant('(sss)', ('a', 'b', 'c')))
        assert name.startswith('org.freedesktop.DBus.Error.'), name
    for name in ('State', 'Name', 'Owner'):
        arguments = GLib.Variant('(ssv)', (TUNNEL, name, GLib.Variant('s', 'x')))
        assert error_name(desktop.call, path, 'org.freedesktop.DBus.Properties', 'Set', arguments)
    assert desktop.paths() == [path] and desktop.state(path) == 'inactive'
    desktop.close()


@test
def an_update_is_all_or_nothing():
    desktop = Desktop()
    path = desktop.create('ws://localhost:1/', [('1', '1')], name='before', lifetime='persistent')
    file, = desktop.tunnels.iterdir()
    before = file.read_bytes(), desktop.objects()
    for changes in ({'name': GLib.Variant('s', 'after'), 'uri': GLib.Variant('s', 'nonsense')},
                    {'uri': GLib.Variant('s', 'ws://x/'), 'name': GLib.Variant('s', 'a\nb')},
                    {'name': GLib.Variant('s', 'after'), 'forwards': GLib.Variant(
                        'a(ssa{sv})', [('1', '1', {}), ('1=2', '1', {})])}):
        arguments = GLib.Variant('(a{sv})', (changes,))
        assert error_name(desktop.do, path, 'Update', arguments) == INVALID
    assert (file.read_bytes(), desktop.objects()) == before
    desktop.do(path, 'Update', GLib.Variant('(a{sv})', ({'name': GLib.Variant('s', 'after')},)))
    assert b'after' in file.read_bytes() and desktop.get(path, 'Name') == 'after'
    desktop.close()


@test
def enormous_texts():
    desktop = Desktop()
    huge = 'x' * 3_000_000
    assert error_name(desktop.create, uri=f'ws://{huge}/') == INVALID
    assert error_name(desktop.create, name=huge) == INVALID
    assert error_name(desktop.create, **{huge: True}) == INVALID
    assert error_name(desktop.create, lifetime=huge) == INVALID
    assert error_name(desktop.create, forwards=[(huge, '1')]) == INVALID
    assert error_name(desktop.create, forwards=[('1', huge)]) == INVALID
    assert error_name(desktop.find, huge) == f'{NAME}.Error.NoSuchTunnel'
    assert error_name(desktop.create, forwards=[('0', '1')] * 5_000) == LIMIT
    assert desktop.paths() == []
    assert len(desktop.logged()) < 10_000, 'it is not logged either'
    desktop.close()


@test
def as_many_tunnels_as_there_may_be():
    desktop = Desktop()
    other = desktop.connect()
    for _ in range(256):
        desktop.create(bus=other)
    assert error_name(desktop.create) == LIMIT
    other.close_sync(None)
    wait_until(lambda: desktop.paths() == [], what='the end of all of them')
    desktop.create()
    desktop.close()


@test
def ten_thousand_calls():
    """Without waiting for an answer in between; each of them is answered, and nothing piles up."""
    desktop = Desktop()
    path = desktop.create()
    answers = []
    context = GLib.MainContext.default()

    def answered(bus, result):
        try:
            bus.call_finish(result)
            answers.append('')
        except GLib.Error as error:
            answers.append(Gio.dbus_error_get_remote_error(error))
    calls = [(f'{ROOT}/Manager', MANAGER, 'FindTunnel', GLib.Variant('(s)', ('none',))),
             (path, TUNNEL, 'Open', None), (path, TUNNEL, 'Close', None),
             (path, TUNNEL, 'GetStatistics', None),
             (path, TUNNEL, 'Update', GLib.Variant('(a{sv})', ({},)))]
    memory = []
    for _ in range(2):
        answers.clear()
        for number in range(10_000):
            where, interface, method, arguments = calls[number % len(calls)]
            desktop.bus.call(NAME, where, interface, method, arguments, None,
                             Gio.DBusCallFlags.NONE, 120_000, None, answered)
        while len(answers) < 10_000:
            context.iteration(True)
        assert answers.count('') == 8_000, set(answers)
        assert answers.count(f'{NAME}.Error.NoSuchTunnel') == 2_000, set(answers)
        memory.append(resident(desktop.pid()))
    assert memory[1] < memory[0] + 20_000_000, memory
    desktop.do(path, 'Close')
    assert desktop.state(path) == 'inactive'
    desktop.close()


def resident(pid):
    pages = int(pathlib.Path(f'/proc/{pid}/statm').read_text().split()[1])
    return pages * os.sysconf('SC_PAGE_SIZE')


@test
def hostile_files():
    """They are set aside, and those that are good are there."""
    desktop = Desktop()
    folder = desktop.tunnels
    folder.mkdir(parents=True)
    outside = desktop.folder / 'outside.tunnel'
    outside.write_text(GOOD)
    (folder / 'good.tunnel').write_text(GOOD)
    (folder / 'directory.tunnel').mkdir()
    (folder / 'link.tunnel').symlink_to(outside)
    (folder / 'zero.tunnel').symlink_to('/dev/zero')
    os.mkfifo(folder / 'fifo.tunnel')
    (folder / 'huge.tunnel').write_text(GOOD + '#' * 1_000_000)
    (folder / 'binary.tunnel').write_bytes(os.urandom(10_000))
    (folder / 'Up.tunnel').write_text(GOOD)
    (folder / '..tunnel').write_text(GOOD)
    (folder / 'a\n\x1b[31mb.tunnel').write_text(GOOD)
    (folder / 'password.tunnel').write_text('[Tunnel]\nUri=wss://me:secret-word@localhost/\n')
    (folder / 'another file').write_text('which is none of ours')
    names = {path.name for path in folder.iterdir()}
    assert desktop.paths() == [f'{ROOT}/Tunnels/good']
    after = {path.name for path in folder.iterdir()}
    bad = names - {'good.tunnel', 'another file'}
    assert after == {'good.tunnel', 'another file'} | {f'{name}.damaged-1' for name in bad}, after
    assert outside.read_text() == GOOD
    text = desktop.logged()
    assert text.count('left out') == len(bad), text
    assert '\x1b' not in text and 'secret-word' not in text, text
    assert stat.S_ISFIFO((folder / 'fifo.tunnel.damaged-1').lstat().st_mode)
    desktop.close()


@test
def names_are_no_paths():
    desktop = Desktop()
    path = desktop.create(name='../../../../tmp/x', lifetime='persistent')
    file, = desktop.tunnels.iterdir()
    assert file.name == desktop.get(path, 'Id') + '.tunnel'
    for name in ('../x', '/', '', '.', 'a/b', path):
        assert error_name(desktop.find, name) == f'{NAME}.Error.NoSuchTunnel'
    assert desktop.find('../../../../tmp/x') == path
    desktop.create(name='../../../../tmp/x')
    # Of two it is not said which is meant.
    assert error_name(desktop.find, '../../../../tmp/x') == f'{NAME}.Error.NoSuchTunnel'
    desktop.close()


@test
def modes_with_a_hostile_umask():
    for mask in (0o000, 0o777):
        desktop = Desktop(umask=mask)
        desktop.create(lifetime='persistent')
        file, = desktop.tunnels.iterdir()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        for folder in (desktop.tunnels, desktop.tunnels.parent, desktop.config):
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700, folder
        desktop.close()


if __name__ == '__main__':
    try:
        main()
    finally:
        Desktop.end_all()
