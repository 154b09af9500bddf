#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""docs/running.md, followed word by word by somebody who is root and has nothing but that page.

It happens on a machine of the test's own (peers/namespace.py). There is no systemd: what
`systemctl` does with the units is done here, with a user as systemd makes one.
"""

import os
import pathlib
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys

tests = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(tests / 'peers'))

import namespace  # noqa: E402

# Where everybody can read what was built, whatever folder that is in.
BUILT = pathlib.Path('/run/built')
TOOL_PLACE = pathlib.Path(os.environ['VT_TOOL']).resolve()
if namespace.INSIDE in os.environ:
    os.environ['VT_TOOL'] = str(BUILT / 'tools' / TOOL_PLACE.name)

from harness import TOOL, Target, Tool, echo, echoes, main, test, wait_until  # noqa: E402

PAGE = (tests.parent / 'docs' / 'running.md').read_text(encoding='utf-8')
EXAMPLES = tests.parent / 'docs' / 'examples'
UNITS = pathlib.Path(os.environ.get('VT_SYSTEM_UNITS', 'tools/systemd'))
CREDENTIALS = pathlib.Path('/run/credentials')
# One of those that systemd gives to DynamicUser=.
NOBODY = 65123


def furnish():
    """What a package brings: the command, the group's file, and the examples."""
    BUILT.mkdir()
    namespace.mount(str(TOOL_PLACE.parents[1]), str(BUILT), flags=namespace.MS_BIND)
    programs = pathlib.Path('/run/bin')
    programs.mkdir()
    (programs / 'vtunnel-tool').symlink_to(TOOL)
    os.environ['PATH'] = f'{programs}:{os.environ["PATH"]}'
    sysusers = pathlib.Path('/etc/sysusers.d')
    sysusers.mkdir(exist_ok=True)
    text = (tests.parent / 'tools' / 'systemd' / 'vtunnel.sysusers.conf').read_text()
    (sysusers / 'vtunnel.conf').write_text(text)
    namespace.mount('tmpfs', '/usr/share/doc', 'tmpfs', options='mode=755')
    place = pathlib.Path('/usr/share/doc/vtunnel-tool/examples')
    place.mkdir(parents=True)
    for path in EXAMPLES.glob('*.conf'):
        (place / path.name).write_text(path.read_text())


def commands(section):
    """What stands in a section to be typed, line by line."""
    text = re.search(rf'(?ms)^## {section}$(.*?)(?=^## |\Z)', PAGE)[1]
    return [line[4:].split('  #')[0].rstrip() for line in text.splitlines()
            if line.startswith('    ') and re.match(r' {4}[a-z][a-z-]+ ', line + ' ')]


def shell(line, text=None):
    done = subprocess.run(['sh', '-ec', line], input=text, text=True, timeout=60,
                          capture_output=True, check=False)
    assert done.returncode == 0, (line, done)
    return done


class Unit:
    """A service that runs as its unit says, but for the sandbox."""

    def __init__(self, name):
        instance = name.partition('@')[2]
        path = UNITS / (f'{name.partition("@")[0]}@.service' if instance else f'{name}.service')
        text = path.read_text().replace('%i', instance)
        self.execs = {key: re.findall(rf'(?m)^{key}=\S+?/vtunnel-tool (.*)$', text)
                      for key in ('ExecStart', 'ExecReload')}
        # The unit's prefix is this build's, the page's is Debian's.
        prefix = re.search(r' (\S*)/vtunnel/', self.execs['ExecStart'][0])[1]
        self.replaced = (prefix + '/vtunnel/', '/etc/vtunnel/')
        loaded = re.findall(r'(?m)^LoadCredential=(\S+?):(.*)$', text)
        self.environment = self.hand_over(name, loaded)
        group, = re.findall(r'(?m)^SupplementaryGroups=(\S+)$', text)
        self.prefix = ('setpriv', f'--reuid={NOBODY}', f'--regid={NOBODY}', f'--groups={group}',
                       '--inh-caps=-all', '--bounding-set=-all', '--no-new-privs')
        self.tool = None

    def hand_over(self, name, credentials):
        place = CREDENTIALS / f'{name}.service'
        place.mkdir(parents=True, exist_ok=True)
        for credential, source in credentials:
            path = pathlib.Path(source.replace(*self.replaced))
            (place / credential).write_text(path.read_text() if path.exists() else '\n')
            os.chown(place / credential, NOBODY, 0)
            (place / credential).chmod(0o400)
        os.chown(place, NOBODY, 0)
        place.chmod(0o500)
        return {'CREDENTIALS_DIRECTORY': str(place)}

    def words(self, key):
        command, = self.execs[key]
        return shlex.split(command.replace(*self.replaced))

    def start(self):
        self.tool = Tool(*self.words('ExecStart'), '--json', prefix=self.prefix,
                         environment=self.environment)

    def reload(self):
        """The check is the unit's user's, and has no credentials, as with systemd 252."""
        done = subprocess.run([*self.prefix, TOOL, *self.words('ExecReload')], text=True,
                              timeout=60, capture_output=True, check=False)
        if done.returncode == 0:
            self.tool.process.send_signal(signal.SIGHUP)
        return done


class Administrator:
    """Types what a section says. A service manager's part is done by hand."""

    def __init__(self):
        self.units = {}
        self.token = None

    def follow(self, section):
        for line in commands(section):
            self.type(line)

    def type(self, line):
        if line.startswith('systemctl enable --now vtunnel-'):
            name = line.split()[-1]
            if not name.endswith('.socket'):
                self.units[name] = Unit(name)
                self.units[name].start()
        elif line.startswith(('systemctl ', 'journalctl ')):
            pass
        else:
            done = shell(line, self.token if '/dev/stdin' in line else None)
            self.token = next(iter(re.findall(r'vt_\S+', done.stderr)), self.token)
            assert '--check-config' not in line or 'fine' in done.stdout, done


@test
def the_page():
    person = Administrator()
    target = Target(echo)
    person.follow('The server')
    server = person.units['vtunnel-server']
    server.tool.event('listening')
    person.follow('A client')
    client = person.units['vtunnel-client@office']
    client.tool.wait_events('forward-opened', 2)
    # What there is to write in the file oneself.
    conf = pathlib.Path('/etc/vtunnel/office.conf')
    conf.write_text(conf.read_text().replace('localhost:3000', target.spec))
    for unit in client, server:
        done = unit.reload()
        assert done.returncode == 0, done
        unit.tool.event('reloaded')
    wait_until(lambda: echoes(9000))
    # A token of its own for Prometheus, and as the page on the tool says: beside it, and renamed.
    shell('cp /etc/vtunnel/access /etc/vtunnel/new; mv /etc/vtunnel/new /etc/vtunnel/access')
    for line in [line for line in commands('Watching it') if '>>/etc/vtunnel/access' in line]:
        shell(line)
    wait_until(lambda: [line for line in server.tool.errors if 'clients in it: 2' in line])
    assert echoes(9000)
    client.tool.stop()
    server.tool.stop()


@test
def what_went_wrong_is_an_error_in_the_journal():
    """What else it says is not: the journal, which is a socket, would show it as it is."""
    place = pathlib.Path('/run/systemd/journal/stdout')
    place.parent.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as journal, socket.socket(socket.AF_UNIX) as near:
        journal.bind(str(place))
        journal.listen()
        near.connect(str(place))
        far, _ = journal.accept()
        subprocess.run([TOOL, 'server', '--no-auth', '--status-listen', '0', '--listen',
                        '192.0.2.77'], stderr=near, timeout=60, check=False)
        near.shutdown(socket.SHUT_WR)
        with far:
            lines = far.makefile(encoding='utf-8').read().splitlines()
    assert len(lines) == 2 and lines[0].startswith('The status is shown on '), lines
    assert lines[1].startswith('<3>vtunnel-tool: '), lines


@test
def what_the_unit_may_not_read():
    access = pathlib.Path('/etc/vtunnel/access')
    shutil.rmtree(access.parent, ignore_errors=True)
    person = Administrator()
    person.follow('The server')
    server = person.units['vtunnel-server']
    server.tool.event('listening')
    for mode, words in (0o644, 'chmod 640'), (0o660, 'chmod 640'), (0o600, 'Permission denied'):
        access.chmod(mode)
        done = server.reload()
        assert done.returncode == 1 and words in done.stderr, done
    access.chmod(0o640)
    assert server.reload().returncode == 0
    # It is root's alone to say which group that is.
    os.chown(access, NOBODY, -1)
    done = server.reload()
    assert done.returncode == 1 and 'chmod 600' in done.stderr, done
    server.tool.stop()


if __name__ == '__main__':
    namespace.enter()
    furnish()
    main()
