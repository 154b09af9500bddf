#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""Prints the webhooks that arrive at a port of a tunnel server: webhook-receiver.py SERVER [PORT]

It answers each with 204, and one of more than 1 MiB with 413. No port of this machine is opened.
What comes from strangers is printed with its control characters escaped. A token for the server
is taken from $VTUNNEL_TOKEN.
"""

import json
import os
import sys

import gi

gi.require_version('Soup', '3.0')
gi.require_version('Vt', '1')
from gi.repository import Gio, GLib, Soup, Vt  # noqa: E402

LIMIT = 1024 * 1024


def printable(text):
    return ''.join(c if c.isprintable() else c.encode('unicode_escape').decode() for c in text)


def pretty(body):
    """JSON is set out, other text is left as it is."""
    try:
        return json.dumps(json.loads(body), indent=2)
    except (ValueError, RecursionError):
        text = body.decode(errors='backslashreplace')
        return '\n'.join(map(printable, text.splitlines()))


class Receiver:
    def __init__(self):
        self.bodies = {}
        self.server = Soup.Server()
        self.server.add_early_handler('/', self.begin)
        self.server.add_handler('/', self.handle)

    def begin(self, server, message, path, query):
        """The head is there: its body is counted while it comes, and not kept by Soup."""
        body = self.bodies[message] = bytearray()
        message.get_request_body().set_accumulate(False)
        message.connect('got-chunk', lambda _, piece: len(body) <= LIMIT
                        and body.extend(piece.get_data()))
        message.connect('finished', lambda message: self.bodies.pop(message, None))

    def handle(self, server, message, path, query):
        body = bytes(self.bodies.pop(message))
        if len(body) > LIMIT:
            message.set_status(Soup.Status.REQUEST_ENTITY_TOO_LARGE)
            body = b'(This was too large.)'
        else:
            message.set_status(Soup.Status.NO_CONTENT)
        address = message.get_remote_address()
        where = address.get_address().to_string() if address else 'an unknown address'
        print(printable(f'{message.get_method()} {message.get_uri().to_string()} from {where}'))
        message.get_request_headers().foreach(
            lambda name, value: print(printable(f'{name}: {value}')))
        print(f'\n{pretty(body)}\n', flush=True)


def serve(forward, stream, server):
    """Soup asks for two addresses: this end has none, and an old server tells no user's."""
    here = Gio.InetSocketAddress.new_from_string('0.0.0.0', forward.props.bound_port)
    return server.accept_iostream(stream, here, stream.props.user_address or here)


def main(uri, port='0'):
    loop = GLib.MainLoop()
    receiver = Receiver()
    forward = Vt.Forward.new(int(port), None)
    forward.connect('incoming', serve, receiver.server)

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
    if not 2 <= len(sys.argv) <= 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
