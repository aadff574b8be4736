"""Reduced pictures: every sample is the mean of a square of the full picture, made band by band."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .planes import Plane, Planes, Size

FACTORS = (1, 2, 4, 8)


def scaled_size(size: Size, factor: int) -> Size:
    """Rows and columns of a picture reduced by `factor`; a rest narrower than a square has a sample of its own."""
    return -(-size[0] // factor), -(-size[1] // factor)


class BoxScaler:
    """Reduces the rows of a 4:4:4 picture by a factor as they come; never holds more than `factor` of them back."""

    def __init__(self, size: Size, factor: int) -> None:
        """`size` are the rows and columns of the full picture."""
        self._rows_left = size[0]
        self._factor = factor
        self._held: list[Plane] = [np.empty((0, size[1]), np.float32)] * 3

    def feed(self, band: Planes) -> Planes:
        """The reduced rows that this band completes; possibly none. The last band completes all."""
        self._rows_left -= band.size[0]
        rows = [np.concatenate([held, plane]) for held, plane in zip(self._held, (band.y, band.u, band.v), strict=True)]
        complete = len(rows[0]) if self._rows_left == 0 else len(rows[0]) // self._factor * self._factor
        self._held = [plane[complete:] for plane in rows]
        y, u, v = (_box_means(plane[:complete], self._factor) for plane in rows)
        return Planes(y, u, v)


def _box_means(plane: Plane, factor: int) -> Plane:
    """Means over squares of `factor`; at the right and bottom over what there is of one."""
    if factor == 1 or plane.size == 0:
        return plane[::factor, ::factor]
    rows, columns = (np.arange(0, length, factor) for length in plane.shape)
    sums: NDArray[np.float32] = np.add.reduceat(np.add.reduceat(plane, rows, axis=0), columns, axis=1)
    heights, widths = (
        np.diff(np.append(starts, length)) for starts, length in zip((rows, columns), plane.shape, strict=True)
    )
    areas: NDArray[np.float32] = np.outer(heights, widths).astype(np.float32)
    means: Plane = sums / areas
    return means
