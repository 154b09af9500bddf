#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""po/fr.po has the apostrophes and the spaces of French typography."""

import pathlib
import re
import sys

# Options and code have marks of their own, without a space before them.
WRONG = [
    (r"(?<=[^\W\d_])'(?=[^\W\d_%«])", 'an apostrophe is ’'),
    (r' [;?!](?!\S)', 'before ; ? ! stands U+202F'),
    (r' :(?!\S)', 'before : stands U+00A0'),
    (r'« |«(?!\N{NO-BREAK SPACE})', 'behind « stands U+00A0'),
    (r' »|(?<!\N{NO-BREAK SPACE})»', 'before » stands U+00A0'),
    (r'[“”]', 'quotation marks are « and »'),
]


def main():
    problems = []
    translated = False
    path = pathlib.Path('po/fr.po')
    for number, line in enumerate(path.read_text(encoding='utf-8').split('\n'), 1):
        if line.startswith('msg'):
            translated = line.startswith('msgstr')
        if translated and not line.startswith('#'):
            problems += [f'{path}:{number}: {what}' for pattern, what in WRONG
                         if re.search(pattern, line)]
    print('\n'.join(problems), end='\n' if problems else '')
    return 1 if problems else 0


if __name__ == '__main__':
    sys.exit(main())
