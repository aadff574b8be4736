"""A report as one HTML page without anything from elsewhere, for wide and narrow screens; plots are inline SVG."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from .text import decibel, delegation

Facts = dict[str, Any]
Points = Sequence[tuple[float, float]]

_STYLE = """
body{font:15px/1.45 sans-serif;margin:1.5em auto;padding:0 1em;max-width:72em;color:#222}
h1{font-size:1.5em;overflow-wrap:anywhere}h2{font-size:1.2em;margin-top:2em}
.scroll{overflow-x:auto}table{border-collapse:collapse;margin:1em 0;font-variant-numeric:tabular-nums}
td,th{padding:.25em .6em;text-align:right;border-bottom:1px solid #ddd;vertical-align:top}
td:first-child,th:first-child,td.text,th.text{text-align:left}td.text{min-width:13em}
.bars{display:grid;grid-template-columns:minmax(8em,26em) 1fr;gap:.1em .8em;align-items:center}
.bars span{text-align:right;overflow-wrap:anywhere;font-size:.9em}.bars div{display:flex;align-items:center;gap:.5em}
.bars i{height:.8em;background:#4477aa;min-width:1px}.bars b{font-weight:normal;font-size:.85em;white-space:nowrap}
@media(max-width:40em){.bars{grid-template-columns:1fr}.bars span{text-align:left;margin-top:.4em}}
svg{width:100%;max-width:34em;height:auto}svg text{font:12px sans-serif}details{margin:.4em 0}summary{cursor:pointer}
"""
_LONGEST = 75
"""Length of the longest bar in percent of its column; its text stands beside it."""
_COLOURS = ("#4477aa", "#ee6677", "#228833", "#aa3377", "#ccbb44", "#66ccee", "#555555", "#ee8866")
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _BOTTOM, _KEY_ROW = 380, 240, 40, 20, 34, 16
"""Pixels of a line chart: its area, the room for the labels of its axes, a row of its key."""


def report_page(facts: Facts, title: str) -> str:
    """The whole page."""
    body = "\n".join([*_files(facts), *_stages(facts), *_quality(facts), *_tensors(facts)])
    notes = "".join(f"<p>Note: {escape(note)}.</p>" for note in facts["notes"])
    return (
        "<!doctype html>\n<html lang=en><meta charset=utf-8>"
        "<meta name=viewport content='width=device-width,initial-scale=1'>"
        f"<title>{escape(title)}</title><style>{_STYLE}</style>\n<h1>{escape(title)}</h1>{notes}\n{body}\n</html>\n"
    )


def _files(facts: Facts) -> Iterator[str]:
    files = facts["files"]
    yield f"<h2>Files: {sum(entry['bytes'] for entry in files):,} bytes</h2>"
    yield _bars([(entry["file"], entry["bytes"], f"{entry['bytes']:,}") for entry in files])
    networks = [entry for entry in files if "recipe" in entry]
    patches = list(networks[0]["activation_bytes"]) if networks else []
    header = ["network", "recipe", "parameters", "kMAC/px", "delegates"]
    rows = [
        [
            entry["file"], entry["recipe"], f"{entry['parameters']:,}", str(entry["kmac_per_sample"]),
            delegation(entry) if "delegates" in entry else "\N{EN DASH}",
            *(f"{entry['activation_bytes'][patch] / 2**20:.1f}" for patch in patches),
        ]
        for entry in networks
    ]  # fmt: skip
    yield "<h2>Networks</h2>"
    yield _table([*header, *(f"MiB at {patch} px" for patch in patches)], rows, text_columns=(1,))
    yield "<p>Memory: float32 activations alive at once in a square patch; float16 takes half, int8 a quarter.</p>"


def _stages(facts: Facts) -> Iterator[str]:
    yield "<h2>Operations per sample</h2>"
    rows = [
        [
            stage["operating_point"], ", ".join(f"{name} {value}" for name, value in stage["stages"].items()),
            str(stage["total"]), str(stage["standard"]),
        ]
        for stage in facts["stages"]
    ]  # fmt: skip
    header = ["operating point", "kMAC/px by network", "total", "figure of the standard"]
    yield _table(header, rows, text_columns=(1,))


def _quality(facts: Facts) -> Iterator[str]:
    if not facts["quality"]:
        return
    yield "<h2>Decodes against float32</h2>"
    yield from _rate_curve(facts["quality"])
    rows = [
        [
            entry["picture"], entry["operating_point"], entry["precision"], _rate(entry["bits_per_sample"]),
            decibel(entry["db"]),
        ]
        for entry in facts["quality"]
    ]  # fmt: skip
    yield _table(["picture", "operating point", "precision", "bits per sample", "PSNR to float32"], rows)
    yield "<h2>Differences of samples from float32</h2>"
    for entry in facts["quality"]:
        name = f"{entry['picture']}, {entry['operating_point']}, {entry['precision']}: {decibel(entry['db'])}"
        bars = [(f"{int(step):+d}", share, f"{100 * share:.3f} %") for step, share in entry["histogram"].items()]
        yield f"<details><summary>{escape(name)}</summary>{_bars(bars)}</details>"


def _rate_curve(quality: Sequence[Facts]) -> Iterator[str]:
    """PSNR to float32 over the rate, where code streams were given."""
    curves: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for entry in quality:
        if entry["bits_per_sample"] is not None and entry["db"] is not None:
            name = f"{entry['operating_point']} {entry['precision']}"
            curves[name].append((entry["bits_per_sample"], entry["db"]))
    if curves:
        yield "<p>PSNR to float32 in dB (Y, U, V before filters) over bits per sample, a dot per code stream:</p>"
        yield _line_chart({name: sorted(points) for name, points in curves.items()})


def _tensors(facts: Facts) -> Iterator[str]:
    yield "<h2>Signal to quantisation noise of tensors, worst first</h2>"
    for entry in facts["files"]:
        if entry.get("tensors"):
            bars = [(fact["tensor"], _shown(fact["sqnr_db"]), decibel(fact["sqnr_db"])) for fact in entry["tensors"]]
            worst = f"{entry['file']}: {decibel(entry['tensors'][0]['sqnr_db'])}"
            yield f"<details><summary>{escape(worst)}</summary>{_bars(bars)}</details>"


def _shown(decibels: float | None) -> float:
    """Length of a bar: 0..100."""
    return 100.0 if decibels is None else min(max(decibels, 0.0), 100.0)


def _rate(bits: float | None) -> str:
    return "drawn" if bits is None else f"{bits:.3f}"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], text_columns: Sequence[int] = ()) -> str:
    def cells(tag: str, row: Sequence[str]) -> str:
        kinds = (" class=text" if column in text_columns else "" for column in range(len(row)))
        return "".join(f"<{tag}{kind}>{escape(cell)}</{tag}>" for kind, cell in zip(kinds, row, strict=True))

    body = "".join(f"<tr>{cells('td', row)}</tr>\n" for row in rows)
    return f"<div class=scroll><table><tr>{cells('th', header)}</tr>\n{body}</table></div>"


def _bars(bars: Sequence[tuple[str, float, str]]) -> str:
    """A bar chart of (label, length, text of the length)."""
    longest = max((length for _, length, _ in bars), default=0) or 1
    rows = "".join(
        f"<span>{escape(label)}</span>"
        f"<div><i style='width:{_LONGEST * length / longest:.1f}%'></i><b>{escape(text)}</b></div>"
        for label, length, text in bars
    )
    return f"<div class=bars>{rows}</div>"


def _line_chart(curves: Mapping[str, Points]) -> str:
    """Curves over x by name, dots joined in the order of x; y from the lowest value to the highest."""
    xs = [x for points in curves.values() for x, _ in points]
    ys = [y for points in curves.values() for _, y in points]
    low, high, right = min(ys) - 1, max(ys) + 1, max(xs) * 1.05

    def place(x: float, y: float) -> tuple[float, float]:
        return (
            round(_LEFT + (_WIDTH - _LEFT - _RIGHT) * x / right, 1),
            round(8 + (_HEIGHT - _BOTTOM - 8) * (high - y) / (high - low), 1),
        )

    parts = []
    for step in range(5):
        x, y = right * step / 4, low + (high - low) * step / 4
        (across, _), (_, down) = place(x, low), place(0, y)
        parts.append(f'<path d="M{_LEFT} {down}H{_WIDTH - _RIGHT}" stroke="#ddd"/>')
        parts.append(f'<text x="{_LEFT - 4}" y="{down + 4}" text-anchor="end">{y:.1f}</text>')
        parts.append(f'<text x="{across}" y="{_HEIGHT - _BOTTOM + 16}" text-anchor="middle">{x:.2f}</text>')
    for number, (name, points) in enumerate(curves.items()):
        colour, row = _COLOURS[number % len(_COLOURS)], _HEIGHT + number * _KEY_ROW
        places = [place(*point) for point in points]
        line = " ".join(f"{x},{y}" for x, y in places)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        parts += [f'<circle cx="{x}" cy="{y}" r="2.5" fill="{colour}"/>' for x, y in places]
        parts.append(f'<rect x="{_LEFT}" y="{row}" width="12" height="10" fill="{colour}"/>')
        parts.append(f'<text x="{_LEFT + 18}" y="{row + 10}">{escape(name)}</text>')
    height = _HEIGHT + len(curves) * _KEY_ROW
    return f'<svg viewBox="0 0 {_WIDTH} {height}" xmlns="http://www.w3.org/2000/svg">{"".join(parts)}</svg>'
