#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""docs/deploy/Caddyfile and caddy.md, with Caddy and the certificates that it makes itself."""

import os
import pathlib
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'peers'))

import namespace  # noqa: E402

namespace.enter()

from deploy import Group, Sites, Way, place, run, tls_context  # noqa: E402
from harness import main, test, wait_until  # noqa: E402
from visits import Download, Visitor, beside, everything_works  # noqa: E402

HOME = pathlib.Path('/var/lib/caddy')
ROOT = HOME / '.local/share/caddy/pki/authorities/local/root.crt'
CADDYFILE = '/etc/caddy/Caddyfile'
CADDY = '/usr/bin/caddy'


def caddy():
    """As its unit starts it: an account of its own, that may use ports below 1024."""
    place('Caddyfile', CADDYFILE)
    shutil.chown(HOME, 'caddy', 'caddy')
    environment = {'PATH': os.environ['PATH'], 'HOME': str(HOME)}
    program = Group('setpriv', '--reuid=caddy', '--regid=caddy', '--clear-groups',
                    '--inh-caps=+net_bind_service', '--ambient-caps=+net_bind_service',
                    CADDY, 'run', '--config', CADDYFILE, env=environment)
    program.wait_ports(80, 443)
    wait_until(ROOT.exists, what='the root of Caddy')
    # What the page has to be done on the client's machine.
    shutil.copy(ROOT, pathlib.Path.home() / 'caddy-root.crt')
    return program


def reload():
    run(CADDY, 'reload', '--config', CADDYFILE, '--force')


def visitors():
    return {'context': tls_context(ROOT)}


@test
def the_configuration_as_it_stands():
    caddy()
    everything_works(Way('caddy.md'), **visitors())


@test
def a_reload_in_the_middle():
    """It cuts tunnels, which resume; what is in progress goes on, also what comes through Caddy."""
    caddy()
    way = Way('caddy.md')
    client = way.client()
    # Between two frames, and within one.
    reload()
    client.event('session-resumed')
    downloads = [Download(Visitor('app.example.org', **visitors())), Download(beside(way))]
    reload()
    client.wait_events('session-resumed', 2)
    assert b'<h1>api</h1>' in Visitor('api.example.org', **visitors()).fetch('/')
    assert all(download.is_in_progress() for download in downloads)
    for download in downloads:
        download.finish()
    client.stop()
    way.server.stop()


with Sites():
    main()
