#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""docs/deploy/containers.md, Containerfile, compose.yaml and compose-client.yaml, with Caddy.

Without a runtime: peers/containers.py makes the containers. Visitors come from what is their host,
which also routes what the client's network sends to the server's.
"""

import os
import pathlib
import re
import shlex
import shutil
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'peers'))

import namespace  # noqa: E402
from namespace import ELSEWHERE, HERE  # noqa: E402

# The server's machine has the other address: it is Caddy that is published there.
namespace.enter((ELSEWHERE,))

from containers import Image, Network, Place, needed_packages, services  # noqa: E402
from deploy import FOLDER, place, run, tls_context  # noqa: E402
from harness import TOOL, main, test, wait_until  # noqa: E402
from visits import Download, Visitor, beside, everything_works, the_tunnel_resumes  # noqa: E402
from website import Website  # noqa: E402

PAGE = 'containers.md'
HOME = pathlib.Path.home()
ROOT = pathlib.Path('/run/volumes/caddy-data/caddy/pki/authorities/local/root.crt')
CLIENTS = Network('172.18.0.0/16')
IMAGES = {
    'localhost/vtunnel-tool': Image.of_file(FOLDER / 'Containerfile'),
    # What it says of itself.
    'docker.io/library/caddy:2': Image(
        ['caddy', 'run', '--config', '/etc/caddy/Caddyfile', '--adapter', 'caddyfile'],
        environment={'XDG_CONFIG_HOME': '/config', 'XDG_DATA_HOME': '/data'}),
}
# The one command of a runtime's that can be run here, and those that other tests stand for.
DOCKER = f'''#!/bin/sh
case "$*" in
  'run --rm localhost/vtunnel-tool '*) shift 3; exec {shlex.quote(TOOL)} "$@" ;;
  'compose '*' up -d' | 'compose up -d') ;;
  *) exit 1 ;;
esac
'''


def follow(heading, folder, **options):
    """Does what stands under a heading of the page; returns what it says."""
    text = (FOLDER / PAGE).read_text(encoding='utf-8')
    section = text.split(f'\n## {heading}\n')[1].split('\n## ')[0]
    lines = [line[4:] for line in section.splitlines() if line.startswith('    ')]
    assert len(lines) > 3, heading
    path = f'{HOME}:{os.environ["PATH"]}'
    return run('sh', '-ec', 'exec 2>&1\n' + '\n'.join(lines), cwd=folder,
               env={**os.environ, 'PATH': path}, **options)


def furnish():
    """Both machines, by the page; returns the token."""
    docker = HOME / 'docker'
    docker.write_text(DOCKER, encoding='utf-8')
    docker.chmod(0o755)
    for name in ('compose.yaml', 'Caddyfile'):
        place(name, HOME / 'server' / name)
    place('compose-client.yaml', HOME / 'client' / 'compose-client.yaml')
    return re.search(r'vt_laptop_\S+', follow('On the server', HOME / 'server'))[0]


def furnish_client():
    """With what the server's machine has for it."""
    program = start_caddy()
    stop(program)
    shutil.copy(ROOT, HOME / 'caddy-root.crt')
    follow("On the client's side", HOME / 'client', input=token)


def start_caddy():
    program = there['caddy'].start().wait_ports(80, 443)
    wait_until(ROOT.exists, what='the root of Caddy')
    return program


def stop(program):
    program.send_signal(signal.SIGTERM)
    assert program.wait(there['caddy'].grace()) == 0, program.said()


def visitors():
    return {'context': tls_context(ROOT)}


class Way:
    """As deploy.Way; the commands are those of the Compose files."""

    page = PAGE
    neighbour_address = CLIENTS.gateway

    def __init__(self, *more):
        self.token = token
        self.client_address = here['client'].place.address
        self.ports_address = there['server'].place.address
        self.server = there['server'].start_tool(*more)
        self.server.event('listening')

    @staticmethod
    def client():
        client = here['client'].start_tool()
        client.wait_events('forward-opened', 2)
        return client

    def begin_the_end(self):
        """As a runtime does it. Returns once nobody can come any more."""
        self.server.process.send_signal(signal.SIGTERM)
        wait_until(self.is_refused, what='the end of the ports')

    def finish_the_end(self):
        """It is killed if it takes longer than it is given."""
        assert self.server.wait(there['server'].grace()) == 0, self.server.errors

    def is_refused(self):
        try:
            beside(self).connect()
        except ConnectionRefusedError:
            return True
        return False


def rights(process):
    text = pathlib.Path(f'/proc/{process.pid}/status').read_text(encoding='ascii')
    return dict(re.findall(r'^(\w+):\s+(.*)$', text, re.M))


@test
def the_image_has_what_is_needed():
    """Packages, each under the name that the project gives it."""
    text = (FOLDER / 'Containerfile').read_text(encoding='utf-8')
    names = set(re.findall(r'(\S+)_\*\.deb', text))
    assert names == needed_packages(), names
    control = (FOLDER.parents[1] / 'tools' / 'debian' / 'control').read_text(encoding='utf-8')
    assert names <= set(re.findall(r'^Package: (.*)$', control, re.M)), names


@test
def nobody_has_more_than_he_needs():
    for name, service in {**there, **here}.items():
        spec = service.spec
        assert spec['read_only'] is True and spec['cap_drop'] == ['ALL'], name
        assert spec['security_opt'] == ['no-new-privileges:true'], name
        assert spec['restart'] == 'unless-stopped', name
        assert all(entry.endswith(':ro') for entry in spec['volumes'] if entry[0] == '.'), name
        assert service.ports() == (['80', '443'] if name == 'caddy' else []), name
    grace, = (int(word.split('=')[1]) for word in there['server'].words()
              if word.startswith('--grace='))
    assert there['server'].grace() > grace
    # Whom the server believes is Caddy, and nobody else.
    trusted = f'--trusted-proxy={there["caddy"].place.address}'
    assert [word for word in there['server'].words() if 'trusted' in word] == [trusted]


@test
def the_configuration_as_it_stands():
    start_caddy()
    way = Way()
    has = rights(way.server.process)
    assert has['Uid'].split() == ['65532'] * 4 and has['NoNewPrivs'] == '1', has
    assert all(int(has[name], 16) == 0 for name in ('CapEff', 'CapPrm', 'CapBnd', 'CapAmb')), has
    everything_works(way, **visitors())


@test
def the_end_and_another_beginning():
    """What is in progress finishes within --grace; the client comes to the server that is next."""
    start_caddy()
    way = Way()
    client = way.client()
    download = Download(beside(way))
    way.begin_the_end()
    assert download.is_in_progress()
    download.finish()
    way.finish_the_end()
    # Caddy keeps its connections, and somebody does not read: the documented 10 s, in 2 s.
    way = Way('--grace', '2')
    client.wait_events('forward-opened', 4)
    downloads = [Download(Visitor('app.example.org', **visitors())) for _ in range(2)]
    way.begin_the_end()
    assert all(one.is_in_progress() for one in downloads)
    downloads[0].finish()
    way.finish_the_end()
    client.stop()


@test
def another_beginning_of_caddy():
    """The tunnel resumes, and what does not come through Caddy goes on."""
    program = start_caddy()

    def cut():
        stop(program)
        start_caddy()

    the_tunnel_resumes(Way(), cut, **visitors())


pathlib.Path('/proc/sys/net/ipv4/ip_forward').write_text('1', encoding='ascii')
token = furnish()
there = services(HOME / 'server' / 'compose.yaml', IMAGES)
there['caddy'].place.publish(HERE)
furnish_client()
here = services(HOME / 'client' / 'compose-client.yaml', IMAGES, CLIENTS)
with Place(CLIENTS, 'app').entered():
    app = Website(3000, 'app', '')
with Place(CLIENTS, 'api').entered():
    api = Website(4000, 'api', '')
main()
