# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""Somebody else on a test's bus, who answers in a thread of his own: whoever asks may be waited for
meanwhile."""

import threading

from gi.repository import GLib

BUS = 'org.freedesktop.DBus'


class OnBus:
    def __init__(self, desktop, name):
        self.context = GLib.MainContext.new()
        self.loop = GLib.MainLoop.new(self.context, False)
        self.ready = threading.Event()
        self.thread = threading.Thread(target=self._run, args=(desktop, name), daemon=True)
        self.thread.start()
        assert self.ready.wait(30)

    def _run(self, desktop, name):
        self.context.push_thread_default()
        self.bus = desktop.connect()
        self._serve()
        self.bus.call_sync(BUS, '/org/freedesktop/DBus', BUS, 'RequestName',
                           GLib.Variant('(su)', (name, 4)), None, 0, -1, None)
        self.ready.set()
        self.loop.run()
        self.bus.close_sync(None)
        self.context.pop_thread_default()

    def end(self):
        self.context.invoke_full(GLib.PRIORITY_DEFAULT, self.loop.quit)
        self.thread.join(30)
