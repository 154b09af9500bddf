#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""docs/deploy/haproxy.cfg, haproxy-tcp.cfg and haproxy.md, with HAProxy."""

import os
import pathlib
import shutil
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'peers'))

import namespace  # noqa: E402

namespace.enter()

from deploy import (CERTIFICATES, Group, Sites, Way, make_certificates, place,  # noqa: E402
                    run, server_context)
from harness import in_thread, main, test, wait_until  # noqa: E402
from namespace import ELSEWHERE  # noqa: E402
from visits import (Download, Visitor, a_silent_tunnel_lives_by_pings, chat,  # noqa: E402
                    everything_works, the_tunnel_resumes, upload, what_is_in_progress_goes_on)

HAPROXY = '/usr/sbin/haproxy'
CONFIGURATION = '/etc/haproxy/haproxy.cfg'
HTTP, TCP = 0, 1


def haproxy(name, *changes):
    """As its unit starts it: a master, that takes SIGUSR2 for a reload."""
    place(name, CONFIGURATION, changes)
    run(HAPROXY, '-c', '-f', CONFIGURATION)
    ports = (80, 443) if name == 'haproxy.cfg' else (443, 2222)
    return Group(HAPROXY, '-W', '-f', CONFIGURATION).wait_ports(*ports)


def place_certificates():
    """Where the configuration and the page have them."""
    chain, key = CERTIFICATES / 'fullchain.pem', CERTIFICATES / 'privkey.pem'
    pathlib.Path('/etc/haproxy/example.org.pem').write_text(chain.read_text() + key.read_text())
    pathlib.Path('/etc/vtunnel').mkdir()
    shutil.copy(chain, '/etc/vtunnel/cert.pem')
    shutil.copy(key, '/etc/vtunnel/key.pem')


def reload(program):
    """Returns what was there before; once the new worker is."""
    old = program.children()
    program.send_signal(signal.SIGUSR2)
    wait_until(lambda: program.children() - old, what='a new worker')
    return old


@test
def http_mode_as_it_stands():
    haproxy('haproxy.cfg')
    everything_works(Way('haproxy.md', HTTP))


@test
def tcp_mode_as_it_stands():
    """The app has TLS of its own, and so has the server; HAProxy passes both on."""
    haproxy('haproxy-tcp.cfg')
    way = Way('haproxy.md', TCP)
    client = way.client()
    way.server.event('session-opened', user='laptop', address='127.0.0.1')
    waits = [in_thread(function, Visitor('app.example.org')) for function in (chat, upload)]
    Download(Visitor('tunnel.example.org', 2222, None)).finish()
    for wait in waits:
        wait()
    # By the PROXY protocol, from HAProxy through the server to the client.
    for port, count in ((9000, 2), (9001, 1)):
        client.wait_events('stream-opened', count, port=port, user_address=ELSEWHERE)
    client.stop()
    way.server.stop()


@test
def silence():
    """What the documented 2 min of `timeout tunnel` mean, in 2 s."""
    haproxy('haproxy.cfg', ('timeout tunnel 2m', 'timeout tunnel 2s'))
    way = Way('haproxy.md', HTTP)
    a_silent_tunnel_lives_by_pings(way)
    way.server.stop()


@test
def a_reload_in_the_middle():
    """What is in progress goes on through the old worker, the tunnel too."""
    program = haproxy('haproxy.cfg')
    what_is_in_progress_goes_on(Way('haproxy.md', HTTP), lambda: reload(program), program.children)


@test
def a_reload_in_tcp_mode():
    """The same, with bytes that pass untouched; the users' addresses pass, too."""
    program = haproxy('haproxy-tcp.cfg')
    way = Way('haproxy.md', TCP)
    client = way.client()
    download = Download(Visitor('app.example.org'))
    old = reload(program)
    upload(Visitor('app.example.org'))
    assert b'<h1>api</h1>' in Visitor('tunnel.example.org', 2222, None).fetch('/')
    assert old & program.children(), 'nobody is left of the old worker'
    assert download.is_in_progress()
    download.finish()
    client.wait_events('stream-opened', 2, port=9000, user_address=ELSEWHERE)
    assert not [e for e in client.events if e['event'] == 'session-suspended']
    client.stop()
    way.server.stop()


@test
def the_end_of_the_old_worker():
    """The documented 1 h, in 1 s: the tunnel resumes, and what goes through it goes on."""
    program = haproxy('haproxy.cfg', ('hard-stop-after 1h', 'hard-stop-after 1s'))
    old = program.children()
    the_tunnel_resumes(Way('haproxy.md', HTTP), lambda: reload(program))
    wait_until(lambda: not old & program.children(), what='the end of the old worker')


make_certificates()
place_certificates()
with Sites(), Sites(3443, 22, server_context()):
    main()
