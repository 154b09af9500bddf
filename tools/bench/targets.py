# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""What the users want to reach: iperf3, nginx, and a process that echoes, floods, or is mute.

As a program of its own, `targets.py ECHO_PORT FLOOD_PORT MUTE_PORT` is that process.
"""

import pathlib
import select
import socket
import sys

NGINX = '''
daemon off;
master_process off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr crit;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
  keepalive_timeout 600;
  client_body_temp_path {folder}/nginx-body;
  proxy_temp_path {folder}/nginx-proxy;
  fastcgi_temp_path {folder}/nginx-fastcgi;
  uwsgi_temp_path {folder}/nginx-uwsgi;
  scgi_temp_path {folder}/nginx-scgi;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{ default_type text/plain; return 200 "{answer}"; }}
  }}
}}
'''
ANSWER = 'ok' + '.' * 98
PIECE = bytes(65536)


def start(folder):
    """Starts them all; their ports by name."""
    from programs import Program, free_port
    ports = {name: free_port() for name in ('iperf', 'http', 'echo', 'flood', 'mute')}
    Program('iperf3', '--server', '--bind', '127.0.0.1', '--port', ports['iperf'],
            ports=[ports['iperf']])
    configuration = folder / 'nginx.conf'
    configuration.write_text(NGINX.format(folder=folder, port=ports['http'], answer=ANSWER))
    Program('nginx', '-p', folder, '-e', 'stderr', '-c', configuration, ports=[ports['http']])
    others = [ports['echo'], ports['flood'], ports['mute']]
    Program(sys.executable, pathlib.Path(__file__).resolve(), *others, ports=others)
    return ports


def echo(sock, _events):
    """What comes goes back. Whole, since it is little, and its user waits for it."""
    data = sock.recv(65536)
    if data:
        sock.sendall(data)
    return bool(data)


def flood(sock, events):
    """Sends as long as it is taken."""
    if events & (select.EPOLLHUP | select.EPOLLERR):
        return False
    sock.send(PIECE)
    return True


def mute(_sock, _events):
    """Reads nothing, ever; this one is only called when the other side is gone."""
    return False


BEHAVIOURS = ((echo, select.EPOLLIN), (flood, select.EPOLLOUT), (mute, select.EPOLLRDHUP))


def serve(ports):
    poll = select.epoll()
    listeners, socks = {}, {}
    for port, behaviour in zip(ports, BEHAVIOURS):
        listener = socket.create_server(('127.0.0.1', port), backlog=4096)
        listeners[listener.fileno()] = (listener, behaviour)
        poll.register(listener, select.EPOLLIN)
    while True:
        for descriptor, events in poll.poll():
            if descriptor in listeners:
                listener, (function, interest) = listeners[descriptor]
                sock = listener.accept()[0]
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                socks[sock.fileno()] = (sock, function)
                poll.register(sock, interest)
                continue
            sock, function = socks[descriptor]
            try:
                goes_on = function(sock, events)
            except OSError:
                goes_on = False
            if not goes_on:
                del socks[descriptor]
                sock.close()


if __name__ == '__main__':
    serve([int(word) for word in sys.argv[1:]])
