"""A report as one HTML page without anything from elsewhere; plots are inline SVG."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

from .text import decibel, delegation

Facts = dict[str, Any]

_STYLE = (
    "body{font:14px/1.4 sans-serif;margin:2em auto;max-width:70em;color:#222}"
    "table{border-collapse:collapse;margin:1em 0}td,th{padding:.2em .7em;text-align:right;border-bottom:1px solid #ddd}"
    "td:first-child,th:first-child,td.text{text-align:left}svg{margin:.3em 1em .3em 0}rect{fill:#4477aa}"
    "text{font:11px sans-serif}details{margin:.3em 0}"
)
_BAR, _ROW, _LABELS = 360, 16, 300
"""Pixels: longest bar, height of a bar, width of its label."""


def report_page(facts: Facts, title: str) -> str:
    """The whole page."""
    body = "\n".join([*_files(facts), *_stages(facts), *_quality(facts), *_tensors(facts)])
    notes = "".join(f"<p>Note: {escape(note)}.</p>" for note in facts["notes"])
    return (
        f"<!doctype html>\n<html lang=en><meta charset=utf-8><title>{escape(title)}</title>"
        f"<style>{_STYLE}</style>\n<h1>{escape(title)}</h1>{notes}\n{body}\n</html>\n"
    )


def _files(facts: Facts) -> Iterator[str]:
    files = facts["files"]
    yield f"<h2>Files: {sum(entry['bytes'] for entry in files):,} bytes</h2>"
    yield _bars([(entry["file"], entry["bytes"] / 1e6, f"{entry['bytes'] / 1e6:.2f} MB") for entry in files])
    networks = [entry for entry in files if "recipe" in entry]
    patches = list(networks[0]["activation_bytes"]) if networks else []
    header = ["network", "recipe", "parameters", "kMAC/px", "delegates"]
    rows = [
        [
            entry["file"], entry["recipe"], f"{entry['parameters']:,}", str(entry["kmac_per_sample"]),
            delegation(entry), *(f"{entry['activation_bytes'][patch] / 2**20:.1f}" for patch in patches),
        ]
        for entry in networks
    ]  # fmt: skip
    yield _table([*header, *(f"MiB at {patch} px" for patch in patches)], rows)
    yield "<p>Memory: float32 activations alive at once in a square patch; int8 tensors take a quarter.</p>"


def _stages(facts: Facts) -> Iterator[str]:
    yield "<h2>Operations per sample</h2>"
    rows = [
        [
            stage["operating_point"], ", ".join(f"{name} {value}" for name, value in stage["stages"].items()),
            str(stage["total"]), str(stage["standard"]),
        ]
        for stage in facts["stages"]
    ]  # fmt: skip
    yield _table(["operating point", "kMAC/px by network", "total", "figure of the standard"], rows)


def _quality(facts: Facts) -> Iterator[str]:
    if not facts["quality"]:
        return
    yield "<h2>Decodes against float32</h2>"
    for entry in facts["quality"]:
        name = f"{entry['picture']}, {entry['operating_point']}, {entry['precision']}: {decibel(entry['db'])}"
        bars = [(str(step), share, f"{100 * share:.3f} %") for step, share in entry["histogram"].items()]
        yield f"<details><summary>{escape(name)}</summary><p>Sample differences</p>{_bars(bars)}</details>"


def _tensors(facts: Facts) -> Iterator[str]:
    yield "<h2>Signal to quantisation noise of tensors, worst first</h2>"
    for entry in facts["files"]:
        if entry.get("tensors"):
            bars = [(fact["tensor"], _shown(fact["sqnr_db"]), decibel(fact["sqnr_db"])) for fact in entry["tensors"]]
            yield f"<details><summary>{escape(entry['file'])}</summary>{_bars(bars)}</details>"


def _shown(decibels: float | None) -> float:
    """Length of a bar: 0..100."""
    return 100.0 if decibels is None else min(max(decibels, 0.0), 100.0)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(cell)}</th>" for cell in header)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>\n" for row in rows)
    return f"<table><tr>{head}</tr>\n{body}</table>"


def _bars(bars: Sequence[tuple[str, float, str]]) -> str:
    """A bar chart of (label, length, text of the length)."""
    longest = max((length for _, length, _ in bars), default=0) or 1
    rows = []
    for number, (label, length, text) in enumerate(bars):
        width, top = _BAR * length / longest, number * _ROW
        rows.append(
            f'<text x="{_LABELS - 6}" y="{top + 12}" text-anchor="end">{escape(label)}</text>'
            f'<rect x="{_LABELS}" y="{top + 2}" width="{width:.1f}" height="{_ROW - 4}"/>'
            f'<text x="{_LABELS + width + 6:.1f}" y="{top + 12}">{escape(text)}</text>'
        )
    size = f'width="{_LABELS + _BAR + 90}" height="{len(bars) * _ROW + 4}"'
    return f"<svg {size} xmlns='http://www.w3.org/2000/svg'>{''.join(rows)}</svg>"
