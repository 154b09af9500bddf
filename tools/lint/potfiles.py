#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""po/POTFILES.in names exactly the sources that have something to translate."""

import pathlib
import re
import sys

MARKED = re.compile(r'\b(_|N_|C_|ngettext) ?\("')


def main():
    lines = pathlib.Path('po/POTFILES.in').read_text(encoding='utf-8').split('\n')
    listed = {line for line in lines if line and not line.startswith('#')}
    marked = {str(path) for folder in ('vtunnel', 'tools')
              for path in pathlib.Path(folder).rglob('*.c')
              if MARKED.search(path.read_text(encoding='utf-8'))}
    for path in sorted(marked - listed):
        print(f'{path}: has translatable text, and is not in po/POTFILES.in')
    for path in sorted(listed - marked):
        print(f'{path}: is in po/POTFILES.in, and has nothing to translate')
    return 1 if marked != listed else 0


if __name__ == '__main__':
    sys.exit(main())
