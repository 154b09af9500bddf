# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""Small proxies and a TLS target for the tests: one thread a connection, loopback only."""

import socket
import ssl
import struct
import threading


def connect(host, port):
    """Connects; localhost is known without an /etc/hosts, which a minimal system does not have."""
    return socket.create_connection(('127.0.0.1' if host == 'localhost' else host, port))


def splice(one, other):
    def copy(source, sink):
        try:
            while True:
                data = source.recv(65536)
                if not data:
                    break
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass
    back = threading.Thread(target=copy, args=(other, one), daemon=True)
    back.start()
    copy(one, other)
    back.join()
    one.close()
    other.close()


class Proxy:
    def __init__(self):
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.port = self.listener.getsockname()[1]
        self.connections = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            sock, _ = self.listener.accept()
            self.connections += 1
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()


class HttpProxy(Proxy):
    """CONNECT (RFC 9110, 9.3.6), and GET of an absolute URI, which libsoup uses without TLS."""

    @property
    def uri(self):
        return f'http://127.0.0.1:{self.port}'

    def serve(self, sock):
        head = b''
        while not head.endswith(b'\r\n\r\n'):
            head += sock.recv(1)
        method, where, rest = head.split(b' ', 2)
        if method == b'CONNECT':
            other = self.connect_to(where)
            sock.sendall(b'HTTP/1.1 200 Connected\r\n\r\n')
        else:
            _, _, authority, path = where.split(b'/', 3)
            other = self.connect_to(authority)
            other.sendall(b'%s /%s %s' % (method, path, rest))
        splice(sock, other)

    @staticmethod
    def connect_to(authority):
        host, port = authority.decode().rsplit(':', 1)
        return connect(host.strip('[]'), int(port))


class SocksProxy(Proxy):
    """SOCKS 5 without authentication (RFC 1928)."""

    @property
    def uri(self):
        return f'socks5://127.0.0.1:{self.port}'

    def serve(self, sock):
        _, count = sock.recv(2)
        sock.recv(count)
        sock.sendall(b'\x05\x00')
        _, _, _, kind = sock.recv(4)
        if kind == 1:
            host = socket.inet_ntop(socket.AF_INET, sock.recv(4))
        elif kind == 4:
            host = socket.inet_ntop(socket.AF_INET6, sock.recv(16))
        else:
            host = sock.recv(sock.recv(1)[0]).decode()
        port = struct.unpack('!H', sock.recv(2))[0]
        other = connect(host, port)
        sock.sendall(b'\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x00')
        splice(sock, other)


class TlsTarget(Proxy):
    """Says what a request looked like when it came: the name asked for, its Host, its body."""

    def __init__(self, folder, make_certificates):
        make_certificates()
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(folder / 'server.pem', folder / 'server.key')
        self.context.sni_callback = self._named
        self.names = {}
        super().__init__()

    def _named(self, sock, name, context):
        self.names[sock] = name

    def serve(self, sock):
        with self.context.wrap_socket(sock, server_side=True) as secure:
            data = b''
            while not data.endswith(b'stays'):
                data += secure.recv(4096)
            head, body = data.split(b'\r\n\r\n', 1)
            host = [line[6:] for line in head.split(b'\r\n') if line[:6].lower() == b'host: ']
            name = list(self.names.values())[-1]
            secure.sendall(b'sni %s\nhost %s\nbody %s\n' % (name.encode(), host[0], body))
