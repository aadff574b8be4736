"""YUV pictures: three planes of integer samples, as planar files hold them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import PictureError
from ..image.chroma import SUPPORTED_FORMATS
from ..image.colour import FULL, Samples, quantise
from ..image.planes import Planes, Size, Subsampling, chroma_size
from .coded_planes import check_size

STORED_AS: dict[int, np.dtype[Any]] = {8: np.dtype("u1"), 10: np.dtype("<u2")}
"""How the samples of a file are stored, by bit depth."""


@dataclass(frozen=True, eq=False)
class YuvPicture:
    """A YUV picture to encode: decoders give its planes back, without a colour conversion.

    uint8 samples are 8 bit, uint16 ones (of any byte order) 10 bit. Raises PictureError for planes that do not belong
    together.
    """

    y: Samples
    """[row, column]"""
    u: Samples
    v: Samples
    subsampling: Subsampling
    """(vertical, horizontal) luma samples per chroma sample: (1, 1), (1, 2) or (2, 2)."""
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        planes = (self.y, self.u, self.v)
        if self.subsampling not in SUPPORTED_FORMATS:
            raise PictureError(f"YUV subsampled by {self.subsampling}: 4:4:4, 4:2:2 and 4:2:0 can be coded")
        if not all(map(_is_plane, planes)):
            raise PictureError("YUV planes are uint8 or uint16 [row, column]")
        check_size(self.size)
        expected = chroma_size(self.size, self.subsampling)
        if len({plane.itemsize for plane in planes}) > 1 or any(plane.shape != expected for plane in (self.u, self.v)):
            found = ", ".join(f"{plane.dtype} {plane.shape[1]} x {plane.shape[0]}" for plane in planes)
            raise PictureError(f"YUV planes do not belong together: {found}; chroma is {expected[1]} x {expected[0]}")
        peak = (1 << self.bit_depth) - 1
        if self.bit_depth > 8 and (largest := max(plane.max(initial=0) for plane in planes)) > peak:
            raise PictureError(f"YUV: uint16 samples are 10 bit, but there is one of {largest}, above {peak}")

    @property
    def size(self) -> Size:
        """Rows and columns of luma."""
        return self.y.shape[0], self.y.shape[1]

    @property
    def bit_depth(self) -> int:
        """8 or 10."""
        return 8 if self.y.dtype == np.uint8 else 10

    @property
    def is_rgb(self) -> bool:
        """False: YUV samples are the output."""
        return False

    def planes(self, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> Planes:
        """Y, U, V (0..255) at those rows and columns of luma; subsampled chroma is repeated."""
        peak = np.float32((1 << self.bit_depth) - 1)
        of_chroma = np.ix_(rows // self.subsampling[0], columns // self.subsampling[1])
        y, u, v = (
            plane[place].astype(np.float32) / peak * FULL
            for plane, place in ((self.y, np.ix_(rows, columns)), (self.u, of_chroma), (self.v, of_chroma))
        )
        return Planes(y, u, v)

    def squared_error(self, planes: Planes) -> float:
        """Mean over all samples of a decoded picture, given as planes in this chroma format."""
        errors = [
            float(
                np.sum(np.square(np.subtract(quantise(plane, self.bit_depth), own, dtype=np.float32)), dtype=np.float64)
            )
            for plane, own in ((planes.y, self.y), (planes.u, self.u), (planes.v, self.v))
        ]
        return sum(errors) / (self.y.size + self.u.size + self.v.size)


def _is_plane(value: object) -> bool:
    if not isinstance(value, np.ndarray) or value.ndim != 2:
        return False
    return value.dtype.newbyteorder("=") in (np.uint8, np.uint16)


def yuv_from_bytes(data: bytes, name: str, size: Size, subsampling: Subsampling, bit_depth: int) -> YuvPicture:
    """A planar file: all of Y, then U, then V, row by row; 10 bit as 16-bit little endian. `size` is (rows, columns).

    Raises PictureError when the file is not as long as one picture, or samples are out of range; `name` is what errors
    call it.
    """
    stored = STORED_AS[bit_depth]
    sizes = [size, *2 * [chroma_size(size, subsampling)]]
    expected = sum(math.prod(plane) for plane in sizes) * stored.itemsize
    if len(data) != expected:
        raise PictureError(f"{name}: {len(data)} bytes, a picture of {size[1]} x {size[0]} takes {expected}")
    samples = np.frombuffer(data, stored).astype(stored.newbyteorder("="), copy=False)
    y, u, v = (
        part.reshape(plane)
        for part, plane in zip(np.split(samples, np.cumsum([math.prod(p) for p in sizes])[:-1]), sizes, strict=True)
    )
    try:
        return YuvPicture(y, u, v, subsampling)
    except PictureError as error:
        raise PictureError(f"{name}: {error}") from error
