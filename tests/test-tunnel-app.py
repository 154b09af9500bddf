#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""The example of an application with GTK, on a display in memory."""

import json
import os
import pathlib
import subprocess
import sys
import threading

tests = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(tests / 'peers'))

from harness import (DEADLINE, Target, Tool, echo, free_port, main,  # noqa: E402
                     receive_exactly, test, user, wait_until)
from xvfb import Display  # noqa: E402

APP = tests.parent / 'docs' / 'examples' / 'tunnel-app.py'
WIDTH, HEIGHT = 480, 640

# Where to leave pictures, for whoever wants to look at them.
PICTURES = os.environ.get('VT_TEST_PICTURES')


class App:
    def __init__(self, display, *arguments):
        env = dict(os.environ, DISPLAY=display.name, GDK_BACKEND='x11', GSK_RENDERER='cairo',
                   DBUS_SESSION_BUS_ADDRESS='disabled:', GTK_A11Y='none', ADW_DISABLE_PORTAL='1')
        env.pop('WAYLAND_DISPLAY', None)
        self.display = display
        self.process = subprocess.Popen(
            [sys.executable, str(tests / 'peers' / 'appdriver.py'), str(APP), *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=env)
        Tool.running.append(self)
        self.shown = {}
        self.errors = []
        self.changed = threading.Condition()
        self.ended = False
        self.threads = [threading.Thread(target=self.read, daemon=True),
                        threading.Thread(target=self.read_errors, daemon=True)]
        for thread in self.threads:
            thread.start()

    def read(self):
        for line in self.process.stdout:
            with self.changed:
                self.shown = json.loads(line)
                self.changed.notify_all()
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def read_errors(self):
        for line in self.process.stderr:
            self.errors.append(line)

    def say(self, word):
        self.process.stdin.write(word + '\n')
        self.process.stdin.flush()

    def wait_for(self, condition, what):
        """What the window shows, when it has drawn that."""
        with self.changed:
            self.changed.wait_for(
                lambda: self.ended or self.shown and condition(self.shown), DEADLINE)
            assert self.shown and condition(self.shown), \
                f'it never showed {what}: {self.shown} {self.errors}'
            return self.shown

    def end(self):
        """As a user would; GTK must have had nothing to say."""
        self.say('close')
        status = self.process.wait(DEADLINE)
        for thread in self.threads:
            thread.join(DEADLINE)
        self.process.stdin.close()
        assert status == 0 and not self.errors, (status, self.errors)


def check_drawn(app, shown, name):
    """Where the window says that its rows are, something stands."""
    picture = app.display.picture()
    if PICTURES:
        picture.save(pathlib.Path(PICTURES) / f'tunnel-app-{name}.png')
    for row in [row for rows in shown['rows'] for row in rows]:
        assert picture.colours(*row['place']) > 10, (row, name)
    return picture


@test
def forwards_and_streams():
    display = Display(WIDTH, HEIGHT)
    server = Tool.server()
    target = Target(echo)
    taken = Target(echo)
    app = App(display, f'ws://127.0.0.1:{server.port}/', f'0=127.0.0.1:{target.port}',
              f'{taken.port}=localhost:9')
    closed = app.wait_for(lambda shown: 'closed' in shown['subtitle'], 'a closed tunnel')
    assert closed['rows'] == [[], []] and closed['switch'] == [False, False], closed

    app.say('switch')
    shown = app.wait_for(
        lambda shown: shown['switch'] == [True, True] and len(shown['rows'][0]) == 1
        and 'Port' in shown['rows'][0][0]['subtitle'], 'a forward')
    assert shown['rows'][0][0]['title'] == f'127.0.0.1:{target.port}', shown
    port = int(shown['rows'][0][0]['subtitle'].split()[1])

    users = [user(port) for _ in range(3)]
    for number, sock in enumerate(users, 1):
        sock.sendall(b'x' * 1000 * number)
        receive_exactly(sock, 1000 * number)
    traffic = [f'↑ {number}.0 kB\n↓ {number}.0 kB' for number in (1, 2, 3)]
    shown = app.wait_for(lambda shown: [
        row['traffic'].replace('\N{NO-BREAK SPACE}', ' ') for row in shown['rows'][1]] == traffic,
        'three streams')
    assert all(row['title'] == '127.0.0.1' for row in shown['rows'][1]), shown
    light = check_drawn(app, shown, 'light').pixel(WIDTH // 2, 200)
    app.say('dark')
    wait_until(lambda: display.picture().pixel(WIDTH // 2, 200) != light, what='the dark style')
    check_drawn(app, shown, 'dark')

    for sock in users:
        sock.close()
    app.wait_for(lambda shown: shown['rows'][1] == [], 'no streams')
    app.say('switch')
    shown = app.wait_for(lambda shown: shown['switch'] == [False, False]
                         and 'closed' in shown['subtitle'], 'a closed tunnel again')
    assert shown['rows'] == [[], []], shown
    app.end()
    server.stop()
    display.close()


@test
def no_server():
    display = Display(WIDTH, HEIGHT)
    app = App(display, f'ws://127.0.0.1:{free_port()}/', '0=localhost:9')
    app.wait_for(lambda shown: shown['switch'] == [False, False], 'a window')
    app.say('switch')
    app.wait_for(lambda shown: shown['error'] and shown['switch'] == [False, False], 'its failure')
    app.end()
    display.close()


main()
