# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""The first process of a container, for containers.py: `container.py SPEC COMMAND…`.

It makes the container's files of this machine's programs and of what SPEC mounts, gives away what
SPEC does not leave it, and becomes COMMAND. Processes and network are its own already.
"""

import ctypes
import json
import os
import pathlib
import shutil
import sys

from namespace import LIBC, MS_BIND, mount

CLONE_NEWNS = 0x00020000
MS_RDONLY, MS_REMOUNT, MS_REC, MS_PRIVATE = 1, 32, 16384, 1 << 18
# What a mount has to keep that was made by somebody with more rights.
KEPT = os.ST_NOSUID | os.ST_NODEV | os.ST_NOEXEC
DEVICES = ('null', 'zero', 'full', 'random', 'urandom')
# What programs ask for names, accounts and authorities.
SETTINGS = ('nsswitch.conf', 'passwd', 'group', 'ssl', 'ca-certificates')


def bind(source, target, writable=False):
    if pathlib.Path(source).is_dir():
        target.mkdir(parents=True, exist_ok=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    mount(source, target, flags=MS_BIND)
    if not writable:
        kept = os.statvfs(target).f_flag & KEPT
        mount(None, target, flags=MS_REMOUNT | MS_BIND | MS_RDONLY | kept)


def make_system(root):
    """As a distribution's image has it."""
    bind('/usr', root / 'usr')
    for path in map(pathlib.Path, ('/bin', '/sbin', '/lib', '/lib64')):
        if path.is_symlink():
            (root / path.name).symlink_to(path.readlink())
        elif path.exists():
            bind(path, root / path.name)
    for name in DEVICES:
        bind(f'/dev/{name}', root / 'dev' / name, writable=True)
    (root / 'etc').mkdir()
    for name in SETTINGS:
        path = pathlib.Path('/etc', name)
        copy = shutil.copytree if path.is_dir() else shutil.copy
        copy(path, root / 'etc' / name)
    for name in ('proc', 'tmp'):
        (root / name).mkdir()
    mount('proc', root / 'proc', 'proc')


def main():
    spec, words = json.loads(sys.argv[1]), sys.argv[2:]
    if LIBC.unshare(CLONE_NEWNS) != 0:
        raise OSError(ctypes.get_errno(), 'unshare')
    mount(None, '/', flags=MS_REC | MS_PRIVATE)
    root = pathlib.Path('/run/container')
    root.mkdir(exist_ok=True)
    mount('tmpfs', root, 'tmpfs', options='mode=755')
    make_system(root)
    for source, target, writable in spec['mounts']:
        bind(source, root / target.lstrip('/'), writable)
    if spec['read_only']:
        mount(None, root, flags=MS_REMOUNT | MS_RDONLY)
    os.chroot(root)
    os.chdir('/')
    os.execvp('setpriv', ['setpriv', *spec['rights'], *words])


main()
