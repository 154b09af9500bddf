#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""-Dinstalled_tests=true installs each test with what it needs. Nothing is built for that.

Usage: test-installed.py MESON SOURCES
"""

import configparser
import json
import pathlib
import shlex
import subprocess
import sys
import tempfile

meson, sources = sys.argv[1:3]


def check(build):
    subprocess.run([meson, 'setup', '-Dinstalled_tests=true', build, sources], check=True,
                   stdout=subprocess.DEVNULL)
    places = json.loads(subprocess.run([meson, 'introspect', '--installed', build], check=True,
                                       capture_output=True, text=True).stdout)
    installed = set(places.values())
    tests = [place for place in installed if place.endswith('.test')]
    folders = set()
    for place in tests:
        config = configparser.ConfigParser(interpolation=None)
        config.read(pathlib.Path(build, 'tests', pathlib.Path(place).name))
        assert config['Test']['Output'] == 'TAP', place
        words = shlex.split(config['Test']['Exec'])
        program = next(word for word in words[1:] if '=' not in word)
        assert words[0] == 'env' and program in installed, f'{place}: {program} is not installed'
        folders.add(pathlib.Path(program).parent)
    folder, = folders
    for name in ('data', 'vectors', 'peers'):
        assert str(folder / name) in installed, f'{name} is not installed'
    names = {pathlib.Path(place).stem for place in tests}
    assert names >= {'stream', 'server', 'scenarios', 'python', 'gjs'}, names


print('1..1')
with tempfile.TemporaryDirectory() as scratch:
    check(scratch)
print('ok 1 what is installed')
