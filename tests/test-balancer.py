#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""docs/deploy/balancer.cfg as it stands there, with HAProxy and two servers behind it.

It has addresses and ports that are its reader's: namespace.py makes a machine that has them.
"""

import os
import pathlib
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'peers'))

import namespace  # noqa: E402

BALANCER, SERVERS = '192.0.2.10', ('192.0.2.11', '192.0.2.12')
namespace.enter((BALANCER, *SERVERS))

from deploy import Group, place, run  # noqa: E402
from fault import Fault  # noqa: E402
from harness import (TOOL, Target, Tool, echo, main, receive_exactly, test,  # noqa: E402
                     user, wait_until)

FOLDER = pathlib.Path('/etc/haproxy')
CERTIFICATE = FOLDER / 'example.org.pem'
NAMES = ('one', 'two', 'three', 'four')


def furnish():
    """What the configuration names, and who may come to each of the servers."""
    FOLDER.mkdir(exist_ok=True)
    key = FOLDER / 'key.pem'
    run('openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt',
        'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=tunnel.example.org',
        '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', CERTIFICATE)
    with CERTIFICATE.open('a', encoding='ascii') as file:
        file.write(key.read_text(encoding='ascii'))
    entries = [run(TOOL, 'token', name, '--token-file', FOLDER / name) for name in NAMES]
    for address in SERVERS:
        path = FOLDER / f'access-{address}'
        path.touch(0o600)
        path.write_text('\n'.join(f'{entry}\naddresses={address}\n' for entry in entries))


class Balancer(Group):
    """HAProxy as its unit starts it: a master, that takes SIGUSR2 for a reload."""

    def __init__(self):
        path = FOLDER / 'haproxy.cfg'
        place('balancer.cfg', path)
        run('haproxy', '-c', '-f', path)
        super().__init__('haproxy', '-W', '-f', path)
        self.wait_ports(443)

    def finds(self, index, state):
        """Waits until it takes a server for one that is UP, or DOWN."""
        told = f'Server servers/{("first", "second")[index]} is {state}'
        wait_until(lambda: told in self.log.read_text(encoding='utf-8'), what=told)

    def reload(self):
        before = self.children()
        self.send_signal(signal.SIGUSR2)
        wait_until(lambda: self.children() - before, what='a new worker')


class Pair:
    """Two servers, each on its machine."""

    def __init__(self):
        self.servers = [self.start(index) for index in range(len(SERVERS))]

    @staticmethod
    def start(index):
        address = SERVERS[index]
        server = Tool('server', '--json', '--listen', address, '--bind-address', address,
                      '--path', '/tunnel', '--access', str(FOLDER / f'access-{address}'),
                      '--trusted-proxy', BALANCER)
        server.event('listening')
        return server

    def kill(self, index):
        self.servers[index].process.kill()
        self.servers[index].wait()

    def where(self, name):
        """Which of them has the client, once one has."""
        def look():
            return [index for index, server in enumerate(self.servers)
                    if any(e['event'] == 'session-opened' and e['user'] == name
                           for e in server.events)]
        index, = wait_until(look, what=f'a session of {name}')
        return index


class Laptop:
    """A client whose way to the balancer can be cut."""

    def __init__(self, name, target, port):
        self.name = name
        self.way = Fault(443, BALANCER)
        self.tool = Tool('client', '--json', '--server', f'wss://127.0.0.1:{self.way.port}/tunnel',
                         '--header', f'Vtunnel-Client: {name}', '--token-file', str(FOLDER / name),
                         '--tls-ca', str(CERTIFICATE), '--reconnect-min', '0.1',
                         '--reconnect-max', '1',
                         '--forward', f'{port}={target.spec}')
        self.tool.event('forward-opened')

    def resumes(self):
        """Whether it goes on with its session after a cut; FALSE if it has a new one."""
        before = len(self.tool.events)
        self.way.do('cut')

        def look():
            kinds = [event['event'] for event in self.tool.events[before:]]
            return [kind for kind in kinds if kind in ('session-resumed', 'session-opened')]
        return wait_until(look, what='coming back')[0] == 'session-resumed'

    def stop(self):
        self.tool.stop()
        self.way.stop()


def says(sock, text):
    sock.sendall(text)
    return receive_exactly(sock, len(text)) == text


@test
def clients_are_spread_and_come_back_to_their_server():
    pair, target, balancer = Pair(), Target(echo), Balancer()
    laptops = [Laptop(name, target, 0) for name in NAMES]
    where = {name: pair.where(name) for name in NAMES}
    assert set(where.values()) == {0, 1}, where
    # The new process knows nothing of them but what they say.
    balancer.reload()
    for laptop in laptops:
        port = laptop.tool.forward_port()
        with user(port, SERVERS[where[laptop.name]]) as sock:
            for _ in range(2):
                assert says(sock, b'still here')
                assert laptop.resumes(), laptop.name
            assert says(sock, b'still here')
        laptop.stop()


@test
def one_whose_server_is_gone_begins_anew_on_the_other():
    pair, balancer = Pair(), Balancer()
    laptop = Laptop('one', Target(echo), 9000)
    first = pair.where('one')
    with user(9000, BALANCER) as sock:
        assert says(sock, b'before')
        pair.kill(first)
        assert sock.recv(1) == b''
    laptop.tool.wait_events('forward-opened', 2)
    pair.servers[1 - first].event('session-opened', user='one')
    # The address that users know is the same.
    with user(9000, BALANCER) as sock:
        assert says(sock, b'again')
        # It stays there when the one that it comes from is back.
        balancer.finds(first, 'DOWN')
        pair.servers[first] = pair.start(first)
        balancer.finds(first, 'UP')
        assert laptop.resumes()
    laptop.stop()


furnish()
main()
