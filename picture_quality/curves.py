"""Curves of quality over rate: values between measured points, and BD-rates.

Curves run through their points by piecewise cubic Hermite polynomials with the slopes of Fritsch and Carlson ("Monotone
piecewise cubic interpolation", SIAM J. Numer. Anal. 17, 1980; known as PCHIP), over the logarithm of the rate. BD-rate
is Bjontegaard's (ITU-T VCEG-M33) with these curves in place of one cubic for all points.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Points = Sequence[tuple[float, float]]
"""(bit per pixel, quality), in any order; quality on a scale where more is better."""

END_TOLERANCE = 0.02
"""How far beyond its ends a curve is followed, as a part of the rate: what the encoder's search allows."""
SMALLEST_OVERLAP = 0.1
"""Part of the narrower range of qualities that both curves must share."""


def decibels(similarity: float) -> float:
    """MS-SSIM in dB, as its interesting values crowd below 1; infinite for equal pictures."""
    return -10 * math.log10(1 - similarity) if similarity < 1 else math.inf


def similarity(value: float) -> float:
    """The inverse of `decibels`."""
    return 1 - 10 ** (-value / 10)


def quality_at(points: Points, bpp: float) -> float:
    """The quality at a rate; not a number where the curve does not reach it."""
    rates, qualities = _sorted(points)
    if len(rates) < 2 or not rates[0] * (1 - END_TOLERANCE) <= bpp <= rates[-1] * (1 + END_TOLERANCE):
        return math.nan
    return float(_Pchip(np.log(rates), qualities)(math.log(bpp)))


def bd_rate(base: Points, new: Points) -> float:
    """Mean difference of rate at equal quality, as a fraction: negative when `new` needs fewer bits.

    Points that cost more than another one and are no better are left out. Taken over the qualities that both curves
    reach; not a number where these are too few.
    """
    curves = []
    for points in (base, new):
        rates, qualities = _improving(*_sorted(points))
        if len(rates) < 2:
            return math.nan
        curves.append(_Pchip(qualities, np.log(rates)))
    low, high = max(curve.x[0] for curve in curves), min(curve.x[-1] for curve in curves)
    if high - low < SMALLEST_OVERLAP * min(curve.x[-1] - curve.x[0] for curve in curves):
        return math.nan
    areas = [curve.integral(low, high) for curve in curves]
    return math.exp((areas[1] - areas[0]) / (high - low)) - 1


def _sorted(points: Points) -> tuple[Array, Array]:
    """Rates and finite qualities, by rate; of equal rates the better one."""
    best = {bpp: quality for bpp, quality in sorted(points) if math.isfinite(quality)}
    return np.array(list(best)), np.array(list(best.values()))


def _improving(rates: Array, qualities: Array) -> tuple[Array, Array]:
    """The points that are better than all cheaper ones."""
    best = np.maximum.accumulate(np.concatenate(([-math.inf], qualities)))[:-1]
    return rates[qualities > best], qualities[qualities > best]


class _Pchip:
    """The interpolant through points of increasing x; end pieces go on outside."""

    def __init__(self, x: Array, y: Array) -> None:
        self.x, self._y = x, y
        self._slopes = _slopes(np.diff(x), np.diff(y) / np.diff(x))

    def __call__(self, at: float) -> float:
        index = min(max(int(np.searchsorted(self.x, at)) - 1, 0), len(self.x) - 2)
        width = self.x[index + 1] - self.x[index]
        t = (at - self.x[index]) / width
        start, stop = self._y[index], self._y[index + 1]
        slope, next_slope = width * self._slopes[index], width * self._slopes[index + 1]
        return float(
            start + t * (slope + t * (3 * (stop - start) - 2 * slope - next_slope))
            + t**3 * (slope + next_slope - 2 * (stop - start))
        )  # fmt: skip

    def integral(self, low: float, high: float) -> float:
        """The area below; Simpson's rule is exact for cubics."""
        knots = [low, *(float(x) for x in self.x if low < x < high), high]
        return sum(
            (stop - start) / 6 * (self(start) + 4 * self((start + stop) / 2) + self(stop))
            for start, stop in pairwise(knots)
        )


def _slopes(widths: Array, secants: Array) -> Array:
    """Slopes at all points: weighted harmonic means of the neighbouring secants, 0 at extremes."""
    if len(secants) == 1:
        return np.repeat(secants, 2)
    slopes = np.zeros(len(secants) + 1)
    for index, (before, after) in enumerate(pairwise(secants), 1):
        if before * after > 0:
            left, right = widths[index] * 2 + widths[index - 1], widths[index] + widths[index - 1] * 2
            slopes[index] = (left + right) / (left / before + right / after)
    slopes[0] = _end_slope(*widths[:2], *secants[:2])
    slopes[-1] = _end_slope(*widths[:-3:-1], *secants[:-3:-1])
    return slopes


def _end_slope(width: float, next_width: float, secant: float, next_secant: float) -> float:
    """Three-point slope at an end, bounded so that the curve does not overshoot."""
    slope = ((2 * width + next_width) * secant - width * next_secant) / (width + next_width)
    if slope * secant <= 0:
        return 0.0
    if secant * next_secant < 0 and abs(slope) > 3 * abs(secant):
        return 3 * secant
    return slope
