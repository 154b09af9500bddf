#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""A server with a policy of its own: server-policy.py [PORT]

A client may have two ports, of 9000 to 9009 or such as the server chooses, and 10 MB a session.
"""

import sys

import gi

gi.require_version('Vt', '1')
from gi.repository import GLib, Vt  # noqa: E402

PORTS = (0, *range(9000, 9010))
MAX_PORTS = 2
MAX_BYTES = 10 * 1000 * 1000


def listen_requested(server, session, forward):
    """May the client have this port? What raises an exception denies it."""
    port = forward.props.listen_port
    granted = port in PORTS and len(session.props.forwards) < MAX_PORTS
    print(f'Session {session.props.id:.8}: port {port} {"granted" if granted else "denied"}',
          flush=True)
    return granted


def stream_closed(server, session, stream, error):
    """Whoever has used up what there is for a session is sent away."""
    used[session] = (used.get(session, 0) + stream.props.bytes_sent
                     + stream.props.bytes_received)
    if used[session] > MAX_BYTES:
        print(f'Session {session.props.id:.8}: {used[session]} bytes are too many', flush=True)
        session.close()


used = {}
server = Vt.Server(max_sessions=100, max_streams=200, bind_address='localhost')
server.connect('session-opened', lambda _, session: print(
    f'Session {session.props.id:.8}: opened', flush=True))
server.connect('session-closed', lambda _, session, error: used.pop(session, None))
server.connect('listen-requested', listen_requested)
server.connect('stream-closed', stream_closed)
server.listen('localhost', int(sys.argv[1]) if len(sys.argv) > 1 else 3001)
print('Port', server.get_ports()[0], flush=True)
GLib.MainLoop().run()
