#!/usr/bin/env python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""What is installed is built so that a fault in it is hard to make use of.

Usage: test-hardening.py [--fortified] [--branches] FILE…
"""

import argparse
import re
import subprocess
import sys


def read(path, *options):
    """What readelf says."""
    return subprocess.run(['readelf', '--wide', *options, path], check=True, text=True,
                          capture_output=True).stdout


def segment_flags(path, name):
    """The flags of the program header of this name, as "R E"; None if there is none."""
    found = re.search(rf'^\s*{name}\s+(?:0x\w+\s+){{5}}([RWE ]{{3}})', read(path, '--segments'),
                      re.MULTILINE)
    return found and found[1].strip()


def relocations_are_read_only(path, _):
    """Full RELRO: what is resolved is resolved at the start, and cannot be written afterwards."""
    dynamic = read(path, '--dynamic')
    return (segment_flags(path, 'GNU_RELRO') == 'R'
            and re.search(r'BIND_NOW|FLAGS_1.*\bNOW\b', dynamic))


def lies_anywhere(path, _):
    """PIE, or a shared library, and nothing in its code that has to be written to."""
    header, dynamic = read(path, '--file-header'), read(path, '--dynamic')
    is_library = '.so' in path.rsplit('/', 1)[-1]
    return (re.search(r'Type:\s+DYN', header) and 'TEXTREL' not in dynamic
            and (is_library or re.search(r'FLAGS_1.*\bPIE\b', dynamic)))


def stack_is_not_executed(path, _):
    """No segment is both written and executed, the stack least of all."""
    writable = re.search(r'^\s*LOAD\s.*\sRWE\s', read(path, '--segments'), re.MULTILINE)
    return segment_flags(path, 'GNU_STACK') == 'RW' and not writable


def calls(path):
    """The functions that it has from other libraries."""
    return set(re.findall(r'\sUND\s+(\w+)', read(path, '--dyn-syms')))


def stack_is_watched(path, _):
    """A function that overran its buffer does not return."""
    return '__stack_chk_fail' in calls(path)


# Of those that have a variant which knows how much room there is, the ones that it always replaces.
ALWAYS_FORTIFIED = {'explicit_bzero', 'fprintf', 'printf', 'snprintf', 'sprintf', 'vfprintf',
                    'vprintf', 'vsnprintf', 'vsprintf'}


def calls_are_fortified(path, expected):
    """Functions of the C library know how much room there is."""
    return not expected.fortified or not calls(path) & ALWAYS_FORTIFIED


def branches_have_marks(path, expected):
    """Indirect calls end where the processor finds a mark (Intel's CET)."""
    if not expected.branches:
        return True
    code = subprocess.run(['objdump', '--disassemble', path], check=True, text=True,
                          capture_output=True).stdout
    return len(re.findall(r'\bendbr(?:32|64)\b', code)) >= 10


CHECKS = [relocations_are_read_only, lies_anywhere, stack_is_not_executed, stack_is_watched,
          calls_are_fortified, branches_have_marks]


def main():
    """Checks each file in each way."""
    parser = argparse.ArgumentParser()
    parser.add_argument('--fortified', action='store_true')
    parser.add_argument('--branches', action='store_true')
    parser.add_argument('files', nargs='+')
    expected = parser.parse_args()
    failed = number = 0
    print(f'1..{len(expected.files) * len(CHECKS) + 1}')
    for path in expected.files:
        for check in CHECKS:
            number += 1
            good = check(path, expected)
            failed += not good
            name = f'{path.rsplit("/", 1)[-1]} {check.__name__}'
            print(f'{"ok" if good else "not ok"} {number} - {name}')
    # Without any, the check of the calls above would be vain.
    found = {name for path in expected.files for name in calls(path) if name.endswith('_chk')}
    good = not expected.fortified or found
    print(f'{"ok" if good else "not ok"} {number + 1} - something is fortified: {sorted(found)}')
    return failed > 0 or not good


if __name__ == '__main__':
    sys.exit(main())
