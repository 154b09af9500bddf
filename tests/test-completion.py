#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""What bash, zsh and fish offer when a command line of vtunnel-tool is completed."""

import os
import pathlib
import pty
import re
import select
import subprocess
import sys
import tempfile
import time

tests = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(tests / 'peers'))

from desktop import Desktop  # noqa: E402
from harness import DEADLINE, TOOL, main, test  # noqa: E402

scripts = tests.parent / 'tools' / 'completion'
NAMED = ('show', 'open', 'close', 'remove', 'set-token', 'monitor')


class Terminal:
    """A shell that believes that somebody is typing."""

    def __init__(self, *command, **environment):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(environment['HOME'])
            os.execvpe(command[0], command, environment)
        self.text = ''
        self.number = 0

    def type(self, text):
        os.write(self.fd, text.encode())

    def read_until(self, pattern):
        """The first match in what has come since the last one."""
        deadline = time.monotonic() + DEADLINE
        while True:
            match = re.search(pattern, self.text, re.S)
            if match:
                self.text = self.text[match.end():]
                return match
            ready, _, _ = select.select([self.fd], [], [], deadline - time.monotonic())
            assert ready, f'{pattern!r} never came: {self.text!r}'
            self.text += os.read(self.fd, 65536).decode(errors='replace').replace('\r', '')

    def end(self):
        os.close(self.fd)
        os.waitpid(self.pid, 0)


class Typed:
    """Has all completions inserted, and the words of the line printed then."""

    def complete(self, line):
        self.terminal.number += 1
        mark = f'END{self.terminal.number}'
        # The key, to the beginning of the line, the command that prints, and to its end.
        self.terminal.type(f"{line}\x18a\x01printf '<%s>\\n' {mark}BEGIN \x05 {mark}\n")
        found = self.terminal.read_until(rf'\n?<{mark}BEGIN>\n(.*?)<{mark}>\n')[1]
        words = re.findall(r'^<(.*)>$', found, re.M)
        typed = line.split()
        kept = len(typed) if line.endswith(' ') else len(typed) - 1
        offered = words[kept:]
        # Where there is nothing to offer, the word stays as it was typed.
        return {word.rstrip('=') for word in offered if word != line.split(' ')[-1]}

    def end(self):
        self.terminal.end()


def environment(home, **more):
    return {'PATH': f'{pathlib.Path(TOOL).parent}:{os.environ["PATH"]}', 'HOME': home,
            'TERM': 'dumb', 'LC_ALL': 'C.UTF-8', 'XDG_CONFIG_HOME': f'{home}/config',
            'XDG_DATA_HOME': f'{home}/data', 'XDG_CACHE_HOME': f'{home}/cache',
            'DBUS_SESSION_BUS_ADDRESS': 'unix:path=/nonexistent',
            **{name: value for name, value in os.environ.items()
               if name in ('ASAN_OPTIONS', 'LSAN_OPTIONS', 'UBSAN_OPTIONS')},
            **more}


class Bash(Typed):
    def __init__(self, home, **more):
        user = pathlib.Path(home, 'bash')
        user.mkdir()
        (user / 'completions').symlink_to(scripts / 'bash')
        rc = pathlib.Path(home, 'bashrc')
        rc.write_text('PS1=\n. /usr/share/bash-completion/bash_completion\n'
                      'bind \'"\\C-xa": insert-completions\'\necho READY\n')
        self.terminal = Terminal('bash', '--noprofile', '--rcfile', str(rc), '-i',
                                 **environment(home, BASH_COMPLETION_USER_DIR=str(user), **more))
        self.terminal.read_until('READY\n')


class Zsh(Typed):
    def __init__(self, home, **more):
        pathlib.Path(home, '.zshrc').write_text(
            f'PS1=\nunsetopt prompt_cr prompt_sp\nfpath=("{scripts / "zsh"}" $fpath)\n'
            'autoload -Uz compinit\ncompinit -u -D\nbindkey -e\n'
            'zle -C all-matches complete-word _generic\nbindkey "^Xa" all-matches\n'
            'zstyle ":completion:all-matches::::" completer _all_matches _complete\n'
            'zstyle ":completion:all-matches:*" insert true\nprint READY\n')
        self.terminal = Terminal('zsh', '--no-globalrcs', '-i',
                                 **environment(home, ZDOTDIR=home, **more))
        self.terminal.read_until('READY\n')


class Fish:
    def __init__(self, home, **more):
        self.home = home
        self.environment = environment(home, **more)

    def complete(self, line):
        result = subprocess.run(
            ['fish', '--no-config', '-c',
             'set -p fish_complete_path $argv[1]; complete -C $argv[2]', str(scripts / 'fish'),
             line], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=DEADLINE,
            env=self.environment, cwd=self.home)
        assert result.stderr == '', result.stderr
        return {offered.split('\t')[0] for offered in result.stdout.splitlines()}

    def end(self):
        pass


def help_of(*command):
    return subprocess.run([TOOL, *command, '--help'], stdout=subprocess.PIPE, text=True,
                          check=True).stdout


def options_of(*command):
    return set(re.findall(r'^  (?:-., )?(--[a-z-]+)', help_of(*command), re.M))


def check(shell_class):
    with tempfile.TemporaryDirectory(prefix='vtunnel-shell-') as home:
        pathlib.Path(home, 'token').write_text('secret\n')
        shell = shell_class(home)
        commands = set(re.findall(r'^  (?!vtunnel)([a-z][a-z-]*) +[A-Z]', help_of(), re.M))
        assert len(commands) >= 12, commands
        assert shell.complete('vtunnel-tool ') == commands
        assert shell.complete('vtunnel-tool s') == {'server', 'show', 'set-token'}
        assert shell.complete('vtunnel-tool --') == options_of()
        for command in sorted(commands):
            offered = shell.complete(f'vtunnel-tool {command} --')
            assert offered == options_of(command), (command, offered ^ options_of(command))
        assert shell.complete('vtunnel-tool set-token --storage ') == {'keyring', 'memory', 'file'}
        assert shell.complete('vtunnel-tool client --token-file to') == {'token'}
        assert shell.complete('vtunnel-tool client -t to') == {'token'}
        for option in ('--access', '-a', '--client-ca', '--tls-certificate', '--tls-key'):
            assert shell.complete(f'vtunnel-tool server {option} to') == {'token'}, option
        assert shell.complete('vtunnel-tool token laptop --token-file to') == {'token'}
        # An address is not taken for a command, nor is a number.
        assert shell.complete('vtunnel-tool client -s ws://127.0.0.1:1/ --tok') == {'--token-file'}
        assert shell.complete('vtunnel-tool server --port 1 --gra') == {'--grace'}
        shell.end()


def check_names(shell_class):
    desktop = Desktop()
    for name in ('web', 'web-2', 'ssh', 'a name; with $(signs)'):
        desktop.create(name=name, lifetime='session')
    with tempfile.TemporaryDirectory(prefix='vtunnel-shell-') as home:
        shell = shell_class(home, DBUS_SESSION_BUS_ADDRESS=desktop.address)
        for command in NAMED:
            assert shell.complete(f'vtunnel-tool {command} ') == {'web', 'web-2', 'ssh'}, command
        assert shell.complete('vtunnel-tool open --no-wait w') == {'web', 'web-2'}
        # zsh offers the options where nothing else can follow.
        assert not shell.complete('vtunnel-tool open web ') & {'web', 'web-2', 'ssh'}
        shell.end()
    desktop.close()


@test
def bash():
    check(Bash)


@test
def bash_names_of_tunnels():
    check_names(Bash)


@test
def zsh():
    check(Zsh)


@test
def zsh_names_of_tunnels():
    check_names(Zsh)


@test
def fish():
    check(Fish)


@test
def fish_names_of_tunnels():
    check_names(Fish)


if __name__ == '__main__':
    try:
        main()
    finally:
        Desktop.end_all()
