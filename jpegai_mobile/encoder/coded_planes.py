"""A picture as the analysis transforms see it: at the coded size, with the chroma of the coded format.

Beyond the picture its last row and column are repeated. Chroma that is coded at half resolution is repeated to luma
resolution, so that the transforms always take the phases of three planes of one size.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import PictureError
from ..image.planes import Plane, Planes, Size, Subsampling, chroma_size
from ..image.resampling import linear_taps

Positions = NDArray[np.intp]
MAX_SIZE = (1 << 16) + 63
"""Largest width or height that the picture header can hold."""
BAND = 64
"""Rows of coded chroma that are made at a time."""


class Picture(Protocol):
    """A picture to encode."""

    @property
    def size(self) -> Size:
        """Rows and columns of luma."""

    @property
    def subsampling(self) -> Subsampling:
        """Chroma format of the source."""

    @property
    def bit_depth(self) -> int:
        """8 or 10."""

    @property
    def is_rgb(self) -> bool:
        """Whether decoders are to give RGB samples."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What was changed or dropped: one line each."""

    def planes(self, rows: Positions, columns: Positions) -> Planes:
        """Y, U, V (0..255) at those rows and columns of luma; subsampled chroma is repeated."""

    def squared_error(self, planes: Planes) -> float:
        """Mean over all samples of a decoded picture, given as planes in the source's chroma format."""


def check_size(size: Size) -> None:
    """Raise PictureError for rows and columns that no picture header can hold."""
    rows, columns = size
    if not 0 < rows <= MAX_SIZE or not 0 < columns <= MAX_SIZE:
        raise PictureError(f"{columns} x {rows} samples: a code stream holds 1 x 1 to {MAX_SIZE} x {MAX_SIZE}")


@dataclass(eq=False)
class CodedPlanes:
    """Windows of a picture as it is coded."""

    picture: Picture
    size: Size
    """Coded rows and columns of luma."""
    subsampling: Subsampling
    """Chroma format that is coded: that of the source, or any of a 4:4:4 source."""

    def window(self, rows: range, columns: range) -> Planes:
        """Planes of one size, 0..255; rows and columns may lie beyond the coded size."""
        inside = [np.minimum(span, length - 1) for span, length in zip((rows, columns), self.size, strict=True)]
        planes = self._source(*inside)
        if self._chroma is None:
            return planes
        place = np.ix_(*(span // step for span, step in zip(inside, self.subsampling, strict=True)))
        u, v = (plane[place] for plane in self._chroma)
        return Planes(planes.y, u, v)

    def _source(self, rows: Positions, columns: Positions) -> Planes:
        last_row, last_column = (length - 1 for length in self.picture.size)
        return self.picture.planes(np.minimum(rows, last_row), np.minimum(columns, last_column))

    @cached_property
    def _chroma(self) -> tuple[Plane, Plane] | None:
        """U and V in the coded format, where that is not the source's: linear, with aligned corners."""
        if self.subsampling == self.picture.subsampling:
            return None
        vertical, horizontal = (
            linear_taps(*lengths) for lengths in zip(self.size, chroma_size(self.size, self.subsampling), strict=True)
        )
        u, v = (np.empty(chroma_size(self.size, self.subsampling), np.float32) for _ in range(2))
        all_columns = np.arange(self.size[1])
        whole_rows = self.subsampling[0] == 1
        for start in range(0, len(u), BAND):
            stop = min(start + BAND, len(u))
            first, last = (start, stop) if whole_rows else vertical.source(start, stop)
            source = self._source(np.arange(first, last), all_columns)
            for target, plane in ((u, source.u), (v, source.v)):
                narrow = horizontal.columns(plane)
                target[start:stop] = narrow if whole_rows else vertical.rows(narrow, first, start, stop)
        return u, v
