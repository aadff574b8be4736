"""A streaming PNG writer: 8 or 16 bit RGB, rows in, compressed chunks out."""

from __future__ import annotations

import struct
import zlib
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from .colour import Samples
from .planes import Size

SIGNATURE = b"\x89PNG\r\n\x1a\n"
TRUE_COLOUR = 2
FILTER_SUB, FILTER_UP = 1, 2
"""A row is coded as differences to the pixel on its left, or to the row above, whichever are smaller."""
CHUNK_BYTES = 1 << 16


class PngWriter:
    """Writes one picture; memory is a few rows."""

    def __init__(self, stream: BinaryIO, size: Size, sample_bytes: int) -> None:
        self._stream = stream
        self._pixel_bytes = 3 * sample_bytes
        self._above = np.zeros(size[1] * self._pixel_bytes, np.uint8)
        self._compressor = zlib.compressobj()
        self._pending = bytearray()
        stream.write(SIGNATURE)
        self._chunk(b"IHDR", struct.pack(">IIBBBBB", size[1], size[0], 8 * sample_bytes, TRUE_COLOUR, 0, 0, 0))

    def write(self, rgb: Samples) -> None:
        """The next rows, [row, column, 3] of full-scale uint8 or uint16 samples."""
        raw = rgb.astype(rgb.dtype.newbyteorder(">")).view(np.uint8).reshape(len(rgb), -1)
        self._pending += self._compressor.compress(self._filtered(raw).tobytes())
        if len(self._pending) >= CHUNK_BYTES:
            self._flush()

    def finish(self) -> None:
        """The end of the picture."""
        self._pending += self._compressor.flush()
        self._flush()
        self._chunk(b"IEND", b"")

    def _filtered(self, raw: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Rows of filter type and differences."""
        left, above = np.zeros_like(raw), np.empty_like(raw)
        left[:, self._pixel_bytes :] = raw[:, : -self._pixel_bytes]
        above[0], above[1:] = self._above, raw[:-1]
        self._above = raw[-1].copy()
        sub, up = raw - left, raw - above
        use_up = _magnitude(up) < _magnitude(sub)
        rows = np.empty((len(raw), raw.shape[1] + 1), np.uint8)
        rows[:, 0] = np.where(use_up, FILTER_UP, FILTER_SUB)
        rows[:, 1:] = np.where(use_up[:, None], up, sub)
        return rows

    def _flush(self) -> None:
        self._chunk(b"IDAT", bytes(self._pending))
        self._pending.clear()

    def _chunk(self, kind: bytes, content: bytes) -> None:
        self._stream.write(struct.pack(">I", len(content)) + kind + content)
        self._stream.write(struct.pack(">I", zlib.crc32(content, zlib.crc32(kind))))


def _magnitude(differences: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Sum over a row of the differences as signed numbers, without sign: a measure of what they cost."""
    magnitude: NDArray[np.int64] = np.minimum(differences, -differences).sum(axis=1, dtype=np.int64)
    return magnitude
