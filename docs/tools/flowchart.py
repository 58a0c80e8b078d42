"""Mermaid flowcharts as SVG, without JavaScript or a network: what the pages here use of them.

GitHub draws ```` ```mermaid ```` itself. Known are ``flowchart LR|TB``, nodes ``id`` and ``id["label"]``, chains of
``-->`` and ``-. "label" .->``, and ``&``; anything else is refused, so that no drawing is silently wrong.
"""

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

__all__ = ["Chart", "draw", "parse"]

_NODE = re.compile(r'(\w+)(?:\["([^"]*)"\])?')
_ARROW = re.compile(r'\s*(-->|-\.\s*"([^"]*)"\s*\.->)\s*')
_CHAR, _LINE, _PAD, _GAP, _AISLE, _BEND = 6.6, 16.0, 12.0, 18.0, 46.0, 2.0


@dataclass
class Chart:
    """A flowchart: labels by node, and arrows as (from, to, label, dotted)."""

    across: bool = False
    labels: dict[str, str] = field(default_factory=dict)
    arrows: list[tuple[str, str, str, bool]] = field(default_factory=list)


def parse(text: str) -> Chart:
    """Return a flowchart of its text.

    Raises
    ------
    ValueError
        A line that is not understood.
    """
    head, *lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    kind = re.fullmatch(r"flowchart (LR|TB)", head)
    if kind is None:
        raise ValueError(f"{head!r}: only 'flowchart LR' and 'flowchart TB' can be drawn")
    chart = Chart(across=kind[1] == "LR")
    for line in lines:
        _parse_line(line, chart)
    return chart


def _parse_line(line: str, chart: Chart) -> None:
    rest, before, arrow = line, [], None
    while True:
        names = []
        while True:
            found = _NODE.match(rest)
            if found is None:
                raise ValueError(f"{line!r}: a node is wanted at {rest!r}")
            name, label = found[1], found[2]
            if label or name not in chart.labels:
                chart.labels[name] = label or name
            names.append(name)
            rest = rest[found.end() :].strip()
            if not rest.startswith("&"):
                break
            rest = rest[1:].strip()
        if arrow is not None:
            chart.arrows += [(a, b, arrow[2] or "", arrow[1] != "-->") for a in before for b in names]
        if not rest:
            return
        arrow = _ARROW.match(rest)
        if arrow is None:
            raise ValueError(f"{line!r}: an arrow is wanted at {rest!r}")
        before, rest = names, rest[arrow.end() :].strip()


def draw(chart: Chart, path: Path) -> None:
    """Write a flowchart as SVG: nodes on layers by their longest way from a source, ordered to cross little.

    An arrow over several layers goes through a point on each, so that it passes no node.
    """
    layers, ways = _layers(chart)
    size = {name: (_BEND, _BEND) for way in ways for name in way[1:-1]}
    size |= {name: _size(label) for name, label in chart.labels.items()}
    depth, breadth = (0, 1) if chart.across else (1, 0)
    spans = [sum(size[name][breadth] for name in layer) + _GAP * (len(layer) - 1) for layer in layers]
    widest, place, along = max(spans), {}, _PAD
    for layer, span in zip(layers, spans, strict=True):
        thick = max(size[name][depth] for name in layer)
        across = _PAD + (widest - span) / 2
        for name in layer:
            middle = (along + thick / 2, across + size[name][breadth] / 2)
            place[name] = middle if chart.across else middle[::-1]
            across += size[name][breadth] + _GAP
        along += thick + _AISLE
    extent = (along - _AISLE + _PAD, widest + 2 * _PAD)
    width, height = extent if chart.across else extent[::-1]
    parts = [
        _arrow([place[name] for name in way], size[way[0]], size[way[-1]], label, dotted, chart.across)
        for way, (_, _, label, dotted) in zip(ways, chart.arrows, strict=True)
    ]
    parts += [_box(place[name], size[name], label) for name, label in chart.labels.items()]
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        'font-family="sans-serif" font-size="12"><style>.b{fill:#eef3f8;stroke:#4a6785}.a{fill:none;stroke:#7a8794}'
        ".h{fill:#7a8794}text{fill:#1c2733;text-anchor:middle}</style>"
        '<defs><marker id="h" markerWidth="9" markerHeight="8" refX="8" refY="4" orient="auto">'
        '<path class="h" d="M0 0L9 4L0 8z"/></marker></defs>' + "".join(parts) + "</svg>\n"
    )


def _layers(chart: Chart) -> tuple[list[list[str]], list[list[str]]]:
    """Return the nodes and bends of each layer, and the way of each arrow over them."""
    rank = dict.fromkeys(chart.labels, 0)
    for _ in chart.labels:
        for a, b, _, _ in chart.arrows:
            rank[b] = max(rank[b], rank[a] + 1)
    if max(rank.values()) >= len(rank):
        raise ValueError("a flowchart with a circle can't be drawn")
    layers = [[name for name in chart.labels if rank[name] == level] for level in range(max(rank.values()) + 1)]
    ways = []
    for number, (a, b, _, _) in enumerate(chart.arrows):
        bends = [f"{number} at {level}" for level in range(rank[a] + 1, rank[b])]
        for level, bend in enumerate(bends, rank[a] + 1):
            layers[level].append(bend)
        ways.append([a, *bends, b])
    steps = [step for way in ways for step in itertools.pairwise(way)]
    for _ in range(8):
        for layer, others in [
            *zip(layers[1:], layers, strict=False),
            *zip(layers[-2::-1], layers[:0:-1], strict=False),
        ]:
            _reorder(layer, others, steps)
    return layers, ways


def _reorder(layer: list[str], others: Sequence[str], steps: Sequence[tuple[str, str]]) -> None:
    """Sort a layer by the mean position of its neighbours in another."""
    before = list(layer)

    def mean(name: str) -> float:
        ends = [b if a == name else a for a, b in steps if name in (a, b)]
        found = [others.index(end) / len(others) for end in ends if end in others]
        return sum(found) / len(found) if found else before.index(name) / len(before)

    layer.sort(key=mean)


def _lines(label: str) -> list[str]:
    return label.replace("<br>", "<br/>").split("<br/>")


def _size(label: str) -> tuple[float, float]:
    lines = _lines(label)
    return max(map(len, lines)) * _CHAR + 2 * _PAD, len(lines) * _LINE + _PAD


def _box(place: tuple[float, float], size: tuple[float, float], label: str) -> str:
    (x, y), (width, height) = place, size
    lines = _lines(label)
    top = y - (len(lines) - 1) * _LINE / 2 + 4
    texts = "".join(
        f'<text x="{x:.0f}" y="{top + n * _LINE:.0f}">{escape(line)}</text>' for n, line in enumerate(lines)
    )
    left, upper = x - width / 2, y - height / 2
    return f'<rect class="b" x="{left:.0f}" y="{upper:.0f}" width="{width:.0f}" height="{height:.0f}" rx="4"/>{texts}'


def _arrow(
    points: list[tuple[float, float]], begins: tuple[float, float], ends: tuple[float, float],
    label: str, dotted: bool, across: bool,
) -> str:  # fmt: skip
    axis = 0 if across else 1
    points = [list(point) for point in points]
    points[0][axis] += begins[axis] / 2
    points[-1][axis] -= ends[axis] / 2
    way = f"M{points[0][0]:.0f} {points[0][1]:.0f}"
    for (ax, ay), (bx, by) in itertools.pairwise(points):
        half = ((bx - ax) if across else (by - ay)) / 2
        first, second = ((ax + half, ay), (bx - half, by)) if across else ((ax, ay + half), (bx, by - half))
        way += f"C{first[0]:.0f} {first[1]:.0f} {second[0]:.0f} {second[1]:.0f} {bx:.0f} {by:.0f}"
    dash = ' stroke-dasharray="4 3"' if dotted else ""
    (ax, ay), (bx, by) = points[0], points[-1]
    text = f'<text x="{(ax + bx) / 2:.0f}" y="{(ay + by) / 2 - 4:.0f}">{escape(label)}</text>' if label else ""
    return f'<path class="a" marker-end="url(#h)"{dash} d="{way}"/>{text}'
