"""Line charts as SVG: several panels that share one legend."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

PANEL_WIDTH, PANEL_HEIGHT = 380, 270
LEFT, RIGHT, TOP, BOTTOM = 52, 14, 30, 40
"""Margins of a panel around its axes."""
TITLE = 34
COLUMNS = 3
TICKS = 5
"""About how many ticks an axis has."""


@dataclass(frozen=True)
class Line:
    """A line of a panel; lines of one label look alike in all panels."""

    label: str
    points: Sequence[tuple[float, float]]
    colour: str
    dash: str = ""
    """SVG dash pattern; empty is solid."""
    width: float = 1.6
    marks: bool = False
    """Whether points are marked."""


@dataclass(frozen=True)
class Panel:
    """One pair of axes."""

    title: str
    x_title: str
    lines: Sequence[Line]


def line_chart(title: str, panels: Sequence[Panel]) -> str:
    """The panels from left to right and top to bottom, then the legend; panels without points are left out."""
    panels = [panel for panel in panels if any(line.points for line in panel.lines)]
    cells = len(panels) + 1
    columns = min(COLUMNS, cells)
    width, height = PANEL_WIDTH * columns, TITLE + PANEL_HEIGHT * math.ceil(cells / columns)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        'font-family="sans-serif" font-size="11">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="12" y="22" font-size="15">{escape(title)}</text>',
    ]
    drawings = [*(_panel(panel) for panel in panels), _legend(panels)]
    for index, drawing in enumerate(drawings):
        left, top = PANEL_WIDTH * (index % columns), TITLE + PANEL_HEIGHT * (index // columns)
        parts += [f'<g transform="translate({left} {top})">', *drawing, "</g>"]
    return "\n".join([*parts, "</svg>", ""])


def _panel(panel: Panel) -> Iterator[str]:
    points = [point for line in panel.lines for point in line.points]
    x, y = (
        _Axis([p[0] for p in points], LEFT, PANEL_WIDTH - RIGHT),
        _Axis([p[1] for p in points], PANEL_HEIGHT - BOTTOM, TOP),
    )
    yield f'<text x="{LEFT}" y="{TOP - 10}" font-size="12.5">{escape(panel.title)}</text>'
    for tick in x.ticks:
        yield f'<path d="M{x(tick):.1f} {TOP}V{PANEL_HEIGHT - BOTTOM}" stroke="#e4e7ea"/>'
        yield f'<text x="{x(tick):.1f}" y="{PANEL_HEIGHT - BOTTOM + 15}" text-anchor="middle">{tick:g}</text>'
    for tick in y.ticks:
        yield f'<path d="M{LEFT} {y(tick):.1f}H{PANEL_WIDTH - RIGHT}" stroke="#e4e7ea"/>'
        yield f'<text x="{LEFT - 6}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick:g}</text>'
    yield (
        f'<text x="{(LEFT + PANEL_WIDTH - RIGHT) / 2}" y="{PANEL_HEIGHT - 8}" text-anchor="middle" fill="#666">'
        f"{escape(panel.x_title)}</text>"
    )
    for line in panel.lines:
        if line.points:
            path = "L".join(f"{x(a):.1f} {y(b):.1f}" for a, b in line.points)
            yield f'<path d="M{path}" fill="none" {_stroke(line)}/>'
        if line.marks:
            for a, b in line.points:
                yield f'<circle cx="{x(a):.1f}" cy="{y(b):.1f}" r="2.6" fill="{line.colour}"/>'


def _legend(panels: Sequence[Panel]) -> Iterator[str]:
    lines = {line.label: line for panel in panels for line in panel.lines if line.points}
    for index, line in enumerate(lines.values()):
        top = TOP + 10 + 20 * index
        yield f'<path d="M{LEFT} {top}h34" {_stroke(line)}/>'
        yield f'<text x="{LEFT + 44}" y="{top + 4}">{escape(line.label)}</text>'


def _stroke(line: Line) -> str:
    dash = f' stroke-dasharray="{line.dash}"' if line.dash else ""
    return f'stroke="{line.colour}" stroke-width="{line.width}"{dash}'


class _Axis:
    """Values to positions between `start` and `stop`, with round ticks."""

    def __init__(self, values: Sequence[float], start: float, stop: float) -> None:
        low, high = min(values), max(values)
        room = 0.04 * (high - low) or 1.0
        self._low, self._high, self._start, self._stop = low - room, high + room, start, stop
        step = _round_step((high - low or 1.0) / TICKS)
        first, last = math.ceil(self._low / step), math.floor(self._high / step)
        self.ticks = [round(step * index, 10) for index in range(first, last + 1)]

    def __call__(self, value: float) -> float:
        return self._start + (value - self._low) / (self._high - self._low) * (self._stop - self._start)


def _round_step(step: float) -> float:
    """The next larger of 1, 2, 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= step * (1 - 1e-9))
