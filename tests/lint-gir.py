#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""What bindings ask of an interface, checked in the GIR: lint-gir.py Vt-1.gir"""

import sys
import xml.etree.ElementTree as ElementTree

CORE = '{http://www.gtk.org/introspection/core/1.0}'
C = '{http://www.gtk.org/introspection/c/1.0}'
GLIB = '{http://www.gtk.org/introspection/glib/1.0}'

# Methods that every GObject has in Python or JavaScript: a method of ours would hide them.
RESERVED = {
    'connect', 'connect_after', 'connect_object', 'disconnect', 'emit', 'notify', 'freeze_notify',
    'thaw_notify', 'get_property', 'set_property', 'get_data', 'set_data', 'steal_data', 'ref',
    'unref', 'ref_sink', 'weak_ref', 'run_dispose', 'bind_property', 'watch_closure', 'init',
    'chain', 'handler_block', 'handler_unblock', 'stop_emission', 'props', 'toString',
}
BASIC = {
    'gboolean', 'gint', 'guint', 'gint64', 'guint64', 'gulong', 'glong', 'gdouble', 'gfloat',
    'utf8', 'none', 'GLib.Error', 'GLib.Bytes', 'GLib.DateTime',
}

problems = []


def report(node_name, text):
    problems.append(f'{node_name}: {text}')


def documented(name, node):
    if node.find(f'{CORE}doc') is None:
        report(name, 'has no documentation')


def check_since(name, node):
    if not node.get('version'):
        report(name, 'has no Since:')


def is_pointer(node):
    kind = node.find(f'{CORE}type')
    if kind is None:
        return node.find(f'{CORE}array') is not None
    return kind.get(f'{C}type', '').endswith('*')


def check_callable(name, node, is_signal=False):
    documented(name, node)
    check_since(name, node)
    returned = node.find(f'{CORE}return-value')
    check_value(f'{name} return value', returned)
    for parameter in node.iterfind(f'{CORE}parameters/{CORE}parameter'):
        check_value(f'{name} ({parameter.get("name")})', parameter)
        if parameter.get('closure') is not None or parameter.get('name') == 'data':
            if parameter.get('name') not in ('user_data', 'callback', 'func'):
                report(name, f'callback data is called {parameter.get("name")}, not user_data')
    if is_signal:
        check_signal_types(name, node)


def check_value(name, node):
    kind = node.find(f'{CORE}type')
    if kind is not None and kind.get('name') == 'none':
        return
    if kind is not None and kind.get('name') in ('gpointer', 'Gio.AsyncReadyCallback'):
        return
    documented(name, node)
    if node.get('transfer-ownership') is None:
        report(name, 'says nothing of transfer')
    # The scanner writes nullable only where the annotation stands; a pointer without it is a
    # promise that it is never NULL, so there is nothing to see here but an explicit mistake.
    if node.get('allow-none') == '1' and node.get('nullable') is None and \
            node.get('direction', 'in') == 'in' and node.tag == f'{CORE}parameter':
        report(name, 'uses (allow-none): say (nullable) or (optional)')


def check_signal_types(name, node):
    values = [node.find(f'{CORE}return-value')]
    values += list(node.iterfind(f'{CORE}parameters/{CORE}parameter'))
    for value in values:
        kind = value.find(f'{CORE}type')
        if kind is None:
            report(name, 'carries an array')
            continue
        known = kind.get('name') in BASIC or kind.get('name') in classes
        if not known:
            report(name, f'carries a {kind.get("name")}, which not every binding can handle')


def check_class(node, is_object=True):
    name = node.get('name')
    documented(name, node)
    check_since(name, node)
    properties = {p.get('name').replace('-', '_'): p for p in node.iterfind(f'{CORE}property')}
    for key, prop in properties.items():
        documented(f'{name}:{key}', prop)
        check_since(f'{name}:{key}', prop)
        if prop.get('readable', '1') == '1' and prop.get('getter') is None:
            report(f'{name}:{key}', 'has no getter')
        if prop.get('writable') == '1' and prop.get('construct-only') is None and \
                prop.get('setter') is None:
            report(f'{name}:{key}', 'has no setter')
    methods = {m.get('name'): m for m in node.iterfind(f'{CORE}method')}
    for key, method in methods.items():
        full = method.get(f'{C}identifier')
        if is_object and key in RESERVED:
            report(full, "hides a method of GObject's")
        if key in properties:
            report(full, 'is named like a property')
        if key.endswith('_async') and f'{key[:-6]}_finish' not in methods:
            report(full, 'has no _finish')
        if key.endswith('_finish') and f'{key[:-7]}_async' not in methods:
            report(full, 'has no _async')
        check_callable(full, method)
    for kind in ('constructor', 'function'):
        for function in node.iterfind(f'{CORE}{kind}'):
            check_callable(function.get(f'{C}identifier'), function)
    for signal in node.iterfind(f'{GLIB}signal'):
        check_callable(f'{name}::{signal.get("name")}', signal, is_signal=True)


def check_enum(node):
    documented(node.get('name'), node)
    check_since(node.get('name'), node)
    for member in node.iterfind(f'{CORE}member'):
        documented(f'{node.get("name")}.{member.get("name")}', member)


namespace = ElementTree.parse(sys.argv[1]).getroot().find(f'{CORE}namespace')
classes = {node.get('name') for tag in ('class', 'record')
           for node in namespace.iterfind(CORE + tag)}
for tag in ('class', 'interface'):
    for found in namespace.iterfind(CORE + tag):
        check_class(found)
for found in namespace.iterfind(f'{CORE}record'):
    if found.get(f'{GLIB}is-gtype-struct-for') is None:
        check_class(found, is_object=False)
for tag in ('enumeration', 'bitfield'):
    for found in namespace.iterfind(CORE + tag):
        check_enum(found)
for found in namespace.iterfind(f'{CORE}function'):
    check_callable(found.get(f'{C}identifier'), found)

if not classes:
    problems.append('the GIR has no class')
if problems:
    sys.exit('\n'.join(problems))
