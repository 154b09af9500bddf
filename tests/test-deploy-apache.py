#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""docs/deploy/apache.conf and apache.md, with Apache as Debian configures it."""

import os
import pathlib
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'peers'))

import namespace  # noqa: E402

namespace.enter()

from deploy import (Group, Sites, Way, children, commands, make_certificates,  # noqa: E402
                    place, run)
from harness import main, test, wait_until  # noqa: E402
from visits import (Download, Visitor, a_silent_tunnel_lives_by_pings,  # noqa: E402
                    the_app_knows_its_visitors, the_server_knows_its_clients, they_all_work)

SITE = '/etc/apache2/sites-available/vtunnel.conf'


def apache(*changes):
    """As its unit starts it, but in the foreground."""
    pathlib.Path('/var/log/apache2').mkdir(exist_ok=True)
    place('apache.conf', SITE, changes)
    for first in ('a2enmod', 'a2ensite'):
        for words in commands('apache.md', first):
            run(*words)
    return Group('apache2ctl', '-D', 'FOREGROUND').wait_ports(80, 443)


def processes():
    return children(int(pathlib.Path('/run/apache2/apache2.pid').read_text()))


@test
def the_configuration_as_it_stands():
    apache()
    way = Way('apache.md')
    client = way.client()
    they_all_work()
    the_app_knows_its_visitors()
    the_server_knows_its_clients(way.server, way.token)
    client.stop()
    way.server.stop()


@test
def silence():
    """What the documented 60 s mean, in 2 s."""
    apache(('Timeout 60', 'Timeout 2'))
    way = Way('apache.md')
    a_silent_tunnel_lives_by_pings(way)
    way.server.stop()


@test
def a_reload_in_the_middle():
    """What is in progress goes on through the old processes, the tunnel too."""
    apache()
    way = Way('apache.md')
    client = way.client()
    downloads = [Download(Visitor('app.example.org')),
                 Download(Visitor('localhost', 9000, None, '127.0.0.1'))]
    old = processes()
    run('apache2ctl', 'graceful')
    wait_until(lambda: processes() - old, what='new processes')
    assert b'<h1>api</h1>' in Visitor('api.example.org').fetch('/')
    assert old & processes(), 'nobody is left of the old processes'
    assert all(download.is_in_progress() for download in downloads)
    for download in downloads:
        download.finish()
    assert not [e for e in client.events if e['event'] == 'session-suspended']
    client.stop()
    way.server.stop()


@test
def a_restart_in_the_middle():
    """It cuts connections; the tunnel resumes, and what does not come through Apache goes on."""
    apache()
    way = Way('apache.md')
    client = way.client()
    download = Download(Visitor('localhost', 9000, None, '127.0.0.1'))
    run('apache2ctl', 'restart')
    client.event('session-resumed')
    assert download.is_in_progress()
    download.finish()
    they_all_work()
    client.stop()
    way.server.stop()


make_certificates()
with Sites():
    main()
