# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""A session of a desktop for the tests: a bus and folders of its own, and nothing running on it."""

import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

from gi.repository import Gio, GLib

from harness import DEADLINE, wait_until
from servicemanager import ServiceManager

SERVICE = os.environ.get('VT_SESSION', 'vtunnel-session')
NAME = 'io.github.vtunnel.Vtunnel1'
UNIT = 'vtunnel-session.service'
ROOT = '/io/github/vtunnel/Vtunnel1'
MANAGER = NAME + '.Manager'
TUNNEL = NAME + '.Tunnel'

CONFIGURATION = '''<!DOCTYPE busconfig PUBLIC
 "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:dir={folder}</listen>
  <servicedir>{folder}/services</servicedir>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
  <limit name="max_incoming_bytes">1000000000</limit>
  <limit name="max_outgoing_bytes">1000000000</limit>
  <limit name="max_message_size">1000000000</limit>
  <limit name="reply_timeout">300000</limit>
  <limit name="max_replies_per_connection">50000</limit>
</busconfig>
'''


def is_gone(pid):
    """The bus lets go of what it has started, so its status may lie around."""
    try:
        stat = pathlib.Path(f'/proc/{pid}/stat').read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
    return stat.rsplit(')', 1)[1].split()[0] in 'ZX'


class Desktop:
    """The service starts by activation, and only so."""

    running = []
    service = SERVICE

    def __init__(self, idle=None, linger=None, umask=-1, managed=False, **environment):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix='vtunnel-desktop-'))
        self.log_path = self.folder / 'log'
        self.config = self.folder / 'config'
        self.tunnels = self.config / 'vtunnel' / 'tunnels'
        self.secrets = self.folder / 'data' / 'vtunnel' / 'secrets'
        (self.folder / 'services').mkdir()
        (self.folder / 'bus.conf').write_text(CONFIGURATION.format(folder=self.folder))
        (self.folder / 'services' / f'{NAME}.service').write_text(
            f'[D-BUS Service]\nName={NAME}\nExec="{SERVICE}"\nSystemdService={UNIT}\n')
        env = dict(os.environ, HOME=str(self.folder), XDG_CONFIG_HOME=str(self.config),
                   XDG_DATA_HOME=str(self.folder / 'data'), **environment)
        env.pop('DBUS_SESSION_BUS_ADDRESS', None)
        for name, milliseconds in (('IDLE', idle), ('LINGER', linger)):
            if milliseconds is not None:
                env[f'VTUNNEL_SESSION_{name}_MS'] = str(milliseconds)
        self.log = open(self.log_path, 'wb')
        starter = ['--systemd-activation'] if managed else []
        self.daemon = subprocess.Popen(
            ['dbus-daemon', f'--config-file={self.folder}/bus.conf', '--nofork',
             '--print-address=1', *starter], stdout=subprocess.PIPE, stderr=self.log, text=True,
            env=env, umask=umask)
        self.address = self.daemon.stdout.readline().strip()
        assert self.address, self.log_path.read_text()
        Desktop.running.append(self)
        self.bus = self.connect()
        self.manager = ServiceManager(self, env) if managed else None

    def connect(self):
        """One more program on the bus."""
        flags = (Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT
                 | Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION)
        return Gio.DBusConnection.new_for_address_sync(self.address, flags, None, None)

    def call(self, path, interface, method, arguments=None, bus=None, name=NAME):
        reply = (bus or self.bus).call_sync(name, path, interface, method, arguments, None,
                                            Gio.DBusCallFlags.NONE, int(DEADLINE * 1000), None)
        values = reply.unpack()
        return values[0] if len(values) == 1 else values

    def ask_bus(self, method, *arguments):
        return self.call('/org/freedesktop/DBus', 'org.freedesktop.DBus', method,
                         GLib.Variant(f'({"s" * len(arguments)})', arguments),
                         name='org.freedesktop.DBus')

    def is_running(self):
        return self.ask_bus('NameHasOwner', NAME)

    def owner(self):
        """The unique name of the service, None if it does not run, or gives its name back."""
        try:
            return self.ask_bus('GetNameOwner', NAME)
        except GLib.Error:
            return None

    def pid(self):
        return self.ask_bus('GetConnectionUnixProcessID', NAME)

    def wait_for_exit(self, pid):
        wait_until(lambda: is_gone(pid), what='the end of the service')

    def stop_service(self):
        """As a service manager would. It may end by itself meanwhile."""
        try:
            pid = self.pid()
            os.kill(pid, signal.SIGTERM)
        except (GLib.Error, ProcessLookupError):
            return
        self.wait_for_exit(pid)

    def create(self, uri='ws://127.0.0.1:1/', forwards=(), bus=None, **options):
        types = {str: 's', bool: 'b'}
        variants = {key: value if isinstance(value, GLib.Variant)
                    else GLib.Variant(types[type(value)], value)
                    for key, value in options.items()}
        forwards = [entry if len(entry) == 3 else (*entry, {}) for entry in forwards]
        return self.call(f'{ROOT}/Manager', MANAGER, 'CreateTunnel',
                         GLib.Variant('(sa(ssa{sv})a{sv})', (uri, forwards, variants)), bus)

    def find(self, name):
        return self.call(f'{ROOT}/Manager', MANAGER, 'FindTunnel', GLib.Variant('(s)', (name,)))

    def do(self, path, method, arguments=None, bus=None):
        return self.call(path, TUNNEL, method, arguments, bus)

    def set_token(self, path, token, storage, bus=None):
        return self.do(path, 'SetSecrets', GLib.Variant(
            '(a{sv}s)', ({'token': GLib.Variant('s', token)}, storage)), bus)

    def get(self, path, name):
        return self.call(path, 'org.freedesktop.DBus.Properties', 'Get',
                         GLib.Variant('(ss)', (TUNNEL, name)))

    def state(self, path):
        return self.get(path, 'State')

    def wait_for_state(self, path, state):
        def look():
            now = self.state(path)
            if now == 'failed' and state != 'failed':
                raise AssertionError(f'failed: {self.get(path, "LastError")}')
            return now == state
        wait_until(look, what=f'the state {state}')

    def objects(self):
        return self.call(ROOT, 'org.freedesktop.DBus.ObjectManager', 'GetManagedObjects')

    def paths(self):
        return [path for path in self.objects() if '/Tunnels/' in path]

    def logged(self):
        return self.log_path.read_text(errors='replace')

    def close(self):
        """The service must have ended in order, if it was running, and told of no mistake."""
        self.stop_service()
        self.end()
        text = self.logged()
        shutil.rmtree(self.folder)
        for word in ('CRITICAL', 'WARNING', 'Sanitizer', 'exited with'):
            assert word not in text, text

    def end(self):
        Desktop.running.remove(self)
        if not self.bus.is_closed():
            self.bus.close_sync(None)
        if self.manager:
            self.manager.end()
        self.daemon.kill()
        self.daemon.wait()
        self.daemon.stdout.close()
        self.log.close()

    @classmethod
    def end_all(cls):
        for desktop in list(cls.running):
            desktop.end()
            print(desktop.logged())
            shutil.rmtree(desktop.folder, ignore_errors=True)


def error_name(function, *arguments, **named):
    """The name of the D-Bus error that the call fails with."""
    try:
        result = function(*arguments, **named)
    except GLib.Error as error:
        name = Gio.dbus_error_get_remote_error(error)
        assert name, error
        return name
    raise AssertionError(f'it did not fail: {result}')
