"""How the numbers of a Core ML network are stored, by name of the precision."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import ConversionError


@dataclass(frozen=True)
class Precision:
    """Types of the numbers of a network."""

    floats: type[np.float16] | type[np.float32]
    """Of inputs, outputs, biases and whatever is not int8."""
    int8_weights: bool = False
    int8_activations: bool = False
    """Convolutions read their input in int8; everything between two convolutions stays in `floats`."""


PRECISIONS = {
    "float32": Precision(np.float32),
    "float16": Precision(np.float16),
    "int8w": Precision(np.float16, int8_weights=True),
    "int8": Precision(np.float16, int8_weights=True, int8_activations=True),
}


@dataclass(frozen=True)
class Affine:
    """value = scale * (number - zero_point)."""

    scale: np.floating
    zero_point: np.int8


def quantised_weight(
    weight: NDArray[np.float32], axis: int, floats: type[np.floating]
) -> tuple[NDArray[np.int8], NDArray[np.floating]]:
    """(int8 in -127..127, scale per index of `axis`): weight is about scale * int8."""
    others = tuple(other for other in range(weight.ndim) if other != axis)
    scale = _rounded_up(np.abs(weight).max(axis=others) / 127, floats)
    steps = np.rint(weight / np.expand_dims(scale.astype(np.float64), others))
    return steps.astype(np.int8), scale


def activation_affine(low: float, high: float, floats: type[np.floating]) -> Affine:
    """The int8 grid that covers low..high and holds 0 exactly.

    Raises ConversionError when low..high is no range of numbers of the type `floats`.
    """
    limit = float(np.finfo(floats).max)
    if not -limit <= low <= high <= limit:
        raise ConversionError(f"{low}..{high} is no range of {floats.__name__} numbers")
    low, high = min(low, 0.0), max(high, 0.0)
    scale = _rounded_up(np.array([(high - low) / 255]), floats)[0]
    return Affine(scale, np.int8(np.rint(-128 - low / float(scale))))


def _rounded_up(values: NDArray[np.floating], floats: type[np.floating]) -> NDArray[np.floating]:
    """`values` in type `floats`, not smaller, and 1 instead of 0: no number may overflow its int8."""
    rounded = values.astype(floats)
    rounded = np.where(rounded < values, np.nextafter(rounded, floats(np.inf)), rounded)
    return np.where(values > 0, rounded, floats(1))
