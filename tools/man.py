#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""Makes a manual page of a page of Markdown: man.py FILE.md NAME VERSION SUMMARY

It knows what our pages use: sections, paragraphs, lists, tables, and indented blocks. The first
paragraphs are the description, and the first indented block is the synopsis.
"""

import pathlib
import re
import sys

QUOTED = {'\\': r'\e', '-': r'\-', "'": r'\(aq', '`': r'\(ga', '^': r'\(ha', '~': r'\(ti'}


def literal(text):
    """As it is to be typed."""
    return ''.join(QUOTED.get(letter, letter) for letter in text)


def inline(text):
    """Code and strong words are bold; of a link, its words are left."""
    parts = []
    for number, part in enumerate(re.split(r'`([^`]*)`', text)):
        if number % 2:
            parts.append(rf'\fB{literal(part)}\fP')
            continue
        part = re.sub(r'\[([^]]*)\]\([^)]*\)', r'\1', part).replace('\\', r'\e')
        parts.append(re.sub(r'\*\*([^*]*)\*\*', r'\\fB\1\\fP', part))
    return ''.join(parts)


def lines_of(text):
    """Each sentence on a line of its own, and none that begins like a request."""
    for line in re.sub(r'([.:;?]) (?=[A-Z`\\])', r'\1\n', text).split('\n'):
        yield '\\&' + line if line[:1] in ('.', "'") else line


def block(lines):
    return ['.PP', '.RS 4', '.nf', *('\\&' + literal(line[4:]) for line in lines), '.fi', '.RE']


def table(lines):
    """The first row is the head, the second a rule. A third column is told with its head."""
    heads, _, *rows = [[cell.strip() for cell in line.strip('|').split('|')] for line in lines]
    for name, what, *further in rows:
        yield '.TP'
        yield inline(name)
        yield from lines_of(inline(what))
        for head, cell in zip(heads[2:], further):
            yield '.br'
            yield from lines_of(inline(f'({head}: {cell})'))


def items(lines):
    for item in re.split(r'(?m)^- ', '\n'.join(lines))[1:]:
        yield '.IP • 2'
        yield from lines_of(inline(' '.join(item.split())))


def convert(paragraphs):
    """A paragraph is what stands between two empty lines."""
    for paragraph in paragraphs:
        lines = paragraph.split('\n')
        if lines[0].startswith('<!--'):
            continue
        if lines[0].startswith('### '):
            yield f'.SS {inline(lines[0][4:])}'
        elif lines[0].startswith('## '):
            yield f'.SH {inline(lines[0][3:]).upper()}'
        elif lines[0].startswith('    '):
            yield from block(lines)
        elif lines[0].startswith('|'):
            yield from table(lines)
        elif lines[0].startswith('- '):
            yield from items(lines)
        else:
            yield '.PP'
            yield from lines_of(inline(' '.join(lines)))


def main(path, name, version, summary):
    text = pathlib.Path(path).read_text(encoding='utf-8').strip('\n')
    head, *paragraphs = re.split(r'\n{2,}', text[text.index('\n# ') + 1:])
    assert head == f'# {name}', f'{path} begins with {head!r}, not with # {name}'
    synopsis = next(part for part in paragraphs if part.startswith('    '))
    paragraphs.remove(synopsis)
    page = [
        '.\\" Made of Markdown: change that.',
        f'.TH {literal(name).upper()} 1 "" "libvtunnel {version}" "User Commands"',
        '.SH NAME', f'{literal(name)} \\- {summary}',
        '.SH SYNOPSIS', '.nf', *(literal(line.strip()) for line in synopsis.split('\n')), '.fi',
        '.SH DESCRIPTION', *convert(paragraphs)]
    sys.stdout.reconfigure(encoding='utf-8')
    print('\n'.join(page))


if __name__ == '__main__':
    main(*sys.argv[1:])
