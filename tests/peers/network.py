# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""What GIO asks for the state of the network in a sandbox: the desktop's portal, on a test bus."""

import threading

from gi.repository import Gio, GLib

PORTAL = 'org.freedesktop.portal.Desktop'
PATH = '/org/freedesktop/portal/desktop'
MONITOR = 'org.freedesktop.portal.NetworkMonitor'
BUS = 'org.freedesktop.DBus'

# With these, a program asks it.
ENVIRONMENT = {'GTK_USE_PORTAL': '1', 'GIO_USE_NETWORK_MONITOR': 'portal'}

NODE = Gio.DBusNodeInfo.new_for_xml(f'''<node><interface name="{MONITOR}">
  <method name="GetStatus"><arg type="a{{sv}}" direction="out"/></method>
  <signal name="changed"/>
  <property name="version" type="u" access="read"/>
</interface></node>''')


class Network:
    """Answers in a thread of its own: whoever asks may be waited for meanwhile."""

    def __init__(self, desktop):
        self.available = True
        self.asked = 0
        self.context = GLib.MainContext.new()
        self.loop = GLib.MainLoop.new(self.context, False)
        self.ready = threading.Event()
        self.thread = threading.Thread(target=self._run, args=(desktop,), daemon=True)
        self.thread.start()
        assert self.ready.wait(30)

    def _run(self, desktop):
        self.context.push_thread_default()
        self.bus = desktop.connect()
        self.bus.register_object(PATH, NODE.interfaces[0], self._called,
                                 lambda *_: GLib.Variant('u', 3), None)
        self.bus.call_sync(BUS, '/org/freedesktop/DBus', BUS, 'RequestName',
                           GLib.Variant('(su)', (PORTAL, 4)), None, 0, -1, None)
        self.ready.set()
        self.loop.run()
        self.bus.close_sync(None)
        self.context.pop_thread_default()

    def _called(self, bus, sender, path, interface, method, arguments, invocation):
        self.asked += 1
        invocation.return_value(GLib.Variant('(a{sv})', ({
            'available': GLib.Variant('b', self.available),
            'metered': GLib.Variant('b', False),
            'connectivity': GLib.Variant('u', 4 if self.available else 1)},)))

    def change(self, available):
        self.available = available
        self.bus.emit_signal(None, PATH, MONITOR, 'changed', None)

    def end(self):
        self.context.invoke_full(GLib.PRIORITY_DEFAULT, self.loop.quit)
        self.thread.join(30)
