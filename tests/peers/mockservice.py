# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""A session service that does what a test tells it to, on a bus of its own.

As a program, `mockservice.py NAME…`, it has tunnels of these names: for a bus that starts it.
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time

from gi.repository import Gio, GLib

BUS_NAME = 'io.github.vtunnel.Vtunnel1'
PATH = '/io/github/vtunnel/Vtunnel1'
XML = pathlib.Path(__file__).parents[2] / 'tools' / 'session' / 'vtunnel1.xml'
MANAGER, TUNNEL = BUS_NAME + '.Manager', BUS_NAME + '.Tunnel'
OBJECT_MANAGER = 'org.freedesktop.DBus.ObjectManager'

NODE = Gio.DBusNodeInfo.new_for_xml(XML.read_text(encoding='utf-8'))
OBJECT_MANAGER_NODE = Gio.DBusNodeInfo.new_for_xml(f'''
<node><interface name="{OBJECT_MANAGER}">
  <method name="GetManagedObjects"><arg type="a{{oa{{sa{{sv}}}}}}" direction="out"/></method>
  <signal name="InterfacesAdded"><arg type="o"/><arg type="a{{sa{{sv}}}}"/></signal>
  <signal name="InterfacesRemoved"><arg type="o"/><arg type="as"/></signal>
</interface></node>''')
SIGNATURES = {p.name: p.signature for p in NODE.lookup_interface(TUNNEL).properties}
STATISTICS = {
    'bytes-sent': 't', 'bytes-received': 't', 'streams-opened': 't', 'n-resumed': 'u', 'rtt': 'x',
    'last-seen': 'x', 'protocol': 'u', 'listen': 's', 'target': 's', 'bound-port': 'q',
    'url': 's',
    'state': 's', 'error': 's', 'n-streams': 'u', 'id': 'u', 'user-address': 's', 'opened-at': 'x',
    'forwards': 'aa{sv}', 'streams': 'aa{sv}'}

CONFIGURATION = '''<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
  "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:dir={folder}</listen>
  <servicedir>{folder}</servicedir>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow receive_sender="*"/>
    <allow own="*"/>
  </policy>
  <limit name="service_start_timeout">5000</limit>
</busconfig>
'''


class Bus:
    """A message bus of its own; `start` is the command of a service that it can start."""

    def __init__(self, start=None):
        self.folder = tempfile.TemporaryDirectory()
        path = pathlib.Path(self.folder.name)
        (path / 'bus.conf').write_text(CONFIGURATION.format(folder=path), encoding='utf-8')
        if start:
            (path / f'{BUS_NAME}.service').write_text(
                f'[D-BUS Service]\nName={BUS_NAME}\nExec={start}\n', encoding='utf-8')
        self.process = subprocess.Popen(
            ['dbus-daemon', f'--config-file={path}/bus.conf', '--nofork', '--print-address'],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.address = self.process.stdout.readline().strip()
        self.environment = {'DBUS_SESSION_BUS_ADDRESS': self.address}

    def close(self):
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()
        self.folder.cleanup()


def pack(values):
    """An a{sv} of what GetStatistics tells."""
    packed = {}
    for name, value in values.items():
        if name in ('forwards', 'streams'):
            value = [pack(item) for item in value]
        packed[name] = GLib.Variant(STATISTICS[name], value)
    return packed


class Tunnel:
    """One of the service's. What is set is told on the bus."""

    def __init__(self, service, number, name, **properties):
        self.service = service
        self.path = f'{PATH}/Tunnels/t{number}'
        self.properties = {
            'Id': f'id-{number}', 'Lifetime': 'persistent', 'Owner': '', 'Name': name,
            'Uri': 'wss://tunnel.example.org/', 'Forwards': [('9000', 'localhost:3000', {})],
            'Autoconnect': False, 'State': 'inactive', 'LastError': ('', ''), 'ConnectedSince': 0,
            'NextRetry': 0, 'ActiveStreams': 0, **properties}
        self.statistics = {}
        self.on_open = None  # called instead of becoming connected
        self.on_read = None  # called once, before its properties are told
        self.secrets = None

    def packed(self, names=None):
        return {name: GLib.Variant(SIGNATURES[name], self.properties[name])
                for name in names or self.properties}

    def set(self, **properties):
        def change():
            self.properties.update(properties)
            self.service.emit(self.path, 'org.freedesktop.DBus.Properties', 'PropertiesChanged',
                              GLib.Variant('(sa{sv}as)', (TUNNEL, self.packed(properties), [])))
        self.service.do(change)

    def error(self, name, text, state='failed'):
        self.set(State=state, LastError=(f'{BUS_NAME}.Error.{name}' if name else '', text))

    def connect(self, **statistics):
        """Connected, each forward on a port from 41000 on."""
        forwards = [
            {'listen': listen, 'target': target, 'state': 'listening', 'error': '',
             'bound-port': 41000 + number, 'n-streams': 0, 'bytes-sent': 0, 'bytes-received': 0}
            for number, (listen, target, _) in enumerate(self.properties['Forwards'])]
        self.count({'rtt': 4200, 'protocol': 2, 'streams-opened': 0, 'bytes-sent': 0,
                    'bytes-received': 0, 'forwards': forwards, 'streams': [], **statistics})
        self.set(State='connected', ConnectedSince=int(time.time() * 1e6), LastError=('', ''))

    def count(self, statistics):
        def change():
            self.statistics = {**self.statistics, **statistics}
        self.service.do(change)

    def remove(self):
        self.service.do(lambda: self.service.forget(self))


class Service:
    """Answers in a thread of its own."""

    def __init__(self, address, names=()):
        self.address = address
        self.names = names
        self.context = GLib.MainContext.new()
        self.loop = GLib.MainLoop.new(self.context, False)
        self.tunnels = []
        self.number = 0
        self.calls = []        # (method, arguments) in the order they came
        self.failures = {}     # by method: (error name, text)
        self.hanging = set()   # methods that are not answered
        self.unanswered = []
        self.ready = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        assert self.ready.wait(30)

    def _run(self):
        self.context.push_thread_default()
        flags = (Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT
                 | Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION)
        self.bus = Gio.DBusConnection.new_for_address_sync(self.address, flags, None, None)
        self._export(PATH, OBJECT_MANAGER_NODE.lookup_interface(OBJECT_MANAGER))
        self._export(f'{PATH}/Manager', NODE.lookup_interface(MANAGER))
        for name in self.names:
            self._add(name, {})
        self.own()
        self.ready.set()
        self.loop.run()
        if not self.bus.is_closed():
            self.bus.close_sync(None)
        self.context.pop_thread_default()

    def _bus_call(self, method, parameters):
        return self.bus.call_sync('org.freedesktop.DBus', '/org/freedesktop/DBus',
                                  'org.freedesktop.DBus', method, parameters, None, 0, -1, None)

    def own(self):
        self._bus_call('RequestName', GLib.Variant('(su)', (BUS_NAME, 4)))

    def disown(self):
        self.do(lambda: self._bus_call('ReleaseName', GLib.Variant('(s)', (BUS_NAME,))))

    def close(self):
        self.context.invoke_full(GLib.PRIORITY_DEFAULT, self.loop.quit)
        self.thread.join(30)

    def do(self, function):
        """Calls it in the service's thread, and waits for it."""
        if threading.current_thread() is self.thread:
            return function()
        done, results = threading.Event(), []

        def run():
            results.append(function())
            done.set()
            return False
        self.context.invoke_full(GLib.PRIORITY_DEFAULT, run)
        assert done.wait(30), 'the mock hangs'
        return results[0]

    def emit(self, path, interface, signal, parameters):
        self.bus.emit_signal(None, path, interface, signal, parameters)

    def _export(self, path, interface):
        self.bus.register_object(path, interface, self._call, self._get, None)

    def add(self, name, **properties):
        return self.do(lambda: self._add(name, properties))

    def _add(self, name, properties):
        self.number += 1
        tunnel = Tunnel(self, self.number, name, **properties)
        self.tunnels.append(tunnel)
        self._export(tunnel.path, NODE.lookup_interface(TUNNEL))
        self.emit(PATH, OBJECT_MANAGER, 'InterfacesAdded',
                  GLib.Variant('(oa{sa{sv}})', (tunnel.path, {TUNNEL: tunnel.packed()})))
        return tunnel

    def forget(self, tunnel):
        self.tunnels.remove(tunnel)
        self.tell_removed(tunnel)

    def tell_removed(self, tunnel):
        self.emit(PATH, OBJECT_MANAGER, 'InterfacesRemoved',
                  GLib.Variant('(oas)', (tunnel.path, [TUNNEL])))

    def called(self, method):
        """The arguments of each call of a method."""
        return [arguments for name, arguments in self.calls if name == method]

    def find(self, name):
        """By id, or by a name that only one has; None if there is none."""
        found = [t for t in self.tunnels if t.properties['Id'] == name]
        named = [t for t in self.tunnels if t.properties['Name'] == name]
        return (found or (named if len(named) == 1 else [None]))[0]

    def _get(self, connection, sender, path, interface, name):
        if 'GetAll' in self.hanging:
            return None
        if interface == MANAGER:
            return {'Version': GLib.Variant('s', '1.0.0'),
                    'Features': GLib.Variant('as', ['keyring'])}[name]
        tunnel = next(t for t in self.tunnels if t.path == path)
        if tunnel.on_read:
            on_read, tunnel.on_read = tunnel.on_read, None
            on_read()
        return tunnel.packed([name])[name]

    def _call(self, connection, sender, path, interface, method, parameters, invocation):
        self.calls.append((method, parameters.unpack()))
        if method in self.hanging or 'all' in self.hanging:
            self.unanswered.append(invocation)
        elif method in self.failures:
            invocation.return_dbus_error(*self.failures[method])
        elif interface == OBJECT_MANAGER:
            invocation.return_value(GLib.Variant('(a{oa{sa{sv}}})', (self._objects(),)))
        elif interface == MANAGER:
            self._manage(method, parameters.unpack(), invocation)
        else:
            tunnel = next((t for t in self.tunnels if t.path == path), None)
            if tunnel is None:
                invocation.return_dbus_error('org.freedesktop.DBus.Error.UnknownObject', 'gone')
            else:
                self._use(tunnel, method, parameters, invocation)

    def _objects(self):
        objects = {t.path: {TUNNEL: t.packed()} for t in self.tunnels}
        objects[f'{PATH}/Manager'] = {MANAGER: {'Version': GLib.Variant('s', '1.0.0')}}
        return objects

    def _manage(self, method, arguments, invocation):
        if method == 'FindTunnel':
            tunnel = self.find(arguments[0])
            if tunnel is None:
                invocation.return_dbus_error(f'{BUS_NAME}.Error.NoSuchTunnel', 'not here')
                return
        else:
            uri, forwards, options = arguments
            tunnel = self._add(options.get('name', ''), {
                'Uri': uri, 'Forwards': [(left, right, {}) for left, right, _ in forwards],
                'Lifetime': options.get('lifetime', 'caller'),
                'Autoconnect': options.get('autoconnect', False)})
            if options.get('open'):
                self._open(tunnel)
        invocation.return_value(GLib.Variant('(o)', (tunnel.path,)))

    def _open(self, tunnel):
        if tunnel.on_open:
            tunnel.on_open()
        else:
            tunnel.set(State='connecting')
            tunnel.connect()

    def _use(self, tunnel, method, parameters, invocation):
        if method == 'GetStatistics':
            invocation.return_value(GLib.Variant('(a{sv})', (pack(tunnel.statistics),)))
            return
        if method == 'Open':
            self._open(tunnel)
        elif method == 'Close':
            tunnel.set(State='inactive', ConnectedSince=0)
        elif method == 'Delete':
            self.forget(tunnel)
        elif method == 'SetSecrets':
            tunnel.secrets = parameters.unpack()
        invocation.return_value(None)


if __name__ == '__main__':
    Service(os.environ['DBUS_SESSION_BUS_ADDRESS'], sys.argv[1:]).thread.join()
