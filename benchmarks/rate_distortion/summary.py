"""What the raw results say: means at equal rates, BD-rates, losses and worst pictures, as Markdown."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from picture_quality.curves import Points, bd_rate, decibels, quality_at, similarity

from .codecs import LABELS, OURS, RATES, RIVALS
from .table import Measurement

BEST = "jpegai-bop-float32"
"""The decoder that the codec is judged by."""
FORMATS = {"JPEG": ("jpeg", "jpeg-444"), "WebP": ("webp",), "AVIF": ("avif", "avif-444"), "JPEG XL": ("jxl",)}
"""Rivals by format: where there are two, the one that is better at the place in question."""
MIDDLE_RATE = 0.5


@dataclass(frozen=True)
class Metric:
    """A metric as tables and curves show it."""

    name: str
    label: str
    digits: int = 2
    curve_scale: Callable[[float], float] = float
    """To the scale of curves, where differences mean much the same everywhere."""
    table_scale: Callable[[float], float] = float
    """Back again."""


METRICS = (
    Metric("psnr_rgb", "PSNR-RGB, dB"),
    Metric("psnr_y", "PSNR-Y, dB"),
    Metric("ms_ssim", "MS-SSIM", 4, decibels, similarity),
    Metric("psnr_hvs_m", "PSNR-HVS-M, dB"),
    Metric("vif", "VIF", 3),
)
PSNR_RGB, MS_SSIM = METRICS[0], METRICS[2]


class Curves:
    """The results of a set of pictures, by codec and picture."""

    def __init__(self, rows: Iterable[Measurement]) -> None:
        self._rows: dict[tuple[str, str], list[Measurement]] = {}
        for row in rows:
            self._rows.setdefault((row.codec, row.picture), []).append(row)
        self.pictures = sorted({picture for _, picture in self._rows})
        self.codecs = [name for name in LABELS if any(name == codec for codec, _ in self._rows)]
        self.ours = [codec.name for codec in OURS if codec.name in self.codecs]
        self.rivals = [rival.name for rival in RIVALS if rival.name in self.codecs]

    def measured(self, codec: str) -> list[str]:
        """The pictures that went through a codec."""
        return [picture for picture in self.pictures if (codec, picture) in self._rows]

    def shared(self) -> list[str]:
        """The pictures that went through every codec."""
        return [picture for picture in self.pictures if all((codec, picture) in self._rows for codec in self.codecs)]

    def points(self, codec: str, picture: str, metric: Metric) -> Points:
        """Rates and qualities of a curve, none where it was not measured."""
        rows = self._rows.get((codec, picture), ())
        return [(row.bpp, metric.curve_scale(getattr(row, metric.name))) for row in rows]

    def at(self, codec: str, picture: str, metric: Metric, rate: float) -> float:
        """Quality on the scale of curves; not a number where the curve does not reach the rate."""
        return quality_at(self.points(codec, picture, metric), rate)

    def differences(self, codec: str, others: Sequence[str], metric: Metric, rate: float) -> dict[str, float]:
        """Quality minus that of the best of the others, of pictures where the codec and one of them reach the rate."""
        found = {}
        for picture in self.pictures:
            best = max(
                (q for other in others if math.isfinite(q := self.at(other, picture, metric, rate))), default=math.nan
            )
            found[picture] = self.at(codec, picture, metric, rate) - best
        return _finite(found)

    def bd_rates(self, codec: str, base: str, metric: Metric) -> dict[str, float]:
        """BD-rate by picture, of pictures with an overlap."""
        return _finite({p: bd_rate(self.points(base, p, metric), self.points(codec, p, metric)) for p in self.pictures})


def report(rows: Sequence[Measurement]) -> str:
    """Everything about a set of pictures, as Markdown without a heading of its own."""
    curves = Curves(rows)
    parts: list[Iterable[str]] = [measured(curves)]
    if curves.ours and curves.rivals:
        parts += [steps(curves), bd_table(curves)]
    parts += [mean_table(curves, metric) for metric in METRICS]
    if curves.ours:
        parts += [gains(curves), precision_loss(curves)]
    if curves.ours and curves.rivals:
        parts.append(pictures_table(curves))
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def measured(curves: Curves) -> Iterator[str]:
    """How many pictures there are, and which codecs have not seen them all."""
    whole = len(curves.pictures)
    counts = {label: len(curves.measured(codec)) for codec, label in LABELS.items()}
    lacking = ", ".join(f"{label} ({count})" for label, count in counts.items() if count < whole)
    yield f"Measured on {whole} pictures" + (f"; not all of them yet: {lacking}." if lacking else ".")


def steps(curves: Curves) -> Iterator[str]:
    """How far up the ladder of rivals our best decoder is."""
    reached, unbroken = "none", True
    yield f"### Steps ({LABELS[BEST]})\n"
    yield "| step | reached | measured |"
    yield "|---|---|---|"
    for label, (holds, measured) in _steps(curves):
        unbroken = unbroken and holds
        reached = label if unbroken else reached
        yield f"| {label} | {'yes' if holds else 'no'} | {measured} |"
    yield f"\nHighest step with all steps below it: **{reached}**."


def _steps(curves: Curves) -> Iterator[tuple[str, tuple[bool, str]]]:
    if any(name in curves.rivals for name in FORMATS["JPEG"]):
        yield "better than JPEG at every rate", _better_at_every_rate(curves, FORMATS["JPEG"])
    for label, others, metrics in (
        ("better than WebP", FORMATS["WebP"], (PSNR_RGB, MS_SSIM)),
        ("better than AVIF in MS-SSIM", FORMATS["AVIF"], (MS_SSIM,)),
        ("better than AVIF in PSNR", FORMATS["AVIF"], (PSNR_RGB,)),
    ):
        if any(other in curves.rivals for other in others):
            yield label, _fewer_bits(curves, others, metrics)


def _better_at_every_rate(curves: Curves, others: Sequence[str]) -> tuple[bool, str]:
    """Mean PSNR-RGB and MS-SSIM are above the better one of the others at every rate."""
    texts, holds = [], True
    for metric, unit in ((PSNR_RGB, "dB PSNR-RGB"), (MS_SSIM, "dB MS-SSIM")):
        values = []
        for rate in RATES:
            found = curves.differences(BEST, others, metric, rate)
            if found:
                values.append(f"{_mean(found):+.2f} ({len(found)})")
                holds = holds and _mean(found) > 0
        texts.append(f"{unit}: {', '.join(values)}")
    return holds, "; ".join(texts)


def _fewer_bits(curves: Curves, others: Sequence[str], metrics: Sequence[Metric]) -> tuple[bool, str]:
    """The mean BD-rate is below 0 against every one of the others in every metric."""
    texts, holds = [], True
    for metric in metrics:
        for other in (name for name in others if name in curves.rivals):
            rates = curves.bd_rates(BEST, other, metric)
            holds = holds and bool(rates) and _mean(rates) < 0
            texts.append(f"{metric.label.partition(',')[0]} {_percent(_mean(rates))} ({LABELS[other]})")
    return holds, ", ".join(texts)


def bd_table(curves: Curves) -> Iterator[str]:
    """BD-rates of our decoders against every rival."""
    yield "### BD-rate\n"
    yield "Mean over the pictures whose curves overlap; in brackets how many these are, and the worst of them."
    yield "Negative: fewer bits at equal quality.\n"
    metrics = [
        metric for metric in METRICS if any(curves.bd_rates(c, r, metric) for c in curves.ours for r in curves.rivals)
    ]
    yield from _header("ours", "against", *(metric.label.partition(",")[0] for metric in metrics))
    for codec in curves.ours:
        for rival in curves.rivals:
            cells = (_with_worst(curves.bd_rates(codec, rival, metric)) for metric in metrics)
            yield _row(LABELS[codec], LABELS[rival], *cells)


def _with_worst(rates: dict[str, float]) -> str:
    if not rates:
        return "-"
    worst = max(rates, key=lambda picture: rates[picture])
    return f"{_percent(_mean(rates))} ({len(rates)}; {_stem(worst)} {_percent(rates[worst])})"


def mean_table(curves: Curves, metric: Metric) -> Iterator[str]:
    """Means over pictures at equal rates."""
    lines = []
    for codec in curves.codecs:
        cells = []
        for rate in RATES:
            values = _finite({picture: curves.at(codec, picture, metric, rate) for picture in curves.pictures})
            of = "" if len(values) == len(curves.pictures) else f" ({len(values)})"
            mean = np.mean([metric.table_scale(value) for value in values.values()]) if values else math.nan
            cells.append(f"{mean:.{metric.digits}f}{of}" if values else "-")
        if set(cells) != {"-"}:
            lines.append(_row(LABELS[codec], *cells))
    if lines:
        yield f"### {metric.label}\n"
        yield "Mean over pictures at equal rates; in brackets how many pictures reach the rate, where not all do.\n"
        yield from _header("bit per pixel", *map(str, RATES))
        yield from lines


def gains(curves: Curves) -> Iterator[str]:
    """What a higher rate brings, all along the range: a cliff would show as a small number, or one below 0."""
    yield "### From rate to rate\n"
    yield "What a doubling of the rate brings between neighbouring rates, dB: mean (picture that gains least).\n"
    yield from _header("decoder", "metric", *(f"{low} to {high}" for low, high in pairwise(RATES)))
    for codec in curves.ours:
        for metric in (PSNR_RGB, MS_SSIM):
            cells = []
            for low, high in pairwise(RATES):
                found = _finite({p: _gain(curves, codec, p, metric, low, high) for p in curves.pictures})
                cells.append(_with_extreme(found, min, 2))
            yield _row(LABELS[codec], metric.label.partition(",")[0], *cells)


def _gain(curves: Curves, codec: str, picture: str, metric: Metric, low: float, high: float) -> float:
    gained = curves.at(codec, picture, metric, high) - curves.at(codec, picture, metric, low)
    return gained / math.log2(high / low)


def precision_loss(curves: Curves) -> Iterator[str]:
    """What int8 loses against float32 from the same stream."""
    yield "### Loss of int8\n"
    yield "PSNR-RGB of the float32 minus that of the int8 decode of the same stream, dB: mean (worst picture).\n"
    yield from _header("operating point", *map(str, RATES))
    for point in dict.fromkeys(codec.operating_point for codec in OURS):
        exact, rounded = (f"jpegai-{point}-{precision}" for precision in ("float32", "int8"))
        cells = []
        for rate in RATES:
            cells.append(_with_extreme(curves.differences(exact, [rounded], PSNR_RGB, rate), max, 3))
        yield _row(point.upper(), *cells)


def pictures_table(curves: Curves) -> Iterator[str]:
    """Every picture at the middle rate, the worst against AVIF first."""
    formats = [name for name, members in FORMATS.items() if any(member in curves.rivals for member in members)]
    ahead = {name: curves.differences(BEST, FORMATS[name], PSNR_RGB, MIDDLE_RATE) for name in formats}
    key = "AVIF" if "AVIF" in formats else formats[0]
    yield "### Picture by picture\n"
    yield f"PSNR-RGB in dB at {MIDDLE_RATE} bit per pixel: {LABELS[BEST]}, and how far it is ahead of others."
    yield "A dash where a format does not reach the rate. Of two variants of a format the better one counts.\n"
    yield from _header("picture", LABELS[BEST], *formats)
    for picture in sorted(curves.pictures, key=lambda picture: ahead[key].get(picture, math.inf)):
        cells = (f"{ahead[name][picture]:+.2f}" if picture in ahead[name] else "-" for name in formats)
        yield _row(_stem(picture), f"{curves.at(BEST, picture, PSNR_RGB, MIDDLE_RATE):.2f}", *cells)


def _with_extreme(values: dict[str, float], extreme: Callable[[Iterable[float]], float], digits: int) -> str:
    """The mean, and in brackets the picture whose value is the smallest (`min`) or the largest (`max`)."""
    if not values:
        return "-"
    wanted = extreme(values.values())
    picture = next(picture for picture, value in values.items() if value == wanted)
    return f"{_mean(values):.{digits}f} ({_stem(picture)} {wanted:.{digits}f})"


def _finite(values: dict[str, float]) -> dict[str, float]:
    return {key: value for key, value in values.items() if math.isfinite(value)}


def _mean(values: dict[str, float]) -> float:
    return float(np.mean(list(values.values()))) if values else math.nan


def _percent(value: float) -> str:
    return f"{100 * value:+.1f} %"


def _stem(picture: str) -> str:
    return picture.rpartition(".")[0]


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _header(*cells: str) -> Iterator[str]:
    yield _row(*cells)
    yield "|" + "---|" * len(cells)
