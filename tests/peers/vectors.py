# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""What is wrong, as tables: UTF-8, messages, numbers."""

import json
import pathlib

FOLDER = pathlib.Path(__file__).parent.parent / 'vectors'


def utf8_vectors():
    """(bytes, whether they are UTF-8): each border of RFC 3629, and what is cut."""
    borders = (0x20, 0x7f, 0x80, 0x7ff, 0x800, 0xfff, 0x1000, 0xcfff, 0xd000, 0xd7ff, 0xe000,
               0xfdd0, 0xfeff, 0xfffd, 0xfffe, 0xffff, 0x10000, 0x1ffff, 0x3ffff, 0x40000,
               0xfffff, 0x100000, 0x10fffe, 0x10ffff)
    for code in borders:
        yield chr(code).encode(), True
        if code >= 0x80:
            whole = chr(code).encode()
            yield from ((whole[:n], False) for n in range(1, len(whole)))
            yield whole[1:], False
    for surrogate in (0xd800, 0xdb7f, 0xdbff, 0xdc00, 0xdf80, 0xdfff):
        yield chr(surrogate).encode('utf-8', 'surrogatepass'), False
    yield chr(0xd800).encode('utf-8', 'surrogatepass') + b'\xed\xb0\x80', False
    # Longer than it has to be, and beyond what there is.
    for text in ('c080', 'c0af', 'c1bf', 'e08080', 'e080af', 'e09fbf', 'f0808080', 'f08080af',
                 'f08fbfbf', 'f880808080', 'f888808080', 'fbbfbfbfbf', 'fc8080808080',
                 'fdbfbfbfbfbf', 'f4908080', 'f5808080', 'f7bfbfbf', 'fe', 'ff',
                 'fefe', 'fffe', 'feff'):
        yield bytes.fromhex(text), False
    # A byte that continues nothing, and a character that is broken off by the next.
    for text in ('80', 'bf', '8080', '808080', 'c3c3', 'c320', 'e28220', 'e282e2', 'f09f9820',
                 'f09f20', 'f020', 'cebae1bdb9cf83cebcceb5eda080656469746564', 'cebaff', 'c3a9a9'):
        yield bytes.fromhex(text), False


def quoted(data):
    """A message that is dropped in silence if its text is UTF-8."""
    return b'{"type":"x","error":"' + data + b'"}'


def messages(protocol):
    """The texts that a reader of this protocol refuses, from tests/vectors/."""
    vectors = json.loads((FOLDER / f'v{protocol}.json').read_text(encoding='utf-8'))
    refused = vectors['refused'] if protocol == 1 else vectors['control']['refused']
    return list(dict.fromkeys(case['text'] for case in refused))


def frames():
    """The binary messages of v2 that are refused."""
    vectors = json.loads((FOLDER / 'v2.json').read_text(encoding='utf-8'))
    return list(dict.fromkeys(bytes.fromhex(case['hex']) for case in vectors['frames']['refused']))


def numbers(low, high):
    """(text, whether it is an integer from `low` to `high`): the borders, those of types that it
    might be kept in, what is these once more in fewer bits, and what is no integer."""
    borders = {low - 1, low, low + 1, high - 1, high, high + 1, -1, 0, 10 ** 18 - 1, 10 ** 18}
    for bits in (16, 31, 32, 53, 63, 64):
        borders |= {(1 << bits) - 1, 1 << bits, (1 << bits) + max(low, 1), -(1 << bits) - 1}
    for number in sorted(borders):
        yield str(number), low <= number <= high
    for text in (f'{max(low, 1)}.0', f'{max(low, 1)}.5', '1e0', '1E3', '"1"', 'true', '[]', '{}',
                 '+1', '01', '0x1', 'NaN', 'Infinity', '-', '1.', '.5', '1 1'):
        yield text, False


TYPES_OF_JSON = ('true', 'false', '0', '1.5', '"x"', '[]', '["x"]', '{}', '{"x":1}')


def deep_and_wide():
    """Far more of it than any message has, in less than 64 KiB."""
    yield '{"type":' * 8000 + '1' + '}' * 8000
    yield '[' * 60_000
    yield '{"type":"x","y":' + '[' * 30_000 + ']' * 30_000 + '}'
    yield json.dumps({'type': 'x', 'y': [0] * 30_000})
    yield '{"type":"x"' + ''.join(f',"{n}":0' for n in range(6000)) + '}'
    yield '{"type":"x"' + ',"type":"x"' * 5000 + '}'
    yield '{"type":"' + '\\u0041' * 10_000 + '"'
    yield '{"type":"x","y":' + '9' * 60_000 + '}'
    yield '{"type":"x","y":0.' + '0' * 60_000 + '1}'
    yield '{"type":"x","y":1e' + '9' * 60_000 + '}'
    yield ' ' * 60_000 + '{'
