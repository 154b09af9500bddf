#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""The reference manual: test-docs.py CONFIGURATION GIR FOLDER…"""

import pathlib
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from urllib.parse import unquote

tests = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(tests / 'peers'))
configuration, gir, *folders = sys.argv[1:]
del sys.argv[1:]

from harness import main, test  # noqa: E402

CORE = '{http://www.gtk.org/introspection/core/1.0}'
# A line that is a link to a file that the page shows.
SHOWN = r'^\[[^]]*\]\((?:examples/.*|.*\.(?:conf|cfg|yml|yaml)|Caddyfile|Containerfile)\)$'
output = tempfile.TemporaryDirectory(prefix='vtunnel-docs-')
site = pathlib.Path(output.name)


def written_pages():
    """By the names that they have in the manual."""
    docs = tests.parent / 'docs'
    pages = {path.stem: path for path in docs.glob('*.md')}
    return pages | {f'deploy-{path.stem}': path for path in (docs / 'deploy').glob('*.md')}


@test
def it_is_made_without_a_warning():
    result = subprocess.run(
        ['gi-docgen', 'generate', '--quiet', '--fatal-warnings', '--no-namespace-dir',
         f'--config={configuration}', f'--output-dir={site}',
         *(f'--content-dir={folder}' for folder in folders), gir],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert result.returncode == 0 and 'WARNING' not in result.stdout, result.stdout


@test
def its_links_lead_somewhere():
    """Within it; the pages that are written by hand also to the right place on a page."""
    written = set(written_pages())
    texts = {path.name: path.read_text(encoding='utf-8') for path in site.glob('*.html')}
    assert len(texts) > 100, len(texts)
    for name, text in texts.items():
        for target in re.findall(r'(?:href|src)="([^"]+)"', text):
            page, _, place = unquote(target).partition('#')
            if re.match(r'[a-z]+:|//', target):
                continue
            assert not page or (site / page).exists(), f'{name}: {target} is not there'
            if place and pathlib.Path(name).stem in written:
                assert f'id="{place}"' in texts[page or name], f'{name}: no {target}'


@test
def it_has_all_the_pages():
    """Each page of docs/, in the list of the first page; each picture, each example it names."""
    first = (site / 'index.html').read_text(encoding='utf-8')
    for name, path in written_pages().items():
        if path.name != 'style.md':
            assert f'{name}.html' in first, path.name
            page = (site / f'{name}.html').read_text(encoding='utf-8')
            text = path.read_text(encoding='utf-8')
            for picture in re.findall(r'!\[[^]]*\]\(([^)]*)\)', text):
                assert f'src="{picture}"' in page, (path.name, picture)
            shown = len(re.findall(SHOWN, text, re.M))
            assert page.count('<div class="codehilite">') >= shown, path.name


@test
def types_say_what_one_has_to_know():
    """Each class has prose, an example, and a word on its lifetime and on threads."""
    namespace = ElementTree.parse(gir).getroot().find(f'{CORE}namespace')
    types = namespace.findall(f'{CORE}class') + [
        record for record in namespace.findall(f'{CORE}record') if record.find(f'{CORE}method')]
    assert len(types) >= 5, types
    for node in types:
        name, text = node.get('name'), node.findtext(f'{CORE}doc')
        assert len(text) > 400, name
        assert '```' in text, f'{name} has no example'
        assert re.search(r'thread|main context', text), f'{name} says nothing of threads'
        assert re.search(r'alive|reference|belongs to|is over|immutable', text), \
            f'{name} says nothing of its lifetime'


main()
