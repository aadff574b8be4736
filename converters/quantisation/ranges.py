"""The int8 grid of an activation tensor, chosen from its values on real data."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from .affine import Affine

Values = NDArray[np.floating]

_SHRINKAGE = np.geomspace(1, 0.1, 24)
"""Candidate ranges relative to smallest..largest."""


def min_max(values: Values) -> Affine:
    """The grid over all values."""
    return Affine.of_range(float(values.min()), float(values.max()))


def least_squares(values: Values) -> Affine:
    """The grid with the smallest mean squared error: finer steps against what is cut off."""
    low, high = float(values.min()), float(values.max())
    grids = [Affine.of_range(low * factor, high * factor) for factor in _SHRINKAGE]
    errors = [np.mean(np.square(grid.rounded(values) - values)) for grid in grids]
    return grids[int(np.argmin(errors))]


RANGES: dict[str, Callable[[Values], Affine]] = {
    "minmax": min_max,
    "mse": least_squares,
}
