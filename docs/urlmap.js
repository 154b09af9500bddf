// SPDX-FileCopyrightText: The libvtunnel authors
// SPDX-License-Identifier: MIT
// Where gi-docgen's pages find those of the libraries below. They read it as it stands.

baseURLs = [
  ['GLib', 'https://docs.gtk.org/glib/'],
  ['GObject', 'https://docs.gtk.org/gobject/'],
  ['Gio', 'https://docs.gtk.org/gio/'],
  ['Soup', 'https://libsoup.org/libsoup-3.0/'],
];
