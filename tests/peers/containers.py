# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""What a container runtime makes of a Compose file, by the namespaces that it would use, too.

For tests that are in a namespace of their own (namespace.py), which is the host. A service gets a
network with the address that the file gives it, files, processes, and the rights that the file
leaves it. It runs this machine's programs in the place of its image's. A key that is not known here
is an error: nothing that a file says is left out.
"""

import contextlib
import ctypes
import ipaddress
import itertools
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import yaml

from deploy import Group, run
from harness import TOOL, Tool
from namespace import LIBC

CLONE_NEWPID, CLONE_NEWNET = 0x20000000, 0x40000000
KEYS = {'image', 'build', 'command', 'environment', 'volumes', 'ports', 'networks', 'read_only',
        'cap_drop', 'cap_add', 'security_opt', 'stop_grace_period', 'restart'}
# What a runtime leaves to root in a container, unless it is told otherwise.
CAPABILITIES = {'CHOWN', 'DAC_OVERRIDE', 'FSETID', 'FOWNER', 'MKNOD', 'NET_RAW', 'SETGID', 'SETUID',
                'SETFCAP', 'SETPCAP', 'NET_BIND_SERVICE', 'SYS_CHROOT', 'KILL', 'AUDIT_WRITE'}
LAUNCHER = pathlib.Path(__file__).with_name('container.py')
VOLUMES = pathlib.Path('/run/volumes')
INSTALLED = pathlib.Path('/run/image')
SUPPRESSIONS = pathlib.Path(__file__).resolve().parents[1] / 'lsan.supp'


def check(status, what):
    if status != 0:
        raise OSError(ctypes.get_errno(), what)


@contextlib.contextmanager
def namespace_of(kind, descriptor):
    """For this thread, and what it starts meanwhile; None stands for a new one."""
    name = {CLONE_NEWPID: 'pid', CLONE_NEWNET: 'net'}[kind]
    own = os.open(f'/proc/thread-self/ns/{name}', os.O_RDONLY)
    try:
        if descriptor is None:
            check(LIBC.unshare(kind), 'unshare')
        else:
            check(LIBC.setns(descriptor, kind), 'setns')
        yield
    finally:
        check(LIBC.setns(own, kind), 'setns')
        os.close(own)


class Network:
    """One of a runtime's: the host routes what its members send, and takes no part otherwise."""

    def __init__(self, subnet):
        self.subnet = ipaddress.ip_network(subnet)
        self.gateway = str(self.subnet[1])
        self.members = {}

    def address(self, name, wanted):
        free = (str(address) for address in itertools.islice(self.subnet.hosts(), 1, None))
        address = wanted or next(one for one in free if one not in self.members.values())
        assert ipaddress.ip_address(address) in self.subnet, (name, address, self.subnet)
        assert address != self.gateway and address not in self.members.values(), (name, address)
        self.members[name] = address
        return address


class Place:
    """Where a container is: a network interface with one address, and a way out by the host."""

    count = itertools.count(1)

    def __init__(self, network, name, wanted=None):
        self.network = network
        self.address = network.address(name, wanted)
        with namespace_of(CLONE_NEWNET, None):
            self.descriptor = os.open('/proc/thread-self/ns/net', os.O_RDONLY)
        self.device = f'veth{next(self.count)}'
        run('ip', 'link', 'add', self.device, 'type', 'veth', 'peer', 'name', 'eth0',
            'netns', f'/proc/{os.getpid()}/fd/{self.descriptor}')
        run('ip', 'address', 'add', f'{network.gateway}/32', 'dev', self.device)
        run('ip', 'link', 'set', self.device, 'up')
        run('ip', 'route', 'add', self.address, 'dev', self.device)
        with self.entered():
            run('ip', 'link', 'set', 'lo', 'up')
            run('ip', 'address', 'add', f'{self.address}/32', 'dev', 'eth0')
            run('ip', 'link', 'set', 'eth0', 'up')
            run('ip', 'route', 'add', 'default', 'via', network.gateway, 'dev', 'eth0', 'onlink')

    def entered(self):
        return namespace_of(CLONE_NEWNET, self.descriptor)

    def publish(self, address):
        """Who comes to this address of the host's comes here. Other than with a runtime it is so at
        each port, and whoever comes is seen."""
        with self.entered():
            run('ip', 'address', 'add', f'{address}/32', 'dev', 'lo')
        run('ip', 'route', 'add', address, 'dev', self.device)


class Image:
    """What an image says of how it is run."""

    def __init__(self, words, user='0:0', environment=()):
        self.words = list(words)
        self.user = user
        self.environment = dict(environment)

    @classmethod
    def of_file(cls, path):
        text = path.read_text(encoding='utf-8').replace('\\\n', ' ')
        found = dict(re.findall(r'^([A-Z]+) +(.*)$', text, re.M))
        assert found['STOPSIGNAL'] == 'SIGTERM', found
        assert json.loads(found['ENTRYPOINT']) == ['vtunnel-tool'], found
        name, _, value = found['ENV'].partition('=')
        return cls([], found['USER'], {name: value})


class Service:
    """One of a Compose file's, in its place."""

    def __init__(self, spec, image, folder, place):
        assert set(spec) <= KEYS, f'no test knows what {set(spec) - KEYS} mean'
        self.spec = spec
        self.image = image
        self.folder = folder
        self.place = place

    def ports(self):
        """Of the host's: what is published."""
        return [port.split(':')[0] for port in self.spec.get('ports', ())]

    def words(self):
        """Of the command, behind what the image begins it with."""
        return [str(word) for word in self.spec.get('command', ())]

    def rights(self):
        dropped, added = self.spec.get('cap_drop', []), self.spec.get('cap_add', [])
        left = (set() if 'ALL' in dropped else CAPABILITIES - set(dropped)) | set(added)
        user, group = self.image.user.split(':')
        words = [f'--reuid={user}', f'--regid={group}', '--clear-groups', '--inh-caps=-all',
                 '--bounding-set=' + ','.join(['-all', *(f'+{one.lower()}' for one in left)])]
        for option in self.spec.get('security_opt', ()):
            assert option == 'no-new-privileges:true', option
            words.append('--no-new-privs')
        return words

    def mounts(self):
        """Folders and files of the host's beside the Compose file, volumes, and names of others."""
        VOLUMES.mkdir(exist_ok=True)
        for entry in self.spec.get('volumes', ()):
            source, target, *options = entry.split(':')
            path = self.folder / source if source.startswith('.') else VOLUMES / source
            if path.parent == VOLUMES:
                path.mkdir(exist_ok=True)
            assert path.exists(), f'{path} is not there, and would be made anew, for root'
            yield str(path), target, options != ['ro']
        yield str(self.write_hosts()), '/etc/hosts', False
        yield from ((str(path), path_in_image, False) for path_in_image, path in install())

    def write_hosts(self):
        path = pathlib.Path(f'/run/hosts-{self.place.device}')
        lines = [f'{address} {name}\n' for name, address in self.place.network.members.items()]
        public = pathlib.Path('/etc/hosts').read_text(encoding='ascii')
        path.write_text(public + ''.join(lines), encoding='ascii')
        return path

    @contextlib.contextmanager
    def entered(self):
        """What is started meanwhile is the first process of its own, with its network."""
        with self.place.entered(), namespace_of(CLONE_NEWPID, None):
            yield

    def prefix(self):
        spec = {'mounts': list(self.mounts()), 'rights': self.rights(),
                'read_only': self.spec.get('read_only', False)}
        return [sys.executable, str(LAUNCHER), json.dumps(spec)]

    def environment(self):
        return self.image.environment | self.spec.get('environment', {})

    def grace(self):
        """Seconds from SIGTERM to SIGKILL."""
        return float(self.spec.get('stop_grace_period', '10s').removesuffix('s'))

    def start(self):
        """A program of another image."""
        path = {'PATH': os.environ['PATH']}
        with self.entered():
            return Group(*self.prefix(), *self.image.words, *self.words(),
                         env=path | self.environment())

    def start_tool(self, *more):
        return ContainedTool(self, *more)


class ContainedTool(Tool):
    """vtunnel-tool, as process 1."""

    def __init__(self, service, *more):
        self.service = service
        super().__init__(*service.words(), '--json', *more, prefix=service.prefix(),
                         environment=service.environment() | sanitizers())

    def launch(self, words, **options):
        with self.service.entered():
            return super().launch(words, **options)

    def stop(self, **_):
        """It is killed if it takes longer than it is given."""
        super().stop(self.service.grace())


def install():
    """The tool and its libraries, for all to read, by the paths that they have where they were
    built."""
    build = pathlib.Path(TOOL).resolve().parents[1]
    if not INSTALLED.exists():
        for path in (pathlib.Path(TOOL), *build.rglob('lib*-1.so.0')):
            copy = INSTALLED / path.relative_to(build)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copy)
            copy.chmod(0o755)
    return [(str(build), INSTALLED), (str(SUPPRESSIONS), SUPPRESSIONS)]


def sanitizers():
    """What they are told by the environment; there is no file for their reports in a container."""
    names = [name for name in ('ASAN_OPTIONS', 'UBSAN_OPTIONS') if name in os.environ]
    return {name: f'{os.environ[name]}:log_path=stderr' for name in names}


def needed_packages():
    """Those of this project that the tool's own comes with: by the names of its libraries."""
    said = subprocess.run(['ldd', TOOL], check=True, capture_output=True, text=True).stdout
    found = re.findall(r'^\s*(libvtunnel\S*)\.so\.(\d+) ', said, re.M)
    return {'vtunnel-tool'} | {f'{name}-{number}' for name, number in found}


def services(path, images, network=None):
    """Of a Compose file, each in its place: in a network of the file's, or else in this one, which
    the project has anyway."""
    content = yaml.safe_load(path.read_text(encoding='utf-8'))
    networks = {name: Network(spec['ipam']['config'][0]['subnet'])
                for name, spec in content.get('networks', {}).items()}
    networks['default'] = network
    found = {}
    for name, spec in content['services'].items():
        places = spec.get('networks', ['default'])
        places = places if isinstance(places, dict) else dict.fromkeys(places)
        (key, where), = places.items()
        place = Place(networks[key], name, (where or {}).get('ipv4_address'))
        found[name] = Service(spec, images[spec['image']], path.parent, place)
    return found
