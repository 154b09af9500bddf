#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""Shares a folder, to be read, by a port of a tunnel server: share-folder.py SERVER FOLDER [PORT]

No port is opened on this machine: each connection comes out of the tunnel as a stream, and goes
into an HTTP server in this process. Hidden files are not shared, nor is what a symbolic link
outside of the folder leads to. A token for the server is taken from $VTUNNEL_TOKEN.
"""

import html
import os
import pathlib
import re
import sys
from urllib.parse import quote, unquote

import gi

gi.require_version('Soup', '3.0')
gi.require_version('Vt', '1')
from gi.repository import Gio, GLib, Soup, Vt  # noqa: E402

PIECE = 64 * 1024
PAGE = '''<!DOCTYPE html>
<html>
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>
body {{ font: 16px/1.6 system-ui, sans-serif; max-width: 42em; margin: 2em auto; padding: 0 1em }}
li {{ display: flex; justify-content: space-between; gap: 1em }}
ul {{ padding: 0 }}
</style>
</head>
<body>
<h1>{title}</h1>
<ul>
{entries}
</ul>
</body>
</html>
'''


class Body:
    """Sends a part of a file, piece by piece, as fast as the tunnel takes it."""

    def __init__(self, stream, length):
        self.stream = stream
        self.left = length

    def send(self, message):
        if self.left > 0:
            self.stream.read_bytes_async(min(self.left, PIECE), GLib.PRIORITY_DEFAULT, None,
                                         self.read, message)

    def read(self, stream, result, message):
        try:
            piece = stream.read_bytes_finish(result)
        except GLib.Error:
            piece = GLib.Bytes.new(b'')
        self.left -= piece.get_size()
        if piece.get_size() == 0:
            # The file has become shorter than was promised: Soup ends the connection then.
            message.get_response_body().complete()
        else:
            message.get_response_body().append_bytes(piece)
        message.unpause()


class Folder:
    """What the HTTP server does with a request."""

    def __init__(self, root):
        self.root = pathlib.Path(root).resolve(strict=True)

    def find(self, path):
        """The file that a path leads to, or None."""
        parts = unquote(path, errors='surrogateescape').split('/')
        if any(part.startswith('.') or '\0' in part for part in parts):
            return None
        try:
            found = self.root.joinpath(*filter(None, parts)).resolve(strict=True)
        except (OSError, RuntimeError):
            return None
        return found if found.is_relative_to(self.root) else None

    def handle(self, server, message, path, query):
        if message.get_method() not in ('GET', 'HEAD'):
            message.get_response_headers().replace('Allow', 'GET, HEAD')
            message.set_status(Soup.Status.METHOD_NOT_ALLOWED)
            return
        found = self.find(path)
        try:
            if found and found.is_dir():
                self.list(message, found, path)
            elif found and found.is_file() and not path.endswith('/'):
                self.send(message, found)
            else:
                message.set_status(Soup.Status.NOT_FOUND)
        except OSError:
            message.set_status(Soup.Status.FORBIDDEN)
        print(message.get_method(), quote(path), message.get_status(), flush=True)

    def list(self, message, folder, path):
        if not path.endswith('/'):
            # The links of a list are relative to its folder.
            message.get_response_headers().replace('Location', quote(folder.name) + '/')
            message.set_status(Soup.Status.MOVED_PERMANENTLY)
            return
        entries = [] if folder == self.root else ['<li><a href="../">../</a></li>']
        for entry in sorted(folder.iterdir(), key=lambda entry: (entry.is_file(), entry.name)):
            inside = self.find(path + quote(os.fsencode(entry.name)))
            if inside is None:
                continue
            mark = '/' if inside.is_dir() else ''
            size = '' if mark else GLib.format_size(inside.stat().st_size)
            name = os.fsencode(entry.name).decode(errors='replace')
            entries.append(f'<li><a href="./{quote(os.fsencode(entry.name))}{mark}">'
                           f'{html.escape(name)}{mark}</a> {size}</li>')
        page = PAGE.format(title=html.escape(unquote(path)), entries='\n'.join(entries))
        message.set_status(Soup.Status.OK)
        message.set_response('text/html; charset=utf-8', Soup.MemoryUse.COPY, page.encode())

    def send(self, message, file):
        stream = Gio.File.new_for_path(os.fspath(file)).read(None)
        size = file.stat().st_size
        first, last = self.choose_range(message, size)
        stream.seek(first, GLib.SeekType.SET, None)
        headers = message.get_response_headers()
        headers.replace('Accept-Ranges', 'bytes')
        headers.replace('X-Content-Type-Options', 'nosniff')
        kind, _ = Gio.content_type_guess(file.name, None)
        headers.set_content_type(Gio.content_type_get_mime_type(kind), None)
        headers.set_content_length(last - first + 1)
        if message.get_method() == 'HEAD' or first > last:
            return
        message.get_response_body().set_accumulate(False)
        body = Body(stream, last - first + 1)
        message.connect('wrote-chunk', body.send)
        body.send(message)

    def choose_range(self, message, size):
        """The first and the last byte to send; several ranges at once get the whole file."""
        text = message.get_request_headers().get_one('Range') or ''
        match = re.fullmatch(r'bytes=(\d*)-(\d*)', text)
        message.set_status(Soup.Status.OK)
        if not match or not (match[1] or match[2]):
            return 0, size - 1
        first = int(match[1]) if match[1] else max(0, size - int(match[2]))
        last = min(int(match[2]), size - 1) if match[1] and match[2] else size - 1
        if first > last:
            message.get_response_headers().replace('Content-Range', f'bytes */{size}')
            message.set_status(Soup.Status.REQUESTED_RANGE_NOT_SATISFIABLE)
            return 0, -1
        message.get_response_headers().set_content_range(first, last, size)
        message.set_status(Soup.Status.PARTIAL_CONTENT)
        return first, last


def serve(forward, stream, server):
    """Soup asks for two addresses: this end has none, and an old server tells no user's."""
    here = Gio.InetSocketAddress.new_from_string('0.0.0.0', forward.props.bound_port)
    return server.accept_iostream(stream, here, stream.props.user_address or here)


def main(uri, folder, port='0'):
    loop = GLib.MainLoop()
    # Paths are decoded here, so that each is understood once; what is sent to us is not kept.
    server = Soup.Server(raw_paths=True)
    server.add_handler('/', Folder(folder).handle)
    server.connect('request-started',
                   lambda _, message: message.get_request_body().set_accumulate(False))

    forward = Vt.Forward.new(int(port), None)
    forward.connect('incoming', serve, server)

    def listening(client, result):
        try:
            client.listen_finish(result)
            print('Port', forward.props.bound_port, flush=True)
        except GLib.Error as error:
            print(error.message, file=sys.stderr)
            loop.quit()

    client = Vt.Client.new(uri)
    client.set_token(os.environ.get('VTUNNEL_TOKEN'))
    client.listen_async(forward, None, listening)
    client.open_async(None, None)
    client.connect('notify::state', lambda *_: client.props.state == Vt.ClientState.CLOSED
                   and loop.quit())
    loop.run()


if __name__ == '__main__':
    if not 3 <= len(sys.argv) <= 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
