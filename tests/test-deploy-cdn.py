#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""docs/deploy/cloudflared.md, with what cuts connections that are silent, as cloudflared's edge."""

import os
import re
import select
import socket
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'peers'))

import namespace  # noqa: E402

namespace.enter()

from deploy import (FOLDER, Sites, Way, make_certificates, server_context,  # noqa: E402
                    they_answer)
from harness import main, test  # noqa: E402
from proxies import connect  # noqa: E402
from visits import (LIE, a_silent_tunnel_lives_by_pings,  # noqa: E402
                    the_app_knows_its_visitors, the_server_knows_its_clients, they_all_work)

# The documented 100 s.
IDLE = 2


class Edge:
    """Speaks TLS, says where a request comes from, as such services do, and ends a connection over
    which nothing has come for IDLE seconds."""

    def __init__(self, port, routes):
        self.routes = routes
        self.context = server_context()
        self.listener = socket.create_server(('', port))
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            sock, (address, _) = self.listener.accept()
            threading.Thread(target=self.serve_from, args=(sock, address), daemon=True).start()

    def serve_from(self, sock, address):
        try:
            with self.context.wrap_socket(sock, server_side=True) as near:
                self.serve(near, address)
        except OSError:
            pass

    def serve(self, near, address):
        head = b''
        while not head.endswith(b'\r\n\r\n'):
            byte = near.recv(1)
            if not byte:
                return
            head += byte
        said = re.findall(rb'(?im)^x-forwarded-for: *(.*?)\r$', head)
        head = re.sub(rb'(?im)^(x-forwarded-for|forwarded):.*\r\n', b'', head)
        host = re.search(rb'(?im)^host: *(.*?)\r$', head)[1].decode()
        with connect('127.0.0.1', self.routes[host]) as far:
            # What the client says stays, to the left of what is known.
            forwarded = b', '.join([*said, address.encode()])
            far.sendall(head[:-2] + b'X-Forwarded-For: %s\r\nX-Forwarded-Proto: https\r\n'
                        b'CF-Connecting-IP: %s\r\n\r\n' % (forwarded, address.encode()))
            self.relay(near, far)

    def relay(self, near, far):
        others = {near: far, far: near}
        while True:
            # TLS may have more than the socket has.
            ready = [near] if near.pending() else select.select(list(others), [], [], IDLE)[0]
            for one in ready:
                data = one.recv(65536)
                if not data:
                    return
                others[one].sendall(data)
            if not ready:
                return


def routes():
    """With the routes of the page's configuration."""
    text = (FOLDER / 'cloudflared.yml').read_text(encoding='utf-8')
    found = re.findall(r'hostname: (\S+)\n(?:    path: .*\n)?    service: http://127.0.0.1:(\d+)',
                       text)
    assert len(found) == 3, found
    return {host: int(port) for host, port in found}


@test
def silence():
    way = Way('cloudflared.md')
    a_silent_tunnel_lives_by_pings(way)
    way.server.stop()


@test
def what_the_page_says():
    way = Way('cloudflared.md')
    client = way.client()
    they_answer(way.page)
    they_all_work()
    the_app_knows_its_visitors(f'{LIE}, ')
    the_server_knows_its_clients(way)
    client.stop()
    way.server.stop()


make_certificates()
Edge(443, routes())
with Sites():
    main()
