# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""Programs of the system, in the foreground, each with its files in one folder."""

import pathlib
import socket
import subprocess

from harness import DEADLINE, Tool, free_port, wait_until


def answers(address):
    family = socket.AF_INET
    if isinstance(address, str):
        family = socket.AF_UNIX
    elif ':' in address[0]:
        family = socket.AF_INET6
    with socket.socket(family) as probe:
        return probe.connect_ex(address) == 0


class Program:
    """Ended with the test."""

    def __init__(self, arguments, address):
        self.process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        Tool.running.append(self)
        wait_until(lambda: answers(address), what=f'{arguments[0]} listening')

    def end(self):
        """Before the test is over, since its place is needed."""
        self.process.terminate()
        self.process.wait(DEADLINE)


def nginx(folder, port, server):
    """With one server on that port, and what stands in `server` for it."""
    return nginx_with(folder, ('127.0.0.1', port), f'''
  server {{
    listen 127.0.0.1:{port};
{server}
  }}
''')


def nginx_with(folder, address, servers):
    """With what stands in `servers` for its http { }, which listens at an address."""
    temporary = '\n'.join(f'  {name}_temp_path {folder}/tmp-{name};' for name in
                          ('client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'))
    configuration = folder / 'nginx.conf'
    configuration.write_text(f'''
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ }}
http {{
{temporary}
  access_log off;
{servers}
}}
''')
    return Program(['/usr/sbin/nginx', '-p', str(folder), '-c', str(configuration)],
                   address)


def haproxy(folder, host, server, mode='tcp', more=''):
    """In front of one server, whose line is given; its port is chosen, and is its `port`."""
    port = free_port()
    place = f'[{host}]' if ':' in host else host
    configuration = pathlib.Path(folder) / 'haproxy.cfg'
    configuration.write_text(f'''
defaults
  mode {mode}
  timeout connect 10s
  timeout client 60s
  timeout server 60s
listen front
  bind {place}:{port}
{more}
  {server}
''')
    program = Program(['/usr/sbin/haproxy', '-db', '-f', str(configuration)], (host, port))
    program.port = port
    return program
