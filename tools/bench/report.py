# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""What came out: a table for people, JSON for programs."""

import json
import os
import pathlib
import subprocess

import plot
from metrics import METRICS

BASES = ('haproxy', 'ssh')


def figure(value, digits):
    return '' if value is None else f'{value:,.{digits}f}'


def floor_text(results, name, floor):
    """The floor in words, and whether it is reached."""
    metric = METRICS[name]
    judged = results.judge(name, floor)
    if judged is None:
        return None
    text = f'{"at most" if metric.less else "at least"} {floor.bound:g}'
    if floor.base:
        text += f' of {metric.cases[floor.base]}'
        if floor.base not in BASES:
            text += f': {judged[0]:.3g}'
    return f'{text}: {"ok" if judged[1] else "below"}'


def rows(results, name):
    """A row for each case that was measured: title, value, a ratio to each base, floors."""
    metric = METRICS[name]
    for case, title in metric.cases.items():
        value = results.value(name, case)
        if value is None:
            continue
        ratios = [figure(results.ratio(name, case, base), 2) for base in BASES]
        floors = [floor_text(results, name, floor) for floor in metric.floors
                  if floor.case == case]
        yield title, figure(value, metric.digits), *ratios, [text for text in floors if text]


def table(results):
    lines = [f'{"":50}{"value":>9}{"/HAProxy":>10}{"/ssh":>7}  asked for']
    for name, metric in METRICS.items():
        if name not in results.values:
            continue
        lines += ['', f'{metric.title}, {metric.unit}']
        for title, value, haproxy, ssh, floors in rows(results, name):
            first, *more = floors or ['']
            lines.append(f'  {title:48}{value:>9}{haproxy:>10}{ssh:>7}  {first}'.rstrip())
            lines += [f'{"":78}{text}' for text in more]
    return '\n'.join(lines) + '\n'


def command(*words):
    try:
        return subprocess.run(words, check=False, capture_output=True, text=True).stdout.strip()
    except FileNotFoundError:
        return ''


def machine():
    """What the figures depend on, besides the programs."""
    models = [line.split(':', 1)[1].strip() for line in
              pathlib.Path('/proc/cpuinfo').read_text(encoding='utf-8').splitlines()
              if line.startswith('model name')]
    system = os.uname()
    return {
        'system': f'{system.sysname} {system.release} {system.machine}',
        'processor': models[0] if models else 'unknown',
        'processors': len(os.sched_getaffinity(0)),
        'load_before': os.getloadavg()[0],
        'packages': command('dpkg-query', '-W', '-f', '${Package} ${Version}\n', 'iperf3', 'wrk',
                            'nginx-light', 'haproxy', 'openssh-server', 'libsoup-3.0-0',
                            'libglib2.0-0').splitlines(),
        'commit': command('git', 'describe', '--always', '--dirty', '--abbrev=12'),
    }


def as_data(results, about):
    """All of it, for programs."""
    metrics = {}
    for name, values in results.values.items():
        metric = METRICS[name]
        floors = []
        for floor in metric.floors:
            judged = results.judge(name, floor)
            if judged:
                floors.append({'case': floor.case, 'bound': floor.bound, 'base': floor.base,
                               'figure': judged[0], 'reached': judged[1]})
        metrics[name] = {
            'title': metric.title, 'unit': metric.unit,
            'better': 'less' if metric.less else 'more',
            'counts': 'worst' if metric.worst else 'median',
            'cases': {case: {'title': metric.cases[case], 'value': results.value(name, case),
                             'ratio_haproxy': results.ratio(name, case, 'haproxy'),
                             'ratio_ssh': results.ratio(name, case, 'ssh'),
                             'rounds': rounds} for case, rounds in values.items()},
            'floors': floors,
        }
    return {**about, 'notes': results.notes, 'metrics': metrics}


def write(results, about, folder):
    """results.json, a plot for each metric, and index.md with the table; the table."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in METRICS:
        (folder / f'{name}.svg').unlink(missing_ok=True)
    (folder / 'results.json').write_text(json.dumps(as_data(results, about), indent=1) + '\n')
    text = table(results)
    notes = ''.join(f'- {note}\n' for note in results.notes)
    index = f'# Benchmark\n\n{about["text"]}\n\n```\n{text}```\n\n{notes}\n'
    for name in [name for name in METRICS if name in results.values]:
        (folder / f'{name}.svg').write_text(plot.bars(results, name), encoding='utf-8')
        index += f'![{METRICS[name].title}]({name}.svg)\n'
    (folder / 'index.md').write_text(index, encoding='utf-8')
    return text + ('\n' + notes if notes else '')
