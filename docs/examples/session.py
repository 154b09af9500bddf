#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""Shows the tunnels of the session, and how they change."""

from gi.repository import Gio, GLib

NAME = 'io.github.vtunnel.Vtunnel1'


def show(path, tunnel):
    value = tunnel.get_cached_property
    print(value('Name').unpack() or path, value('Uri').unpack(), value('State').unpack(),
          flush=True)


def added(manager, item):
    tunnel = item.get_interface(NAME + '.Tunnel')
    if tunnel:
        show(item.get_object_path(), tunnel)


def changed(manager, item, interface, properties, invalidated):
    if 'State' in properties.unpack():
        show(item.get_object_path(), interface)


manager = Gio.DBusObjectManagerClient.new_for_bus_sync(
    Gio.BusType.SESSION, Gio.DBusObjectManagerClientFlags.NONE, NAME,
    '/io/github/vtunnel/Vtunnel1', None, None, None)
manager.connect('object-added', added)
manager.connect('interface-proxy-properties-changed', changed)
for item in manager.get_objects():
    added(manager, item)
GLib.MainLoop().run()
