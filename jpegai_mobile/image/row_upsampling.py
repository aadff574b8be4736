"""4:2:0 to 4:4:4 while rows arrive, holding only the few rows whose neighbours are still to come."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..native.samples import resample_columns, resample_rows
from .chroma import to_444
from .planes import Plane, Planes, Size, Subsampling, chroma_size
from .resampling import cubic_taps


def bands_to_444(size: Size, subsampling: Subsampling) -> Callable[[Planes], Planes]:
    """Gives the 4:4:4 rows (perhaps none) that are complete with the next band of a picture of `size` luma samples."""
    return RowUpsampler(size).feed if subsampling[0] > 1 else to_444


class RowUpsampler:
    """Gives the same samples as `chroma.to_444` of the whole picture, band by band."""

    def __init__(self, size: Size) -> None:
        rows, columns = chroma_size(size, (2, 2))
        self._vertical, self._horizontal = cubic_taps(rows, size[0]), cubic_taps(columns, size[1])
        self._height = size[0]
        self._row = self._chroma_row = 0
        self._y, self._u, self._v = (np.empty((0, size[1]), np.float32) for _ in "yuv")

    def feed(self, band: Planes) -> Planes:
        """The rows (perhaps none) that are complete with the next band of the 4:2:0 picture."""
        self._y = np.concatenate([self._y, band.y])
        self._u, self._v = (
            np.concatenate([kept, resample_columns(self._horizontal, new)])
            for kept, new in ((self._u, band.u), (self._v, band.v))
        )
        start, stop = self._row, self._complete_rows()
        luma = self._y[: stop - start]
        u, v = (self._upsampled(plane, start, stop) for plane in (self._u, self._v))
        self._forget(stop)
        return Planes(luma, u, v)

    def _complete_rows(self) -> int:
        """Rows from the top of the picture whose luma and chroma have arrived."""
        chroma_rows = self._chroma_row + len(self._u)
        complete = np.searchsorted(self._vertical.index[-1], chroma_rows, side="left")
        return min(int(complete), self._row + len(self._y))

    def _upsampled(self, plane: Plane, start: int, stop: int) -> Plane:
        return resample_rows(self._vertical, plane, self._chroma_row, start, stop)

    def _forget(self, row: int) -> None:
        """Drop what no row from `row` on needs."""
        arrived = self._chroma_row + len(self._u)
        needed = self._vertical.source(row, row + 1)[0] if row < self._height else arrived
        self._y = self._y[row - self._row :]
        self._u, self._v = (plane[needed - self._chroma_row :] for plane in (self._u, self._v))
        self._row, self._chroma_row = row, needed
