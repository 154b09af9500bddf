#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""A secret service of our own, as far as the session service needs one.

Usage: keyring.py ADDRESS. The test says by org.example.Keyring whether it is locked, and whether
the user unlocks it when asked.
"""

import sys

from gi.repository import Gio, GLib

ROOT = '/org/freedesktop/secrets'
COLLECTION = ROOT + '/collection/login'
ALIAS = ROOT + '/aliases/default'
SECRET = 'org.freedesktop.Secret.'

XML = '''<node>
<interface name="org.freedesktop.Secret.Service">
  <method name="OpenSession"><arg type="s" direction="in"/><arg type="v" direction="in"/>
    <arg type="v" direction="out"/><arg type="o" direction="out"/></method>
  <method name="SearchItems"><arg type="a{ss}" direction="in"/>
    <arg type="ao" direction="out"/><arg type="ao" direction="out"/></method>
  <method name="Unlock"><arg type="ao" direction="in"/>
    <arg type="ao" direction="out"/><arg type="o" direction="out"/></method>
  <method name="GetSecrets"><arg type="ao" direction="in"/><arg type="o" direction="in"/>
    <arg type="a{o(oayays)}" direction="out"/></method>
  <method name="ReadAlias"><arg type="s" direction="in"/><arg type="o" direction="out"/></method>
  <signal name="CollectionChanged"><arg type="o"/></signal>
  <property name="Collections" type="ao" access="read"/>
</interface>
<interface name="org.freedesktop.Secret.Collection">
  <method name="CreateItem"><arg type="a{sv}" direction="in"/>
    <arg type="(oayays)" direction="in"/><arg type="b" direction="in"/>
    <arg type="o" direction="out"/><arg type="o" direction="out"/></method>
  <property name="Items" type="ao" access="read"/>
  <property name="Label" type="s" access="read"/>
  <property name="Locked" type="b" access="read"/>
</interface>
<interface name="org.freedesktop.Secret.Item">
  <method name="Delete"><arg type="o" direction="out"/></method>
  <property name="Locked" type="b" access="read"/>
  <property name="Attributes" type="a{ss}" access="read"/>
  <property name="Label" type="s" access="read"/>
</interface>
<interface name="org.freedesktop.Secret.Prompt">
  <method name="Prompt"><arg type="s" direction="in"/></method>
  <method name="Dismiss"/>
  <signal name="Completed"><arg type="b"/><arg type="v"/></signal>
</interface>
<interface name="org.freedesktop.Secret.Session"><method name="Close"/></interface>
<interface name="org.example.Keyring">
  <method name="Set"><arg type="b" direction="in"/><arg type="b" direction="in"/></method>
  <method name="Look"><arg type="as" direction="out"/><arg type="u" direction="out"/></method>
</interface>
</node>'''

NODE = Gio.DBusNodeInfo.new_for_xml(XML)


class Refusal(Exception):
    """The name of a D-Bus error."""


class Keyring:
    def __init__(self, address):
        flags = (Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT
                 | Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION)
        self.bus = Gio.DBusConnection.new_for_address_sync(address, flags, None, None)
        self.locked = False
        self.user_unlocks = False
        self.prompts = 0
        self.items = {}
        self.export(ROOT, SECRET + 'Service')
        self.export(ROOT, 'org.example.Keyring')
        self.export(COLLECTION, SECRET + 'Collection')
        self.export(ALIAS, SECRET + 'Collection')
        self.export(ROOT + '/session/1', SECRET + 'Session')
        self.export(ROOT + '/prompt/1', SECRET + 'Prompt')
        Gio.bus_own_name_on_connection(self.bus, 'org.freedesktop.secrets',
                                       Gio.BusNameOwnerFlags.NONE, None, None)

    def export(self, path, interface):
        return self.bus.register_object(path, NODE.lookup_interface(interface), self.called,
                                        self.asked, None)

    def called(self, bus, sender, path, interface, method, parameters, invocation):
        try:
            reply = getattr(self, method)(path, *parameters)
            invocation.return_value(reply)
        except Refusal as refusal:
            invocation.return_dbus_error(str(refusal), 'refused')

    def asked(self, bus, sender, path, interface, name):
        item = self.items.get(path)
        return {
            'Locked': lambda: GLib.Variant('b', self.locked),
            'Label': lambda: GLib.Variant('s', item['label'] if item else 'Login'),
            'Attributes': lambda: GLib.Variant('a{ss}', item['attributes']),
            'Items': lambda: GLib.Variant('ao', list(self.items)),
            'Collections': lambda: GLib.Variant('ao', [COLLECTION]),
        }[name]()

    def Set(self, path, locked, user_unlocks):
        changed = self.locked != locked
        self.locked = locked
        self.user_unlocks = user_unlocks
        if changed:
            self.bus.emit_signal(None, ROOT, SECRET + 'Service', 'CollectionChanged',
                                 GLib.Variant('(o)', (COLLECTION,)))

    def Look(self, path):
        tokens = [bytes(item['secret']).decode() for item in self.items.values()]
        return GLib.Variant('(asu)', (tokens, self.prompts))

    def OpenSession(self, path, algorithm, data):
        if algorithm != 'plain':
            raise Refusal('org.freedesktop.DBus.Error.NotSupported')
        return GLib.Variant('(vo)', (GLib.Variant('s', ''), ROOT + '/session/1'))

    def SearchItems(self, path, attributes):
        found = [path for path, item in self.items.items()
                 if attributes.items() <= item['attributes'].items()]
        return GLib.Variant('(aoao)', ([], found) if self.locked else (found, []))

    def Unlock(self, path, objects):
        if self.locked:
            return GLib.Variant('(aoo)', ([], ROOT + '/prompt/1'))
        return GLib.Variant('(aoo)', (objects, '/'))

    def Prompt(self, path, window):
        self.prompts += 1
        if self.user_unlocks:
            self.locked = False
        unlocked = list(self.items) + [COLLECTION, ALIAS] if self.user_unlocks else []
        self.bus.emit_signal(None, path, SECRET + 'Prompt', 'Completed', GLib.Variant(
            '(bv)', (not self.user_unlocks, GLib.Variant('ao', unlocked))))

    def GetSecrets(self, path, items, session):
        return GLib.Variant('(a{o(oayays)})', ({} if self.locked else {
            path: (session, b'', self.items[path]['secret'], 'text/plain') for path in items},))

    def CreateItem(self, path, properties, secret, replace):
        if self.locked:
            raise Refusal('org.freedesktop.Secret.Error.IsLocked')
        attributes = properties['org.freedesktop.Secret.Item.Attributes']
        for path, item in self.items.items():
            if replace and item['attributes'] == attributes:
                break
        else:
            path = f'{COLLECTION}/{len(self.items) + 1}'
            registration = self.export(path, SECRET + 'Item')
            self.items[path] = {'registration': registration}
        self.items[path].update(attributes=attributes, secret=secret[2],
                                label=properties['org.freedesktop.Secret.Item.Label'])
        return GLib.Variant('(oo)', (path, '/'))

    def Delete(self, path):
        if self.locked:
            raise Refusal('org.freedesktop.Secret.Error.IsLocked')
        self.bus.unregister_object(self.items.pop(path)['registration'])
        return GLib.Variant('(o)', ('/',))

    def Close(self, path):
        pass


if __name__ == '__main__':
    keyring = Keyring(sys.argv[1])
    print('ready', flush=True)
    GLib.MainLoop().run()
