"""How the numbers of a Core ML network are stored."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..float_types import not_below

FLOATS: dict[str, type[np.float16] | type[np.float32]] = {
    "float32": np.float32,
    "float16": np.float16,
    "int8w": np.float16,
    "int8mixed": np.float16,
    "int8": np.float16,
}
"""Precision -> type of inputs, outputs, biases and whatever is not int8."""


def quantised_weight(
    weight: NDArray[np.float32], axis: int, floats: type[np.floating], scales: NDArray[np.float32] | None
) -> tuple[NDArray[np.int8], NDArray[np.floating]]:
    """(int8 in -127..127, scale per index of `axis`): weight is about scale * int8.

    `scales` are float16 numbers on whose grids the weight lies, or None where it is still to be rounded.
    """
    others = tuple(other for other in range(weight.ndim) if other != axis)
    scale = not_below(np.abs(weight).max(axis=others) / 127, floats) if scales is None else scales.astype(floats)
    steps = np.clip(np.rint(weight / np.expand_dims(scale.astype(np.float64), others)), -127, 127)
    return steps.astype(np.int8), scale
