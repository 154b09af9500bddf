# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""A machine of a test's own: ports, addresses, processes and system files that nobody else has.

A configuration has the ports, paths and names that its reader is to use. To start it as it stands,
a test runs again in namespaces of its own: a network with nothing but a loopback, processes that
all end with the test, and folders of the system that are copies or empty.

    namespace.enter()       # before anything else; returns inside

root makes them as it is. Others are root of a user namespace, in which the accounts of the system
exist, too: for that, `uidmap` has to be installed, and /etc/subuid to name the user.
"""

import ctypes
import fcntl
import os
import pathlib
import shutil
import socket
import struct
import subprocess
import sys
import tempfile

INSIDE = 'VT_TEST_NAMESPACE'
PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
# The server's machine, and somebody else's.
HERE, ELSEWHERE = '192.0.2.1', '198.51.100.7'
NAMES = ('tunnel.example.org', 'app.example.org', 'api.example.org')
# Where programs keep what is theirs.
EMPTY = ('/run', '/var/log', '/var/lib/nginx', '/var/lib/caddy', '/var/lib/haproxy',
         '/var/lib/apache2', '/var/cache/apache2')

SIOCSIFADDR, SIOCGIFFLAGS, SIOCSIFFLAGS, SIOCSIFNETMASK = 0x8916, 0x8913, 0x8914, 0x891C
IFF_UP = 1
MS_BIND, MS_MOVE = 4096, 8192
LIBC = ctypes.CDLL(None, use_errno=True)


def enter(addresses=(HERE, ELSEWHERE)):
    """Runs the program again, inside, and ends with it; returns if this is inside already. There
    its machine has these addresses, besides its loopback's."""
    if INSIDE in os.environ:
        raise_loopback(addresses)
        furnish()
        return
    words = ['unshare', '--net', '--mount', '--pid', '--fork', '--mount-proc', '--kill-child']
    if os.getuid() != 0:
        words += ['--user', '--map-root-user', '--map-auto']
        if not shutil.which('newuidmap'):
            sys.exit('newuidmap is not there: the package uidmap has it')
    environment = dict(os.environ, PATH=PATH, HOME='/run/home', **{INSIDE: '1'})
    # One that is ended takes what is inside along.
    os.execvpe(words[0], [*words, sys.executable, *sys.argv], environment)


def request(name, *fields):
    return struct.pack('16s' + ''.join(form for form, _ in fields), name.encode(),
                       *(value for _, value in fields)).ljust(40, b'\0')


def raise_loopback(addresses):
    """As `ip link set lo up` and `ip address add` do."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        def ask(what, data):
            return fcntl.ioctl(control, what, data)

        flags, = struct.unpack_from('H', ask(SIOCGIFFLAGS, request('lo')), 16)
        ask(SIOCSIFFLAGS, request('lo', ('H', flags | IFF_UP)))
        for number, address in enumerate(addresses):
            for what, value in ((SIOCSIFADDR, address), (SIOCSIFNETMASK, '255.255.255.255')):
                ask(what, request(f'lo:{number}', ('H', socket.AF_INET), ('H', 0),
                                  ('4s', socket.inet_aton(value))))


def mount(source, target, kind=None, flags=0, options=None):
    """Not the command, which would also note it in the system's /run."""
    words = [word and os.fsencode(word) for word in (source, target, kind, options)]
    if LIBC.mount(*words[:3], ctypes.c_ulong(flags), words[3]) != 0:
        raise OSError(ctypes.get_errno(), f'cannot mount {target}')


def furnish():
    """Nothing that is written below these folders is the system's."""
    with tempfile.TemporaryDirectory() as folder:
        mount('tmpfs', folder, 'tmpfs', options='mode=755')
        # What this user cannot read, no program needs that it starts.
        subprocess.run(['cp', '-a', '--no-preserve=ownership', '/etc/.', folder], check=False,
                       stderr=subprocess.DEVNULL)
        mount(folder, '/etc', flags=MS_MOVE)
    for path in EMPTY:
        if pathlib.Path(path).is_dir():
            mount('tmpfs', path, 'tmpfs', options='mode=755')
    # The accounts of the system, and no password for any of them.
    names = [line.split(':')[0] for line in
             pathlib.Path('/etc/passwd').read_text(encoding='utf-8').splitlines()]
    pathlib.Path('/etc/shadow').write_text(''.join(f'{name}:*:1:0:99999:7:::\n' for name in names),
                                           encoding='utf-8')
    pathlib.Path('/run/home').mkdir()
    pathlib.Path('/run/lock').mkdir(mode=0o1777)
    pathlib.Path('/etc/hosts').write_text(
        f'127.0.0.1 localhost\n::1 localhost\n{HERE} {" ".join(NAMES)}\n', encoding='ascii')
