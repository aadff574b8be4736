"""The three sample planes of a picture."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..codestream.tiling import Rectangle

Plane = NDArray[np.float32]
"""Samples [row, column] on the 0..255 scale, whatever the bit depth of the output."""

Size = tuple[int, int]
"""Rows, columns."""

Subsampling = tuple[int, int]
"""(vertical, horizontal) luma samples per chroma sample: 1 or 2."""


@dataclass(frozen=True, eq=False)
class Planes:
    """Luma and chroma; u and v are smaller than y when chroma is subsampled."""

    y: Plane
    u: Plane
    v: Plane

    @property
    def size(self) -> Size:
        """Rows and columns of luma."""
        return self.y.shape[0], self.y.shape[1]


def cropped(planes: Planes, region: Rectangle, subsampling: Subsampling) -> Planes:
    """The part of a picture inside `region` (luma samples; with subsampled chroma its top and left are even)."""
    rows, columns = (
        slice(start // step, -(-stop // step))
        for start, stop, step in (
            (region.top, region.bottom, subsampling[0]),
            (region.left, region.right, subsampling[1]),
        )
    )
    return Planes(planes.y[region.slices], planes.u[rows, columns], planes.v[rows, columns])


def chroma_size(luma: Size, subsampling: Subsampling) -> Size:
    """Rows and columns of chroma for a picture of `luma` size; the last sample of an odd size has its own."""
    return -(-luma[0] // subsampling[0]), -(-luma[1] // subsampling[1])


def join_bands(bands: Iterable[Planes]) -> Planes:
    """A whole picture from its bands."""
    parts = list(bands)
    if len(parts) == 1:
        return parts[0]
    y, u, v = (np.concatenate([getattr(part, name) for part in parts]) for name in "yuv")
    return Planes(y, u, v)
