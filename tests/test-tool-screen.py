#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""What vtunnel-tool does with a terminal: the monitor, the list, and a token that is typed."""

import contextlib
import os
import re
import shlex
import signal
import sys
import time

PEERS = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'peers')
sys.path.insert(0, PEERS)

import mockservice  # noqa: E402
from harness import TOOL, main, test, wait_until  # noqa: E402
from screen import PROMPT, Screen  # noqa: E402


@contextlib.contextmanager
def screen(width=80, height=24, **environment):
    """(service, screen)"""
    bus = mockservice.Bus()
    service = mockservice.Service(bus.address)
    terminal = Screen(width, height, {**bus.environment, **environment})
    try:
        yield service, terminal
    finally:
        terminal.close()
        service.close()
        bus.close()


def populate(service):
    """One that moves something, with three users; one that waits; one that is hostile."""
    web = service.add('web', Forwards=[('9000', 'localhost:3000', {}), ('*:0', 'unix:/a', {})])
    now = int(time.time() * 1e6)
    web.connect(streams=[
        {'id': n, 'listen': '9000', 'user-address': f'203.0.113.{n}:5000{n}',
         'opened-at': now - 60000000 * n, 'bytes-sent': n * 1000, 'bytes-received': n}
        for n in (1, 2, 3)])
    web.set(ActiveStreams=3)
    db = service.add('db')
    db.error('ConnectionFailed', 'Could not connect to db.example.org: Connection refused',
             'waiting')
    db.set(NextRetry=now + 3600000000)
    service.add('\x1b[31mevil\x1b[2J')
    return web


def move(tunnel, sent):
    """Lets the first forward have sent so much."""
    first, *others = tunnel.statistics['forwards']
    tunnel.count({'forwards': [{**first, 'bytes-sent': sent}, *others]})


@test
def the_monitor_at_80x24():
    with screen() as (service, terminal):
        populate(service)
        terminal.run(TOOL, 'monitor')
        text = terminal.wait_for('q: quit', '203.0.113.3', '41001')
        lines = text.split('\n')
        assert lines[0].startswith('vtunnel  3 tunnels, 1 connected, 3 streams'), text
        assert lines[0].endswith('B/s') and len(lines[0]) == 80, text
        assert lines[23] == 'q: quit', text
        assert '○ \\u001b[31mevil\\u001…  inactive ' in text, text
        assert re.search(r'○ db +retry in (59 min|1 h) +wss://tunnel.example.org/', text), text
        assert '! Could not connect to db.example.org: Connection refused' in text, text
        assert re.search(r'● web +connected \d s +wss://tunnel.example.org/ +4.2 ms', text), text
        assert re.search(r'^  41000 → localhost:3000 .* ↑ +0 B/s  ↓ +0 B/s$', text, re.M), text
        assert re.search(r'^    203.0.113.3:50003 +3 min  ↑   3.0 kB  ↓ +3 B$', text, re.M), text
        assert terminal.modes() == (False, True)
        terminal.press('q')
        terminal.check_restored()


@test
def the_monitor_at_200x50():
    with screen(200, 50) as (service, terminal):
        web = populate(service)
        terminal.run(TOOL, 'monitor', 'web')
        terminal.wait_for('203.0.113.3')
        sent = [0]

        def grow(text):
            sent[0] += 1000000
            move(web, sent[0])
            return re.search(r'localhost:3000 .*[▂▃▄▅▆▇█]{2}  ↑ +\d\S* MB/s  ↓ +0 B/s$', text, re.M)
        text = terminal.wait(grow, 'a graph')
        lines = text.split('\n')
        assert len(lines[0]) == 200 and lines[0].startswith('vtunnel  1 tunnel, 1 connected'), text
        assert lines[49] == 'q: quit', text
        assert 'db' not in text, text
        terminal.press('C-c')
        terminal.check_restored()


@test
def the_monitor_follows():
    """Tunnels and the service, as they come and go."""
    with screen() as (service, terminal):
        terminal.run(TOOL, 'monitor')
        terminal.wait_for('There are no tunnels yet')
        web = populate(service)
        terminal.wait_for('● web', '○ db')
        web.set(ActiveStreams=0, State='inactive')
        terminal.wait(lambda text: '○ web' in text and '203.0.113' not in text)
        web.remove()
        terminal.wait(lambda text: 'web' not in text and '○ db' in text)
        service.disown()
        terminal.wait(lambda text: 'The session service is not running' in text
                      and 'db' not in text)
        service.do(service.own)
        terminal.wait(lambda text: '○ db' in text and 'not running' not in text)
        service.hanging = {'GetManagedObjects'}
        service.disown()
        service.do(service.own)
        terminal.wait_for('does not answer yet')
        terminal.press('q')
        terminal.check_restored()


@test
def the_monitor_and_its_size():
    with screen() as (service, terminal):
        populate(service)
        terminal.run(TOOL, 'monitor')
        terminal.wait_for('● web', 'q: quit')
        terminal.resize(120, 30)
        terminal.wait(lambda text: len(text.split('\n')[0]) == 120 and
                      text.split('\n')[29] == 'q: quit', '120x30')
        terminal.resize(50, 8)
        text = terminal.wait(lambda text: '1–5 /' in text.split('\n')[7], '50x8')
        assert 'web' not in text, text
        terminal.press('End')
        text = terminal.wait_for('unix:/a')
        last = re.search(r'–(\d+) / (\d+)', text)
        assert last[1] == last[2], text
        terminal.press('Home')
        terminal.wait_for('1–5 /', '[31me')
        terminal.press('PageDown', 'j', 'Up')
        terminal.wait_for('5–9 /')
        terminal.press('q')
        terminal.check_restored()


@test
def the_monitor_with_many():
    with screen() as (service, terminal):
        web = populate(service)
        streams = [{'id': n, 'listen': '9000', 'user-address': f'203.0.113.{n % 250}:{n}',
                    'opened-at': 0, 'bytes-sent': n} for n in range(2000)]
        web.count({'streams': streams})
        for number in range(300):
            service.add(f'x{number:03}')
        terminal.run(TOOL, 'monitor')
        terminal.wait_for('303 tunnels', '1–21 /')
        terminal.press('End')
        terminal.wait_for('x299')
        terminal.press('q')
        terminal.check_restored()
        terminal.run(TOOL, 'monitor', 'web')
        terminal.wait_for('q: quit', '203.0.113')
        terminal.press('End')
        terminal.wait_for('… and 1000 more streams', 'unix:/a')
        terminal.press('q')
        terminal.check_restored()


@test
def every_end_restores_the_screen():
    with screen() as (service, terminal):
        populate(service)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGSEGV,
                       signal.SIGABRT, signal.SIGUSR1):
            terminal.run(TOOL, 'monitor', after=f' ; echo status $? of {number.name}')
            terminal.wait_for('● web', 'q: quit')
            os.kill(terminal.pid('vtunnel-tool'), number)
            # The line that was typed, which may be broken in two, is on the screen as well.
            terminal.wait(lambda text: re.search(rf'status \d+ of {number.name}\n', text),
                          number.name)
            expected = 0 if number in (signal.SIGTERM, signal.SIGINT) else 128 + number
            assert f'status {expected} of {number.name}' in terminal.text(), terminal.text()
            terminal.check_restored()
            terminal.type('clear')


@test
def stopped_and_continued():
    with screen() as (service, terminal):
        populate(service)
        terminal.run(TOOL, 'monitor')
        terminal.wait_for('● web', 'q: quit')
        terminal.press('C-z')
        terminal.check_restored()
        terminal.type('fg')
        terminal.wait_for('● web', 'q: quit')
        assert terminal.modes() == (False, True)
        terminal.press('q')
        terminal.check_restored()


@test
def a_name_that_is_not_there():
    with screen() as (service, terminal):
        terminal.run(TOOL, 'monitor', 'nix', after=' ; echo status $?')
        terminal.wait_for('There is no tunnel “nix”', 'status 5')
        terminal.check_restored()


@test
def frames_are_few():
    """However much happens: it waits for the next frame, and then shows what is the case."""
    with screen() as (service, terminal):
        web = populate(service)
        log = os.path.join(terminal.folder.name, 'log')
        terminal.run('script', '-qc', f'{shlex.quote(TOOL)} monitor', log)
        terminal.wait_for('● web')
        begin = time.monotonic()
        for number in range(2000):
            web.set(ActiveStreams=number)
        terminal.wait_for('1999 streams')
        seconds = time.monotonic() - begin
        terminal.press('q')
        terminal.check_restored()
        with open(log, 'rb') as written:
            frames = written.read().count(b'\x1b[H')
        assert frames <= 8 + 4 * (seconds + 10), (frames, seconds)


@test
def a_terminal_without_utf8():
    with screen(LC_ALL='C') as (service, terminal):
        populate(service)
        terminal.run(TOOL, 'monitor')
        text = terminal.wait_for('* web', 'q: quit', '203.0.113.3')
        assert text.isascii() and '41000 -> localhost:3000' in text, text
        assert re.search(r'\^ +0 B/s  v +0 B/s$', text, re.M), text
        terminal.press('q')
        terminal.check_restored()


@test
def colour():
    with screen() as (service, terminal):
        populate(service)
        terminal.run(TOOL, 'list')
        terminal.wait_for('web')
        assert '\x1b[32mconnected' in terminal.text('-e'), terminal.text('-e')
        terminal.run('env', 'NO_COLOR=1', TOOL, 'monitor')
        terminal.wait_for('● web', 'q: quit')
        assert '\x1b[' not in terminal.text('-e'), terminal.text('-e')
        terminal.press('q')
        terminal.check_restored()


@test
def the_list_fits():
    with screen(60, 20) as (service, terminal):
        populate(service)
        terminal.type('clear')
        terminal.run(TOOL, 'list')
        text = terminal.wait_for('STREAMS', 'web')
        rows = [line for line in text.split('\n') if 'connected' in line or 'waiting' in line]
        assert len(rows) == 2 and all(line.endswith((' 0', ' 3')) for line in rows), text
        assert all('…' in line for line in rows), text


@test
def a_token_is_typed_unseen():
    with screen() as (service, terminal):
        tunnel = service.add('web')
        terminal.run(TOOL, 'set-token', 'web', '--storage', 'memory')
        terminal.wait_for('Token for “web”:')
        terminal.type('s3cret')
        text = terminal.wait_for('The token of “web” is set')
        assert 's3cret' not in text, text
        assert tunnel.secrets == ({'token': 's3cret'}, 'memory'), tunnel.secrets
        terminal.check_restored()


@test
def a_token_is_not_typed():
    """Whatever ends it: what is typed afterwards is seen, and nothing was set."""
    with screen() as (service, terminal):
        tunnel = service.add('web')
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            terminal.run(TOOL, 'set-token', 'web', after=f' ; echo status $? of {number.name}')
            terminal.wait_for('Token for “web”:')
            terminal._tmux('send-keys', '-l', 'half-a-token')
            if number == signal.SIGINT:
                terminal.press('C-c')
            else:
                os.kill(terminal.pid('vtunnel-tool'), number)
            # The shell leaves the rest of a line that Ctrl+C ended.
            terminal.wait(lambda text: text.rstrip().endswith(PROMPT), 'the prompt')
            assert 'half-a-token' not in terminal.text(), terminal.text()
            terminal.check_restored()
            terminal.type('clear')
            terminal.wait(lambda text: text.strip() == PROMPT)
        terminal.run(TOOL, 'set-token', 'web')
        terminal.wait_for('Token for “web”:')
        terminal.press('C-z')
        terminal.check_restored()
        terminal.type('fg')
        terminal.wait(lambda text: text.count('Token for “web”:') == 2, 'the question again')
        terminal.type('s3cret')
        wait_until(lambda: tunnel.secrets, what='the token')
        assert tunnel.secrets[0] == {'token': 's3cret'} and 's3cret' not in terminal.text()
        terminal.check_restored()


main()
