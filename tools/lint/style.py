#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""What docs/style.md says of a single file and a program can check."""

import os
import pathlib
import re
import sys

MAX_COLUMNS = 100
MAX_FILE = 600
MAX_FUNCTION = 60

SPDX = ('SPDX-FileCopyrightText: The libvtunnel authors', 'SPDX-License-Identifier: MIT')
SUFFIXES = {'.c', '.h', '.py', '.js', '.sh', '.build'}

# What may not stand in a C file, and what to write instead.
FORBIDDEN_C = [
    (r'\bg(char|int|uint|long|ulong|short|ushort|float|double|size)\b',
     'C has a type of its own for this'),
    (r'\bg_(timeout|idle)_add(_full|_seconds|_once)?\b',
     'a VtTimer, or a named GSource on the thread-default context'),
    (r'\b(g_usleep|usleep|sleep|nanosleep) \(', 'nothing sleeps'),
    (r'\bg_auto(ptr|list)? \(', 'g_autoptr(T) without a space'),
    (r'\bgoto\b', 'g_auto* instead of goto'),
    (r'\t', 'no tabs'),
    (r'G_DECLARE_DERIVABLE_TYPE', 'final types, or a written reason'),
    (r'g_param_spec_\w+ \("[^"]+", "', 'no nick and no blurb'),
]
LITERAL = r'"(?:\\.|[^"\\\n])*"'
TRANSLATABLE = re.compile(rf'\b(?:N?_|C_|ngettext) \(\s*((?:{LITERAL}[\s,]*)+)')
MARKS = re.compile(r'\b(TODO|FIXME|XXX|HACK)\b')
IN_TESTS = re.compile(r'time\.sleep|g_usleep|\bsleep [0-9.]+\b')

problems = []


def report(path, line, text):
    problems.append(f'{path}:{line}: {text}')


def check_text(path, lines):
    head = '\n'.join(lines[:4])
    if not all(words in head for words in SPDX):
        report(path, 1, 'the two SPDX lines are missing')
    for number, line in enumerate(lines, 1):
        if len(line) > MAX_COLUMNS:
            report(path, number, f'{len(line)} columns, {MAX_COLUMNS} at most')
        if line != line.rstrip():
            report(path, number, 'white space at the end of the line')
        if MARKS.search(line) and path.name != 'style.py':
            report(path, number, 'an unfinished mark')
        if path.parts[0] == 'tests' and IN_TESTS.search(line):
            report(path, number, 'tests wait for an event with a deadline, they do not sleep')


def check_functions(path, lines):
    start = None
    for number, line in enumerate(lines, 1):
        if line.startswith('{'):
            start = number
        elif line.startswith('}') and start:
            if number - start - 1 > MAX_FUNCTION:
                report(path, start, f'a function of {number - start - 1} lines, '
                                    f'{MAX_FUNCTION} at most')
            start = None


def check_c(path, lines):
    if len(lines) > MAX_FILE:
        report(path, len(lines), f'{len(lines)} lines, {MAX_FILE} at most')
    for number, line in enumerate(lines, 1):
        code = re.sub(r'"(\\.|[^"\\])*"', '""', line)
        if re.match(r'\s*(/?\*|//)', code):
            continue
        for pattern, instead in FORBIDDEN_C:
            if re.search(pattern, line if 'param_spec' in pattern else code):
                report(path, number, f'{code.strip()!r}: {instead}')
    if path.suffix == '.h':
        if '#pragma once' not in lines[:6]:
            report(path, 1, '#pragma once is missing')
    else:
        check_functions(path, lines)
        check_messages(path, '\n'.join(lines))
        check_own_header(path, lines)


def check_messages(path, text):
    for match in TRANSLATABLE.finditer(text):
        if r'\"' in match[1]:
            report(path, text.count('\n', 0, match.start()) + 1,
                   'quotes in messages for people are “ and ”')


def check_own_header(path, lines):
    """The first include of the project is the file's own header, if it has one."""
    own = [path.with_name(f'{path.stem}{end}').name for end in ('-private.h', '.h')]
    own = [name for name in own if path.with_name(name).exists()]
    includes = [re.match(r'#include ["<](?:vtunnel/)?([^">]+)[">]', line) for line in lines]
    includes = [match[1] for match in includes if match and match[1] != 'config.h']
    if own and includes and includes[0] not in own:
        report(path, 1, f'includes {includes[0]} before {own[0]}')


def main():
    for path in sorted(pathlib.Path('.').rglob('*')):
        if path.parts[0].startswith(('_build', '.git')) or not path.is_file():
            continue
        # Bytes that some fuzz target reads, whatever they look like.
        if path.parts[:3] == ('tests', 'fuzz', 'corpus'):
            continue
        executable_script = path.suffix == '' and path.parts[0] in ('tools', 'tests', '.ci')
        # Debian's own formats have no place for the SPDX lines.
        if path.parts[:2] == ('tools', 'debian') and not os.access(path, os.X_OK):
            continue
        if path.suffix not in SUFFIXES and not executable_script:
            continue
        lines = path.read_text(encoding='utf-8').splitlines()
        check_text(path, lines)
        if path.suffix in ('.c', '.h'):
            check_c(path, lines)
    print('\n'.join(problems), end='\n' if problems else '')
    return 1 if problems else 0


if __name__ == '__main__':
    sys.exit(main())
