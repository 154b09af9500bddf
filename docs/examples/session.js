#!/usr/bin/gjs -m
// SPDX-FileCopyrightText: The libvtunnel authors
// SPDX-License-Identifier: MIT
//
// Makes a tunnel that lasts as long as this program, and says what becomes of it.

import Gio from 'gi://Gio';
import GLib from 'gi://GLib';

Gio._promisify(Gio.DBusProxy, 'new_for_bus');
Gio._promisify(Gio.DBusProxy.prototype, 'call');

const NAME = 'io.github.vtunnel.Vtunnel1';
const [uri, target] = ARGV;                             // ws://127.0.0.1:3001 localhost:3000
const loop = new GLib.MainLoop(null, false);

function proxy(path, iface) {
    return Gio.DBusProxy.new_for_bus(Gio.BusType.SESSION, Gio.DBusProxyFlags.NONE, null,
        NAME, path, `${NAME}.${iface}`, null);
}

async function main() {
    const manager = await proxy('/io/github/vtunnel/Vtunnel1/Manager', 'Manager');
    const reply = await manager.call('CreateTunnel',
        new GLib.Variant('(sa(ssa{sv})a{sv})', [uri, [['0', target, {}]], {}]),
        Gio.DBusCallFlags.NONE, -1, null);
    const [path] = reply.deepUnpack();
    const tunnel = await proxy(path, 'Tunnel');

    tunnel.connect('g-properties-changed', () => {
        const state = tunnel.get_cached_property('State').unpack();
        print(state);
        if (state === 'failed') {
            printerr(tunnel.get_cached_property('LastError').deepUnpack().join(': '));
            loop.quit();
        }
    });
    await tunnel.call('Open', null, Gio.DBusCallFlags.NONE, -1, null);
}

main().catch(error => {
    printerr(Gio.DBusError.get_remote_error(error), error.message);
    loop.quit();
});
loop.run();
