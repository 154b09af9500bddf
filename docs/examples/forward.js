#!/usr/bin/gjs -m
// SPDX-FileCopyrightText: The libvtunnel authors
// SPDX-License-Identifier: MIT
import Gio from 'gi://Gio';
import GLib from 'gi://GLib';
import Vt from 'gi://Vt?version=1';

Gio._promisify(Vt.Client.prototype, 'open_async');
Gio._promisify(Vt.Client.prototype, 'listen_async');

const [uri, target] = ARGV;                             // ws://127.0.0.1:3001 localhost:3000
const loop = new GLib.MainLoop(null, false);
const client = Vt.Client.new(uri);
const forward = Vt.Forward.new(0, Vt.Target.parse(target));

client.open_async(null)
    .then(() => client.listen_async(forward, null))
    .then(() => print('Port', forward.bound_port))
    .catch(error => { logError(error); loop.quit(); });
loop.run();
