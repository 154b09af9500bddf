# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""Bars in SVG, readable on light and on dark."""

from xml.sax.saxutils import escape

from metrics import METRICS

WIDTH, LABELS, FIGURES = 760, 230, 90
TOP, ROW, BAR, BOTTOM = 52, 30, 18, 34
OTHERS = {'direct', 'haproxy', 'ssh', 'alone'}
SPAN = WIDTH - LABELS - FIGURES

STYLE = '''
    .back { fill: #ffffff; }
    .ink { fill: #1f2933; }
    .soft { fill: #52606d; font-size: 12px; }
    .bar { fill: #8fa1b3; }
    .ours { fill: #2f7d5b; }
    .axis { stroke: #5b6b7b; }
    .floor { stroke: #f0641e; stroke-width: 3; stroke-dasharray: 5 3; }
    .floor-ink { fill: #a4471f; font-size: 12px; }
    .range { stroke: #1f2933; }
    @media (prefers-color-scheme: dark) {
      .back { fill: #14191f; }
      .ink { fill: #eef2f6; }
      .soft { fill: #b3c0cc; }
      .bar { fill: #66788a; }
      .ours { fill: #57c795; }
      .axis { stroke: #93a4b5; }
      .floor { stroke: #ff7a45; }
      .floor-ink { fill: #f4a07a; }
      .range { stroke: #eef2f6; }
    }
'''


def text(style, x, y, words, anchor='start'):
    return f'<text class="{style}" x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}">' \
           f'{escape(words)}</text>'


def line(style, x1, y1, x2, y2):
    return f'<line class="{style}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def floor_value(results, name, floor):
    """Where a floor stands on the metric's own scale; None if its base was not measured."""
    if not floor.base:
        return floor.bound
    base = results.value(name, floor.base)
    return None if base is None else base * floor.bound


def bar(results, name, case, row, scale):
    """A case's bar, with the range of its rounds and the value that counts."""
    metric = METRICS[name]
    value = results.value(name, case)
    rounds = results.values[name][case]
    y = TOP + row * ROW
    middle = y + BAR / 2
    compared = OTHERS.union(floor.base for floor in metric.floors)
    style = 'bar' if case in compared else 'ours'
    parts = [text('ink', LABELS - 10, middle + 5, metric.cases[case], 'end'),
             f'<rect class="{style}" x="{LABELS}" y="{y}" width="{max(value * scale, 1):.1f}" '
             f'height="{BAR}" rx="2"/>']
    if len(rounds) > 1:
        parts.append(line('range', LABELS + min(rounds) * scale, middle,
                          LABELS + max(rounds) * scale, middle))
    end = LABELS + max(value, *rounds, 0) * scale
    parts.append(text('ink', end + 8, middle + 5, f'{value:,.{metric.digits}f}'))
    return parts


def floor_lines(results, name, cases, scale):
    """A dashed line across each bar of which something is asked; the words are below."""
    parts, words = [], []
    metric = METRICS[name]
    for floor in metric.floors:
        value = floor_value(results, name, floor)
        if value is None or floor.case not in cases:
            continue
        y = TOP + cases.index(floor.case) * ROW - 4
        x = LABELS + value * scale
        parts.append(line('floor', x, y, x, y + BAR + 8))
        asked = f'{floor.bound:g}' + (f' × {metric.cases[floor.base]}' if floor.base else '')
        if asked not in words:
            words.append(asked)
    if words:
        sign = 'at most' if metric.less else 'at least'
        parts.append(text('floor-ink', LABELS, TOP + len(cases) * ROW + 18,
                          f'asked for: {sign} ' + ', '.join(words)))
    return parts


def bars(results, name):
    """A metric's plot."""
    metric = METRICS[name]
    cases = [case for case in metric.cases if results.value(name, case) is not None]
    marks = [floor_value(results, name, floor) or 0 for floor in metric.floors]
    largest = max([0, *marks, *(max(results.values[name][case]) for case in cases)])
    scale = SPAN / largest if largest else 0
    height = TOP + len(cases) * ROW + BOTTOM
    better = 'less is better' if metric.less else 'more is better'
    parts = [f'<rect class="back" width="{WIDTH}" height="{height}"/>',
             text('ink', 16, 26, f'{metric.title} ({metric.unit})'),
             text('soft', WIDTH - 16, 26, better, 'end')]
    for row, case in enumerate(cases):
        parts += bar(results, name, case, row, scale)
    parts.append(line('axis', LABELS, TOP - 6, LABELS, TOP + len(cases) * ROW - 6))
    parts += floor_lines(results, name, cases, scale)
    body = '\n  '.join(parts)
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" ' \
           f'width="{WIDTH}" height="{height}" role="img" ' \
           'font-family="system-ui, sans-serif" font-size="14">\n' \
           f'  <title>{escape(metric.title)}</title>\n  <style>{STYLE}  </style>\n' \
           f'  {body}\n</svg>\n'
