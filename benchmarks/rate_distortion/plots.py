"""Rate-distortion curves as SVG: means over the pictures, one panel for every metric."""

from __future__ import annotations

import math

import numpy as np

from benchmarks.line_chart import Line, Panel, line_chart

from .codecs import LABELS, RATES
from .summary import METRICS, Curves, Metric

STEPS = 40
"""Rates between the lowest and the highest at which rivals' curves are drawn."""
STYLES = {
    "jpegai-bop-float32": ("#0b4f8a", "", 2.4),
    "jpegai-bop-int8": ("#0b4f8a", "5 3", 2.0),
    "jpegai-sop-float32": ("#2fa4c7", "", 2.4),
    "jpegai-sop-int8": ("#2fa4c7", "5 3", 2.0),
    "jpeg": ("#8d8d8d", "", 1.5),
    "jpeg-444": ("#8d8d8d", "5 3", 1.5),
    "webp": ("#4f9d45", "", 1.5),
    "avif": ("#d1495b", "", 1.5),
    "avif-444": ("#d1495b", "5 3", 1.5),
    "jxl": ("#e09f1f", "", 1.5),
}
"""Colour, dash pattern and width of a codec's line."""


def rate_distortion_plot(title: str, curves: Curves) -> str:
    """The SVG."""
    return line_chart(
        f"{title}: mean of {len(curves.shared())} pictures", [_panel(curves, metric) for metric in METRICS]
    )


def _panel(curves: Curves, metric: Metric) -> Panel:
    lines = []
    for codec in curves.codecs:
        ours = codec in curves.ours
        rates = RATES if ours else tuple(np.geomspace(RATES[0], RATES[-1], STEPS))
        points = [(rate, mean) for rate in rates if math.isfinite(mean := _mean(curves, codec, metric, rate))]
        lines.append(Line(LABELS[codec], points, *STYLES[codec], marks=ours))
    unit = metric.label if metric.curve_scale is float else f"{metric.label}, dB"
    return Panel(unit, "bit per pixel", lines)


def _mean(curves: Curves, codec: str, metric: Metric, rate: float) -> float:
    """Not a number unless all of them reach the rate: a mean over the easy ones would flatter."""
    return float(np.mean([curves.at(codec, picture, metric, rate) for picture in curves.shared()]))
