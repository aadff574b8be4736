"""Resampling with aligned corners: the first and the last sample of input and output lie on each other.

Positions and weights are float32, as in the decoder that the conformance pictures come from.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..native.samples import resample_columns, resample_rows
from .planes import Plane, Size

CUBIC_SHARPNESS = np.float32(-0.75)


@dataclass(frozen=True, eq=False)
class Taps:
    """Resampling along one direction: output i is the sum over k of weight[k, i] * input[index[k, i]]."""

    index: NDArray[np.intp]
    """[tap, output], inside the input."""
    weight: NDArray[np.float32]
    """[tap, output]"""

    def source(self, start: int, stop: int) -> tuple[int, int]:
        """The input samples (first, end) that outputs start..stop-1 depend on."""
        return int(self.index[0, start]), int(self.index[-1, stop - 1]) + 1

    def rows(self, source: Plane, first: int, start: int, stop: int) -> Plane:
        """Output rows start..stop-1 from `source`, whose row 0 is input row `first`."""
        index, weight = self.index[:, start:stop] - first, self.weight[:, start:stop, None]
        total: Plane = source[index[0]] * weight[0]
        for k in range(1, len(index)):
            total += source[index[k]] * weight[k]
        return total

    def columns(self, source: Plane) -> Plane:
        """All output columns."""
        total: Plane = source[:, self.index[0]] * self.weight[0]
        for k in range(1, len(self.index)):
            total += source[:, self.index[k]] * self.weight[k]
        return total


def cubic_taps(source: int, target: int) -> Taps:
    """Four-tap cubic convolution (a = -0.75) of `source` samples to `target` samples."""
    nearest, t = _positions(source, target)
    one = np.float32(1)
    weight = np.stack([_cubic_far(t + one), _cubic_near(t), _cubic_near(one - t), _cubic_far(np.float32(2) - t)])
    return Taps(_clamped(nearest, (-1, 0, 1, 2), source), weight)


def _cubic_near(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Weight of a sample at distance x of 0..1."""
    a = CUBIC_SHARPNESS
    weight: NDArray[np.float32] = ((a + np.float32(2)) * x - (a + np.float32(3))) * x * x + np.float32(1)
    return weight


def _cubic_far(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Weight of a sample at distance x of 1..2."""
    a = CUBIC_SHARPNESS
    weight: NDArray[np.float32] = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
    return weight


def linear_taps(source: int, target: int) -> Taps:
    """Linear interpolation of `source` samples to `target` samples."""
    nearest, t = _positions(source, target)
    return Taps(_clamped(nearest, (0, 1), source), np.stack([np.float32(1) - t, t]))


def upsample(plane: Plane, size: Size) -> Plane:
    """`plane` at `size` by cubic convolution."""
    return _resample(plane, [cubic_taps(*lengths) for lengths in zip(plane.shape, size, strict=True)])


def downsample(plane: Plane, size: Size) -> Plane:
    """`plane` at `size` by linear interpolation."""
    return _resample(plane, [linear_taps(*lengths) for lengths in zip(plane.shape, size, strict=True)])


def _resample(plane: Plane, taps: list[Taps]) -> Plane:
    vertical, horizontal = taps
    if horizontal.index.shape[1] != plane.shape[1]:
        plane = resample_columns(horizontal, plane)
    if vertical.index.shape[1] != plane.shape[0]:
        plane = resample_rows(vertical, plane, 0, 0, vertical.index.shape[1])
    return plane


def _positions(source: int, target: int) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Input sample at or before each output sample, and the distance from it (0..1)."""
    step = np.float32(source - 1) / np.float32(max(target - 1, 1))
    position = np.arange(target, dtype=np.float32) * step
    nearest = np.minimum(np.floor(position), np.float32(source - 1))
    return nearest.astype(np.intp), np.minimum(position - nearest, np.float32(1))


def _clamped(nearest: NDArray[np.intp], offsets: tuple[int, ...], source: int) -> NDArray[np.intp]:
    return np.clip(np.stack([nearest + offset for offset in offsets]), 0, source - 1)
