#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""System calls that fail, and descriptors that end, under a tunnel: nothing ends that was not to
blame, nothing spins, nothing is left over, and the next one is served.

`--each` fails each of the first 50 calls alone, and tells of each way to fail when it has (the last
part of `tools/dev attacks`)."""

import collections
import os
import resource
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'peers'))

import inject  # noqa: E402
from attack import run_all  # noqa: E402
from crossing import Crossing, works  # noqa: E402
from harness import (TOOL, Tool, echo, in_thread, main, receive_exactly, test, user,  # noqa: E402
                     wait_until)

EACH = '--each' in sys.argv
if EACH:
    sys.argv.remove('--each')

# What the processes call (strace -c), and how it can fail. epoll_ctl can only where it adds, which
# strace does not tell from a change: tests/test-poller.c has that. What says that a connection is
# gone is left to calls that read: of a real one, who reads hears it too, and not only who writes.
SERVER = {
    'accept4': ('EMFILE', 'ENFILE', 'ENOMEM', 'ENOBUFS', 'ECONNABORTED', 'EPERM', 'EAGAIN',
                'EINTR'),
    'recvfrom': ('ECONNRESET', 'ENOMEM', 'EAGAIN', 'EINTR'),
    'sendto': ('ENOMEM', 'ENOBUFS', 'EAGAIN', 'EINTR'),
    'sendmsg': ('ECONNRESET', 'ENOBUFS', 'EAGAIN', 'EINTR'),
    'epoll_wait': ('EINTR',),
    'poll': ('EINTR',),
    'setsockopt': ('ENOBUFS', 'ENOMEM'),
    'getsockname': ('ENOBUFS',),
    'openat': ('EMFILE', 'ENFILE'),
    'socket': ('EMFILE', 'ENOBUFS', 'EAFNOSUPPORT'),
    'bind': ('EADDRINUSE', 'EACCES', 'ENOMEM'),
    'listen': ('EADDRINUSE',),
}
CLIENT = {
    'socket': ('EMFILE', 'ENFILE', 'ENOBUFS', 'EACCES'),
    'connect': ('ECONNREFUSED', 'ETIMEDOUT', 'ENETUNREACH', 'EADDRNOTAVAIL', 'EAGAIN', 'EINTR'),
    'getsockopt': ('ENOBUFS',),
    'recvfrom': ('ECONNRESET', 'ENOMEM', 'EAGAIN', 'EINTR'),
    'recvmsg': ('ENOBUFS', 'ENOMEM', 'EAGAIN'),
    'sendto': ('ENOMEM', 'ENOBUFS', 'EAGAIN', 'EINTR'),
    'sendmsg': ('ECONNRESET', 'ENOBUFS', 'EAGAIN', 'EINTR'),
    'epoll_wait': ('EINTR',),
    'poll': ('EINTR',),
    'setsockopt': ('ENOBUFS', 'ENOMEM'),
    'openat': ('EMFILE', 'ENFILE'),
}
# What is called once a port or a connection, and not again and again.
RARE = ('socket', 'bind', 'listen', 'getsockname', 'setsockopt', 'getsockopt', 'recvmsg', 'sendmsg',
        'openat')

# So many in a row that were not called so often: more users do not make it so.
ENOUGH = 5

# Seconds for all ways to fail of a side.
PATIENCE = 7200 if EACH else 120


def n_users(call, when):
    """So many that the call comes so often: they come twice. Looking for free descriptors is rarer
    than all others."""
    if call == 'openat':
        return 36
    return max(3, (when + 1) // 2) if EACH else 3


def move(port):
    data = bytes(300_000)
    try:
        with user(port, timeout=1) as sock:
            sender = in_thread(sock.sendall, data)
            receive_exactly(sock, len(data))
            sender()
    except (OSError, AssertionError):
        pass


def move_much(port):
    """More is under way at once than is read in one go: parts of large frames are written and read.
    One user's window is smaller than that for a while."""
    for wait in [in_thread(move, port) for _ in range(8)]:
        wait()


def provoke(way, n):
    """Users, a link that breaks, and another client with ports of its own."""
    for _ in range(n):
        works(way.port, timeout=1)
    move_much(way.port)
    way.way.do('cut')
    other = Tool.client(way.server.port, f'0={way.target.spec}', f'0={way.target.spec}',
                        arguments=('--no-reconnect', '--quiet'))
    for _ in range(n):
        works(way.port, timeout=1)
    with other.changed:
        other.changed.wait_for(lambda: other.ended or len([
            e for e in other.events if e['event'] == 'forward-opened']) == 2, 1)
    other.process.terminate()
    other.wait()


def check_whole(way, tool, before):
    """It is as it was."""
    assert tool.process.poll() is None, (tool.process.returncode, tool.errors[-5:])
    way.wait_served()
    wait_until(lambda: tool.descriptors() <= before, what='the old descriptors')
    assert not [line for line in tool.errors if 'CRITICAL' in line or 'WARNING' in line]


def fail(way, tool, call, error, when, before):
    injection = inject.Injection(tool, call, error, when)
    try:
        provoke(way, n_users(call, when))
    finally:
        count = injection.stop()
    try:
        check_whole(way, tool, before)
    except (AssertionError, OSError) as problem:
        raise AssertionError(f'after call {when}: {problem}') from problem
    return count


def run_case(side, call, error, whens):
    prefix = {'prefix': inject.TRACEABLE}
    # The other client may have been cut off, and then its ports are kept for so long.
    with Crossing(echo, server=('--resume-timeout', '10'), **prefix) as way:
        tool = getattr(way, side)
        way.wait_served()
        before = tool.descriptors() + 1
        count = missed = 0
        for when in whens:
            failed = fail(way, tool, call, error, when, before)
            count += failed
            missed = 0 if failed else missed + 1
            if missed == ENOUGH:
                break
        inject.check_rest(way.server, way.client)
        way.client.stop()
        way.server.stop()
    return count


def tell(begun, *words):
    """Of what takes long, that it goes on."""
    if EACH:
        # The end of the line with it, as others write as well.
        print(f'# {" ".join(words)}; {time.monotonic() - begun:.0f} s\n', end='', flush=True)


def run_side(side, table):
    counts = collections.Counter()

    def run(_, call, error):
        begun = time.monotonic()
        whens = range(1, 51) if EACH else ['1+2' if call in RARE else '2+3']
        count = run_case(side, call, error, whens)
        counts[call] += count
        tell(begun, side, call, error, f'failed {count} times')
    cases = [(call, error) for call, errors in table.items() for error in errors]
    run_all(cases, run, PATIENCE)
    print(f'# {len(cases)} ways to fail: {dict(counts)}')
    assert all(counts[call] for call in table), 'a call never failed'


@test
def calls_of_a_server():
    run_side('server', SERVER)


@test
def calls_of_a_client():
    run_side('client', CLIENT)


# Before there is a tunnel.

STARTS = {
    'server': {
        'socket': ('EMFILE', 'EAFNOSUPPORT', 'ENOBUFS', 'EACCES'),
        'bind': ('EADDRINUSE', 'EACCES'), 'listen': ('EADDRINUSE',), 'getsockname': ('ENOBUFS',),
        'setsockopt': ('ENOMEM',), 'epoll_create1': ('EMFILE', 'ENOMEM'),
    },
    'client': {
        'socket': ('EMFILE', 'EAFNOSUPPORT', 'ENOBUFS'),
        'connect': ('ECONNREFUSED', 'EADDRNOTAVAIL', 'ENETUNREACH'), 'getsockopt': ('ENOBUFS',),
        'setsockopt': ('ENOMEM',), 'epoll_create1': ('EMFILE', 'ENOMEM'),
        'recvfrom': ('ECONNRESET', 'ENOMEM'), 'sendto': ('ECONNRESET', 'ENOBUFS'),
    },
}


def start(side, call, error, when, port):
    """The tool, and whether that call failed; it is asked to end once it has begun."""
    arguments = (('server', '--json', '--port', '0') if side == 'server' else
                 ('client', '--json', '--server', f'ws://127.0.0.1:{port}/', '--forward', '0=1',
                  '--no-reconnect'))
    # A search for leaks would trace it, too.
    environment = {'ASAN_OPTIONS': os.environ.get('ASAN_OPTIONS', '') + ':detect_leaks=0'}
    tool = Tool(*arguments, environment=environment, prefix=(
        'strace', '-D', '-f', '-o', '/dev/null', *inject.words(call, error, when)))
    with tool.changed:
        tool.changed.wait_for(lambda: tool.ended or any(
            e['event'] in ('listening', 'forward-opened') for e in tool.events), 30)
    if tool.process.poll() is None and not tool.ended:
        tool.process.terminate()
    return tool, tool.wait()


def is_clear(tool, status):
    """It did as it was told, or says in a line why it does not."""
    if status == 0:
        return True
    return status in (1, 3) and [line for line in tool.errors
                                 if line.startswith('vtunnel-tool: ')]


@test
def calls_at_the_start():
    """Each of the first ones, of a server and of a client."""
    server = Tool.server()

    def run(_, side, call, error):
        begun = time.monotonic()
        for when in range(1, 51 if EACH else 3):
            tool, status = start(side, call, error, when, server.port)
            assert is_clear(tool, status), (side, call, error, when, status, tool.errors[-5:])
        tell(begun, side, call, error, 'at the start')
    cases = [(side, call, error) for side, table in STARTS.items()
             for call, errors in table.items() for error in errors]
    run_all(cases, run, PATIENCE)
    server.stop()


# Descriptors.

def limit(tool, count):
    hard = resource.prlimit(tool.process.pid, resource.RLIMIT_NOFILE)[1]
    resource.prlimit(tool.process.pid, resource.RLIMIT_NOFILE, (count or hard, hard))


# So many more than those that are open: none, as many as one thing needs but not the next, and
# around what is kept for those that cannot wait.
LEFT = (*range(8), 16, 63, 64, 65, 67, 72)


def no_descriptors_left(side):
    """At the moment of accept, of connect, of a poll set, and of a pipe to wake up with: whatever
    comes next when so many are left."""
    def run(_, left):
        with Crossing(echo) as way:
            tool = getattr(way, side)
            way.wait_served()
            before = tool.descriptors() + 1
            limit(tool, inject.lowest_free(tool) + left)
            provoke(way, 3)
            inject.check_rest(tool)
            limit(tool, None)
            check_whole(way, tool, before)
            way.client.stop()
            way.server.stop()
    run_all([(left,) for left in LEFT], run)


@test
def no_descriptors_left_for_a_server():
    no_descriptors_left('server')


@test
def no_descriptors_left_for_a_client():
    no_descriptors_left('client')


@test
def no_descriptors_left_at_the_start():
    """For either side: it works, or says why not."""
    server = Tool.server()
    for arguments in (['server', '--port', '0'],
                      ['client', '--server', f'ws://127.0.0.1:{server.port}/', '--forward', '0=1']):
        for count in (*range(8, 24), 40, 64, 70, 72, 80):
            process = subprocess.Popen(['prlimit', f'--nofile={count}', TOOL, *arguments],
                                       stderr=subprocess.PIPE, text=True)
            lines = []
            for line in process.stderr:
                lines.append(line)
                if line.startswith(('Listening', 'Forwarding')):
                    process.terminate()
            # GLib itself gives up where it can no longer load what it had loaded once, by a
            # warning, which is fatal here.
            gave_up = any('Could not reload previously loaded plugin' in line for line in lines)
            allowed = (0, 1, 3, -signal.SIGTRAP) if gave_up else (0, 1, 3)
            assert process.wait() in allowed and lines, (arguments, count, lines)
    server.stop()


if __name__ == '__main__':
    if inject.is_permitted():
        main()
    else:
        print('1..0 # SKIP no process may be traced here')
