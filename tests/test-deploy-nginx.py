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
from visits import (a_silent_tunnel_lives_by_pings, everything_works,  # noqa: E402
                    the_tunnel_resumes, what_is_in_progress_goes_on)

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
    everything_works(Way('nginx.md'))


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
    what_is_in_progress_goes_on(Way('nginx.md'), lambda: reload(program), program.children)


@test
def the_end_of_old_workers():
    """The documented 1 h, in 1 s: the tunnel resumes, and what goes through it goes on."""
    program = nginx(('worker_shutdown_timeout 1h', 'worker_shutdown_timeout 1s'))
    old = program.children()
    the_tunnel_resumes(Way('nginx.md'), lambda: reload(program))
    wait_until(lambda: not old & program.children(), what='the end of the old workers')


make_certificates()
with Sites():
    main()
