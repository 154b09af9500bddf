# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""A terminal on a shell over SSH: an sshd with keys of its own, and a client that talks to it."""

import getpass
import os
import pathlib
import select
import subprocess
import threading
import time

SSHD = '/usr/sbin/sshd'
SSHD_CONFIG = '''HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM {pam}
PidFile none
LogLevel ERROR
'''


def make_key(path):
    subprocess.run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', str(path)], check=True)
    return path.with_suffix('.pub').read_text(encoding='ascii').strip()


class Sshd:
    """A process for each connection, which ends with it: `serve` is for a Target."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.host_key = make_key(self.folder / 'host')
        make_key(self.folder / 'user')
        # Without PAM, an sshd that cannot read the shadow file takes every account for locked.
        pam = 'no' if os.geteuid() == 0 else 'yes'
        (self.folder / 'sshd_config').write_text(SSHD_CONFIG.format(folder=folder, pam=pam))
        # As root, it asks for this folder, which Debian makes when it starts the service.
        if os.geteuid() == 0:
            pathlib.Path('/run/sshd').mkdir(mode=0o755, exist_ok=True)

    def serve(self, sock):
        with open(self.folder / 'log', 'a', encoding='utf-8') as log:
            return subprocess.call([SSHD, '-i', '-e', '-f', self.folder / 'sshd_config'],
                                   stdin=sock, stdout=sock, stderr=log)

    def said(self):
        return (self.folder / 'log').read_text(encoding='utf-8', errors='replace')


class Shell:
    """What a person has in front of it: types lines, and reads."""

    def __init__(self, sshd, port):
        (sshd.folder / 'known').write_text(f'[127.0.0.1]:{port} {sshd.host_key}\n')
        words = []
        for option in ('BatchMode=yes', 'IdentitiesOnly=yes', 'IdentityAgent=none',
                       'StrictHostKeyChecking=yes', f'UserKnownHostsFile={sshd.folder}/known',
                       'LogLevel=ERROR'):
            words += ['-o', option]
        self.terminal, inner = os.openpty()
        self.process = subprocess.Popen(
            ['ssh', '-F', '/dev/null', *words, '-i', sshd.folder / 'user', '-p', str(port), '-tt',
             f'{getpass.getuser()}@127.0.0.1', 'exec sh'], stdin=inner, stdout=inner, stderr=inner,
            start_new_session=True)
        os.close(inner)
        self.screen = b''

    def type(self, line):
        os.write(self.terminal, line.encode() + b'\n')

    def read_until(self, words, timeout):
        deadline = time.monotonic() + timeout
        while words.encode() not in self.screen:
            left = deadline - time.monotonic()
            ready, _, _ = select.select([self.terminal], [], [], max(left, 0))
            assert ready, f'no {words!r} in {self.screen[-500:]}'
            self.screen += os.read(self.terminal, 65536)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.terminal)

    def wait(self, timeout):
        """The exit status. What is still written to the screen is read, or it would not end."""
        reader = threading.Thread(target=self.drain, daemon=True)
        reader.start()
        return self.process.wait(timeout)

    def drain(self):
        try:
            while os.read(self.terminal, 65536):
                pass
        except OSError:
            pass
