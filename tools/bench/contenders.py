# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""The ways to a target that are compared. Each offers a port for each of the targets."""

import getpass
import os
import pathlib
import subprocess
import tempfile

from programs import Program, Tool, family, free_port

TOOL = os.environ.get('VT_TOOL', 'vtunnel-tool')
HAPROXY = '''
global
  nbthread 1
  maxconn 6000
defaults
  mode tcp
  option splice-auto
  maxconn 6000
  timeout connect 5s
  timeout client 600s
  timeout server 600s
'''
RELAY = '''
listen {name}
  bind 127.0.0.1:{port} backlog 4096
  server next 127.0.0.1:{next_port}
'''
SSHD = '''
ListenAddress 127.0.0.1:{port}
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
PidFile none
UsePAM {pam}
StrictModes no
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
AllowTcpForwarding yes
Compression no
LogLevel ERROR
'''
ENVIRONMENTS = {'v1': {'VT_PROTOCOL': '1'}, 'v2': {}}
SSHD_FOLDER = pathlib.Path('/run/sshd')


class Contender:
    """Programs between a user and the targets: a port for each target, by its name."""

    def __init__(self, key, ports, programs=()):
        self.key = key
        self.ports = ports
        self.programs = programs
        self.pids = [pid for program in programs for pid in family(program.pid)]

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        for program in self.programs:
            program.end()


def direct(_folder, targets):
    return Contender('direct', targets)


def haproxy(folder, targets):
    """Two processes in a row, of a thread each, that pass bytes on with splice ()."""
    ports, programs = targets, []
    for name in ('second', 'first'):
        next_ports, ports = ports, {target: free_port() for target in targets}
        configuration = folder / f'haproxy-{name}-{free_port()}.cfg'
        configuration.write_text(HAPROXY + ''.join(
            RELAY.format(name=target, port=ports[target], next_port=next_ports[target])
            for target in targets))
        programs.append(Program('haproxy', '-db', '-f', configuration, ports=ports.values()))
    return Contender('haproxy', ports, programs)


def make_key(path):
    subprocess.run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', str(path)], check=True)
    return path.with_suffix('.pub').read_text(encoding='ascii').strip()


def start_sshd(folder):
    """An SSH server that knows one key only, and its port."""
    host_key = make_key(folder / 'host')
    make_key(folder / 'user')
    port = free_port()
    (folder / 'known').write_text(f'[127.0.0.1]:{port} {host_key}\n')
    # Without PAM, an sshd that cannot read the shadow file takes every account for locked.
    pam = 'no' if os.geteuid() == 0 else 'yes'
    (folder / 'sshd_config').write_text(SSHD.format(folder=folder, port=port, pam=pam))
    program = Program('/usr/sbin/sshd', '-D', '-e', '-f', folder / 'sshd_config', ports=[port])
    return program, port


def ssh(folder, targets):
    """OpenSSH as it comes, its default cipher, without compression."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix='ssh-', dir=folder))
    server, server_port = start_sshd(folder)
    ports = {name: free_port() for name in targets}
    words = [f'-R127.0.0.1:{ports[name]}:127.0.0.1:{targets[name]}' for name in targets]
    for option in ('BatchMode=yes', 'Compression=no', 'ExitOnForwardFailure=yes',
                   'IdentitiesOnly=yes', 'IdentityAgent=none', 'StrictHostKeyChecking=yes',
                   f'UserKnownHostsFile={folder}/known', 'LogLevel=ERROR'):
        words += ['-o', option]
    client = Program('ssh', '-F', '/dev/null', '-N', *words, '-i', folder / 'user',
                     '-p', server_port, f'{getpass.getuser()}@127.0.0.1', ports=ports.values())
    return Contender('ssh', ports, [client, server])


class SshdFolder:
    """As root, sshd asks for this folder: made if it is missing, and then removed afterwards."""

    def __enter__(self):
        self.made = os.geteuid() == 0 and not SSHD_FOLDER.exists()
        if self.made:
            SSHD_FOLDER.mkdir(mode=0o755)
        return self.made

    def __exit__(self, *_exception):
        if self.made:
            SSHD_FOLDER.rmdir()


def spoken(key):
    """The protocol that the two sides agree on."""
    try:
        server = Tool.server()
        client = Tool.client(server.port, '0=127.0.0.1:9', environment=ENVIRONMENTS[key])
        return client.event('session-opened', timeout=20)['protocol']
    finally:
        Tool.end_all()


def tunnel(key, targets, relay=None):
    """Ours; `relay` starts something between the two sides, and returns it and its port."""
    port = free_port()
    programs = [Program(TOOL, 'server', '--quiet', '--port', port, ports=[port])]
    if relay:
        program, port = relay(port)
        programs.append(program)
    ports = {name: free_port() for name in targets}
    words = [f'--forward={ports[name]}=127.0.0.1:{targets[name]}' for name in targets]
    programs.append(Program(TOOL, 'client', '--quiet', '--server', f'ws://127.0.0.1:{port}/',
                            *words, ports=ports.values(), environment=ENVIRONMENTS[key]))
    return Contender(key, ports, programs)


def v1(_folder, targets):
    return tunnel('v1', targets)


def v2(_folder, targets):
    return tunnel('v2', targets)


STARTS = {'direct': direct, 'haproxy': haproxy, 'ssh': ssh, 'v1': v1, 'v2': v2}


def start(key, folder, targets):
    return STARTS[key](folder, targets)
