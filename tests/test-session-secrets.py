#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""Tokens of the session service: where they are, where they are not, and what happens without."""

import os
import socket
import stat
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'peers'))

from gi.repository import GLib  # noqa: E402

from desktop import MANAGER, NAME, ROOT, Desktop, error_name  # noqa: E402
from harness import Tool, main, test, wait_until  # noqa: E402

TOKEN = 'the-secret-token-0123456789'
UNAVAILABLE = f'{NAME}.Error.SecretsUnavailable'


class Gatekeeper:
    """Looks like a server that knows nobody; keeps the Authorization headers that it sees."""

    def __init__(self):
        self.seen = []
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.uri = f'ws://127.0.0.1:{self.listener.getsockname()[1]}/'
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            sock, _ = self.listener.accept()
            with sock:
                head = b''
                while b'\r\n\r\n' not in head:
                    head += sock.recv(4096)
                lines = head.decode().split('\r\n')
                self.seen += [line.split(': ', 1)[1] for line in lines
                              if line.lower().startswith('authorization:')] or ['']
                sock.sendall(b'HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n')


class Keyring:
    def __init__(self, desktop):
        self.desktop = desktop
        program = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'peers', 'keyring.py')
        self.process = subprocess.Popen([program, desktop.address], stdout=subprocess.PIPE,
                                        text=True)
        Tool.running.append(self)
        assert self.process.stdout.readline() == 'ready\n'
        wait_until(lambda: desktop.ask_bus('NameHasOwner', 'org.freedesktop.secrets'))

    def call(self, method, arguments=None):
        return self.desktop.call('/org/freedesktop/secrets', 'org.example.Keyring', method,
                                 arguments, name='org.freedesktop.secrets')

    def set(self, locked, user_unlocks=False):
        self.call('Set', GLib.Variant('(bb)', (locked, user_unlocks)))

    def tokens(self):
        return self.call('Look')[0]

    def prompts(self):
        return self.call('Look')[1]

    def end(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def files_with(folder, token=TOKEN):
    return [path for path in folder.rglob('*') if path.is_file()
            and token.encode() in path.read_bytes()]


def shows_token(desktop, path):
    """Whether any answer of the service has the token in it."""
    return TOKEN in str([desktop.objects(), desktop.do(path, 'GetStatistics')])


def opens_with_token(desktop, path, gatekeeper):
    before = len(gatekeeper.seen)
    desktop.do(path, 'Open')
    desktop.wait_for_state(path, 'failed')
    assert desktop.get(path, 'LastError')[0] == f'{NAME}.Error.NotAuthorised'
    assert gatekeeper.seen[before:] == [f'Bearer {TOKEN}'], gatekeeper.seen
    desktop.do(path, 'Close')
    assert desktop.get(path, 'LastError') == ('', '')


@test
def a_token_in_memory():
    desktop, gatekeeper = Desktop(G_MESSAGES_DEBUG='all'), Gatekeeper()
    path = desktop.create(gatekeeper.uri, lifetime='persistent')
    desktop.set_token(path, TOKEN, 'memory')
    opens_with_token(desktop, path, gatekeeper)
    assert not shows_token(desktop, path) and not files_with(desktop.folder)
    # The next process knows that there should be one.
    desktop.stop_service()
    desktop.do(path, 'Open')
    desktop.wait_for_state(path, 'needs-secrets')
    assert desktop.get(path, 'LastError')[0] == UNAVAILABLE
    # Given again, it is tried at once.
    desktop.set_token(path, TOKEN, 'memory')
    desktop.wait_for_state(path, 'failed')
    assert gatekeeper.seen[-1] == f'Bearer {TOKEN}'
    # Forgotten, the server is asked without.
    desktop.set_token(path, '', 'memory')
    desktop.do(path, 'Open')
    wait_until(lambda: gatekeeper.seen[-1] == '', what='an attempt without a token')
    assert not files_with(desktop.folder)
    desktop.close()


@test
def a_token_in_a_file():
    for mask in (0o000, 0o277):
        desktop, gatekeeper = Desktop(umask=mask, G_MESSAGES_DEBUG='all'), Gatekeeper()
        path = desktop.create(gatekeeper.uri, lifetime='persistent')
        desktop.set_token(path, TOKEN, 'file')
        only, = files_with(desktop.folder)
        assert only.parent == desktop.secrets
        assert stat.S_IMODE(only.stat().st_mode) == 0o600
        assert stat.S_IMODE(only.parent.stat().st_mode) == 0o700
        desktop.stop_service()
        opens_with_token(desktop, path, gatekeeper)
        assert not shows_token(desktop, path) and files_with(desktop.folder) == [only]
        # What was put in its place is not read.
        only.unlink()
        other = desktop.folder / 'other'
        other.write_text(TOKEN)
        only.symlink_to(other)
        desktop.do(path, 'Open')
        desktop.wait_for_state(path, 'needs-secrets')
        only.unlink()
        os.mkfifo(only)
        desktop.do(path, 'Open')
        wait_until(lambda: 'regular' in desktop.get(path, 'LastError')[1], what='the FIFO')
        other.unlink()
        desktop.do(path, 'Delete')
        assert not list(desktop.secrets.iterdir())
        desktop.close()


@test
def a_token_in_the_keyring():
    desktop, gatekeeper = Desktop(G_MESSAGES_DEBUG='all'), Gatekeeper()
    keyring = Keyring(desktop)
    path = desktop.create(gatekeeper.uri, lifetime='persistent')
    desktop.set_token(path, TOKEN, 'keyring')
    assert keyring.tokens() == [TOKEN] and keyring.prompts() == 0
    desktop.stop_service()
    opens_with_token(desktop, path, gatekeeper)
    assert not shows_token(desktop, path) and not files_with(desktop.folder)
    # It goes from one place to the other, and is then in that one only.
    desktop.set_token(path, TOKEN, 'file')
    wait_until(lambda: keyring.tokens() == [], what='the end of the one in the keyring')
    desktop.set_token(path, TOKEN, 'keyring')
    wait_until(lambda: not files_with(desktop.folder), what='the end of the one in the file')
    desktop.do(path, 'Delete')
    wait_until(lambda: keyring.tokens() == [], what='the end of the token')
    keyring.end()
    desktop.close()


@test
def a_locked_keyring():
    """The service asks nobody to unlock it but for somebody who opens the tunnel."""
    desktop, gatekeeper = Desktop(), Gatekeeper()
    keyring = Keyring(desktop)
    path = desktop.create(gatekeeper.uri, lifetime='persistent', autoconnect=True)
    desktop.set_token(path, TOKEN, 'keyring')
    keyring.set(locked=True)
    desktop.stop_service()
    desktop.wait_for_state(path, 'needs-secrets')
    assert keyring.prompts() == 0
    # The user says no, and then yes.
    desktop.do(path, 'Open')
    wait_until(lambda: keyring.prompts() == 1, what='the question')
    desktop.wait_for_state(path, 'needs-secrets')
    assert desktop.get(path, 'LastError')[0] == UNAVAILABLE
    assert error_name(desktop.set_token, path, TOKEN, 'keyring') == UNAVAILABLE
    keyring.set(locked=True, user_unlocks=True)
    desktop.do(path, 'Open')
    desktop.wait_for_state(path, 'failed')
    assert gatekeeper.seen == [f'Bearer {TOKEN}']
    # Unlocked for another reason, it is tried again by itself.
    keyring.set(locked=True)
    desktop.stop_service()
    desktop.wait_for_state(path, 'needs-secrets')
    keyring.set(locked=False)
    desktop.wait_for_state(path, 'failed')
    assert len(gatekeeper.seen) == 2
    keyring.end()
    desktop.close()


@test
def a_missing_keyring():
    desktop, gatekeeper = Desktop(), Gatekeeper()
    path = desktop.create(gatekeeper.uri, lifetime='persistent', autoconnect=True)
    assert error_name(desktop.set_token, path, TOKEN, 'keyring') == UNAVAILABLE
    keyring = Keyring(desktop)
    desktop.set_token(path, TOKEN, 'keyring')
    keyring.end()
    desktop.stop_service()
    desktop.wait_for_state(path, 'needs-secrets')
    assert gatekeeper.seen == []
    # One that appears, but has lost everything, and then has it.
    keyring = Keyring(desktop)
    desktop.wait_for_state(path, 'needs-secrets')
    desktop.set_token(path, TOKEN, 'keyring')
    desktop.wait_for_state(path, 'failed')
    assert gatekeeper.seen == [f'Bearer {TOKEN}']
    keyring.end()
    desktop.close()


@test
def what_is_no_token():
    desktop = Desktop()
    path = desktop.create()
    invalid = f'{NAME}.Error.InvalidArgument'
    for token in ('two words', 'a\r\nX: y', 'é', 'x' * 8193, 'x' * 10_000_000):
        assert error_name(desktop.set_token, path, token, 'memory') == invalid
    for storage in ('', 'pocket', 'MEMORY'):
        assert error_name(desktop.set_token, path, TOKEN, storage) == invalid
    for secrets in ({}, {'token': GLib.Variant('u', 1)}, {'password': GLib.Variant('s', 'x')},
                    {'token': GLib.Variant('as', ['x'])}):
        arguments = GLib.Variant('(a{sv}s)', (secrets, 'memory'))
        assert error_name(desktop.do, path, 'SetSecrets', arguments) == invalid
    desktop.close()


@test
def the_keyring_is_a_feature():
    desktop = Desktop()
    features = desktop.objects()[f'{ROOT}/Manager'][MANAGER]['Features']
    assert features == ['keyring'], features
    desktop.close()


if __name__ == '__main__':
    try:
        main()
    finally:
        Desktop.end_all()
