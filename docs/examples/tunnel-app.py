#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""A window for a tunnel, with GTK 4 and libadwaita: tunnel-app.py SERVER FORWARD…

Its lists are bound to those of the client, and a switch opens and closes the tunnel. A token for
the server is taken from $VTUNNEL_TOKEN.
"""

import os
import sys

import gi

gi.require_version('Adw', '1')
gi.require_version('Gtk', '4.0')
gi.require_version('Vt', '1')
from gi.repository import Adw, Gio, GLib, Gtk, Vt  # noqa: E402


def describe_forward(forward):
    """The title and the subtitle of its row."""
    title = forward.props.target.to_string()
    error = forward.get_error()
    if forward.props.state == Vt.ForwardState.LISTENING:
        return title, f'Port {forward.props.bound_port} of the server'
    return title, error.message if error else 'Asking for a port…'


def describe_stream(stream):
    address = stream.props.user_address
    user = address.get_address().to_string() if address else 'Unknown user'
    since = stream.props.opened_at.to_local().format('%X')
    return user, f'Since {since}, to {stream.props.forward.props.target.to_string()}'


class Row(Adw.ActionRow):
    """Shows an item of a list model; it goes when the item goes."""

    def __init__(self, item, describe):
        super().__init__(use_markup=False)
        self.item = item
        self.describe = describe
        self.traffic = Gtk.Label(css_classes=['dim-label', 'numeric', 'caption'],
                                 justify=Gtk.Justification.RIGHT)
        self.add_suffix(self.traffic)
        # Only while it is shown: an item can outlive its row, and must not keep it.
        self.connect('map', Row.watch)
        self.connect('unmap', Row.unwatch)

    def watch(self):
        self.handler = self.item.connect('notify', lambda *_: self.update())
        self.update()

    def unwatch(self):
        self.item.disconnect(self.handler)

    def update(self):
        title, subtitle = self.describe(self.item)
        self.set_title(title)
        self.set_subtitle(subtitle)
        self.traffic.set_text(f'↑ {GLib.format_size(self.item.props.bytes_sent)}\n'
                              f'↓ {GLib.format_size(self.item.props.bytes_received)}')


class Window(Adw.ApplicationWindow):
    def __init__(self, application, uri, forwards):
        super().__init__(application=application, title='Tunnel', default_width=420,
                         default_height=560)
        self.forwards = forwards
        self.client = Vt.Client.new(uri)
        self.client.set_token(os.environ.get('VTUNNEL_TOKEN'))
        self.client.connect('notify::state', self.state_changed)
        self.heading = Adw.WindowTitle(title='Tunnel')
        self.switch = Gtk.Switch(valign=Gtk.Align.CENTER, tooltip_text='Open the tunnel')
        self.switch.connect('state-set', self.switched)
        bar = Adw.HeaderBar(title_widget=self.heading)
        bar.pack_start(self.switch)
        self.lists = []
        page = Adw.PreferencesPage(vexpand=True)
        page.add(self.create_group('Forwards', 'The tunnel is closed', describe_forward,
                                   self.client.get_forwards()))
        page.add(self.create_group('Live streams', 'Nobody is connected', describe_stream,
                                   self.client.get_streams()))
        self.toasts = Adw.ToastOverlay(child=page)
        box = Gtk.Box(orientation=Gtk.Orientation.VERTICAL)
        box.append(bar)
        box.append(self.toasts)
        self.set_content(box)
        self.connect('close-request', self.close_requested)
        self.state_changed()
        # Streams do not notify for each byte: the rows look for themselves.
        self.timer = GLib.timeout_add_seconds(1, self.update_rows)

    def create_group(self, title, placeholder, describe, model):
        group = Adw.PreferencesGroup(title=title)
        rows = Gtk.ListBox(css_classes=['boxed-list'], selection_mode=Gtk.SelectionMode.NONE)
        rows.bind_model(model, lambda item: Row(item, describe))
        rows.set_placeholder(Gtk.Label(label=placeholder, css_classes=['dim-label'],
                                       margin_top=18, margin_bottom=18))
        self.lists.append(rows)
        group.add(rows)
        return group

    def update_rows(self):
        for rows in self.lists:
            row = rows.get_first_child()
            while row is not None:
                if isinstance(row, Row):
                    row.update()
                row = row.get_next_sibling()
        return GLib.SOURCE_CONTINUE

    def switched(self, switch, on):
        state = self.client.props.state
        if on and state == Vt.ClientState.CLOSED:
            for forward in self.forwards:
                self.client.listen_async(forward, None, self.listened)
            self.client.open_async(None, self.opened)
        elif not on and state != Vt.ClientState.CLOSED:
            self.client.close_async(None, None)
        # The switch has moved; how it looks follows the client.
        return True

    def state_changed(self, *_):
        state = self.client.props.state
        self.heading.set_subtitle(f'{self.client.props.uri} — {state.value_nick}')
        self.switch.set_state(state in (Vt.ClientState.OPEN, Vt.ClientState.RECONNECTING))
        if state == Vt.ClientState.CLOSED:
            self.switch.set_active(False)

    def opened(self, client, result):
        try:
            client.open_finish(result)
        except GLib.Error as error:
            self.say(error.message)

    def listened(self, client, result):
        try:
            client.listen_finish(result)
        except GLib.Error as error:
            # If there is no tunnel at all, opening it says so.
            if client.props.state == Vt.ClientState.OPEN:
                self.say(error.message)

    def say(self, text):
        # A toast of one line would cut what matters off.
        self.toasts.add_toast(Adw.Toast(custom_title=Gtk.Label(label=text, wrap=True, xalign=0)))

    def close_requested(self, *_):
        """Takes leave of the server first."""
        if self.client.props.state == Vt.ClientState.CLOSED:
            GLib.source_remove(self.timer)
            return False
        self.client.close_async(None, lambda *_: self.close())
        return True


def create_application(uri, words):
    forwards = [forward for word in words for forward in Vt.Forward.parse(word)]
    application = Adw.Application(application_id='io.github.vtunnel.TunnelApp',
                                  flags=Gio.ApplicationFlags.NON_UNIQUE)
    application.connect('activate', lambda _: Window(application, uri, forwards).present())
    return application


if __name__ == '__main__':
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    sys.exit(create_application(sys.argv[1], sys.argv[2:]).run(None))
