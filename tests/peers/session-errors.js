#!/usr/bin/gjs -m
// SPDX-FileCopyrightText: The libvtunnel authors
// SPDX-License-Identifier: MIT
//
// As session-errors.c, from JavaScript.

import Gio from 'gi://Gio';
import GLib from 'gi://GLib';

const NAME = 'io.github.vtunnel.Vtunnel1';
const MANAGER = '/io/github/vtunnel/Vtunnel1/Manager';
const ROOT = '/io/github/vtunnel/Vtunnel1';
const [other, ...failed] = ARGV;
const bus = Gio.bus_get_sync(Gio.BusType.SESSION, null);

function call(path, iface, method, type, values) {
    const reply = bus.call_sync(NAME, path, `${NAME}.${iface}`, method,
        type ? new GLib.Variant(type, values) : null, null, Gio.DBusCallFlags.NONE, -1, null);
    return reply.deepUnpack();
}

function show(...call_arguments) {
    try {
        call(...call_arguments);
        print('none');
    } catch (error) {
        print(Gio.DBusError.get_remote_error(error));
    }
}

function create(forwards, options) {
    return [MANAGER, 'Manager', 'CreateTunnel', '(sa(ssa{sv})a{sv})',
        ['ws://localhost:1/', forwards, options]];
}

show(MANAGER, 'Manager', 'FindTunnel', '(s)', ['none']);
show(other, 'Tunnel', 'Open');
show(...create([], {unknown: new GLib.Variant('u', 1)}));
show(...create(Array(65).fill(['0', '1', {}]), {}));
show(...create([], {lifetime: new GLib.Variant('s', 'persistent')}));
const [path] = call(...create([], {}));
show(path, 'Tunnel', 'SetSecrets', '(a{sv}s)', [{token: new GLib.Variant('s', 'x')}, 'keyring']);

// Each object is known, with its properties, before anybody asks for it.
const manager = Gio.DBusObjectManagerClient.new_sync(bus, Gio.DBusObjectManagerClientFlags.NONE,
    NAME, ROOT, null, null);
for (const failure of failed) {
    const tunnel = manager.get_interface(failure, `${NAME}.Tunnel`);
    print(tunnel.get_cached_property('LastError').deepUnpack()[0]);
}
