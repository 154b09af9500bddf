#!/usr/bin/env python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""Writes inputs for the fuzz targets to begin with, from the test vectors.

Usage: seeds.py FOLDER: one folder a target is made in it.
"""

import hashlib
import json
import pathlib
import struct
import sys

VECTORS = pathlib.Path(__file__).resolve().parent.parent / 'vectors'

TARGETS = [
    '3000', 'localhost:3000', '192.0.2.1:22', '[::1]:80', '[fe80::1%eth0]:80',
    'tls://example.com:443', 'unix:/run/app.sock', 'unix:@name', 'tls://[2001:db8::1]:443',
    '9000=localhost:3000', '0=3000', '*:9000=3000', '[::]:9000=[::1]:3000',
    '127.0.0.1:9000-9009=localhost:3000-3009', '9000-9009=tls://a.example:443,host-header=keep',
    '9000=unix:/a\\,b\\\\c,host-header=b.example,proxy-protocol=2',
    'localhost:1=2,host-header=auto,proxy-protocol=1',
    'app.example.com=3000', '*.dev.example.com,dev.example.com=localhost:3000,host-header=keep',
    'b\u00fccher.example=unix:/a',
    '[::1]:9000=[fe80::1%lo]:80,forwarded=both,http,health=30',
]

HASH = 'sha256:AAAAAAAAAAAAAAAAAAAAAA:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'
ACCESS = [
    '', '# Nobody\n', f'[client a]\ntoken={HASH}\n',
    f'[client b-2]  \r\ntoken = {HASH} ; {HASH}\naddresses= * ; ::1;192.0.2.1;localhost;\n'
    'ports=80,443,9000-9999\nhost-names=a.example.org;*.example.org\nmax-sessions=2\n'
    'max-forwards=0\nmax-streams=9\nexpires=2030-12-31T18:00:00+01:00\n',
    '[client a]\ncertificate=true\nexpires=2030-12-31\n', '[client a]\ntoken=\n[client a]\nx\n',
]

REQUESTS = [
    b'GET / HTTP/1.1\r\nHost: example.com\r\nAccept: */*\r\n\r\n',
    b'POST /a?b HTTP/1.1\r\nhost:x\r\nContent-Length: 5\r\n\r\nhelloGET / HTTP/1.0\r\nHost: y\n\n',
    b'PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nHost: a\r\n\r\n'
    b'5;a=b\r\nhello\r\n0\r\nHost: no\r\n\r\n\r\nGET / HTTP/1.1\r\nHOST: z\r\n\r\n',
    b'GET / HTTP/1.1\r\nHost: a\r\n folded\r\nHost: b\r\n\r\n',
    b'GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n\x82\x01a',
    b'GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 3\r\nTransfer-Encoding: gzip, chunked\r\n'
    b'\r\n',
    b'OPTIONS * HTTP/1.1\r\nContent-Length: 0\t \n\n\r\nHEAD / HTTP/1.0\n\n',
    b'GET / HTTP/1.1\r\nX-Forwarded-For: a\r\nX_Forwarded_For: b\r\nForwarded: for="a\r\n\r\n',
    b'\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
]

RESPONSES = [
    b'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\n\r\n',
    b'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 200\r\nConnection: keep-alive\r\n\r\nrest',
    b'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n5;a=b\r\nhello\r\n'
    b'0\r\nA: b\r\n\r\n',
    b'HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n\x82\x01a',
    b'HTTP/1.1 204 No Content\r\n\r\n', b'HTTP/1.1 304 \r\nContent-Length: 5\r\n\r\n',
]

NAME = b'\0\0\0\x0e\0\x0c\0\0\x09a.example'
HELLO = b'\x03\x03' + bytes(32) + b'\0\0\x02\x13\x01\x01\0'
HELLOS = [HELLO, HELLO + struct.pack('!H', len(NAME)) + NAME,
          HELLO + struct.pack('!H', len(NAME) + 5) + b'\0\x10\0\x01x' + NAME]


def record(payload):
    """A record of TLS."""
    return b'\x16\x03\x01' + struct.pack('!H', len(payload)) + payload


def hellos():
    """ClientHellos in one record and in several."""
    for body in HELLOS:
        message = b'\x01\0' + struct.pack('!H', len(body)) + body
        yield record(message)
        yield b''.join(record(message[at:at + 9]) for at in range(0, len(message), 9))


def frame(first, payload, mask=None, form=0):
    """A WebSocket frame."""
    size = len(payload)
    form = form or (127 if size > 65535 else 126 if size > 125 else size)
    head = bytes([first, form | (0x80 if mask else 0)])
    if form >= 126:
        head += struct.pack('>Q' if form == 127 else '>H', size)
    if mask:
        payload = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
    return head + (mask or b'') + payload


def frames():
    """Rows of frames, as a client and as a server sends them."""
    for flags, mask in ((0xf3, b'\x01\x02\x03\x04'), (0xf2, None), (0xfd, b'abcd'), (0x14, None)):
        row = [frame(0x82, bytes(300), mask), frame(0x81, b'hi', mask), frame(0x89, b'', mask),
               frame(0x02, bytes(10), mask), frame(0x80, bytes(200), mask),
               frame(0x82, bytes(range(100)), mask, 126), frame(0x88, b'\x03\xe8', mask),
               frame(0x82, bytes(4200), mask)]
        for cuts in (0, 1, 77):
            yield bytes([flags, cuts]) + b''.join(row[:7])
            yield bytes([flags, cuts]) + row[0] + row[7]
            yield bytes([flags, cuts]) + row[0] + frame(0x82, bytes(5001), mask)[:40]


def proxy_headers():
    """Headers of the PROXY protocol, right and wrong."""
    for words in ('UNKNOWN', 'UNKNOWN anything', 'TCP4 192.0.2.1 198.51.100.7 51000 443',
                  'TCP6 2001:db8::1 ::1 1 0', 'TCP6 ::ffff:192.0.2.1 ::ffff:192.0.2.2 1 2',
                  'TCP4 192.0.2.01 198.51.100.7 51000 443', 'TCP4 192.0.2.1'):
        yield f'PROXY {words}\r\nGET / HTTP/1.1\r\n'.encode()
    fields = b'\x02\x00\x03abc\x04\x00\x00'
    for first, block in ((b'\x21\x11', bytes(range(12))), (b'\x21\x21', bytes(range(36))),
                         (b'\x21\x31', bytes(216)), (b'\x20\x00', b''), (b'\x21\x00', b''),
                         (b'\x21\x21', 2 * (bytes(10) + b'\xff' * 2 + bytes(4)) + bytes(4))):
        for body in (block, block + fields, block + fields[:-1]):
            yield b'\r\n\r\n\0\r\nQUIT\n' + first + struct.pack('>H', len(body)) + body + b'rest'


def texts(vectors):
    """The messages of all of these cases."""
    for cases in vectors:
        for case in cases:
            if 'text' in case:
                yield case['text'].encode('utf-8', 'surrogatepass')
            elif 'hex' in case:
                yield bytes.fromhex(case['hex'])


def said(action, message):
    """An action of the target mux in which the peer says this."""
    return bytes([action]) + struct.pack('>H', len(message)) + message


def sessions(json_messages, frames_messages, control_messages):
    """Rows of actions of the target mux."""
    opened = said(0, b'{"type":"listen_ok","port":8080}')
    asked = said(0, b'{"type":"listen","port":8080}') + b'\x06\x01'
    users = b'\x03\x01\x03\x02\x03\x03'
    work = b'\x02\x00\x10\x00' b'\x09\x00\x01\x00' b'\x07\x00' b'\x0a\x01' b'\x04\x01\x01' \
        b'\x02\x01\x40\x00' b'\x04\x03\x00\x00\x00\xff\x00' b'\x08\x01\x00' b'\x0a\x03' \
        b'\x08\x02\x01'
    for sizes in (0, 0x25, 0xff):
        yield bytes([0, sizes]) + opened + users + work
        yield bytes([1, sizes]) + asked + users + work
        opened_2 = said(0, b'{"type":"listen_ok","id":1,"port":8080}')
        asked_2 = said(0, b'{"type":"listen","id":1,"port":8080}') + b'\x06\x01'
        yield bytes([2, sizes]) + opened_2 + users + work
        yield bytes([6, sizes]) + opened_2 + users + b'\x08\x00\x00\x08\x03\x00' + work
        yield bytes([3, sizes]) + asked_2 + users + b'\x04\x00\x00\x04\x00\x01' + work
    for role in (0, 1):
        for message in json_messages:
            yield bytes([role, 0x0b]) + opened + users + said(0, message) + work
        for message in frames_messages:
            yield bytes([2 + role, 0x0b]) + said(1, message) + work
        for message in control_messages:
            yield bytes([2 + role, 0x0b]) + said(0, message) + users + work


def main():
    """Writes them all."""
    folder = pathlib.Path(sys.argv[1])
    v1 = json.loads((VECTORS / 'v1.json').read_text(encoding='utf-8'))
    v2 = json.loads((VECTORS / 'v2.json').read_text(encoding='utf-8'))
    json_messages = list(texts([v1['both'], v1['read'], v1['refused']]))
    binary = list(texts([v2['frames']['both'], v2['frames']['read'], v2['frames']['refused'],
                         v2['acks']['both'], v2['acks']['refused']]))
    control = list(texts([v2['control']['both'], v2['control']['read'], v2['control']['refused']]))
    small = [message for message in control if len(message) < 400]
    seeds = {
        'codec-json': json_messages,
        'codec-control': control,
        'codec-binary': [b'\x02' + message for message in binary],
        'mux': list(sessions([message for message in json_messages if len(message) < 400],
                             [message for message in binary if len(message) < 400], small)),
        'frame-feed': list(frames()),
        'head-guard': [bytes([cuts]) + request for cuts in (0, 1, 9) for request in REQUESTS],
        'client-hello': [struct.pack('!H', cut) + hello for cut in (30, 65535)
                         for hello in hellos()],
        'http-walk': [bytes([flags, cuts]) + text for flags in (0, 3) for cuts in (0, 1, 9)
                      for text in REQUESTS + RESPONSES],
        'head-rewriter': [bytes([cuts]) + request for cuts in (0, 1, 9) for request in REQUESTS],
        'proxy-header': [bytes([version, *place, *place]) for version in (0, 1)
                         for place in ([kind, *range(18)] for kind in range(4))],
        'proxy-reader': list(proxy_headers()),
        'access-file': [text.encode() for text in ACCESS],
        'target': [text.encode() for text in TARGETS],
    }
    for target, inputs in seeds.items():
        (folder / target).mkdir(parents=True, exist_ok=True)
        for data in inputs:
            name = 'seed-' + hashlib.sha256(data).hexdigest()[:12]
            (folder / target / name).write_bytes(data)


if __name__ == '__main__':
    main()
