#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
import sys
import gi
gi.require_version('Vt', '1')
from gi.repository import GLib, Vt

loop = GLib.MainLoop()
client = Vt.Client.new(sys.argv[1])                             # ws://127.0.0.1:3001
forward = Vt.Forward.new(0, Vt.Target.parse(sys.argv[2]))       # localhost:3000

def listening(client, result):
    client.listen_finish(result)
    print('Port', forward.props.bound_port, flush=True)

client.listen_async(forward, None, listening)
client.open_async(None, lambda client, result: client.open_finish(result))
client.connect('notify::state', lambda *_: client.get_error() and loop.quit())
loop.run()
