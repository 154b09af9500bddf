#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""A lower room never includes a header of a higher one (docs/architecture.md).

The rooms, from the ground up, are the lists of sources in vtunnel/meson.build.
"""

import pathlib
import re
import sys

ROOMS = ['ground', 'gate', 'link', 'codec', 'replay', 'mux', 'trunk', 'object', 'relay', 'face']
# Rooms that stand side by side know nothing of each other.
STRANGERS = {('codec', 'gate'), ('codec', 'link'), ('replay', 'gate'), ('replay', 'link'),
             ('mux', 'gate'), ('mux', 'link'), ('mux', 'replay')}


def rooms_of_files(folder):
    text = (folder / 'meson.build').read_text(encoding='utf-8')
    room_of = {}
    for room in ROOMS:
        sources = re.search(room + r"_sources = files\((.*?\n?)\)\n", text, re.S)
        if not sources:
            sys.exit(f'vtunnel/meson.build has no list {room}_sources')
        for stem in re.findall(r"'([\w-]+)\.c'", sources[1]):
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


def main():
    folder = pathlib.Path('vtunnel')
    room_of = rooms_of_files(folder)
    problems = []
    for path in sorted(folder.glob('*.[ch]')):
        own = room_of_header(path.with_suffix('.h').name, room_of)
        if own is None:
            if path.suffix == '.c':
                problems.append(f'{path}: is in no room of vtunnel/meson.build')
            continue
        for number, line in enumerate(path.read_text(encoding='utf-8').splitlines(), 1):
            match = re.match(r'#include ["<](?:vtunnel/)?(vt-[\w-]+\.h)[">]', line)
            other = room_of_header(match[1], room_of) if match else None
            if other is None:
                continue
            if ROOMS.index(other) > ROOMS.index(own) or (own, other) in STRANGERS:
                problems.append(f'{path}:{number}: the room "{own}" includes {match[1]} '
                                f'of the room "{other}"')
    print('\n'.join(problems), end='\n' if problems else '')
    return 1 if problems else 0


if __name__ == '__main__':
    sys.exit(main())
