"""Plots of the results in benchmarks/results, as SVG beside them.

python -m benchmarks.plot
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Sequence
from html import escape
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
OURS, OTHERS = "#2a6f97", "#b0b7bd"
BAR, GAP, LABELS, LENGTH, TOP = 18, 6, 330, 420, 46
"""Heights of a bar and of the space after it, widths of labels and of the longest bar, height of the title."""

Bar = tuple[str, float, bool]
"""Label, value, and whether it is ours."""


def bar_chart(title: str, unit: str, bars: Sequence[Bar]) -> str:
    """Horizontal bars from zero, each with its value."""
    longest = max(value for _, value, _ in bars)
    height = TOP + len(bars) * (BAR + GAP) + GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{LABELS + LENGTH + 90}" height="{height}" '
        'font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="10" y="20" font-size="14">{escape(title)}</text>',
        f'<text x="10" y="37" fill="#666">{escape(unit)}</text>',
    ]
    for index, (label, value, ours) in enumerate(bars):
        top = TOP + index * (BAR + GAP)
        length, text = LENGTH * value / longest, top + BAR - 5
        parts += [
            f'<text x="{LABELS - 8}" y="{text}" text-anchor="end">{escape(label)}</text>',
            f'<rect x="{LABELS}" y="{top}" width="{length:.1f}" height="{BAR}" fill="{OURS if ours else OTHERS}"/>',
            f'<text x="{LABELS + length + 6:.1f}" y="{text}">{value:.4g}</text>',
        ]
    return "\n".join([*parts, "</svg>", ""])


def read_table(name: str) -> list[dict[str, str]]:
    """The rows of a result by column."""
    with (RESULTS / f"{name}.tsv").open(newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def runtimes() -> str:
    """Whole decodes of one picture in all runtimes."""
    return _decodes("runtimes_1_thread_small")


def runtimes_avx2() -> str:
    """The same on a processor without VNNI."""
    return _decodes("runtimes_1_thread_avx2")


def _decodes(table: str) -> str:
    rows = [row for row in read_table(table) if row["stream"].endswith("1024x1024.jai")]
    bars = [
        (
            f"{row['runtime']} {row['operating_point']} {row['precision']}, window {row['window']}",
            float(row["cpu_median_ms"]),
            row["runtime"] == "jpegai-mobile",
        )
        for row in rows
    ]
    return bar_chart("Whole decode of 1024 x 1024, one thread", "processor time, ms (median)", sorted(bars, key=_value))


def scaling() -> str:
    """Time per megapixel by size of the picture."""
    bars = [
        (
            f"{row['width']} x {row['height']}, {row['what'].partition(', ')[2]}",
            float(row["cpu_median_ms"]) / float(row["megapixels"]),
            row["what"].endswith("1 thread"),
        )
        for row in read_table("scaling_int8_avx2")
    ]
    return bar_chart("Whole BOP int8 decode by size of the picture", "processor time per megapixel, ms (median)", bars)


def memory() -> str:
    """Peak memory of fresh processes."""
    bars = [
        (
            f"{row['width']} x {row['height']}, limit {row['memory_limit']}",
            float(row["peak_mb"]),
            row["memory_limit"] == "default",
        )
        for row in read_table("memory_int8")
        if row["peak_mb"] != "-"
    ]
    return bar_chart("BOP int8 decode in a fresh process, one thread", "peak resident memory, MB, Python and all", bars)


def _value(bar: Bar) -> float:
    return bar[1]


def main() -> None:
    """Write all plots."""
    argparse.ArgumentParser(prog="python -m benchmarks.plot", description=__doc__).parse_args()
    for plot in (runtimes, runtimes_avx2, scaling, memory):
        (RESULTS / f"{plot.__name__}.svg").write_text(plot())


if __name__ == "__main__":
    main()
