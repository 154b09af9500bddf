#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""A lower room never includes a header of a higher one (docs/architecture.md).

The rooms, from the ground up, are the lists of sources in vtunnel/meson.build, and for the session
service those in tools/session/meson.build.
"""

import pathlib
import re
import sys

ROOMS = ['ground', 'access', 'gate', 'link', 'codec', 'replay', 'mux', 'trunk', 'object', 'relay',
         'face']
# Rooms that stand side by side know nothing of each other.
STRANGERS = {('codec', 'gate'), ('codec', 'link'), ('replay', 'gate'), ('replay', 'link'),
             ('mux', 'gate'), ('mux', 'link'), ('mux', 'replay')}

SESSION_ROOMS = ['client', 'logic', 'keyring', 'proxies', 'bus', 'process', 'main']
# What is generated from the contract is for the bus: the logic knows the errors, and no D-Bus.
SESSION_HEADERS = {'vtunnel-session': 'proxies', 'vtunnel-session-generated': 'proxies',
                   'vtunnel-session-extern': 'client'}


def rooms_of_files(folder, rooms):
    files = [folder / 'meson.build', *folder.glob('*/meson.build')]
    text = ''.join(path.read_text(encoding='utf-8') for path in files)
    room_of = {}
    for room in rooms:
        sources = re.search(r'^' + room + r"_sources = files\((.*?\n?)\)\n", text, re.S | re.M)
        if not sources:
            sys.exit(f'{files[0]} has no list {room}_sources')
        for stem in re.findall(r"'(?:[\w-]+/)*([\w-]+)\.c'", sources[1]):
            room_of[stem] = room
    return room_of


def room_of_header(name, room_of):
    stem = re.sub(r'(-private)?\.h$', '', name)
    if stem in room_of:
        return room_of[stem]
    # An internal header that several sources of one room share: vt-mux-internal-private.h.
    starts = [known for known in room_of if stem.startswith(known)]
    starts += [known for known in room_of if stem.rsplit('-', 1)[0] == known]
    return room_of[max(starts, key=len)] if starts else None


def check(folder, rooms, room_of, include):
    problems = []
    for path in sorted(folder.rglob('*.[ch]')):
        own = room_of_header(path.with_suffix('.h').name, room_of)
        if own is None:
            if path.suffix == '.c':
                problems.append(f'{path}: is in no room of {folder}/meson.build')
            continue
        for number, line in enumerate(path.read_text(encoding='utf-8').splitlines(), 1):
            match = re.match(include, line)
            other = room_of_header(match[1], room_of) if match else None
            if other is None:
                continue
            if rooms.index(other) > rooms.index(own) or (own, other) in STRANGERS:
                problems.append(f'{path}:{number}: the room "{own}" includes {match[1]} '
                                f'of the room "{other}"')
    return problems


def main():
    library = pathlib.Path('vtunnel')
    problems = check(library, ROOMS, rooms_of_files(library, ROOMS),
                     r'#include ["<](?:vtunnel/)?(vt-[\w-]+\.h)[">]')
    session = pathlib.Path('tools/session')
    rooms = [room for room in SESSION_ROOMS if room != 'proxies']
    problems += check(session, SESSION_ROOMS,
                      {**rooms_of_files(session, rooms), **SESSION_HEADERS},
                      r'#include ["<](?:vtunnel-session/)?((?:vts|vtunnel-session)[\w-]*\.h)[">]')
    print('\n'.join(problems), end='\n' if problems else '')
    return 1 if problems else 0


if __name__ == '__main__':
    sys.exit(main())
