#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""Runs tunnel-app.py, and says what its window has drawn: appdriver.py APP SERVER FORWARD…

A line of JSON on standard output after each frame that shows something else than the one before.
On standard input, a line `switch` moves the switch, `dark` takes the dark style, and `close` closes
the window.
"""

import importlib.util
import json
import sys

import gi

gi.require_version('Adw', '1')
gi.require_version('Gtk', '4.0')
from gi.repository import Adw, Gio, GLib  # noqa: E402


def load(path):
    spec = importlib.util.spec_from_file_location('tunnel_app', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def children(widget):
    child = widget.get_first_child()
    while child is not None:
        yield child
        child = child.get_next_sibling()


class Driver:
    def __init__(self, path, arguments):
        self.app = load(path)
        self.last = None
        self.window = None
        self.input = Gio.DataInputStream.new(Gio.UnixInputStream.new(0, False))
        self.application = self.app.create_application(arguments[0], arguments[1:])
        self.application.connect('window-added', self.added)

    def added(self, application, window):
        self.window = window
        window.connect('map', self.mapped)
        self.read()

    def mapped(self, window):
        window.get_frame_clock().connect('after-paint', self.painted)

    def painted(self, clock):
        # Nothing of it stands on its way to the display any more.
        self.window.get_display().sync()
        error = self.window.client.get_error()
        now = {
            'error': error and error.message,
            'title': self.window.heading.get_title(),
            'subtitle': self.window.heading.get_subtitle(),
            'switch': [self.window.switch.get_active(), self.window.switch.get_state()],
            'switch_place': self.place(self.window.switch),
            'rows': [[self.describe(row) for row in children(rows)
                      if isinstance(row, self.app.Row) and row.get_mapped()]
                     for rows in self.window.lists],
        }
        if now != self.last:
            self.last = now
            print(json.dumps(now), flush=True)

    def place(self, widget):
        found, bounds = widget.compute_bounds(self.window)
        return [int(bounds.origin.x), int(bounds.origin.y), int(bounds.size.width),
                int(bounds.size.height)] if found else None

    def describe(self, row):
        return {'title': row.get_title(), 'subtitle': row.get_subtitle(),
                'traffic': row.traffic.get_text(), 'place': self.place(row)}

    def read(self):
        self.input.read_line_async(GLib.PRIORITY_DEFAULT, None, self.obey)

    def obey(self, stream, result):
        line, _ = stream.read_line_finish_utf8(result)
        if line is None:
            return
        if line == 'switch':
            self.window.switch.emit('activate')
        elif line == 'dark':
            Adw.StyleManager.get_default().set_color_scheme(Adw.ColorScheme.FORCE_DARK)
        elif line == 'close':
            self.window.close()
        self.read()


sys.exit(Driver(sys.argv[1], sys.argv[2:]).application.run(None))
