#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""Each check of lint-gir.py can fail: the interface is broken in one place, and that is found.

Usage: test-lint-gir.py LINT GIR SOURCES
"""

import pathlib
import re
import subprocess
import sys
import tempfile

lint, gir, sources = sys.argv[1:4]
text = pathlib.Path(gir).read_text(encoding='utf-8')


def element(kind, name, within=text):
    """The text of an element that has other elements in it."""
    tag = kind.replace(':', '_')
    start = re.search(rf'<{kind}\s+name="{name}"', within)
    assert start, f'no {tag} {name}'
    end = within.index(f'</{kind}>', start.start()) + len(f'</{kind}>')
    return within[start.start():end]


def replaced(old, new):
    assert old in text, old
    return text.replace(old, new, 1)


def changed(kind, name, pattern, new, within=None):
    """The GIR, with the first match of a pattern in an element replaced."""
    old = element(kind, name, within or text)
    mended, count = re.subn(pattern, new, old, count=1, flags=re.S)
    assert count == 1, (kind, name, pattern)
    return replaced(old, mended)


DOC = r'<doc[^>]*>[^<]*</doc>'
client = element('class', 'Client')
session = element('class', 'Session')

cases = {
    'a method that hides one of GObject': (
        replaced('<method name="open_async"', '<method name="connect"'), "hides a method"),
    'a method that is named like a property': (
        replaced('<method name="set_header"', '<method name="uri"'), 'named like a property'),
    'a property without a getter': (
        changed('property', 'rtt', r'getter="[^"]*"', '', within=client), 'has no getter'),
    'a property without a setter': (
        changed('property', 'ping-interval', r'setter="[^"]*"', '', within=client),
        'has no setter'),
    'data that has another name': (
        changed('method', 'open_stream_async', 'name="user_data"', 'name="data"'),
        'is not called user_data'),
    'a value without documentation': (
        changed('method', 'get_rtt', rf'(<return-value[^>]*>\s*){DOC}', r'\1'),
        'has no documentation'),
    'a method without documentation': (
        changed('method', 'get_rtt', DOC, ''), 'has no documentation'),
    'a method without Since': (
        changed('method', 'get_rtt', r'version="[^"]*"', ''), 'has no Since:'),
    'a signal without Since': (
        changed('glib:signal', 'incoming', r'version="[^"]*"', ''), 'has no Since:'),
    'a property without Since': (
        changed('property', 'rtt', r'version="[^"]*"', '', within=client), 'has no Since:'),
    'a class without Since': (
        changed('class', 'Stream', r'version="[^"]*"', ''), 'has no Since:'),
    'an enumeration without Since': (
        changed('enumeration', 'ListenKind', r'version="[^"]*"', ''), 'has no Since:'),
    'a member without documentation': (
        changed('member', 'port', DOC, ''), 'has no documentation'),
    'a value without transfer': (
        changed('method', 'get_rtt', r'<return-value transfer-ownership="none"', '<return-value'),
        'says nothing of transfer'),
    'a pointer whose transfer is guessed': (
        changed('method', 'open_stream_finish', r'(<return-value.*?line=")\d+', r'\g<1>1'),
        'without (transfer'),
    'a parameter that may be NULL': (
        changed('method', 'set_name', r'nullable="1"', ''), 'is not (nullable)'),
    'a value that may be NULL': (
        changed('method', 'get_user', r'nullable="1"', '', within=session), 'is not (nullable)'),
    'a getter that may give NULL': (
        changed('method', 'get_client_address',
                rf'nullable="1"(>\s*){DOC}', r'\1<doc filename="vtunnel/vt-session.c" line="1">'
                r'(transfer none)</doc>', within=session), 'its getter is not (nullable)'),
    'an asynchronous method without its end': (
        replaced('<method name="unlisten_finish"', '<method name="unlisten_end"'),
        'has no _finish'),
    'an end without its beginning': (
        replaced('<method name="unlisten_async"', '<method name="unlisten_begin"'),
        'has no _async'),
    'an end that cannot fail': (
        changed('method', 'unlisten_finish', 'throws="1"', ''), 'has a _finish that is not'),
    'an asynchronous method that cannot be cancelled': (
        changed('method', 'unlisten_async', 'name="cancellable"', 'name="stop"'),
        'does not end in'),
    'a signal that carries a pointer': (
        changed('glib:signal', 'incoming', r'<type name="Stream"', '<type name="gpointer"'),
        'not every binding can handle'),
    'a signal that carries an array': (
        changed('glib:signal', 'incoming', r'<type name="Stream"\s*/>',
                '<array><type name="guint8"/></array>'), 'carries an array'),
}


def run(gir_text):
    with tempfile.NamedTemporaryFile('w', suffix='.gir', encoding='utf-8') as file:
        file.write(gir_text)
        file.flush()
        return subprocess.run([sys.executable, lint, file.name, sources], check=False,
                              capture_output=True, text=True)


print(f'1..{len(cases) + 1}')
whole = run(text)
print('ok 1 the interface as it is' if whole.returncode == 0 else f'not ok 1 {whole.stderr}')
failed = whole.returncode != 0
for number, (name, (broken, found)) in enumerate(cases.items(), 2):
    result = run(broken)
    good = broken != text and result.returncode == 1 and found in result.stderr
    print(f'{"ok" if good else "not ok"} {number} {name}')
    if not good:
        print(result.stderr, file=sys.stderr)
    failed |= not good
sys.exit(failed)
