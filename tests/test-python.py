#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""The library from Python: the same scenarios as test-gjs.js, and what needs a peer of its own."""

import gc
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import urllib.request

import gi

gi.require_version('Vt', '1')
gi.require_version('Soup', '3.0')
from gi.repository import Gio, GLib, GObject, Soup, Vt  # noqa: E402

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'peers'))

import proxies  # noqa: E402
from harness import (DEADLINE, Target, echo, main, receive_all, receive_exactly,  # noqa: E402
                     receive_line, test, user)

failures = []


def excepthook(kind, error, trace):
    # An exception inside a callback would go unseen otherwise.
    failures.append(error)
    sys.__excepthook__(kind, error, trace)


sys.excepthook = excepthook


def wait_for(condition, what='the condition', timeout=DEADLINE):
    """Turns the main context until the condition holds."""
    context = GLib.MainContext.default()
    late = []
    source = GLib.timeout_source_new(int(timeout * 1000))
    source.set_callback(lambda *_: late.append(True))
    source.attach(context)
    while not condition():
        if late:
            raise AssertionError(f'{what} did not come true')
        assert not failures, failures
        context.iteration(True)
    source.destroy()


def call(owner, name, *arguments):
    """Calls name_async and turns the main context until name_finish can be called."""
    done = []
    getattr(owner, f'{name}_async')(*arguments, None, lambda _, result: done.append(result))
    wait_for(lambda: done, name)
    return getattr(owner, f'{name}_finish')(done[0])


def in_thread(function, *arguments):
    """Runs a blocking user in a thread, while the main context turns; returns what it returned."""
    results = []

    def run():
        try:
            results.append(function(*arguments))
        except Exception as error:
            results.append(error)
        GLib.MainContext.default().wakeup()
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    wait_for(lambda: results, 'the user')
    thread.join()
    if isinstance(results[0], Exception):
        raise results[0]
    return results[0]


def echo_once(port, data=b'hello'):
    with user(port) as sock:
        sock.sendall(data)
        return receive_exactly(sock, len(data))


class Pair:
    """A server and an open client in this process."""

    def __init__(self, scheme='ws', **client_properties):
        self.server = Vt.Server(**({'tls_certificate': tls()[1]} if scheme == 'wss' else {}))
        self.server.listen('127.0.0.1', 0)
        self.client = Vt.Client(uri=f'{scheme}://localhost:{self.server.get_ports()[0]}/',
                                **client_properties)

    def open(self, target):
        call(self.client, 'open')
        return self.forward(target)

    def forward(self, target, port=0):
        forward = Vt.Forward.new(port, Vt.Target.parse(target))
        call(self.client, 'listen', forward)
        return forward

    def close(self):
        call(self.client, 'close')
        call(self.server, 'close')
        assert self.client.props.state == Vt.ClientState.CLOSED
        assert not failures, failures


scratch = tempfile.TemporaryDirectory()


def tls():
    """A CA of our own: (its database, a certificate for localhost, the paths of both files)."""
    folder = pathlib.Path(scratch.name)

    def openssl(*arguments):
        subprocess.run(['openssl', *arguments], check=True, cwd=folder, capture_output=True)
    if not (folder / 'ca.pem').exists():
        curve = ('-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes')
        openssl('req', '-x509', *curve, '-keyout', 'ca.key', '-out', 'ca.pem', '-days', '30',
                '-subj', '/CN=test CA')
        openssl('req', *curve, '-keyout', 'server.key', '-out', 'server.csr', '-subj',
                '/CN=localhost')
        (folder / 'ext').write_text('subjectAltName=DNS:localhost\n')
        openssl('x509', '-req', '-in', 'server.csr', '-CA', 'ca.pem', '-CAkey', 'ca.key',
                '-CAcreateserial', '-days', '30', '-extfile', 'ext', '-out', 'server.pem')
    database = Gio.TlsFileDatabase.new(str(folder / 'ca.pem'))
    certificate = Gio.TlsCertificate.new_from_files(str(folder / 'server.pem'),
                                                    str(folder / 'server.key'))
    return database, certificate


@test
def a_forward():
    target = Target(echo)
    pair = Pair()
    seen = []
    pair.client.connect('stream-opened', lambda _, s: seen.append(('client opened', s.props.id)))
    pair.client.connect('stream-closed', lambda _, s, e: seen.append(('client closed', e)))
    pair.server.connect('session-opened', lambda _, s: seen.append(('session', s.props.protocol)))
    pair.server.connect('stream-opened', lambda _, x, s: seen.append(('server opened', s.props.id)))
    pair.server.connect('stream-closed', lambda _, x, s, e: seen.append(('server closed', e)))
    forward = pair.open(target.spec)
    assert forward.props.bound_port != 0
    assert forward.props.state == Vt.ForwardState.LISTENING
    assert in_thread(echo_once, forward.props.bound_port) == b'hello'
    wait_for(lambda: len(seen) == 5, f'five events of {seen}')
    assert seen[0] == ('session', pair.client.props.max_protocol)
    assert set(seen[1:3]) == {('server opened', 1), ('client opened', 1)}, seen
    assert set(seen[3:]) == {('server closed', None), ('client closed', None)}, seen
    assert forward.props.bytes_sent == forward.props.bytes_received == 5
    assert [f.props.bound_port for f in pair.client.get_forwards()] == [forward.props.bound_port]
    session = pair.server.get_sessions()[0]
    assert len(session.get_forwards()) == 1 and len(session.get_streams()) == 0
    pair.close()
    assert len(pair.server.get_sessions()) == 0 and len(pair.client.get_forwards()) == 0


@test
def the_older_protocol():
    for client_max, server_max in ((1, 1), (1, 2), (2, 1)):
        pair = Pair(max_protocol=client_max)
        pair.server.props.max_protocol = server_max
        pair.server.props.max_buffer = 1 << 20
        known = []
        pair.client.connect('notify::protocol', lambda c, _: known.append(c.props.protocol))
        call(pair.client, 'open')
        assert known == [1] and pair.client.get_protocol() == 1, known
        wait_for(lambda: len(pair.server.get_sessions()) == 1, 'the session')
        assert pair.server.get_sessions()[0].props.protocol == 1
        pair.close()
        assert known == [1, 0], known


@test
def a_port_that_is_given_back():
    """Its users are turned away once that is confirmed; the stream that is there goes on."""
    target = Target(echo)
    pair = Pair()
    forward = pair.open(target.spec)
    port = forward.props.bound_port
    staying = user(port)

    def say():
        staying.sendall(b'hello')
        assert receive_exactly(staying, 5) == b'hello'
    in_thread(say)
    call(pair.client, 'unlisten', forward)
    assert forward.props.state == Vt.ForwardState.IDLE and forward.props.bound_port == 0
    try:
        user(port).close()
        raise AssertionError('the port is still open')
    except ConnectionRefusedError:
        pass
    in_thread(say)
    assert in_thread(echo_once, pair.forward(target.spec).props.bound_port) == b'hello'
    staying.close()
    wait_for(lambda: len(pair.client.get_streams()) == 0, 'the end of the streams')
    pair.close()


@test
def a_refused_port():
    taken = Target(echo)
    pair = Pair()
    call(pair.client, 'open')
    try:
        pair.forward('localhost:1', taken.port)
        raise AssertionError('not refused')
    except GLib.Error as error:
        assert error.matches(Vt.error_quark(), Vt.Error.ADDRESS_IN_USE), error
    pair.close()


@test
def a_policy_that_denies():
    pair = Pair()
    asked = []

    def ask(server, session, forward):
        asked.append(forward.props.listen_port)
        return False
    pair.server.connect('listen-requested', ask)
    call(pair.client, 'open')
    try:
        pair.forward('localhost:1', 23456)
        raise AssertionError('not denied')
    except GLib.Error as error:
        assert error.matches(Vt.error_quark(), Vt.Error.PERMISSION_DENIED), error
    assert asked == [23456]
    pair.close()


@test
def a_policy_that_throws():
    """What denies by mistake, denies: and the mistake is seen."""
    pair = Pair()
    thrown = []

    def ask(server, session, forward):
        raise ValueError('a mistake of the application')
    pair.server.connect('listen-requested', ask)
    call(pair.client, 'open')
    sys.excepthook = lambda kind, error, trace: thrown.append(kind)
    try:
        pair.forward('localhost:1', 23456)
        raise AssertionError('not denied')
    except GLib.Error as error:
        assert error.matches(Vt.error_quark(), Vt.Error.PERMISSION_DENIED), error
    finally:
        sys.excepthook = excepthook
    assert thrown == [ValueError], thrown
    pair.close()


@test
def bad_words_are_errors():
    for spec in ('', 'localhost', 'localhost:0', 'localhost:99999', ':80', 'tls://host', 'unix:x'):
        try:
            Vt.Target.parse(spec)
            raise AssertionError(f'{spec!r} was taken')
        except GLib.Error as error:
            assert error.matches(Vt.error_quark(), Vt.Error.INVALID_ARGUMENT), error
    forwards = Vt.Forward.parse('9000-9002=localhost:3000-3002')
    assert [f.props.listen_port for f in forwards] == [9000, 9001, 9002]
    assert [f.props.target.to_string() for f in forwards][2] == 'localhost:3002'


@test
def a_server_that_is_not_there():
    with_nobody = Target(echo)
    with_nobody.close()
    client = Vt.Client.new(f'ws://127.0.0.1:{with_nobody.port}/')
    try:
        call(client, 'open')
        raise AssertionError('opened')
    except GLib.Error as error:
        assert error.domain == 'vt-error-quark', error
    assert client.props.state == Vt.ClientState.CLOSED and client.props.error is not None


@test
def a_server_that_comes_back():
    target = Target(echo)
    pair = Pair(reconnect_min=0.01, reconnect_max=0.1)
    client = pair.client
    assert client.props.reconnect and not client.props.retry_first
    forward = pair.open(target.spec)
    port = pair.server.get_ports()[0]
    seen = []
    client.connect('notify::next-retry', lambda c, _: seen.append(c.props.next_retry))
    call(pair.server, 'close')
    wait_for(lambda: client.props.state == Vt.ClientState.RECONNECTING, 'the loss')
    assert client.props.error is not None
    assert client.props.error.domain == 'vt-error-quark', client.props.error
    wait_for(lambda: any(seen), 'a time to try again')
    pair.server = Vt.Server()
    pair.server.listen('127.0.0.1', port)
    wait_for(lambda: client.props.state == Vt.ClientState.OPEN, 'the client')
    wait_for(lambda: forward.props.state == Vt.ForwardState.LISTENING, 'the port')
    assert client.props.error is None
    assert client.props.next_retry == client.props.n_resumed == 0
    assert in_thread(echo_once, forward.props.bound_port) == b'hello'
    pair.close()


@test
def a_client_that_comes_first():
    nobody = Target(echo)
    nobody.close()
    client = Vt.Client(uri=f'ws://127.0.0.1:{nobody.port}/', reconnect_min=600,
                       reconnect_max=600, retry_first=True)
    results = []
    client.open_async(None, lambda _, result: results.append(result))
    wait_for(lambda: client.props.next_retry, 'a failure')
    assert client.props.error is not None
    assert client.props.state == Vt.ClientState.CONNECTING and not results
    server = Vt.Server()
    server.listen('127.0.0.1', nobody.port)
    client.retry_now()
    wait_for(lambda: results, 'the client')
    assert client.open_finish(results[0]) is True
    call(client, 'close')
    call(server, 'close')


@test
def streams_without_a_port():
    """A forward without a target hands its streams to the application."""
    pair = Pair()
    call(pair.client, 'open')
    forward = Vt.Forward.new(0, None)
    taken = []
    forward.connect('incoming', lambda _, stream: taken.append(stream) or True)
    call(pair.client, 'listen', forward)

    def ask(port):
        with user(port) as sock:
            sock.sendall(b'question\n')
            return receive_all(sock)

    def serve():
        if not taken:
            return False
        stream = taken.pop()
        read = []
        stream.get_input_stream().read_bytes_async(
            100, 0, None, lambda s, r: read.append(s.read_bytes_finish(r)))
        wait_for(lambda: read, 'the question')
        answer = b'answer to ' + read[0].get_data()
        written = []
        stream.get_output_stream().write_all_async(
            answer, 0, None, lambda s, r: written.append(s.write_all_finish(r)))
        wait_for(lambda: written, 'the answer')
        stream.close_async(0, None, lambda s, r: s.close_finish(r))
        return True
    results = []

    def run():
        results.append(ask(forward.props.bound_port))
        GLib.MainContext.default().wakeup()
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    wait_for(serve, 'the stream')
    wait_for(lambda: results, 'the user')
    thread.join()
    assert results[0] == b'answer to question\n', results
    pair.close()


def web_server():
    soup = Soup.Server()
    soup.add_handler(None, lambda server, message, path, query: (
        message.set_status(200, None),
        message.set_response('text/plain', Soup.MemoryUse.COPY, path.encode())))
    return soup


def serve(soup):
    """A handler of incoming that gives the streams to a web server, which has no port."""
    here = Gio.InetSocketAddress.new_from_string('127.0.0.1', 80)
    return lambda forward, stream: soup.accept_iostream(stream, here, here)


REQUEST = b'GET /page HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'


def check_object(thing):
    """Each property by all the ways to it, and each signal."""
    for spec in type(thing).list_properties():
        # GIOStream's are GIO's.
        if not spec.owner_type.name.startswith('Vt'):
            continue
        name = spec.name.replace('-', '_')
        if not spec.flags & GObject.ParamFlags.READABLE:
            assert hasattr(thing, f'set_{name}'), name
            continue
        values = [thing.get_property(spec.name), getattr(thing.props, name),
                  getattr(thing, f'get_{name}')()]
        # An error is another copy each time.
        texts = [str(value) if isinstance(value, GLib.Error) else value for value in values]
        assert texts[0] == texts[1] == texts[2], (thing, name, values)
        if spec.flags & GObject.ParamFlags.WRITABLE \
                and not spec.flags & GObject.ParamFlags.CONSTRUCT_ONLY:
            setattr(thing.props, name, values[0])
            getattr(thing, f'set_{name}')(values[0])
        thing.disconnect(thing.connect(f'notify::{spec.name}', print))
    for number in GObject.signal_list_ids(type(thing)):
        thing.disconnect(thing.connect(GObject.signal_name(number), print))


@test
def all_of_it_is_reachable():
    """Each function, method, property, signal and value; test-gjs.js asks for the same."""
    names = []
    for info in gi.Repository.get_default().get_infos('Vt'):
        assert hasattr(Vt, info.get_name()), info.get_name()
        methods = info.get_methods() if hasattr(info, 'get_methods') else []
        for method in methods:
            assert hasattr(getattr(Vt, info.get_name()), method.get_name()), method.get_name()
            names.append(method.get_name())
    assert len(names) > 100, names
    assert Vt.VERSION_STRING == f'{Vt.MAJOR_VERSION}.{Vt.MINOR_VERSION}.{Vt.MICRO_VERSION}'
    target = Target(echo)
    pair = Pair()
    pair.server.props.allow_streams = True
    forward = pair.open(target.spec)
    session, = pair.server.get_sessions()
    stream = call(session, 'open_stream', session.get_forwards()[0], None)
    for thing in (pair.server, session, session.get_forwards()[0], stream, forward, pair.client):
        check_object(thing)
    stream.close()
    pair.close()


@test
def a_web_server_without_a_port():
    pair = Pair()
    call(pair.client, 'open')
    soup = web_server()
    forward = Vt.Forward()
    forward.connect('incoming', serve(soup))
    call(pair.client, 'listen', forward)

    def ask():
        with user(forward.props.bound_port) as sock:
            sock.sendall(REQUEST)
            return receive_all(sock)
    for _ in range(3):
        answer = in_thread(ask)
        assert answer.startswith(b'HTTP/1.1 200 OK\r\n'), answer
        assert answer.endswith(b'\r\n\r\n/page'), answer
    pair.close()


@test
def one_port_and_many_names():
    pair = Pair()
    pair.server.listen_http('127.0.0.1', 0)
    pair.server.set_http_url('http://*:8080')
    pair.server.set_allowed_names(['localhost', '*.Dev.example'])
    assert pair.server.props.allowed_names == ['localhost', '*.dev.example']
    assert pair.server.props.http_url == 'http://*:8080'
    call(pair.client, 'open')
    forward = Vt.Forward()
    forward.set_host_names(['localhost', 'B\u00fccher.dev.example'])
    assert forward.props.listen_kind == Vt.ListenKind.HTTP
    assert forward.props.host_names == ['localhost', 'xn--bcher-kva.dev.example']
    forward.connect('incoming', serve(web_server()))
    call(pair.client, 'listen', forward)
    assert (forward.props.url, forward.props.bound_port) == ('http://localhost:8080', 0)

    def ask():
        with user(pair.server.get_http_ports()[0]) as sock:
            sock.sendall(REQUEST)
            return receive_all(sock)
    for _ in range(3):
        assert in_thread(ask).endswith(b'\r\n\r\n/page')
    call(pair.client, 'unlisten', forward)
    assert forward.props.url is None
    assert in_thread(ask).startswith(b'HTTP/1.1 404 ')
    for names, code in ((['a.example'], Vt.Error.PERMISSION_DENIED),
                        (['x.dev.example', 'localhost'], None),
                        (['localhost'], Vt.Error.ADDRESS_IN_USE)):
        wish = Vt.Forward.parse(f'{",".join(names)}=1')[0]
        try:
            call(pair.client, 'listen', wish)
            assert code is None, names
        except GLib.Error as error:
            assert error.matches(Vt.error_quark(), code), error
    for wrong in (['a_b.example'], [], ['127.0.0.1']):
        try:
            forward.set_host_names(wrong)
            raise AssertionError(f'taken: {wrong}')
        except GLib.Error as error:
            assert error.matches(Vt.error_quark(), Vt.Error.INVALID_ARGUMENT), error
    pair.close()


@test
def no_port_on_either_side():
    """The server's application opens a stream, and the client's takes it."""
    pair = Pair()
    call(pair.client, 'open')
    forward = Vt.Forward(listen_kind=Vt.ListenKind.NONE, name='pages')
    try:
        call(pair.client, 'listen', forward)
        raise AssertionError('not refused')
    except GLib.Error as error:
        assert error.matches(Vt.error_quark(), Vt.Error.INVALID_ARGUMENT), error
    noted = []
    pair.server.connect('notify::allow-streams', lambda s, _: noted.append(s.get_allow_streams()))
    pair.server.props.allow_streams = True
    pair.server.set_allow_streams(True)
    assert noted == [True], noted
    soup = web_server()
    forward.connect('incoming', serve(soup))
    call(pair.client, 'listen', forward)
    assert forward.props.state == Vt.ForwardState.LISTENING and forward.props.bound_port == 0
    session, = pair.server.get_sessions()
    offered, = session.get_forwards()
    assert offered.props.name == 'pages', offered.props.name
    assert offered.props.listen_kind == Vt.ListenKind.NONE
    user_address = Gio.InetSocketAddress.new_from_string('192.0.2.7', 1234)
    stream = call(session, 'open_stream', offered, user_address)
    assert isinstance(stream, Vt.Stream) and isinstance(stream, Gio.IOStream)
    assert [s.props.id for s in session.get_streams()] == [stream.props.id]
    assert [s.props.user_address.to_string() for s in pair.client.get_streams()] \
        == ['192.0.2.7:1234']
    stream.get_output_stream().write_all(REQUEST)
    answer = Gio.MemoryOutputStream.new_resizable()
    done = []
    answer.splice_async(stream.get_input_stream(), Gio.OutputStreamSpliceFlags.CLOSE_TARGET, 0,
                        None, lambda o, result: done.append(o.splice_finish(result)))
    wait_for(lambda: done, 'the answer')
    assert answer.steal_as_bytes().get_data().endswith(b'\r\n\r\n/page')
    stream.close()
    wait_for(lambda: len(session.get_streams()) == 0, 'the end of the stream')
    refusing = Vt.Forward(listen_kind=Vt.ListenKind.NONE)
    call(pair.client, 'listen', refusing)
    try:
        call(session, 'open_stream', session.get_forwards()[1], None)
        raise AssertionError('taken')
    except GLib.Error as error:
        assert error.matches(Vt.error_quark(), Vt.Error.TARGET_REFUSED), error
    pair.close()


@test
def a_stream_from_another_thread():
    """Synchronous calls wait in other threads, and do not in the stream's own."""
    pair = Pair()
    call(pair.client, 'open')
    forward = Vt.Forward()
    taken = []
    forward.connect('incoming', lambda _, stream: taken.append(stream) or True)
    call(pair.client, 'listen', forward)
    sock = user(forward.props.bound_port)
    wait_for(lambda: taken, 'the stream')
    try:
        taken[0].get_input_stream().read_bytes(10)
        raise AssertionError('there is nothing to read')
    except GLib.Error as error:
        assert error.matches(Gio.io_error_quark(), Gio.IOErrorEnum.WOULD_BLOCK), error

    def echo_here():
        stream, = taken
        count = 0
        while count < 300_000:
            piece = stream.get_input_stream().read_bytes(50_000).get_data()
            stream.get_output_stream().write_all(piece)
            count += len(piece)
        stream.get_output_stream().close()
    data = os.urandom(300_000)
    threads = [threading.Thread(target=echo_here, daemon=True),
               threading.Thread(target=sock.sendall, args=(data,), daemon=True)]
    for thread in threads:
        thread.start()
    assert in_thread(receive_all, sock) == data
    for thread in threads:
        thread.join()
    sock.close()
    taken.clear()
    pair.close()


@test
def a_soup_server_of_the_application():
    """attach (): the application's own pages stay, the tunnel is one path."""
    target = Target(echo)
    soup = Soup.Server()
    soup.add_handler('/page', lambda server, message, *_: (
        message.set_status(200, None),
        message.set_response('text/plain', Soup.MemoryUse.COPY, b'my page')))
    soup.listen_local(0, Soup.ServerListenOptions.IPV4_ONLY)
    port = soup.get_uris()[0].get_port()
    server = Vt.Server.new()
    server.attach(soup, '/tunnel')
    client = Vt.Client.new(f'ws://127.0.0.1:{port}/tunnel')
    call(client, 'open')
    forward = Vt.Forward.new(0, Vt.Target.parse(target.spec))
    call(client, 'listen', forward)
    assert in_thread(echo_once, forward.props.bound_port, os.urandom(300_000))

    def page():
        with user(port) as sock:
            sock.sendall(b'GET /page HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
            return receive_all(sock)
    assert in_thread(page).endswith(b'my page')
    wrong = Vt.Client.new(f'ws://127.0.0.1:{port}/page')
    try:
        call(wrong, 'open')
        raise AssertionError('the page is no tunnel')
    except GLib.Error as error:
        assert error.matches(Vt.error_quark(), Vt.Error.NOT_A_TUNNEL), error
    call(client, 'close')
    call(server, 'close')


# An authentication of libsoup's, that the application's server has anyway.

def basic(realm):
    domain = Soup.AuthDomainBasic(realm=realm)
    domain.set_auth_callback(lambda _, message, name, password:
                             (name, password) == ('me', 'a secret'))
    return domain


def digest(realm):
    domain = Soup.AuthDomainDigest(realm=realm)
    known = Soup.AuthDomainDigest.encode_password('me', realm, 'a secret')
    domain.set_auth_callback(lambda _, message, name: known if name == 'me' else None)
    return domain


def behind(domain):
    soup = Soup.Server()
    domain.add_path('/tunnel')
    soup.add_auth_domain(domain)
    soup.listen_local(0, Soup.ServerListenOptions.IPV4_ONLY)
    place = f'127.0.0.1:{soup.get_uris()[0].get_port()}/tunnel'
    server = Vt.Server.new()
    server.attach(soup, '/tunnel')
    target = Target(echo)

    for wrong in '', 'me:another%20secret@', 'you:a%20secret@':
        client = Vt.Client.new(f'ws://{wrong}{place}')
        try:
            call(client, 'open')
            raise AssertionError('a stranger came in')
        except GLib.Error as error:
            assert error.matches(Vt.error_quark(), Vt.Error.NOT_AUTHORISED), error
            assert 'secret' not in error.message, error
    assert server.props.sessions.get_n_items() == 0

    client = Vt.Client.new(f'ws://me:a%20secret@{place}')
    call(client, 'open')
    forward = Vt.Forward.new(0, Vt.Target.parse(target.spec))
    call(client, 'listen', forward)
    assert in_thread(echo_once, forward.props.bound_port)
    call(client, 'close')
    call(server, 'close')


@test
def a_server_with_basic_authentication():
    behind(basic('the office'))


@test
def a_server_with_digest_authentication():
    behind(digest('the office'))


@test
def a_websocket_of_the_application():
    """handle_connection (): a WebSocket that libsoup's own handler made."""
    target = Target(echo)
    soup = Soup.Server()
    server = Vt.Server.new()
    soup.add_websocket_handler('/own', None, None, lambda _, message, path, connection:
                               server.handle_connection(connection))
    soup.listen_local(0, Soup.ServerListenOptions.IPV4_ONLY)
    client = Vt.Client.new(f'ws://127.0.0.1:{soup.get_uris()[0].get_port()}/own')
    call(client, 'open')
    forward = Vt.Forward.new(0, Vt.Target.parse(target.spec))
    call(client, 'listen', forward)
    assert in_thread(echo_once, forward.props.bound_port, b'x' * 100_000) == b'x' * 100_000
    call(client, 'close')
    call(server, 'close')


@test
def a_target_that_is_looked_after():
    """The options of a forward as properties, and a target that goes, with what its users see."""
    pair = Pair()
    target = Target(echo)
    forward, = Vt.Forward.parse(f'0={target.spec},forwarded=both,http,health=1')
    both = Vt.ForwardedHeaders.X_FORWARDED | Vt.ForwardedHeaders.FORWARDED
    assert forward.props.forwarded_headers == both, forward.props.forwarded_headers
    assert forward.props.http and forward.props.health_interval == 1
    assert forward.to_string() == f'0={target.spec},forwarded=both,http,health=1'
    forward.props.forwarded_headers = Vt.ForwardedHeaders.NONE
    assert forward.to_string() == f'0={target.spec},http,health=1'
    states = []
    forward.connect('notify::state', lambda f, _: states.append(f.props.state))
    call(pair.client, 'open')
    call(pair.client, 'listen', forward)
    target.close()
    wait_for(lambda: states[-1] == Vt.ForwardState.TARGET_DOWN, 'its end')
    assert forward.props.error.matches(Vt.error_quark(), Vt.Error.TARGET_REFUSED)
    assert forward.props.bound_port != 0

    def ask():
        with user(forward.props.bound_port) as sock:
            sock.sendall(b'GET / HTTP/1.1\r\n\r\n')
            return receive_all(sock)
    assert in_thread(ask).startswith(b'HTTP/1.1 502 Bad Gateway\r\n')
    again = Target(echo, port=target.port)
    wait_for(lambda: states[-1] == Vt.ForwardState.LISTENING, 'its return')
    assert forward.props.error is None
    assert in_thread(echo_once, forward.props.bound_port) == b'hello'
    again.close()
    pair.close()
    assert states[-1] == Vt.ForwardState.IDLE, states


@test
def users_behind_a_proxy():
    """The server takes their addresses from the PROXY protocol, and hands them to the client."""
    pair = Pair()
    pair.server.set_proxy_protocol_ports('1-65535')
    assert pair.server.props.proxy_protocol_ports == '1-65535'
    target = Target(echo)
    addresses = []
    pair.client.connect('stream-opened',
                        lambda c, s: addresses.append(s.props.user_address.to_string()))
    forward = pair.open(target.spec)

    def speak():
        with user(forward.props.bound_port) as sock:
            sock.sendall(b'PROXY TCP4 192.0.2.1 192.0.2.2 3 4\r\nhello')
            return receive_exactly(sock, 5)
    assert in_thread(speak) == b'hello'
    assert addresses == ['192.0.2.1:3'], addresses
    try:
        pair.server.set_proxy_protocol_ports('0')
        raise AssertionError('not refused')
    except GLib.Error as error:
        assert error.matches(Vt.error_quark(), Vt.Error.INVALID_ARGUMENT), error
    pair.close()


def through_proxy(proxy, scheme='ws'):
    target = Target(echo)
    resolver = Gio.SimpleProxyResolver.new(proxy.uri, None)
    pair = Pair(scheme, soup_session=Soup.Session(proxy_resolver=resolver, tls_database=tls()[0]))
    forward = pair.open(target.spec)
    assert in_thread(echo_once, forward.props.bound_port, os.urandom(200_000))
    # The WebSocket went through the proxy; the connection to the local target did not.
    assert proxy.connections == 1, proxy.connections
    pair.close()


@test
def through_an_http_proxy():
    through_proxy(proxies.HttpProxy())


@test
def through_an_http_proxy_and_tls():
    through_proxy(proxies.HttpProxy(), 'wss')


@test
def through_a_socks_proxy():
    through_proxy(proxies.SocksProxy())


@test
def through_a_socks_proxy_and_tls():
    through_proxy(proxies.SocksProxy(), 'wss')


@test
def over_tls():
    target = Target(echo)
    pair = Pair('wss', soup_session=Soup.Session(tls_database=tls()[0]))
    forward = pair.open(target.spec)
    data = os.urandom(3_000_000)
    threads = []

    def exchange():
        with user(forward.props.bound_port) as sock:
            sender = threading.Thread(target=sock.sendall, args=(data,))
            threads.append(sender)
            sender.start()
            return receive_exactly(sock, len(data))
    assert in_thread(exchange) == data
    pair.close()
    untrusted = Pair('wss')
    try:
        call(untrusted.client, 'open')
        raise AssertionError('trusted')
    except GLib.Error as error:
        assert error.matches(Vt.error_quark(), Vt.Error.TLS), error
    call(untrusted.server, 'close')


@test
def a_tls_target_sees_its_own_name():
    """SNI, verification and the Host header are those of the target; the user speaks plain HTTP."""
    target = proxies.TlsTarget(pathlib.Path(scratch.name), tls)
    pair = Pair(soup_session=Soup.Session(tls_database=tls()[0]))
    call(pair.client, 'open')

    def ask(port):
        with user(port) as sock:
            body = b'Host: stays'
            sock.sendall(b'POST / HTTP/1.1\r\nHost: 127.0.0.1:1\r\nContent-Length: %d\r\n\r\n'
                         % len(body) + body)
            return [receive_line(sock).strip() for _ in range(3)]
    for options, host in (('', b'localhost'), (',host-header=app.example', b'app.example'),
                          (',host-header=keep', b'127.0.0.1:1')):
        forward = Vt.Forward.parse(f'0=tls://localhost:{target.port}{options}')[0]
        call(pair.client, 'listen', forward)
        seen = in_thread(ask, forward.props.bound_port)
        assert seen == [b'sni localhost', b'host ' + host, b'body Host: stays'], seen
    pair.close()


@test
def a_header_arrives():
    pair = Pair()
    soup = Soup.Server()
    seen = []

    def handler(server, message, *_):
        seen.append(message.get_request_headers().get_one('Authorization'))
        message.set_status(401, None)
    soup.add_handler('/', handler)
    soup.listen_local(0, Soup.ServerListenOptions.IPV4_ONLY)
    client = Vt.Client.new(f'ws://127.0.0.1:{soup.get_uris()[0].get_port()}/')
    client.set_header('Authorization', 'Bearer abc')
    try:
        call(client, 'open')
        raise AssertionError('opened')
    except GLib.Error as error:
        assert error.matches(Vt.error_quark(), Vt.Error.NOT_AUTHORISED), error
    assert seen[0] == 'Bearer abc', seen
    call(pair.server, 'close')


@test
def a_server_that_asks_who_it_is():
    pair = Pair()
    token, line = Vt.Access.create_token('alice')
    access = Vt.Access.new_from_data(f'[client alice]\ntoken={line}\n', -1)
    assert access.list_names() == ['alice'] and access.props.path is None
    pair.server.props.access = access
    pair.server.set_trusted_proxies(['10.0.0.0/8'])
    assert pair.server.props.trusted_proxies == ['10.0.0.0/8']
    for wrong in None, token[:-1], Vt.Access.create_token('alice')[0]:
        pair.client.set_token(wrong)
        try:
            call(pair.client, 'open')
            raise AssertionError('a stranger came in')
        except GLib.Error as error:
            assert error.matches(Vt.error_quark(), Vt.Error.NOT_AUTHORISED), error
    pair.client.set_token(token)
    call(pair.client, 'open')
    wait_for(lambda: pair.server.props.sessions.get_n_items() == 1)
    assert pair.server.props.sessions[0].props.user == 'alice'
    try:
        access.replace('[client alice]\n', -1)
        raise AssertionError('a client without a token')
    except GLib.Error as error:
        assert error.matches(Vt.error_quark(), Vt.Error.INVALID_ARGUMENT), error
    ended = []
    pair.server.connect('session-closed', lambda *values: ended.append(values[2]))
    access.replace('', -1)
    wait_for(lambda: ended)
    assert ended[0].matches(Vt.error_quark(), Vt.Error.NOT_AUTHORISED), ended
    wait_for(lambda: pair.client.props.state == Vt.ClientState.CLOSED)
    pair.close()


@test
def a_server_that_drains():
    target = Target(echo)
    pair = Pair()
    assert pair.server.props.resume_timeout == 60
    pair.server.props.resume_timeout = 30
    forward = pair.open(target.spec)
    sock = user(forward.props.bound_port)
    sock.sendall(b'x')
    wait_for(lambda: len(pair.client.get_streams()) == 1, 'a stream')
    session = pair.server.get_sessions()[0]
    assert session.props.connected and session.props.n_resumed == 0
    notified = []
    session.connect('notify::connected', lambda s, _: notified.append(s.get_connected()))
    drained = []
    pair.server.drain_async(20, None, lambda _, result: drained.append(result))
    wait_for(lambda: len(session.get_forwards()) == 0, 'the port to be closed')
    assert not drained
    sock.close()
    wait_for(lambda: drained, 'the end')
    assert pair.server.drain_finish(drained[0]) is True
    assert notified == [False] and not session.get_connected()
    assert not failures, failures


def memory():
    """Resident, in bytes."""
    with open('/proc/self/statm', encoding='ascii') as statm:
        return int(statm.read().split()[1]) * os.sysconf('SC_PAGE_SIZE')


@test
def a_socket_that_somebody_else_has_opened():
    server = Vt.Server()
    address = Gio.InetSocketAddress.new_from_string('127.0.0.1', 0)
    listener = Gio.Socket.new(Gio.SocketFamily.IPV4, Gio.SocketType.STREAM, Gio.SocketProtocol.TCP)
    listener.bind(address, True)
    try:
        server.listen_socket(listener)
        raise AssertionError('it does not listen')
    except GLib.Error as error:
        assert error.matches(Vt.error_quark(), Vt.Error.INVALID_ARGUMENT), error
    listener.listen()
    assert server.listen_socket(listener)
    port, = server.get_ports()
    assert port == listener.get_local_address().get_port()
    listener.close()
    client = Vt.Client(uri=f'ws://localhost:{port}/')
    call(client, 'open')
    call(client, 'close')
    call(server, 'close')


@test
def what_a_server_shows():
    target = Target(echo)
    pair = Pair()
    forward = pair.open(target.spec)
    with user(forward.props.bound_port) as sock:
        sock.sendall(b'x' * 1000)
        wait_for(lambda: '\nvtunnel_received_bytes_total 1000\n' in pair.server.dup_metrics(),
                 'the bytes')
        assert '\nvtunnel_streams 1\n' in pair.server.dup_metrics()
    assert pair.server.get_status_ports() == []
    assert pair.server.listen_status(None, 0)
    port, = pair.server.get_status_ports()
    assert port not in pair.server.get_ports()
    page = in_thread(lambda: urllib.request.urlopen(f'http://localhost:{port}/status').read())
    assert b'<h2>' in page, page
    try:
        pair.server.listen_status('*', 0)
        raise AssertionError('it shows everybody')
    except GLib.Error as error:
        assert error.matches(Vt.error_quark(), Vt.Error.PERMISSION_DENIED), error
    call(pair.server, 'close')
    assert pair.server.get_status_ports() == []


@test
def thousands_come_and_go():
    """Nothing is left of them: no object, no descriptor, no memory."""
    server = Vt.Server()
    server.listen('127.0.0.1', 0)
    uri = f'ws://127.0.0.1:{server.get_ports()[0]}/'
    gone = []

    def come_and_go(times):
        for _ in range(times):
            client = Vt.Client(uri=uri)
            forward = Vt.Forward()
            client.weak_ref(gone.append, 'client')
            forward.weak_ref(gone.append, 'forward')
            call(client, 'open')
            call(client, 'listen', forward)
            call(client, 'close')
    come_and_go(200)
    before = memory()
    descriptors = len(os.listdir('/proc/self/fd'))
    come_and_go(2000)
    wait_for(lambda: len(server.get_sessions()) == 0, 'the end of the sessions')
    gc.collect()
    assert gone.count('client') == gone.count('forward') == 2200, len(gone)
    wait_for(lambda: len(os.listdir('/proc/self/fd')) <= descriptors + 2, 'the descriptors')
    if 'ASAN_OPTIONS' not in os.environ:
        assert memory() < before + 3 * 2**20, (before, memory())
    call(server, 'close')


@test
def dropped_while_traffic_runs():
    target = Target(echo)
    for _ in range(5):
        pair = Pair()
        forward = pair.open(target.spec)
        sock = user(forward.props.bound_port)
        sock.sendall(b'x' * 1000)
        wait_for(lambda: len(pair.client.get_streams()) == 1, 'a stream')
        watched = pair.client, pair.server
        gone = []
        for thing in watched:
            thing.weak_ref(lambda: gone.append(True))
        del watched, thing, forward
        pair = None
        wait_for(lambda: len(gone) == 2, 'both gone')

        def see_the_end():
            try:
                while sock.recv(10_000):
                    pass
            except ConnectionResetError:
                pass
        in_thread(see_the_end)
        sock.close()


main()
