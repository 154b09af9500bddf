#!/usr/bin/gjs -m
// SPDX-FileCopyrightText: The libvtunnel authors
// SPDX-License-Identifier: MIT
//
// The library from JavaScript: the same scenarios as test-python.py.

import Gio from 'gi://Gio';
import GIRepository from 'gi://GIRepository?version=2.0';
import GLib from 'gi://GLib';
import GObject from 'gi://GObject';
import Soup from 'gi://Soup?version=3.0';
import System from 'system';
import Vt from 'gi://Vt?version=1';

for (const name of ['open_async', 'close_async', 'listen_async', 'unlisten_async'])
    Gio._promisify(Vt.Client.prototype, name);
Gio._promisify(Vt.Server.prototype, 'close_async');
Gio._promisify(Vt.Session.prototype, 'open_stream_async');
Gio._promisify(Gio.SocketClient.prototype, 'connect_to_host_async');
Gio._promisify(Gio.InputStream.prototype, 'read_bytes_async');
Gio._promisify(Gio.OutputStream.prototype, 'write_bytes_async');
Gio._promisify(Gio.OutputStream.prototype, 'splice_async');
Gio._promisify(Gio.IOStream.prototype, 'close_async');

const loop = new GLib.MainLoop(null, false);

function check(condition, what) {
    if (!condition)
        throw new Error(what);
}

function event(object, signal, condition = () => true) {
    return new Promise(resolve => {
        const id = object.connect(signal, (_object, ...values) => {
            if (condition(...values)) {
                object.disconnect(id);
                resolve(values);
            }
        });
    });
}

// A service that sends back what it gets, in this process.
class Echo {
    constructor() {
        this.service = new Gio.SocketService();
        this.port = this.service.add_any_inet_port(null);
        this.service.connect('incoming', (_service, connection) => {
            // To close its streams alone leaves the socket open, until the collector comes by.
            connection.get_output_stream().splice_async(connection.get_input_stream(),
                Gio.OutputStreamSpliceFlags.NONE, GLib.PRIORITY_DEFAULT, null)
                .finally(() => connection.close_async(GLib.PRIORITY_DEFAULT, null))
                .catch(() => {});
            return true;
        });
    }

    close() {
        this.service.stop();
        this.service.close();
    }
}

function user(port) {
    return new Gio.SocketClient().connect_to_host_async('127.0.0.1', port, null);
}

async function receive(connection, length) {
    const pieces = [];
    let count = 0;
    while (count < length) {
        // eslint-disable-next-line no-await-in-loop
        const piece = await connection.get_input_stream().read_bytes_async(
            length - count, GLib.PRIORITY_DEFAULT, null);
        check(piece.get_size() > 0, `the end after ${count} of ${length}`);
        count += piece.get_size();
        pieces.push(new TextDecoder().decode(piece.toArray()));
    }
    return pieces.join('');
}

function send(connection, text) {
    return connection.get_output_stream().write_bytes_async(
        new GLib.Bytes(new TextEncoder().encode(text)), GLib.PRIORITY_DEFAULT, null);
}

async function pair() {
    const server = Vt.Server.new();
    server.listen('127.0.0.1', 0);
    const client = new Vt.Client({uri: `ws://127.0.0.1:${server.get_ports()[0]}/`});
    await client.open_async(null);
    return [server, client];
}

async function close(server, client) {
    await client.close_async(null);
    await server.close_async(null);
    check(client.state === Vt.ClientState.CLOSED, 'not closed');
}

async function fails(promise, code) {
    try {
        await promise;
    } catch (error) {
        check(error.matches(Vt.error_quark(), code), `another error: ${error}`);
        return;
    }
    throw new Error('it did not fail');
}

function webServer() {
    const soup = new Soup.Server();
    soup.add_handler(null, (_server, message, path) => {
        message.set_status(200, null);
        message.set_response('text/plain', Soup.MemoryUse.COPY, new TextEncoder().encode(path));
    });
    return soup;
}

// Gives the streams of a forward to a web server, which has no port.
function serve(forward, soup) {
    const here = Gio.InetSocketAddress.new_from_string('127.0.0.1', 80);
    forward.connect('incoming', (_forward, stream) => soup.accept_iostream(stream, here, here));
}

async function fetch(connection) {
    await send(connection, 'GET /page HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
    const answer = Gio.MemoryOutputStream.new_resizable();
    await answer.splice_async(connection.get_input_stream(),
        Gio.OutputStreamSpliceFlags.CLOSE_TARGET, GLib.PRIORITY_DEFAULT, null);
    await connection.close_async(GLib.PRIORITY_DEFAULT, null);
    return new TextDecoder().decode(answer.steal_as_bytes().toArray());
}

function memory() {
    const [, text] = GLib.file_get_contents('/proc/self/statm');
    return Number(new TextDecoder().decode(text).split(' ')[1]) * 4096;
}

function countDescriptors() {
    const folder = Gio.File.new_for_path('/proc/self/fd').enumerate_children('standard::name',
        Gio.FileQueryInfoFlags.NONE, null);
    const count = [...folder].length;
    folder.close(null);
    return count;
}

// An object, or text that two equal values have in common: no list is one of nothing.
function identify(value) {
    if (value instanceof GLib.DateTime)
        return value.format_iso8601();
    return value instanceof GObject.Object || typeof value === 'bigint' ? value : `${value ?? ''}`;
}

// Each property by all the ways to it, and each signal.
function checkObject(thing) {
    for (const spec of GObject.Object.list_properties.call(thing.constructor)) {
        // GIOStream's are GIO's.
        if (!GObject.type_name(spec.owner_type).startsWith('Vt'))
            continue;
        const name = spec.name.replaceAll('-', '_');
        if (!(spec.flags & GObject.ParamFlags.READABLE)) {
            check(`set_${name}` in thing, name);
            continue;
        }
        const values = [thing[name], thing[`get_${name}`]()].map(identify);
        check(values[0] === values[1], `${thing} ${name}: ${values}`);
        if (spec.flags & GObject.ParamFlags.WRITABLE &&
            !(spec.flags & GObject.ParamFlags.CONSTRUCT_ONLY)) {
            thing[name] = thing[name]; // eslint-disable-line no-self-assign
            thing[`set_${name}`](thing[name]);
        }
        thing.disconnect(thing.connect(`notify::${spec.name}`, () => {}));
    }
    for (const id of GObject.signal_list_ids(thing.constructor.$gtype))
        thing.disconnect(thing.connect(GObject.signal_name(id), () => {}));
}

// Until the condition holds; whatever happens meanwhile, happens in the main loop.
function until(condition) {
    return new Promise(resolve => {
        GLib.timeout_add(GLib.PRIORITY_DEFAULT, 5, () => {
            if (!condition())
                return GLib.SOURCE_CONTINUE;
            resolve();
            return GLib.SOURCE_REMOVE;
        });
    });
}

async function comeAndGo(server, times) {
    for (let i = 0; i < times; i++) {
        const client = Vt.Client.new(`ws://127.0.0.1:${server.get_ports()[0]}/`);
        // eslint-disable-next-line no-await-in-loop
        await client.open_async(null);
        // eslint-disable-next-line no-await-in-loop
        await client.listen_async(Vt.Forward.new(0, Vt.Target.parse('1')), null);
        // eslint-disable-next-line no-await-in-loop
        await client.close_async(null);
        // By itself it waits for more than what is to be seen here.
        if (i % 50 === 0)
            System.gc();
    }
    System.gc();
    await until(() => server.sessions.get_n_items() === 0);
}

// In a run of its own, without fatal warnings: GJS reports each exception as one.
const throwing = {
    async 'a policy that throws'() {
        const [server, client] = await pair();
        server.connect('listen-requested', () => {
            throw new Error('a mistake of the application');
        });
        const forward = Vt.Forward.new(23459, Vt.Target.parse('1'));
        await fails(client.listen_async(forward, null), Vt.Error.PERMISSION_DENIED);
        await close(server, client);
    },
};

const tests = {
    async 'the older protocol'() {
        const server = new Vt.Server({max_protocol: 1, max_buffer: 1048576});
        server.listen('127.0.0.1', 0);
        const client = new Vt.Client({uri: `ws://127.0.0.1:${server.get_ports()[0]}/`,
            max_protocol: 2});
        await client.open_async(null);
        check(client.protocol === 1 && client.max_protocol === 2, 'protocol');
        check(server.max_buffer === 1048576, 'buffer');
        await close(server, client);
        check(client.protocol === 0, 'protocol of a closed client');
    },

    async 'a server that asks who it is'() {
        const server = Vt.Server.new();
        server.listen('127.0.0.1', 0);
        const [token, hash] = Vt.Access.create_token('alice');
        const access = Vt.Access.new_from_data(`[client alice]\ntoken=${hash}\n`, -1);
        check(access.list_names().join() === 'alice', 'names');
        server.access = access;
        const client = new Vt.Client({uri: `ws://127.0.0.1:${server.get_ports()[0]}/`});
        await fails(client.open_async(null), Vt.Error.NOT_AUTHORISED);
        client.set_token(token);
        const opened = event(server, 'session-opened');
        await client.open_async(null);
        const [session] = await opened;
        check(session.user === 'alice', 'user');
        const closed = event(server, 'session-closed');
        access.replace('', -1);
        const [, error] = await closed;
        check(error.matches(Vt.error_quark(), Vt.Error.NOT_AUTHORISED), `another error: ${error}`);
        await close(server, client);
    },

    async 'a forward'() {
        const echo = new Echo();
        const [server, client] = await pair();
        const seen = [];
        client.connect('stream-opened', (_c, stream) => seen.push(`client ${stream.id}`));
        client.connect('stream-closed', (_c, _s, error) => seen.push(`client ended ${error}`));
        server.connect('stream-opened', (_s, session, stream) => seen.push(`server ${stream.id}`));
        const ended = event(server, 'stream-closed');
        const clientEnded = event(client, 'stream-closed');
        const forward = Vt.Forward.new(0, Vt.Target.parse(`127.0.0.1:${echo.port}`));
        await client.listen_async(forward, null);
        check(forward.bound_port > 0 && forward.state === Vt.ForwardState.LISTENING, 'no port');
        const connection = await user(forward.bound_port);
        await send(connection, 'hello');
        check(await receive(connection, 5) === 'hello', 'no echo');
        await connection.close_async(GLib.PRIORITY_DEFAULT, null);
        const [session, stream, error] = await ended;
        await clientEnded;
        check(session instanceof Vt.Session && stream instanceof Vt.Stream, 'types');
        check(error === null, 'end');
        check(seen.sort().join() === 'client 1,client ended null,server 1', seen);
        check(forward.bytes_sent === 5 && forward.bytes_received === 5, 'counters');
        check(client.forwards.get_n_items() === 1, 'forwards');
        check(server.sessions.get_item(0).forwards.get_n_items() === 1, 'forwards of the session');
        await close(server, client);
        check(client.forwards.get_n_items() === 0 && server.sessions.get_n_items() === 0, 'left');
        echo.close();
    },

    async 'the options of a forward'() {
        const [server, client] = await pair();
        server.set_proxy_protocol_ports('1-65535');
        check(server.proxy_protocol_ports === '1-65535', 'ports');
        const [forward] = Vt.Forward.parse('0=1,forwarded=x-forwarded,http,health=1');
        check(forward.forwarded_headers === Vt.ForwardedHeaders.X_FORWARDED, 'headers');
        check(forward.http && forward.health_interval === 1, 'options');
        const down = new Promise(resolve => {
            forward.connect('notify::state', () => {
                if (forward.state === Vt.ForwardState.TARGET_DOWN)
                    resolve(forward.error);
            });
        });
        await client.listen_async(forward, null);
        check((await down).matches(Vt.error_quark(), Vt.Error.TARGET_REFUSED), 'error');
        const connection = await user(forward.bound_port);
        await send(connection, 'PROXY UNKNOWN\r\nGET / HTTP/1.1\r\n\r\n');
        check(await receive(connection, 24) === 'HTTP/1.1 502 Bad Gateway', 'page');
        await connection.close_async(GLib.PRIORITY_DEFAULT, null);
        await close(server, client);
    },

    async 'a refused port'() {
        const taken = new Echo();
        const [server, client] = await pair();
        const forward = Vt.Forward.new(taken.port, Vt.Target.parse('1'));
        await fails(client.listen_async(forward, null), Vt.Error.ADDRESS_IN_USE);
        check(forward.state === Vt.ForwardState.FAILED, 'state');
        await close(server, client);
        taken.close();
    },

    async 'a policy that denies'() {
        const [server, client] = await pair();
        const asked = [];
        server.connect('listen-requested', (_server, _session, forward) => {
            asked.push(forward.listen_port);
            return false;
        });
        const forward = Vt.Forward.new(23457, Vt.Target.parse('1'));
        await fails(client.listen_async(forward, null), Vt.Error.PERMISSION_DENIED);
        check(asked.join() === '23457', `asked ${asked}`);
        await close(server, client);
    },

    async 'bad words are errors'() {
        for (const text of ['', 'localhost', 'localhost:0', 'tls://host', 'unix:x']) {
            let error = null;
            try {
                Vt.Target.parse(text);
            } catch (e) {
                error = e;
            }
            check(error?.matches(Vt.error_quark(), Vt.Error.INVALID_ARGUMENT), text);
        }
        const forwards = Vt.Forward.parse('9000-9002=localhost:3000-3002');
        check(forwards.map(f => f.listen_port).join() === '9000,9001,9002', 'ranges');
    },

    async 'a server that is not there'() {
        const nobody = new Echo();
        nobody.close();
        const client = Vt.Client.new(`ws://127.0.0.1:${nobody.port}/`);
        let error = null;
        await client.open_async(null).catch(e => (error = e));
        check(error?.domain === Vt.error_quark(), `error ${error}`);
        check(client.state === Vt.ClientState.CLOSED && client.get_error() !== null, 'state');
    },

    async 'streams without a port'() {
        const [server, client] = await pair();
        const forward = Vt.Forward.new(0, null);
        const taken = event(forward, 'incoming');
        forward.connect('incoming', (_forward, stream) => {
            forward.stream = stream;
            return true;
        });
        await client.listen_async(forward, null);
        const connection = await user(forward.bound_port);
        await send(connection, 'question');
        await taken;
        check(await receive(forward.stream, 8) === 'question', 'question');
        await send(forward.stream, 'answer');
        check(await receive(connection, 6) === 'answer', 'answer');
        await forward.stream.close_async(GLib.PRIORITY_DEFAULT, null);
        const end = await connection.get_input_stream().read_bytes_async(1, 0, null);
        check(end.get_size() === 0, 'end');
        await close(server, client);
    },

    async 'all of it is reachable'() {
        const repository = GIRepository.Repository.get_default();
        let count = 0;
        for (let i = 0; i < repository.get_n_infos('Vt'); i++) {
            const info = repository.get_info('Vt', i);
            // Nobody in JavaScript has a use for the structures of classes.
            if (info.get_name().endsWith('Class'))
                continue;
            check(Vt[info.get_name()] !== undefined, info.get_name());
            if (info.get_type() !== GIRepository.InfoType.OBJECT)
                continue;
            for (let j = 0; j < GIRepository.object_info_get_n_methods(info); j++) {
                const method = GIRepository.object_info_get_method(info, j).get_name();
                const type = Vt[info.get_name()];
                check(method in type || method in type.prototype, `${info.get_name()}.${method}`);
                count++;
            }
        }
        check(count > 100, `${count} methods`);
        const [server, client] = await pair();
        server.allow_streams = true;
        const forward = Vt.Forward.new(0, null);
        forward.connect('incoming', (_forward, stream) => {
            forward.stream = stream;
            return true;
        });
        await client.listen_async(forward, null);
        const session = server.sessions.get_item(0);
        const offered = session.forwards.get_item(0);
        const stream = await session.open_stream_async(offered, null, null);
        [server, session, offered, stream, forward, client].forEach(checkObject);
        await stream.close_async(GLib.PRIORITY_DEFAULT, null);
        await close(server, client);
    },

    async 'a web server without a port'() {
        const [server, client] = await pair();
        const soup = webServer();
        const forward = new Vt.Forward();
        serve(forward, soup);
        await client.listen_async(forward, null);
        const answer = await fetch(await user(forward.bound_port));
        check(answer.startsWith('HTTP/1.1 200 OK\r\n') && answer.endsWith('/page'), answer);
        await close(server, client);
    },

    async 'one port and many names'() {
        const [server, client] = await pair();
        server.listen_http('127.0.0.1', 0);
        server.set_http_url('http://*');
        const forward = Vt.Forward.new(0, null);
        forward.set_host_names(['localhost', '*.dev.example']);
        check(forward.listen_kind === Vt.ListenKind.HTTP, 'kind');
        serve(forward, webServer());
        await client.listen_async(forward, null);
        check(forward.url === 'http://localhost', forward.url);
        check(forward.host_names.join() === 'localhost,*.dev.example', forward.host_names);
        const answer = await fetch(await user(server.get_http_ports()[0]));
        check(answer.endsWith('/page'), answer);
        const second = Vt.Forward.parse('localhost=1')[0];
        await fails(client.listen_async(second, null), Vt.Error.ADDRESS_IN_USE);
        await close(server, client);
    },

    async 'no port on either side'() {
        const [server, client] = await pair();
        const soup = webServer();
        const forward = new Vt.Forward({listen_kind: Vt.ListenKind.NONE, name: 'pages'});
        serve(forward, soup);
        await fails(client.listen_async(forward, null), Vt.Error.INVALID_ARGUMENT);
        server.allow_streams = true;
        await client.listen_async(forward, null);
        check(forward.state === Vt.ForwardState.LISTENING && forward.bound_port === 0, 'state');
        const session = server.sessions.get_item(0);
        const offered = session.forwards.get_item(0);
        check(offered.name === 'pages' && offered.listen_kind === Vt.ListenKind.NONE, 'offered');
        const stream = await session.open_stream_async(offered, null, null);
        check(stream instanceof Vt.Stream && stream.user_address === null, 'stream');
        check(session.streams.get_item(0) === stream, 'list');
        const answer = await fetch(stream);
        check(answer.startsWith('HTTP/1.1 200 OK\r\n') && answer.endsWith('/page'), answer);
        const refusing = new Vt.Forward({listen_kind: Vt.ListenKind.NONE});
        await client.listen_async(refusing, null);
        await fails(session.open_stream_async(session.forwards.get_item(1), null, null),
            Vt.Error.TARGET_REFUSED);
        await close(server, client);
    },

    async 'dropped while traffic runs'() {
        const echo = new Echo();
        for (let i = 0; i < 5; i++) {
            // eslint-disable-next-line no-await-in-loop
            let [server, client] = await pair();
            let forward = Vt.Forward.new(0, Vt.Target.parse(`127.0.0.1:${echo.port}`));
            // eslint-disable-next-line no-await-in-loop
            await client.listen_async(forward, null);
            // eslint-disable-next-line no-await-in-loop
            const connection = await user(forward.bound_port);
            // eslint-disable-next-line no-await-in-loop
            await send(connection, 'round and round');
            const end = connection.get_output_stream().splice_async(connection.get_input_stream(),
                Gio.OutputStreamSpliceFlags.NONE, GLib.PRIORITY_DEFAULT, null).catch(() => {});
            // eslint-disable-next-line no-await-in-loop
            await until(() => forward.bytes_received > 1000);
            // The collector is what drops them, when it pleases.
            server = client = forward = null;
            const collector = GLib.timeout_add(GLib.PRIORITY_DEFAULT, 20, () => {
                System.gc();
                return GLib.SOURCE_CONTINUE;
            });
            // eslint-disable-next-line no-await-in-loop
            await end;
            GLib.source_remove(collector);
            // eslint-disable-next-line no-await-in-loop
            await connection.close_async(GLib.PRIORITY_DEFAULT, null);
        }
        echo.close();
    },

    async 'opened and closed many times'() {
        const server = Vt.Server.new();
        server.listen('127.0.0.1', 0);
        await comeAndGo(server, 300);
        const descriptors = countDescriptors();
        const before = memory();
        await comeAndGo(server, 2000);
        check(countDescriptors() <= descriptors + 2, `descriptors ${countDescriptors()}`);
        const grown = memory() - before;
        check(GLib.getenv('ASAN_OPTIONS') !== null || grown < 3 * 1048576, `grown by ${grown}`);
        await server.close_async(null);
        check(server.sessions.get_n_items() === 0, 'sessions left');
    },
};

async function main() {
    const chosen = ARGV.includes('--throwing') ? throwing : tests;
    let failed = 0;
    let number = 0;
    print(`1..${Object.keys(chosen).length}`);
    for (const [name, run] of Object.entries(chosen)) {
        number++;
        try {
            // eslint-disable-next-line no-await-in-loop
            await run();
            print(`ok ${number} ${name}`);
        } catch (error) {
            failed++;
            logError(error, name);
            print(`not ok ${number} ${name}`);
        }
    }
    return failed;
}

let status = 1;
const deadline = GLib.timeout_source_new_seconds(60);
deadline.set_callback(() => {
    printerr('the deadline passed');
    loop.quit();
});
deadline.attach(null);
main().then(failed => (status = failed ? 1 : 0)).catch(logError).finally(() => loop.quit());
loop.run();
System.exit(status);
