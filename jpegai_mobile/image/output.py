"""Pictures to files, in bands of rows: png, ppm, jpg, npy (RGB) and yuv (planar samples of the source)."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

from ..native.samples import quantise, yuv_to_rgb
from .chroma import FORMAT_444
from .colour import Samples
from .layout import PictureLayout
from .output_stream import STANDARD_STREAM, Target, output_stream
from .planes import Planes, chroma_size
from .rgb_files import RGB_SINKS, RgbSink
from .row_upsampling import bands_to_444

YUV_FORMAT = "yuv"
FORMATS = (*RGB_SINKS, YUV_FORMAT)
JPEG_MAX_SIZE = 65500
BAND = 256
"""Rows that `write_picture` hands on at a time; even."""


class OutputFormatError(ValueError):
    """The output format is unknown or cannot hold the picture: an error of use, not of the stream."""


class RowWriter:
    """Takes the rows of one picture from top to bottom; made by `open_writer`."""

    def __init__(self, sink: _Sink, layout: PictureLayout) -> None:
        self._sink, self._layout = sink, layout
        self._rgb_sink = sink.sink if isinstance(sink, _RgbConversion) else None
        self._row = 0

    def write_rows(self, rows: Planes) -> None:
        """The next rows: float planes (0..255) of the displayed width in the source's chroma format.

        With 4:2:0 every band but the last has an even number of rows. Raises ValueError for other bands.
        """
        count, columns = rows.size
        height, width = self._layout.size
        self._row += count
        even = self._row == height or count % self._layout.subsampling[0] == 0
        chroma = chroma_size(rows.size, self._layout.subsampling)
        if self._row > height or columns != width or not even or not rows.u.shape == rows.v.shape == chroma:
            raise ValueError(f"a band of {count} rows, {columns} columns does not fit {height} x {width} (row, column)")
        self._sink.write(rows)

    @property
    def takes_rgb(self) -> bool:
        """Whether rows may also come as RGB samples: the format is an RGB one and chroma is not subsampled."""
        return self._rgb_sink is not None and self._layout.subsampling == FORMAT_444

    def write_rgb(self, rgb: Samples) -> None:
        """The next rows as `yuv_to_rgb` gives them; raises ValueError where `takes_rgb` is false or they do not fit."""
        height, width = self._layout.size
        self._row += len(rgb)
        if self._rgb_sink is None or self._row > height or rgb.shape[1:] != (width, 3):
            raise ValueError(f"RGB samples {rgb.shape} do not fit {height} x {width} (row, column)")
        self._rgb_sink.write(rgb)

    def finish(self) -> None:
        """The end of the picture; raises ValueError when rows are missing."""
        if self._row != self._layout.size[0]:
            raise ValueError(f"{self._row} of {self._layout.size[0]} rows were written")
        self._sink.finish()


@contextmanager
def open_writer(target: Target, layout: PictureLayout, file_format: str | None = None) -> Iterator[RowWriter]:
    """A writer for one picture to a path, `-` (standard output) or a binary stream.

    `file_format` (one of `FORMATS`) defaults to the extension of the path. A file appears under its name when
    the block ends without an exception. Raises OutputFormatError for a format that is unknown or does not
    suit the picture, OSError where the file cannot be written.
    """
    file_format = file_format or format_of(target)
    _check_format(file_format, layout)
    with output_stream(target) as stream, _sink(stream, layout, file_format) as sink:
        writer = RowWriter(sink, layout)
        yield writer
        writer.finish()


def write_picture(target: Target, planes: Planes, layout: PictureLayout, file_format: str | None = None) -> None:
    """A whole picture at once; arguments and errors as for `open_writer`."""
    with open_writer(target, layout, file_format) as writer:
        step = layout.subsampling[0]
        for top in range(0, layout.size[0], BAND):
            luma, chroma = slice(top, top + BAND), slice(top // step, (top + BAND) // step)
            writer.write_rows(Planes(planes.y[luma], planes.u[chroma], planes.v[chroma]))


def format_of(target: Target) -> str:
    """The output format that a path's extension names; raises OutputFormatError when it has none."""
    if target == STANDARD_STREAM or not isinstance(target, str | os.PathLike):
        raise OutputFormatError(f"output without a file name: name its format, one of {', '.join(FORMATS)}")
    extension = Path(target).suffix.lower().removeprefix(".")
    return "jpg" if extension == "jpeg" else extension


def _check_format(file_format: str, layout: PictureLayout) -> None:
    if file_format not in FORMATS:
        raise OutputFormatError(f"unknown output format {file_format!r}, known are {', '.join(FORMATS)}")
    if file_format == YUV_FORMAT and layout.is_rgb:
        raise OutputFormatError(f"this stream is RGB and cannot be written as yuv, but as {', '.join(RGB_SINKS)}")
    if file_format == "jpg" and max(layout.size) > JPEG_MAX_SIZE:
        raise OutputFormatError(f"a JPEG file has at most {JPEG_MAX_SIZE} rows and columns")


class _Sink(Protocol):
    """Takes bands of planes in the source's chroma format from top to bottom, then the end."""

    def write(self, rows: Planes) -> None: ...

    def finish(self) -> None: ...


@contextmanager
def _sink(stream: BinaryIO, layout: PictureLayout, file_format: str) -> Iterator[_Sink]:
    if file_format == YUV_FORMAT:
        with tempfile.TemporaryFile() as u, tempfile.TemporaryFile() as v:
            yield _PlanarSink(stream, u, v, layout.bit_depth)
    else:
        yield _RgbConversion(RGB_SINKS[file_format](stream, layout), layout)


class _PlanarSink:
    """All of Y, then U, then V; the chroma planes wait in temporary files until luma is complete."""

    def __init__(self, y: BinaryIO, u: BinaryIO, v: BinaryIO, bit_depth: int) -> None:
        self._y, self._u, self._v = y, u, v
        self._bit_depth = bit_depth

    def write(self, rows: Planes) -> None:
        for stream, plane in ((self._y, rows.y), (self._u, rows.u), (self._v, rows.v)):
            samples = quantise(plane, self._bit_depth)
            stream.write(samples.astype(samples.dtype.newbyteorder("<")).tobytes())

    def finish(self) -> None:
        for stream in (self._u, self._v):
            stream.seek(0)
            shutil.copyfileobj(stream, self._y)


class _RgbConversion:
    """Converts bands to RGB for an RGB file; a YUV picture is converted by BT.709."""

    def __init__(self, sink: RgbSink, layout: PictureLayout) -> None:
        self.sink, self._bit_depth = sink, layout.bit_depth
        self._to_444 = bands_to_444(layout.size, layout.subsampling)

    def write(self, rows: Planes) -> None:
        complete = self._to_444(rows)
        if complete.size[0]:
            self.sink.write(yuv_to_rgb(complete, self._bit_depth))

    def finish(self) -> None:
        self.sink.finish()
