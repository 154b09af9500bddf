# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""A terminal in which a shell runs programs, and its screen: tmux, on a server of its own."""

import os
import shlex
import subprocess
import tempfile

from harness import wait_until

PROMPT = 'ready:'


class Screen:
    """A shell on a screen of `width` by `height`."""

    def __init__(self, width, height, environment):
        self.folder = tempfile.TemporaryDirectory()
        self.socket = os.path.join(self.folder.name, 'tmux')
        # With no NO_COLOR: this is what a person sees.
        env = dict(os.environ, **environment)
        env.pop('TMUX', None)
        env.pop('NO_COLOR', None)
        self._tmux('-f', '/dev/null', '-u', 'new-session', '-d', '-x', str(width), '-y',
                   str(height), f"exec env PS1='{PROMPT} ' sh", env=env)
        self.wait(lambda text: text.startswith(PROMPT), 'the shell')

    def _tmux(self, *arguments, env=None):
        done = subprocess.run(['tmux', '-S', self.socket, *arguments], check=True, env=env,
                              capture_output=True, text=True)
        return done.stdout

    def text(self, *options):
        return self._tmux('capture-pane', '-p', *options)

    def lines(self):
        return self.text().split('\n')

    def wait(self, condition, what='the screen'):
        """The first screen that it is true for."""
        seen = ['']

        def look():
            seen[0] = self.text()
            return condition(seen[0])
        try:
            wait_until(look, what=what)
        except AssertionError as error:
            raise AssertionError(f'{error}:\n{seen[0]}') from None
        return seen[0]

    def wait_for(self, *parts):
        return self.wait(lambda text: all(part in text for part in parts), f'{parts}')

    def run(self, *words, after=''):
        """Types a command."""
        self.type(' '.join(map(shlex.quote, words)) + after)

    def type(self, text):
        self._tmux('send-keys', '-l', text)
        self.press('Enter')

    def press(self, *keys):
        self._tmux('send-keys', *keys)

    def resize(self, width, height):
        self._tmux('resize-window', '-x', str(width), '-y', str(height))

    def pid(self, program):
        """Of a program that the shell is running."""
        shell = self._tmux('display-message', '-p', '#{pane_pid}').strip()
        path = f'/proc/{shell}/task/{shell}/children'

        def find():
            with open(path, encoding='ascii') as children:
                for child in children.read().split():
                    with open(f'/proc/{child}/comm', encoding='utf-8') as comm:
                        if comm.read().strip().startswith(program[:15]):
                            return int(child)
            return None
        return wait_until(find, what=program)

    def modes(self):
        """(cursor, other screen), as tmux knows of them."""
        flags = self._tmux('display-message', '-p', '#{cursor_flag} #{alternate_on}')
        return tuple(flag == '1' for flag in flags.split())

    def check_restored(self):
        """The shell has its screen, its cursor and its keyboard back."""
        self.wait(lambda text: text.rstrip().split('\n')[-1].strip() == PROMPT, 'the prompt')
        assert self.modes() == (True, False), self.modes()
        self.type('stty -a | tr " " "\\n" | grep -xE -e "-?(echo|icanon|isig);?" | tr "\\n" " "')
        self.wait(lambda text: all(f' {word} ' in f' {last_output(text)} '
                                   for word in ('echo', 'icanon', 'isig')), 'echo icanon isig')

    def close(self):
        self._tmux('kill-server')
        self.folder.cleanup()


def last_output(text):
    """What stands before the last prompt, on its line or the one before."""
    return ' '.join(text.rstrip().split('\n')[-2:]).replace(PROMPT, '')
