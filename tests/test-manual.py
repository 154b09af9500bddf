#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""The manual pages: test-manual.py vtunnel-tool.1 vtunnel-session.1"""

import os
import pathlib
import re
import subprocess
import sys

tests = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(tests / 'peers'))
tool_page, session_page = map(pathlib.Path, sys.argv[1:3])
del sys.argv[1:3]

from desktop import SERVICE  # noqa: E402
from harness import TOOL, main, test  # noqa: E402


def ask(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


def rendered(page, width=80):
    """As a reader sees it; man must have nothing to say against it."""
    result = subprocess.run(
        ['man', '--warnings', '-E', 'UTF-8', '-P', 'cat', '-l', str(page)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=True,
        env=dict(os.environ, MANWIDTH=str(width), MANROFFOPT='', MAN_KEEP_FORMATTING=''))
    assert result.stderr == '', result.stderr
    return result.stdout


@test
def they_are_clean():
    for page in (tool_page, session_page):
        text = rendered(page)
        for heading in ('NAME', 'SYNOPSIS', 'DESCRIPTION', 'OPTIONS', 'EXIT STATUS', 'SEE ALSO'):
            assert re.search(rf'^{heading}$', text, re.M), (page, heading)
        # What is left of Markdown would be a mistake.
        assert not re.search(r'\*\*|`|\]\(|^ *\||^#', text, re.M), page


@test
def man_would_complain():
    """Otherwise the case above could not fail."""
    broken = tool_page.with_name('broken-manual.1')
    broken.write_text(tool_page.read_text(encoding='utf-8') + '.nonsense\n', encoding='utf-8')
    try:
        rendered(broken)
    except AssertionError:
        return
    finally:
        broken.unlink()
    raise AssertionError('man says nothing of a mistake')


@test
def every_option_is_there():
    """With its short form, and with what it takes."""
    text = rendered(tool_page, 200)
    overview = ask(TOOL, '--help')
    commands = re.findall(r'^  (?!vtunnel)([a-z][a-z-]*) +[A-Z]', overview, re.M)
    assert len(commands) >= 12, commands
    pages = [(overview, 'vtunnel-tool')]
    pages += [(ask(TOOL, command, '--help'), f'vtunnel-tool {command}') for command in commands]
    for help_text, name in pages:
        assert name in text, name
        options = re.findall(r'^  (?:(-.), )?(--[a-z-]+(?:=(?:\'[^\']*\'|\S+))?)', help_text, re.M)
        assert ('-h', '--help') in options, (name, options)
        for short, long in options:
            entry = f'{short}, {long}' if short else long
            assert re.search(rf'(?<!\S){re.escape(entry)}(?![a-z=-])', text), (name, entry)


@test
def the_service_too():
    text = rendered(session_page, 200)
    options = re.findall(r'^ +(?:-., )?(--[a-z-]+)', ask(SERVICE, '--help'), re.M)
    assert '--version' in options, options
    for option in options:
        assert option in text or option == '--help-all', option


main()
