#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""docs/deploy/nginx.conf and nginx.md, with nginx."""

import os
import pathlib
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'peers'))

import namespace  # noqa: E402

namespace.enter()

from deploy import Group, Sites, Way, make_certificates, place, run  # noqa: E402
from harness import main, test, wait_until  # noqa: E402
from visits import (Download, Visitor, a_silent_tunnel_lives_by_pings,  # noqa: E402
                    the_app_knows_its_visitors, the_server_knows_its_clients, they_all_work)

NGINX = '/usr/sbin/nginx'


def nginx(*changes):
    """As its unit starts it, but in the foreground."""
    pathlib.Path('/var/log/nginx').mkdir(exist_ok=True)
    place('nginx.conf', '/etc/nginx/nginx.conf', changes)
    return Group(NGINX, '-g', 'daemon off;').wait_ports(80, 443)


def reload(program):
    """Returns what was there before; once the new workers are."""
    old = program.children()
    run(NGINX, '-s', 'reload')
    wait_until(lambda: program.children() - old, what='new workers')
    return old


@test
def the_configuration_as_it_stands():
    nginx()
    way = Way('nginx.md')
    client = way.client()
    they_all_work()
    the_app_knows_its_visitors()
    the_server_knows_its_clients(way.server, way.token)
    client.stop()
    way.server.stop()


@test
def silence():
    """What the documented 60 s mean, in 2 s."""
    nginx(('60s', '2s'))
    way = Way('nginx.md')
    a_silent_tunnel_lives_by_pings(way)
    way.server.stop()


@test
def a_reload_in_the_middle():
    """What is in progress goes on through the old workers, the tunnel too."""
    program = nginx()
    way = Way('nginx.md')
    client = way.client()
    downloads = [Download(Visitor('app.example.org')),
                 Download(Visitor('localhost', 9000, None, '127.0.0.1'))]
    old = reload(program)
    assert b'<h1>api</h1>' in Visitor('api.example.org').fetch('/')
    assert old & program.children(), 'nobody is left of the old workers'
    assert all(download.is_in_progress() for download in downloads)
    for download in downloads:
        download.finish()
    assert not [e for e in client.events if e['event'] == 'session-suspended']
    client.stop()
    way.server.stop()


@test
def the_end_of_old_workers():
    """The documented 1 h, in 1 s: the tunnel resumes, and what goes through it goes on."""
    program = nginx(('worker_shutdown_timeout 1h', 'worker_shutdown_timeout 1s'))
    way = Way('nginx.md')
    client = way.client()
    download = Download(Visitor('localhost', 9000, None, '127.0.0.1'))
    old = reload(program)
    client.event('session-resumed')
    assert download.is_in_progress()
    download.finish()
    wait_until(lambda: not old & program.children(), what='the end of the old workers')
    they_all_work()
    client.stop()
    way.server.stop()


make_certificates()
with Sites():
    main()
