#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""Every relative link in a Markdown file leads to a file that is there."""

import pathlib
import re
import sys


def main():
    problems = []
    for path in sorted(pathlib.Path('.').rglob('*.md')):
        if path.parts[0].startswith('_build'):
            continue
        text = re.sub(r'```.*?```', '', path.read_text(encoding='utf-8'), flags=re.S)
        for target in re.findall(r'\]\(([^)\s]+)\)', text):
            if re.match(r'[a-z]+:|#', target):
                continue
            if not (path.parent / target.split('#')[0]).exists():
                problems.append(f'{path}: {target} is not there')
    print('\n'.join(problems), end='\n' if problems else '')
    return 1 if problems else 0


if __name__ == '__main__':
    sys.exit(main())
