#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""The certificate of vtunnel-tool server: read again when it changes, and no TLS before 1.2."""

import hashlib
import os
import pathlib
import signal
import ssl
import subprocess
import sys
import tempfile
import warnings

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'peers'))

from harness import (DEADLINE, Target, Tool, echo, main, receive_all, receive_exactly,  # noqa: E402
                     test, user, wait_until)

scratch = tempfile.TemporaryDirectory()
folder = pathlib.Path(scratch.name)


class Files:
    """A certificate for localhost and its key, in files that can be replaced."""

    count = 0

    def __init__(self):
        Files.count += 1
        self.folder = folder / str(Files.count)
        self.folder.mkdir()
        self.certificate = self.folder / 'certificate.pem'
        self.key = self.folder / 'key.pem'
        self.replace()

    def replace(self):
        """As those programs do that renew certificates: one file after the other, each at once."""
        new = self.folder / 'new'
        new.mkdir()
        subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt',
                        'ec_paramgen_curve:prime256v1', '-nodes', '-subj', '/CN=localhost',
                        '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1', '-days', '30',
                        '-keyout', new / 'key.pem', '-out', new / 'certificate.pem'],
                       check=True, capture_output=True)
        for name in 'certificate.pem', 'key.pem':
            (new / name).rename(self.folder / name)
        new.rmdir()

    def fingerprint(self):
        der = ssl.PEM_cert_to_DER_cert(self.certificate.read_text())
        return hashlib.sha256(der).hexdigest()

    def server(self, *arguments):
        return Tool.server('--tls-certificate', str(self.certificate), '--tls-key', str(self.key),
                           *arguments)


def shown(port):
    """The SHA-256 of the certificate that a server shows."""
    pem = ssl.get_server_certificate(('127.0.0.1', port), timeout=20)
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()


def says(tool, words):
    return [line for line in tool.errors if words in line]


@test
def a_certificate_that_is_renewed():
    target = Target(echo)
    files = Files()
    server = files.server()
    first = files.fingerprint()
    assert shown(server.port) == first
    client = Tool('client', '--json', '--server', f'wss://localhost:{server.port}/', '--forward',
                  f'0=127.0.0.1:{target.port}', '--tls-ca', str(files.certificate))
    with user(client.forward_port()) as sock:
        files.replace()
        wait_until(lambda: says(server, 'read again'), what='word of the new certificate')
        assert shown(server.port) == files.fingerprint() != first
        # Whoever is there stays.
        sock.sendall(b'hello')
        assert receive_exactly(sock, 5) == b'hello'
    second = files.fingerprint()
    files.certificate.write_text('junk')
    wait_until(lambda: says(server, 'stays in force'), what='word of a broken file')
    assert shown(server.port) == second
    client.stop()
    server.stop()


@test
def authorities_in_a_relative_path():
    files = Files()
    server = files.server()
    tool = client(server.port, '--tls-ca', os.path.relpath(files.certificate))
    tool.forward_port()
    tool.stop()
    server.stop()


@test
def a_certificate_that_is_read_when_asked():
    files = Files()
    server = files.server()
    files.replace()
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: shown(server.port) == files.fingerprint(), what='the new certificate')
    server.stop()


def context(files, side, version):
    """Of a side that speaks this version of TLS only."""
    made = ssl.SSLContext(side)
    made.set_ciphers('DEFAULT@SECLEVEL=0')
    made.minimum_version = made.maximum_version = version
    if side == ssl.PROTOCOL_TLS_SERVER:
        made.load_cert_chain(files.certificate, files.key)
    else:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    return made


VERSIONS = [(ssl.TLSVersion.TLSv1, False), (ssl.TLSVersion.TLSv1_1, False),
            (ssl.TLSVersion.TLSv1_2, True), (ssl.TLSVersion.TLSv1_3, True)]


@test
def a_server_answers_no_tls_before_1_2():
    files = Files()
    server = files.server()
    warnings.simplefilter('ignore', DeprecationWarning)
    for version, taken in VERSIONS:
        with user(server.port) as sock:
            try:
                with context(files, ssl.PROTOCOL_TLS_CLIENT, version).wrap_socket(sock) as tls:
                    tls.sendall(b'GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
                    answer = receive_all(tls)
            except OSError:
                answer = b''
        assert answer.endswith(b'ok') == taken, (version, answer)
    server.stop()


class Watcher(Target):
    """A TLS server that only keeps what a client says in confidence."""

    def __init__(self, made):
        self.context = made
        super().__init__(self.hear)

    def hear(self, sock):
        with self.context.wrap_socket(sock, server_side=True) as tls:
            return tls.recv(65536)

    def heard(self):
        result = self.results.get(timeout=DEADLINE)
        return b'' if isinstance(result, OSError) else result


def client(port, *arguments):
    return Tool('client', '--json', '--no-reconnect', '--server', f'wss://localhost:{port}/',
                '--forward', '0=1', *arguments, environment={'VTUNNEL_TOKEN': 's3cret'})


@test
def a_client_says_nothing_before_1_2():
    files = Files()
    warnings.simplefilter('ignore', DeprecationWarning)
    for version, taken in VERSIONS:
        watcher = Watcher(context(files, ssl.PROTOCOL_TLS_SERVER, version))
        tool = client(watcher.port, '--tls-ca', str(files.certificate))
        assert (b's3cret' in watcher.heard()) == taken, version
        assert tool.wait() == 1, tool.errors
        assert taken or says(tool, '1.2'), tool.errors
        watcher.close()


@test
def a_pinned_certificate():
    """It is taken though nobody has signed it, and no other is, though somebody trusted has."""
    files, others = Files(), Files()
    server = files.server()
    pin = f'sha256:{files.fingerprint()}'
    written = subprocess.run(['openssl', 'x509', '-in', files.certificate, '-noout',
                              '-fingerprint', '-sha256'], check=True, capture_output=True,
                             text=True).stdout.strip().split('=')[1]
    other = f'sha256:{others.fingerprint()}'
    for arguments in ['--pin', pin], ['--pin', f'sha256:{written}'], ['--pin', other, '--pin', pin]:
        tool = client(server.port, *arguments)
        tool.forward_port()
        tool.stop()
    server.stop()

    for arguments in ['--pin', other], ['--pin', other, '--tls-ca', str(files.certificate)]:
        watcher = Watcher(context(files, ssl.PROTOCOL_TLS_SERVER, ssl.TLSVersion.TLSv1_2))
        tool = client(watcher.port, *arguments)
        assert watcher.heard() == b''
        assert tool.wait() == 1 and says(tool, pin), tool.errors
        watcher.close()
    for wrong in 'sha256:', 'sha256:00', f'sha256:{"g" * 64}', 'md5:00', files.fingerprint():
        assert client(1, '--pin', wrong).wait() == 2, wrong


class Authority:
    """Signs certificates of clients."""

    def __init__(self, name):
        self.folder = folder / name
        self.folder.mkdir()
        self.file = self.folder / 'ca.pem'
        self.openssl('req', '-x509', *self.key('ca'), '-out', 'ca.pem', '-days', '30', '-subj',
                     f'/CN={name}')

    def openssl(self, *arguments):
        subprocess.run(['openssl', *arguments], check=True, cwd=self.folder, capture_output=True)

    @staticmethod
    def key(stem):
        return ('-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout',
                f'{stem}.key')

    def sign(self, subject, stem):
        """The options with which a client shows such a certificate."""
        self.openssl('req', *self.key(stem), '-out', f'{stem}.csr', '-subj', subject)
        self.openssl('x509', '-req', '-in', f'{stem}.csr', '-CA', 'ca.pem', '-CAkey', 'ca.key',
                     '-CAcreateserial', '-days', '30', '-out', f'{stem}.pem')
        return ('--tls-certificate', str(self.folder / f'{stem}.pem'), '--tls-key',
                str(self.folder / f'{stem}.key'))


@test
def clients_with_certificates():
    files, authority, stranger = Files(), Authority('ours'), Authority('theirs')
    access = folder / 'access'
    access.touch(0o600)
    digest = f'sha256:{"A" * 22}:{"A" * 43}'
    access.write_text(f'[client alice]\ncertificate=true\n[client bob]\ntoken={digest}\n')
    server = files.server('--access', str(access), '--client-ca', str(authority.file))

    def come(*arguments):
        return Tool('client', '--json', '--no-reconnect', '--server',
                    f'wss://localhost:{server.port}/', '--forward', '0=1', '--tls-ca',
                    str(files.certificate), *arguments)

    alice = come(*authority.sign('/O=Example/CN=alice', 'alice'))
    alice.forward_port()
    assert server.event('session-opened')['user'] == 'alice'
    for arguments, status in [((), 4), (authority.sign('/CN=bob', 'bob'), 4),
                              (authority.sign('/CN=carol', 'carol'), 4),
                              (authority.sign('/CN=alice/CN=bob', 'both'), 4),
                              (authority.sign('/CN=ALICE', 'other'), 4),
                              (stranger.sign('/CN=alice', 'alice'), 1)]:
        tool = come(*arguments)
        assert tool.wait() == status, (arguments, tool.errors)
    assert len([e for e in server.events if e['event'] == 'session-opened']) == 1
    access.write_text(f'[client alice]\ntoken={digest}\n')
    assert alice.wait() == 1 and 'taken back' in alice.errors[-1], alice.errors
    server.stop()
    for arguments in ['--client-ca', str(authority.file)], \
                     ['--client-ca', str(authority.file), '--access', str(access)]:
        assert Tool('server', *arguments).wait() == 2, arguments
    assert come('--tls-key', 'x.pem').wait() == 2


main()
