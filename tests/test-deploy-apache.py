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
from visits import (a_silent_tunnel_lives_by_pings, everything_works,  # noqa: E402
                    the_tunnel_resumes, what_is_in_progress_goes_on)

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


def reload():
    """Returns what was there before; once the new processes are."""
    old = processes()
    run('apache2ctl', 'graceful')
    wait_until(lambda: processes() - old, what='new processes')
    return old


@test
def the_configuration_as_it_stands():
    apache()
    everything_works(Way('apache.md'))


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
    what_is_in_progress_goes_on(Way('apache.md'), reload, processes)


@test
def a_restart_in_the_middle():
    """It cuts connections; the tunnel resumes, and what does not come through Apache goes on."""
    apache()
    the_tunnel_resumes(Way('apache.md'), lambda: run('apache2ctl', 'restart'))


make_certificates()
with Sites():
    main()
