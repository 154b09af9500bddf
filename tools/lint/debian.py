#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""tools/debian/ knows the version, and the symbols that the libraries export.

With --write, symbols that are new get the version of now in the symbols files, and those that are
gone are gone there, too. Only do that to what no release has had.
"""

import pathlib
import re
import sys

DEBIAN = pathlib.Path('tools/debian')
LISTS = {'libvtunnel-1-0': 'tests/data/symbols.txt',
         'libvtunnel-session-1-0': 'tests/data/session-symbols.txt'}


def project_version():
    return re.search(r"version: '([^']+)'", pathlib.Path('meson.build').read_text('utf-8'))[1]


def packaged_version():
    return re.match(r'libvtunnel \(([^)]+)-', (DEBIAN / 'changelog').read_text('utf-8'))[1]


def check_version():
    if packaged_version() == project_version():
        return True
    print(f'{DEBIAN}/changelog begins with {packaged_version()}, and this is {project_version()}')
    return False


def known_symbols(path):
    """The file's head, and its line for each symbol."""
    lines = path.read_text('utf-8').splitlines(keepends=True)
    return [line for line in lines if line[0] != ' '], \
        {line.split('@')[0].strip(): line for line in lines if line[0] == ' '}


def check_symbols(package, exported, write):
    path = DEBIAN / f'{package}.symbols'
    head, known = known_symbols(path)
    symbols = pathlib.Path(exported).read_text('utf-8').split()
    if write:
        lines = [known.get(symbol, f' {symbol}@Base {project_version()}\n') for symbol in symbols]
        path.write_text(''.join(head + lines), 'utf-8')
        return True
    differing = sorted(set(symbols) ^ set(known))
    for symbol in differing:
        print(f'{symbol} is in {exported if symbol in symbols else path} only; if that is right: '
              f'tools/lint/debian.py --write')
    return not differing


def main():
    outcomes = [check_version()]
    outcomes += [check_symbols(package, exported, '--write' in sys.argv)
                 for package, exported in LISTS.items()]
    return 0 if all(outcomes) else 1


if __name__ == '__main__':
    sys.exit(main())
