"""The int8 grids of activations and weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import ConversionError

Floats = NDArray[np.float32]
LARGEST_WEIGHT = 127
"""Weights are symmetric: -127..127."""


@dataclass(frozen=True)
class Affine:
    """value = scale * (n - zero_point) for n in -128..127; `scale` is a float32 number."""

    scale: float
    zero_point: int

    @classmethod
    def of_range(cls, low: float, high: float) -> Affine:
        """The grid over low..high, widened to hold 0 exactly. Raises ConversionError when it is no finite range."""
        low, high = min(low, 0.0), max(high, 0.0)
        if not np.isfinite(high - low):
            raise ConversionError(f"{low}..{high} is no range of values")
        scale = float(np.float32((high - low) / 255)) or 1.0
        return cls(scale, int(np.clip(np.rint(-128 - low / scale), -128, 127)))

    def widened(self, factor: float) -> Affine:
        """The grid of `factor` times the range."""
        return Affine(float(np.float32(self.scale * factor)), self.zero_point)

    def rounded(self, values: NDArray[np.floating]) -> NDArray[np.floating]:
        """The values as the grid holds them."""
        steps = np.clip(np.rint(values / self.scale) + self.zero_point, -128, 127)
        held: NDArray[np.floating] = (steps - self.zero_point) * self.scale
        return held


INTEGERS = Affine(1.0, 0)
"""The grid of -128..127."""
RELU6 = Affine(float(np.float32(6 / 255)), -128)
"""The grid of 0..6: to be rounded to it is relu6."""
SAMPLES = Affine(float(np.float32(127.5 / 128 / 127)), 0)
"""The grid of raw synthesis outputs that become the samples 0..255, both ends exact: saturation is the clip."""


def weight_scales(weight: Floats, axis: int) -> Floats:
    """Scale of every index along `axis`: its largest magnitude is 127 steps."""
    others = tuple(other for other in range(weight.ndim) if other != axis % weight.ndim)
    scales: Floats = (np.abs(weight).max(axis=others) / LARGEST_WEIGHT).astype(np.float32)
    return np.where(scales > 0, scales, np.float32(1))


def weight_steps(weight: Floats, scales: Floats, axis: int) -> NDArray[np.int8]:
    """The nearest integers to weight / scale, -127..127."""
    shape = [1] * weight.ndim
    shape[axis] = -1
    steps = np.rint(weight / scales.astype(np.float64).reshape(shape))
    return np.clip(steps, -LARGEST_WEIGHT, LARGEST_WEIGHT).astype(np.int8)
