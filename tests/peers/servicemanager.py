# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""What systemd does for a unit of Type=dbus, as far as one service needs it.

The bus asks it to start the unit. The unit is told to stop when its name is given back, and what is
asked for while it stops is done when it has stopped.
"""

import signal
import subprocess
import threading

from gi.repository import Gio, GLib

from onbus import BUS, OnBus

NAME = 'io.github.vtunnel.Vtunnel1'
SYSTEMD = 'org.freedesktop.systemd1'


class ServiceManager(OnBus):
    def __init__(self, desktop, environment):
        self.command = [desktop.service, '--managed']
        self.environment = dict(environment, DBUS_SESSION_BUS_ADDRESS=desktop.address)
        self.log = desktop.log
        self.process = None
        self.is_stopping = False
        self.is_wanted = False
        self.statuses = []
        super().__init__(desktop, SYSTEMD)

    def _serve(self):
        self.bus.signal_subscribe(None, SYSTEMD + '.Activator', 'ActivationRequest', None, None,
                                  Gio.DBusSignalFlags.NONE, self._asked)
        self.bus.signal_subscribe(BUS, BUS, 'NameOwnerChanged', None, NAME,
                                  Gio.DBusSignalFlags.NONE, self._name_changed)

    def _asked(self, bus, sender, path, interface, signal_name, arguments):
        if self.process is None:
            self._start()
        elif self.is_stopping:
            self.is_wanted = True

    def _name_changed(self, bus, sender, path, interface, signal_name, arguments):
        _, _, owner = arguments.unpack()
        if not owner and self.process and not self.is_stopping:
            self._stop()

    def _start(self):
        self.is_stopping = self.is_wanted = False
        self.process = subprocess.Popen(self.command, env=self.environment, stderr=self.log)
        threading.Thread(target=self._wait, args=(self.process,), daemon=True).start()

    def _stop(self):
        self.is_stopping = True
        self.process.send_signal(signal.SIGTERM)

    def _wait(self, process):
        status = process.wait()
        self.context.invoke_full(GLib.PRIORITY_DEFAULT, self._ended, status)

    def _ended(self, status):
        self.statuses.append(status)
        self.process = None
        if self.is_wanted:
            self._start()
        return False

    def end(self):
        super().end()
        if self.process:
            self.process.kill()
            self.process.wait()
