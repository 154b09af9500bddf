# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""The ways of docs/deploy/ as their readers go them: the files and the commands that stand there.

For tests that are in a namespace of their own (namespace.py), where the paths, the ports and the
names of those pages are free. A page's commands of vtunnel-tool are run as they stand on it.
"""

import os
import pathlib
import re
import shlex
import signal
import ssl
import subprocess

from harness import DEADLINE, LISTENING, TOOL, Tool, wait_until
from namespace import HERE, NAMES
from website import Website

FOLDER = pathlib.Path(__file__).resolve().parents[2] / 'docs' / 'deploy'
CERTIFICATES = pathlib.Path('/etc/letsencrypt/live/example.org')
ACCESS = pathlib.Path('/etc/vtunnel/access')
AUTHORITY = pathlib.Path('/run/authority.pem')
BUNDLE = pathlib.Path('/etc/ssl/certs/ca-certificates.crt')


def run(*words, **options):
    done = subprocess.run([str(word) for word in words], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=DEADLINE, **options)
    assert done.returncode == 0, (words, done.stdout, done.stderr)
    return done.stdout


def place(name, path, changes=()):
    """Puts a file of docs/deploy/ where it belongs, as it is; or changed in just these places."""
    text = (FOLDER / name).read_text(encoding='utf-8')
    for old, new in changes:
        assert text.count(old) >= 1, f'{name} has no {old}'
        text = text.replace(old, new)
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding='utf-8')


def commands(page, first):
    """The commands of a page that begin with these words, as lists of words."""
    text = (FOLDER / page).read_text(encoding='utf-8').replace('\\\n', ' ')
    lines = [line.strip() for line in text.splitlines() if line.startswith('    ')]
    found = [shlex.split(line, comments=True) for line in lines if line.startswith(first)]
    assert found, f'{page} has no {first}'
    return [[os.path.expanduser(word) for word in words] for words in found]


def make_certificates():
    """Of an authority that the whole system trusts, for all the names."""
    CERTIFICATES.mkdir(parents=True)
    new = ('openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256',
           '-nodes', '-days', '2')
    key = AUTHORITY.with_suffix('.key')
    run(*new, '-subj', '/CN=authority of a test', '-keyout', key, '-out', AUTHORITY)
    names = ','.join(f'DNS:{name}' for name in NAMES)
    chain, own = CERTIFICATES / 'fullchain.pem', CERTIFICATES / 'privkey.pem'
    run(*new, '-subj', '/CN=example.org', '-addext', f'subjectAltName={names}',
        '-addext', 'basicConstraints=critical,CA:false',
        '-CA', AUTHORITY, '-CAkey', key, '-keyout', own, '-out', chain)
    trust(AUTHORITY)


def trust(path):
    """As an administrator makes a system trust an authority."""
    with BUNDLE.open('a', encoding='ascii') as bundle:
        bundle.write(path.read_text(encoding='ascii'))


def server_context():
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(CERTIFICATES / 'fullchain.pem', CERTIFICATES / 'privkey.pem')
    return context


def tls_context(authority=AUTHORITY):
    return ssl.create_default_context(cafile=str(authority))


class Group(subprocess.Popen):
    """A program with all that it starts: they end together."""

    def __init__(self, *words, **options):
        self.log = pathlib.Path(f'/run/{pathlib.Path(words[0]).name}-{Group.count()}.log')
        with self.log.open('wb') as log:
            super().__init__([str(word) for word in words], stdin=subprocess.DEVNULL, stdout=log,
                             stderr=log, start_new_session=True, **options)
        self.process = self
        Tool.running.append(self)

    started = 0

    @classmethod
    def count(cls):
        cls.started += 1
        return cls.started

    def said(self):
        return self.log.read_text(encoding='utf-8', errors='replace')[-2000:]

    def kill(self):
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def wait(self, timeout=None):
        """The test is the first process of its namespace: orphans are its children."""
        status = super().wait(timeout)
        self.kill()
        try:
            while True:
                os.waitpid(-self.pid, 0)
        except ChildProcessError:
            return status

    def children(self):
        return children(self.pid)

    def wait_ports(self, *ports):
        def listens():
            assert self.poll() is None, self.said()
            return set(ports) <= listening_ports(self.pid)
        wait_until(listens, what=f'{self.args[0]} listening at {ports}')
        return self


def children(pid):
    """Processes by id, of those that this one has started itself."""
    text = pathlib.Path(f'/proc/{pid}/task/{pid}/children').read_text(encoding='ascii')
    return {int(word) for word in text.split()}


def listening_ports(pid='self'):
    """In the network of a process."""
    ports = set()
    for name in ('tcp', 'tcp6'):
        text = pathlib.Path(f'/proc/{pid}/net/{name}').read_text(encoding='ascii')
        rows = [line.split() for line in text.splitlines()[1:]]
        ports |= {int(row[1].rsplit(':', 1)[1], 16) for row in rows if row[3] == LISTENING}
    return ports


class Sites:
    """The two services beside the client, where a page has its forwards lead. With a context, the
    first speaks TLS."""

    def __init__(self, app=3000, api=4000, context=None):
        self.app, self.api = Website(app, 'app'), Website(api, 'api')
        if context:
            self.app.socket = context.wrap_socket(self.app.socket, server_side=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.app.close()
        self.api.close()


def make_access():
    """The file, the token in a file of the client's, as the pages say; returns the token."""
    path = pathlib.Path.home() / '.config' / 'vtunnel-token'
    if not ACCESS.exists():
        ACCESS.parent.mkdir(parents=True, exist_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        ACCESS.touch(0o600)
        ACCESS.write_text(run(TOOL, 'token', 'laptop', '--token-file', path), encoding='ascii')
    return path.read_text(encoding='ascii').strip()


def they_answer(page):
    """What a page says of how to see that it works: with the status that stands there, or 200."""
    text = (FOLDER / page).read_text(encoding='utf-8')
    found = re.findall(r'^    (curl .*?) +# (\d*)', text, re.M)
    assert len(found) >= 1, page
    for line, status in found:
        words = [os.path.expanduser(word) for word in shlex.split(line)]
        said = run(words[0], '-sS', '--max-time', DEADLINE, *words[1:])
        assert re.match(rf'HTTP/\S+ {status or 200}\b', said), (line, said)


class Way:
    """A server and a client with what a page has them say, and what is between them."""

    # Where its client is, where another one may be, and where the server's ports are open.
    client_address = neighbour_address = HERE
    ports_address = '127.0.0.1'

    def __init__(self, page, number=0):
        self.page = page
        self.number = number
        self.token = make_access()
        self.server = Tool(*self.words('vtunnel-tool server'), '--json')
        self.server.event('listening')

    def words(self, first):
        """Of the page's command; where it has several, of that with this way's number."""
        return commands(self.page, first)[self.number][1:]

    def client(self):
        client = Tool(*self.words('vtunnel-tool client'), '--json')
        client.wait_events('forward-opened', 2)
        return client

    def second_client(self, *more):
        """One that says the same, but leaves the ports to the server."""
        words = [re.sub(r'^900\d=', '0=', word) for word in self.words('vtunnel-tool client')]
        client = Tool(*words, '--json', *more)
        client.wait_events('forward-opened', 2)
        return client
