"""Picture files of interleaved RGB rows: PNG, PPM, JPEG and NumPy arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO, Protocol

import numpy as np

from .colour import Samples
from .layout import PictureLayout
from .png import PngWriter

JPEG_QUALITY = 95


class RgbSink(Protocol):
    """Takes bands of [row, column, (R, G, B)] samples from top to bottom, then the end."""

    def write(self, rgb: Samples) -> None: ...

    def finish(self) -> None: ...


def full_scale(rgb: Samples) -> Samples:
    """Samples that use all of their type: 8 bit as they are, 10 bit (0..1023) stretched to 0..65535."""
    if rgb.dtype == np.uint8:
        return rgb
    return ((rgb.astype(np.uint32) * 65535 + 511) // 1023).astype(np.uint16)


class PngSink:
    """PNG of 8 bit, or of 16 bit for a 10 bit picture."""

    def __init__(self, stream: BinaryIO, layout: PictureLayout) -> None:
        self._png = PngWriter(stream, layout.size, 1 if layout.bit_depth == 8 else 2)

    def write(self, rgb: Samples) -> None:
        self._png.write(full_scale(rgb))

    def finish(self) -> None:
        self._png.finish()


class PpmSink:
    """Binary PPM with samples up to 255, or up to 65535 (big endian) for a 10 bit picture."""

    def __init__(self, stream: BinaryIO, layout: PictureLayout) -> None:
        self._stream = stream
        rows, columns = layout.size
        stream.write(b"P6\n%d %d\n%d\n" % (columns, rows, 255 if layout.bit_depth == 8 else 65535))

    def write(self, rgb: Samples) -> None:
        rgb = full_scale(rgb)
        self._stream.write(rgb.astype(rgb.dtype.newbyteorder(">")).tobytes())

    def finish(self) -> None:
        """PPM has no end mark."""


class NpySink:
    """A NumPy array [row, column, 3] of uint8, or of uint16 in 0..1023 for a 10 bit picture."""

    def __init__(self, stream: BinaryIO, layout: PictureLayout) -> None:
        self._stream = stream
        descr = "|u1" if layout.bit_depth == 8 else "<u2"
        header = {"descr": descr, "fortran_order": False, "shape": (*layout.size, 3)}
        np.lib.format.write_array_header_1_0(stream, header)

    def write(self, rgb: Samples) -> None:
        self._stream.write(rgb.astype(rgb.dtype.newbyteorder("<")).tobytes())

    def finish(self) -> None:
        """An array file has no end mark."""


class JpegSink:
    """JPEG of 8 bit; the one format whose encoder wants the whole picture in memory."""

    def __init__(self, stream: BinaryIO, layout: PictureLayout) -> None:
        # Pillow takes two megabytes that no other format needs.
        from PIL import Image

        self._stream = stream
        self._picture = Image.new("RGB", layout.size[::-1])
        self._part_of = Image.fromarray
        self._row = 0

    def write(self, rgb: Samples) -> None:
        part = rgb if rgb.dtype == np.uint8 else np.round(rgb * (255 / 1023)).astype(np.uint8)
        if len(part):
            self._picture.paste(self._part_of(part), (0, self._row))
        self._row += len(part)

    def finish(self) -> None:
        self._picture.save(self._stream, "JPEG", quality=JPEG_QUALITY, subsampling=0)


RGB_SINKS: dict[str, Callable[[BinaryIO, PictureLayout], RgbSink]] = {
    "png": PngSink,
    "ppm": PpmSink,
    "jpg": JpegSink,
    "npy": NpySink,
}
"""RGB file formats by name."""
HELD_BYTES = {"jpg": 4.5}
"""What a format holds until the end of the picture, per pixel; nothing for those that are not listed."""
