#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""docs/deploy/sshd.conf and ssh.md, with OpenSSH as Debian configures it."""

import os
import pathlib
import re
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'peers'))

import namespace  # noqa: E402

namespace.enter()

from deploy import FOLDER, Group, Sites, Way, commands, place, run  # noqa: E402
from harness import DEADLINE, in_thread, main, test, wait_until  # noqa: E402
from visits import Download, Visitor, chat, upload  # noqa: E402

SSH = pathlib.Path('/etc/ssh')
KEY = pathlib.Path('/run/home/key')
PUBLIC, PRIVATE = 0, 1


def make_keys():
    """The page's accounts, and who may be them; what this user would have in ~/.ssh."""
    for path in SSH.glob('ssh_host_*'):
        path.unlink()
    host = SSH / 'ssh_host_ed25519_key'
    for path in (host, KEY):
        run('ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', path)
    for words in commands('ssh.md', 'useradd'):
        run(*words)
    folder = SSH / 'authorized_keys.d'
    folder.mkdir()
    public = KEY.with_suffix('.pub').read_text()
    page = (FOLDER / 'ssh.md').read_text(encoding='utf-8')
    options, = re.findall(r'^ +(restrict,.*)', page, re.M)
    (folder / 'root').write_text(options.replace('ssh-ed25519 AAAA…', public))
    (folder / 'tunnel').write_text(public)
    (SSH / 'known_hosts').write_text(f'* {host.with_suffix(".pub").read_text()}')
    (SSH / 'ssh_config.d' / 'test.conf').write_text(
        f'IdentityFile {KEY}\nGlobalKnownHostsFile {SSH}/known_hosts\nUserKnownHostsFile none\n'
        'BatchMode yes\n')


def sshd():
    pathlib.Path('/run/sshd').mkdir(exist_ok=True)
    place('sshd.conf', SSH / 'sshd_config.d' / 'vtunnel.conf')
    # To who is not root outside of the namespace, / is nobody's there, and sshd refuses its keys.
    if os.stat('/').st_uid != 0:
        (SSH / 'sshd_config.d' / 'test.conf').write_text('StrictModes no\n')
    return Group('/usr/sbin/sshd', '-D', '-e').wait_ports(22)


def ssh(number, *ports):
    words = commands('ssh.md', 'ssh ')[number]
    return Group(*words).wait_ports(*ports)


@test
def the_configuration_as_it_stands():
    """The tunnel through ssh -L, and visitors through ssh -R, at once; and a new ssh -L."""
    sshd()
    private = ssh(PRIVATE, 3002)
    way = Way('ssh.md')
    client = way.client()
    ssh(PUBLIC, 80, 8080)
    way.server.event('session-opened', user='laptop', address='127.0.0.1')
    waits = [in_thread(upload, Visitor('api.example.org', 8080, None)),
             in_thread(chat, Visitor('app.example.org', 80, None))]
    Download(Visitor('app.example.org', 80, None)).finish()
    for wait in waits:
        wait()
    # The connection is lost, and made anew: the tunnel resumes.
    download = Download(Visitor('app.example.org', 80, None))
    private.kill()
    client.event('session-suspended')
    private.wait()
    ssh(PRIVATE, 3002)
    client.event('session-resumed')
    assert download.is_in_progress()
    download.finish()
    client.stop()
    way.server.stop()


@test
def what_the_accounts_may_not():
    sshd()
    ssh = ('ssh', '-N', '-o', 'ExitOnForwardFailure=yes')
    for account in ('root@app.example.org', 'tunnel@tunnel.example.org'):
        refused = Group(*ssh, '-R', '81:localhost:9000', account)
        assert refused.wait() != 0
        assert 'remote port forwarding failed' in refused.said(), refused.said()
        allowed = Group(*ssh, '-L', '3003:localhost:22', account).wait_ports(3003)
        with socket.create_connection(('localhost', 3003), DEADLINE) as sock:
            assert sock.recv(1) == b''
        wait_until(lambda: 'administratively prohibited' in allowed.said(), what='a word on why')
        allowed.kill()
        allowed.wait()


make_keys()
with Sites():
    main()
