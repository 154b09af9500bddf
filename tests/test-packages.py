#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""What is in the Debian packages, what they depend on, and that it works from there.

Usage: test-packages.py DIRECTORY [TEST…]: the packages that `tools/dev package` has left there.
They are unpacked below a folder, and not installed.
"""

import collections
import fnmatch
import os
import pathlib
import re
import subprocess
import sys
import tempfile

sources = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(sources / 'tests' / 'peers'))

from harness import main, test  # noqa: E402

PACKAGES = pathlib.Path(sys.argv.pop(1)).resolve()
LIBRARIES = 'usr/lib/*'
# Besides what Debian puts into each: all that may be in a package, each at least once.
CONTENTS = {
    'libvtunnel-1-0': [f'{LIBRARIES}/libvtunnel-1.so.0', f'{LIBRARIES}/libvtunnel-1.so.0.*'],
    'libvtunnel-1-common': ['usr/share/locale/de/*.mo', 'usr/share/locale/fr/*.mo'],
    'gir1.2-vt-1': [f'{LIBRARIES}/girepository-1.0/Vt-1.typelib'],
    'libvtunnel-1-dev': [
        f'{LIBRARIES}/libvtunnel-1.so', f'{LIBRARIES}/pkgconfig/vtunnel-1.pc',
        'usr/include/vtunnel-1/vtunnel/*.h', 'usr/share/gir-1.0/Vt-1.gir',
        'usr/share/vala/vapi/vtunnel-1.vapi', 'usr/share/vala/vapi/vtunnel-1.deps'],
    'libvtunnel-1-doc': [
        'usr/share/doc/vtunnel-1/index.html', 'usr/share/doc/vtunnel-1/index.json',
        'usr/share/doc/vtunnel-1/class.Client.html', 'usr/share/doc/vtunnel-1/security.html',
        'usr/share/doc/vtunnel-1/vtunnel-1.devhelp2', 'usr/share/doc/vtunnel-1/*',
        'usr/share/doc-base/*', 'usr/share/gtk-doc/html/vtunnel-1',
        *(f'usr/share/doc/libvtunnel-1-dev/examples/*.{end}' for end in ('c', 'js', 'py')),
        'usr/share/doc/libvtunnel-1-dev/examples/*'],
    'vtunnel-tool': [
        'lib/systemd/system/vtunnel-client@.service', 'lib/systemd/system/vtunnel-server.service',
        'lib/systemd/system/vtunnel-server.socket', 'usr/lib/sysusers.d/vtunnel.conf',
        'usr/bin/vtunnel-tool',
        'usr/share/man/man1/vtunnel-tool.1.gz',
        'usr/share/bash-completion/completions/vtunnel-tool',
        'usr/share/fish/vendor_completions.d/vtunnel-tool.fish',
        'usr/share/zsh/vendor-completions/_vtunnel-tool'],
    'vtunnel-session': [
        'usr/libexec/vtunnel-session', 'usr/share/man/man1/vtunnel-session.1.gz',
        'usr/lib/systemd/user/vtunnel-session.service', 'usr/share/dbus-1/services/*.service'],
    'libvtunnel-session-1-0': [f'{LIBRARIES}/libvtunnel-session-1.so.0',
                               f'{LIBRARIES}/libvtunnel-session-1.so.0.*'],
    'libvtunnel-session-1-dev': [
        f'{LIBRARIES}/libvtunnel-session-1.so', f'{LIBRARIES}/pkgconfig/vtunnel-session-1.pc',
        'usr/include/vtunnel-session-1/vtunnel-session/*.h', 'usr/share/dbus-1/interfaces/*.xml'],
}
# What the profiles nodoc and noinsttest leave out.
OPTIONAL = {'libvtunnel-1-doc', 'libvtunnel-1-tests'}
BASE = {'libc6', 'libglib2.0-0'}
LIBRARY = BASE | {'libjson-glib-1.0-0', 'libsoup-3.0-0'}
DEPENDS = {
    'libvtunnel-1-0': LIBRARY,
    'libvtunnel-1-common': set(),
    'gir1.2-vt-1': {'gir1.2-glib-2.0', 'gir1.2-soup-3.0', 'libvtunnel-1-0'},
    'libvtunnel-1-dev': {'gir1.2-vt-1', 'libglib2.0-dev', 'libsoup-3.0-dev', 'libvtunnel-1-0'},
    'vtunnel-tool': LIBRARY | {'libvtunnel-1-0', 'libsystemd0', 'systemd'},
    'vtunnel-session': BASE | {'libvtunnel-1-0', 'libsecret-1-0', 'init-system-helpers',
                               'default-dbus-session-bus'},
    'libvtunnel-session-1-0': BASE,
    'libvtunnel-session-1-dev': {'libglib2.0-dev', 'libvtunnel-session-1-0'},
}


def output(*words, **options):
    return subprocess.run([str(word) for word in words], check=True, text=True, timeout=60,
                          stdout=subprocess.PIPE, **options).stdout


def find_packages():
    """The package files by name; those with debugging symbols are not ours to look at."""
    paths = {path.name.split('_')[0]: path for path in PACKAGES.glob('*.deb')}
    return {name: path for name, path in paths.items() if not name.endswith('-dbgsym')}


def files_of(path):
    """What is in it, without folders and without what Debian asks of each package."""
    lines = output('dpkg-deb', '--contents', path).splitlines()
    names = [line.split(None, 5)[5].split(' -> ')[0].removeprefix('./') for line in lines]
    own = f'usr/share/doc/{path.name.split("_")[0]}/'
    return [name for name in names
            if name and not name.endswith('/') and not name.startswith(own)]


def version(name):
    return output('dpkg-deb', '--field', find_packages()[name], 'Version').strip()


class Root(tempfile.TemporaryDirectory):
    """A folder with all packages unpacked, and what programs have to be told of it."""

    def __enter__(self):
        folder = pathlib.Path(super().__enter__())
        for path in find_packages().values():
            subprocess.run(['dpkg-deb', '--extract', path, folder], check=True)
        self.library, = folder.glob('usr/lib/*/libvtunnel-1.so.0')
        self.usr = folder / 'usr'
        self.environment = dict(os.environ, LC_ALL='C.UTF-8',
                                LD_LIBRARY_PATH=str(self.library.parent),
                                GI_TYPELIB_PATH=str(self.library.parent / 'girepository-1.0'))
        return self

    def run(self, *words, **options):
        return output(*words, env=self.environment, **options)


@test
def each_package_has_what_is_its_own():
    packages = find_packages()
    assert set(packages) - OPTIONAL == set(CONTENTS) - OPTIONAL, sorted(packages)
    for name, patterns in CONTENTS.items():
        if name in OPTIONAL - set(packages):
            continue
        names = files_of(packages[name])
        for pattern in patterns:
            assert fnmatch.filter(names, pattern), f'{name} has no {pattern}'
        for path in names:
            assert any(fnmatch.fnmatch(path, pattern) for pattern in patterns), f'{name}: {path}'


@test
def what_the_documentation_copies_is_there():
    text = (sources / 'docs' / 'running.md').read_text()
    wanted = set(re.findall(r'/(usr/share/doc/\S+)', text))
    assert len(wanted) == 2, wanted
    listing = output('dpkg-deb', '--contents', find_packages()['vtunnel-tool'])
    assert wanted <= {line.split(' ./')[1] for line in listing.splitlines()}, wanted


def control_files(name, folder):
    subprocess.run(['dpkg-deb', '--control', find_packages()[name], folder], check=True)
    return pathlib.Path(folder)


def calls_of(script, *arguments):
    """What a package's script has systemd do, on a machine that runs it."""
    with tempfile.TemporaryDirectory() as folder:
        log, stubs = pathlib.Path(folder, 'log'), pathlib.Path(folder, 'bin')
        stubs.mkdir()
        for program in 'systemctl', 'deb-systemd-invoke', 'deb-systemd-helper', 'systemd-sysusers':
            stub = stubs / program
            stub.write_text(f'#!/bin/sh\nset -f\necho {program} "$@" >>{log}\n')
            stub.chmod(0o755)
        # As if it were the machine's first process, whatever it is here.
        text = script.read_text().replace('/run/systemd/system', folder)
        log.touch()
        subprocess.run(['sh', '-s', *arguments], input=text, text=True, check=True, timeout=60,
                       env=dict(os.environ, PATH=f'{stubs}:{os.environ["PATH"]}',
                                DPKG_MAINTSCRIPT_PACKAGE='vtunnel-tool'))
        return log.read_text().splitlines()


@test
def what_runs_survives_an_upgrade_and_ends_with_the_package():
    running = {'vtunnel-server.service', 'vtunnel-client@*.service'}
    with tempfile.TemporaryDirectory() as folder:
        scripts = control_files('vtunnel-tool', folder)

        def said(name, *arguments):
            path = scripts / name
            return calls_of(path, *arguments) if path.exists() else []

        def invoked(name, *arguments):
            return [line.split()[1:] for line in said(name, *arguments)
                    if line.startswith('deb-systemd-invoke ')]
        # In the order of an upgrade: nothing ends before what is new is there.
        for script in (('prerm', 'upgrade', '2'), ('preinst', 'upgrade', '1'),
                       ('postrm', 'upgrade', '2')):
            assert not invoked(*script), script
        (action, *units), = invoked('postinst', 'configure', '1')
        assert action == 'try-restart' and set(units) == running, (action, units)
        # systemd has to know what is new before.
        assert 'daemon-reload' in said('postinst', 'configure', '1')[-2]
        assert not invoked('postinst', 'configure')
        (action, *units), = invoked('prerm', 'remove')
        assert action == 'stop' and set(units) == running | {'vtunnel-server.socket'}, units
        assert 'deb-systemd-helper purge' in ' '.join(said('postrm', 'purge'))


@test
def nothing_is_there_twice():
    owners = collections.defaultdict(list)
    for name, path in find_packages().items():
        for file in files_of(path):
            owners[file].append(name)
    assert not [file for file, names in owners.items() if len(names) > 1]


@test
def each_package_depends_on_no_more_than_it_needs():
    for name, wanted in DEPENDS.items():
        field = output('dpkg-deb', '--field', find_packages()[name], 'Depends')
        depends = set(re.findall(r'(?:^|, )([a-z0-9.+-]+)', field))
        assert depends == wanted, f'{name}: {sorted(depends ^ wanted)}'


@test
def the_command_works():
    with Root() as root:
        tool = root.usr / 'bin' / 'vtunnel-tool'
        said = root.run(tool, '--version')
        assert said.split()[-1] == version('vtunnel-tool').split('-')[0], said
        assert '<html' in root.run(tool, 'demo', '--once', stderr=subprocess.DEVNULL)
        assert f' => {root.library}' in root.run('ldd', tool)


@test
def python_finds_the_library():
    with Root() as root:
        said = root.run('/usr/bin/python3', '-c', '''
import gi
gi.require_version('Vt', '1')
from gi.repository import Vt
Vt.Client()
print(Vt.VERSION_STRING, open('/proc/self/maps').read())''')
        assert said.startswith(version('gir1.2-vt-1').split('-')[0] + ' '), said
        assert str(root.library.resolve()) in said


@test
def the_session_service_works():
    with Root() as root:
        said = root.run(root.usr / 'libexec' / 'vtunnel-session', '--version')
        assert said.split()[-1] == version('vtunnel-session').split('-')[0], said
        for path in ('lib/systemd/user/vtunnel-session.service',
                     'share/dbus-1/services/io.github.vtunnel.Vtunnel1.service'):
            assert 'Start=/usr/libexec/vtunnel-session' in (root.usr / path).read_text() \
                or 'Exec=/usr/libexec/vtunnel-session' in (root.usr / path).read_text()


@test
def examples_are_built_with_the_development_files():
    examples = {'forward': 'vtunnel-1', 'server-policy': 'vtunnel-1',
                'session': 'vtunnel-session-1'}
    with Root() as root, tempfile.TemporaryDirectory() as folder:
        for path in root.library.parent.glob('pkgconfig/*.pc'):
            text = path.read_text().replace('prefix=/usr\n', f'prefix={root.usr}\n')
            pathlib.Path(folder, path.name).write_text(text)
        root.environment['PKG_CONFIG_PATH'] = folder
        for name, module in examples.items():
            flags = root.run('pkg-config', '--cflags', '--libs', module).split()
            assert f'-I{root.usr}/include/{module}' in flags, flags
            source = sources / 'docs' / 'examples' / f'{name}.c'
            program = pathlib.Path(folder, name)
            root.run('cc', '-Wall', '-Werror', '-o', program, source, *flags)
            assert str(root.library.parent) in root.run('ldd', program)


if __name__ == '__main__':
    main()
