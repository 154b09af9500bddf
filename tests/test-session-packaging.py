#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""How the session service is found and started, and the examples of programs that use it."""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

tests = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(tests / 'peers'))

from desktop import NAME, SERVICE, Desktop  # noqa: E402
from harness import TOOL, Target, Tool, echo, main, test, wait_until  # noqa: E402

examples = tests.parent / 'docs' / 'examples'
unit = pathlib.Path(os.environ['VT_SESSION_UNIT'])


class Example:
    def __init__(self, desktop, *command):
        env = dict(os.environ, DBUS_SESSION_BUS_ADDRESS=desktop.address)
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env)
        Tool.running.append(self)

    def read_until(self, wanted):
        for line in self.process.stdout:
            if line.rstrip('\n') == wanted:
                return
        raise AssertionError(f'it never said {wanted!r}')

    def end(self):
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()


def verify(path):
    # Needs no service manager, but a folder where one could be.
    with tempfile.TemporaryDirectory() as runtime:
        return subprocess.run(['systemd-analyze', '--user', 'verify', '--man=no', path],
                              stderr=subprocess.PIPE, text=True,
                              env=dict(os.environ, XDG_RUNTIME_DIR=runtime))


@test
def the_unit_is_right():
    """As it is, but for the program, which is not installed yet."""
    text = re.sub('(?m)^ExecStart=.*$', f'ExecStart="{SERVICE}" --managed', unit.read_text())
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, 'vtunnel-session.service')
        path.write_text(text)
        result = verify(path)
        assert result.returncode == 0 and not result.stderr, result.stderr
        path.write_text(text.replace('LockPersonality', 'LockPersonalities'))
        assert verify(path).stderr, 'it says nothing of a mistake either'


@test
def the_files_agree():
    activation = (unit.parent / f'{NAME}.service').read_text()
    assert f'Name={NAME}\n' in activation and f'SystemdService={unit.name}\n' in activation
    assert f'BusName={NAME}\n' in unit.read_text()
    program = re.search('(?m)^Exec=(.*)$', activation)[1]
    assert f'ExecStart={program} --managed\n' in unit.read_text()


@test
def from_nothing_in_a_session():
    """A bus as the desktop's own, that knows the service by the file that is installed."""
    server, target = Tool.server(), Target(echo)
    with tempfile.TemporaryDirectory() as folder:
        services = pathlib.Path(folder, 'dbus-1', 'services')
        services.mkdir(parents=True)
        activation = (unit.parent / f'{NAME}.service').read_text()
        (services / f'{NAME}.service').write_text(
            re.sub('(?m)^Exec=.*$', f'Exec="{SERVICE}"', activation))
        commands = (f'"$0" add web --session --server ws://127.0.0.1:{server.port}/ --open '
                    f'--forward 0={target.spec} && "$0" list --json')
        result = subprocess.run(
            ['dbus-run-session', '--', 'sh', '-c', commands, TOOL], stdout=subprocess.PIPE,
            text=True, check=True, timeout=60, env=dict(
                os.environ, HOME=folder, XDG_DATA_HOME=folder, XDG_CONFIG_HOME=folder))
    told = json.loads(result.stdout)
    assert told['name'] == 'web' and told['state'] == 'connected', told
    # It ends with its bus, and the server hears of it.
    server.event('session-closed')
    server.stop()


@test
def it_says_its_version():
    result = subprocess.run([SERVICE, '--version'], stdout=subprocess.PIPE, text=True, check=True)
    assert re.fullmatch(r'vtunnel-session \d+\.\d+\.\d+\n', result.stdout)
    assert subprocess.run([SERVICE, '--nonsense'], stderr=subprocess.DEVNULL).returncode == 2


@test
def a_second_one_leaves():
    desktop = Desktop()
    path = desktop.create()
    second = subprocess.run([SERVICE], timeout=60, env=dict(
        os.environ, DBUS_SESSION_BUS_ADDRESS=desktop.address))
    assert second.returncode == 1
    assert desktop.paths() == [path]
    desktop.close()


@test
def no_bus_at_all():
    result = subprocess.run([SERVICE], stderr=subprocess.PIPE, timeout=60, env=dict(
        os.environ, DBUS_SESSION_BUS_ADDRESS='unix:path=/nonexistent'))
    assert result.returncode == 1 and result.stderr


def example_connects(*command):
    """Its tunnel is open while it runs, and is gone with it."""
    desktop = Desktop()
    server = Tool.server()
    target = Target(echo)
    example = Example(desktop, *command, f'ws://127.0.0.1:{server.port}/', target.spec)
    example.read_until('connected')
    path, = desktop.paths()
    assert desktop.get(path, 'Owner') != ''
    example.end()
    wait_until(lambda: desktop.paths() == [], what='the end of the tunnel')
    server.stop()
    desktop.close()


@test
def example_in_c():
    example_connects(os.environ['VT_SESSION_EXAMPLE'])


@test
def example_in_javascript():
    example_connects(str(examples / 'session.js'))


@test
def example_in_python():
    desktop = Desktop()
    desktop.create(name='first')
    example = Example(desktop, str(examples / 'session.py'))
    example.read_until('first ws://127.0.0.1:1/ inactive')
    path = desktop.create(name='second')
    example.read_until('second ws://127.0.0.1:1/ inactive')
    desktop.do(path, 'Open')
    for line in example.process.stdout:
        if line.startswith('second') and not line.endswith('inactive\n'):
            break
    example.end()
    desktop.close()


if __name__ == '__main__':
    try:
        main()
    finally:
        Desktop.end_all()
