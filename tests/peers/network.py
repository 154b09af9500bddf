# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""What GIO asks for the state of the network in a sandbox: the desktop's portal, on a test bus."""

from gi.repository import Gio, GLib

from onbus import OnBus

PORTAL = 'org.freedesktop.portal.Desktop'
PATH = '/org/freedesktop/portal/desktop'
MONITOR = 'org.freedesktop.portal.NetworkMonitor'

# With these, a program asks it.
ENVIRONMENT = {'GTK_USE_PORTAL': '1', 'GIO_USE_NETWORK_MONITOR': 'portal'}

NODE = Gio.DBusNodeInfo.new_for_xml(f'''<node><interface name="{MONITOR}">
  <method name="GetStatus"><arg type="a{{sv}}" direction="out"/></method>
  <signal name="changed"/>
  <property name="version" type="u" access="read"/>
</interface></node>''')


class Network(OnBus):
    def __init__(self, desktop):
        self.available = True
        self.asked = 0
        super().__init__(desktop, PORTAL)

    def _serve(self):
        self.bus.register_object(PATH, NODE.interfaces[0], self._called,
                                 lambda *_: GLib.Variant('u', 3), None)

    def _called(self, bus, sender, path, interface, method, arguments, invocation):
        self.asked += 1
        invocation.return_value(GLib.Variant('(a{sv})', ({
            'available': GLib.Variant('b', self.available),
            'metered': GLib.Variant('b', False),
            'connectivity': GLib.Variant('u', 4 if self.available else 1)},)))

    def change(self, available):
        self.available = available
        self.bus.emit_signal(None, PATH, MONITOR, 'changed', None)
