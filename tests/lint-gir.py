#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""What bindings ask of an interface, checked in the GIR: lint-gir.py Vt-1.gir SOURCES

What the GIR does not tell (whether an annotation was written or is the scanner's guess) is read in
the comments that it names, below SOURCES. test-lint-gir.py sees that each of the checks can fail.
"""

import pathlib
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


def c_type(node):
    kind = node.find(f'{CORE}type')
    if kind is None:
        kind = node.find(f'{CORE}array')
    return kind.get(f'{C}type', '') if kind is not None else ''


def annotations(node):
    """What stands before the text of its documentation, in the source."""
    doc = node.find(f'{CORE}doc')
    if doc is None:
        return ''
    lines = (sources / doc.get('filename')).read_text(encoding='utf-8').splitlines()
    return lines[int(doc.get('line')) - 1]


def mentions_null(node):
    doc = node.find(f'{CORE}doc')
    return doc is not None and '%NULL' in doc.text


def check_callable(name, node, is_signal=False):
    documented(name, node)
    check_since(name, node)
    check_returned(f'{name} return value', node)
    parameters = node.findall(f'{CORE}parameters/{CORE}parameter')
    for parameter in parameters:
        check_value(f'{name} ({parameter.get("name")})', parameter)
        check_parameter(f'{name} ({parameter.get("name")})', parameter)
        closure = parameter.get('closure')
        if closure is not None and parameters[int(closure)].get('name') != 'user_data':
            report(name, "a callback's data is not called user_data")
    if is_signal:
        check_signal_types(name, node)


def check_returned(name, node):
    returned = node.find(f'{CORE}return-value')
    check_value(name, returned)
    kind = c_type(returned)
    if kind.endswith('*') and not kind.startswith('const ') and kind != 'const' and \
            '(transfer ' not in annotations(returned):
        report(name, 'is a pointer without (transfer …)')
    # With an error, NULL is no value.
    if mentions_null(returned) and node.get('throws') is None and returned.get('nullable') is None:
        report(name, 'may be NULL, but is not (nullable)')


def check_parameter(name, node):
    said = node.get('nullable') or node.get('optional')
    if mentions_null(node) and said is None:
        report(name, 'may be NULL, but is not (nullable)')
    kind = node.find(f'{CORE}type')
    if kind is not None and kind.get('name') == 'gpointer' and node.get('name') != 'user_data':
        report(name, 'is data that is not called user_data')


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
    for key, prop in properties.items():
        getter = methods.get(prop.get('getter'))
        if mentions_null(prop) and getter is not None and \
                getter.find(f'{CORE}return-value').get('nullable') is None:
            report(f'{name}:{key}', 'may be NULL, but its getter is not (nullable)')
    for key, method in methods.items():
        full = method.get(f'{C}identifier')
        if is_object and key in RESERVED:
            report(full, "hides a method of GObject's")
        if key in properties:
            report(full, 'is named like a property')
        if key.endswith('_async'):
            check_async(full, method, methods.get(f'{key[:-6]}_finish'))
        if key.endswith('_finish') and f'{key[:-7]}_async' not in methods:
            report(full, 'has no _async')
        check_callable(full, method)
    for kind in ('constructor', 'function'):
        for function in node.iterfind(f'{CORE}{kind}'):
            check_callable(function.get(f'{C}identifier'), function)
    for signal in node.iterfind(f'{GLIB}signal'):
        check_callable(f'{name}::{signal.get("name")}', signal, is_signal=True)


def check_async(name, method, finish):
    names = [p.get('name') for p in method.iterfind(f'{CORE}parameters/{CORE}parameter')]
    if names[-3:] != ['cancellable', 'callback', 'user_data']:
        report(name, 'does not end in (cancellable, callback, user_data)')
    if finish is None:
        report(name, 'has no _finish')
        return
    names = [p.get('name') for p in finish.iterfind(f'{CORE}parameters/{CORE}parameter')]
    if names != ['result'] or finish.get('throws') is None:
        report(name, 'has a _finish that is not (result) with an error')


def check_enum(node):
    documented(node.get('name'), node)
    check_since(node.get('name'), node)
    for member in node.iterfind(f'{CORE}member'):
        documented(f'{node.get("name")}.{member.get("name")}', member)


sources = pathlib.Path(sys.argv[2])
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
for tag in ('function', 'callback'):
    for found in namespace.iterfind(CORE + tag):
        check_callable(found.get(f'{C}identifier') or found.get('name'), found)
for found in namespace.iterfind(f'{CORE}constant'):
    documented(found.get('name'), found)
    check_since(found.get('name'), found)

if not classes:
    problems.append('the GIR has no class')
if problems:
    sys.exit('\n'.join(problems))
