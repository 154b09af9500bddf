#!/usr/bin/gjs -m
// SPDX-FileCopyrightText: The libvtunnel authors
// SPDX-License-Identifier: MIT
//
// Lists the streams of a client as they come and go: live-streams.js SERVER FORWARD…

import Gio from 'gi://Gio';
import GLib from 'gi://GLib';
import Vt from 'gi://Vt?version=1';

for (const name of ['open_async', 'listen_async'])
    Gio._promisify(Vt.Client.prototype, name);

const [uri, ...words] = ARGV;                   // ws://127.0.0.1:3001 0=localhost:3000
const loop = new GLib.MainLoop(null, false);
const client = new Vt.Client({uri});

function describe(stream) {
    const address = stream.user_address;
    const user = address ? `${address.get_address().to_string()}:${address.get_port()}` : 'a user';
    return `stream ${stream.id} from ${user} to ${stream.forward.target.to_string()}`;
}

// A list model says where items came and went, and no longer has those that went: a mirror does.
const mirror = [];
client.streams.connect('items-changed', (streams, position, removed, added) => {
    const items = Array.from({length: added}, (_, i) => streams.get_item(position + i));
    for (const stream of mirror.splice(position, removed, ...items)) {
        print(`- ${describe(stream)}: ${stream.bytes_sent} bytes sent, ` +
            `${stream.bytes_received} received`);
    }
    for (const stream of items)
        print(`+ ${describe(stream)}`);
    print(`${mirror.length} open`);
});

async function main() {
    const forwards = words.flatMap(word => Vt.Forward.parse(word));
    await client.open_async(null);
    await Promise.all(forwards.map(async forward => {
        await client.listen_async(forward, null);
        print(`Port ${forward.bound_port}`);
    }));
    client.connect('notify::state', () => {
        if (client.state === Vt.ClientState.CLOSED)
            loop.quit();
    });
}

main().catch(error => {
    printerr(error.message);
    loop.quit();
});
loop.run();
