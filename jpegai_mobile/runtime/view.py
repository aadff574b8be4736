"""A view of a picture: a part of it, or all, perhaps at a reduced size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from ..codestream.picture_header import PictureHeader
from ..codestream.tiling import Rectangle
from ..image.chroma import FORMAT_444, to_444
from ..image.colour import Samples, clamped, sample_type
from ..image.layout import YUV, PictureLayout
from ..image.planes import Planes, cropped, join_bands
from ..image.row_upsampling import bands_to_444
from ..image.scaling import BoxScaler, scaled_size
from ..native.samples import yuv_to_rgb
from .progress import Listener
from .reconstruction import Reconstruction


class RowTarget(Protocol):
    """Takes the rows of a picture from top to bottom, as `image.output.RowWriter` does."""

    @property
    def takes_rgb(self) -> bool:
        """Whether `write_rgb` may be called."""

    def write_rgb(self, rgb: Samples) -> None:
        """The next rows as RGB samples."""

    def write_rows(self, rows: Planes) -> None:
        """The next rows as planes."""


@dataclass(frozen=True)
class View:
    """What a caller wants to see of a displayed picture."""

    region: Rectangle | None = None
    """In displayed luma samples; None is all."""
    factor: int = 1
    """1, 2, 4 or 8: both sides are divided by it."""
    planar: bool = False
    """Whether a region of full size keeps the source's chroma format; it has to be `on_chroma_grid`."""

    def fits(self, picture: PictureHeader) -> bool:
        """Whether the region lies inside the displayed picture."""
        displayed = Rectangle(0, 0, *picture.display_size)
        return self.region is None or self.region.intersection(displayed) == self.region

    def on_chroma_grid(self, picture: PictureHeader) -> bool:
        """Whether the region holds whole chroma samples: its edges lie between them, or at the picture's."""
        if self.region is None:
            return True
        vertical, horizontal = picture.source_subsampling
        height, width = picture.display_size
        region = self.region
        return not (
            region.top % vertical
            or region.left % horizontal
            or (region.bottom % vertical and region.bottom != height)
            or (region.right % horizontal and region.right != width)
        )

    def layout(self, picture: PictureHeader) -> PictureLayout:
        """What the view looks like to a writer; raises Unsupported for pictures that cannot be output.

        A reduced picture has chroma at luma resolution, and so has a region that is not `planar`.
        """
        layout = replace(PictureLayout.of(picture), size=scaled_size(self._size(picture), self.factor))
        return layout if self._keeps_chroma_format else replace(layout, subsampling=FORMAT_444)

    @property
    def _keeps_chroma_format(self) -> bool:
        return self.factor == 1 and (self.planar or self.region is None)

    def write(
        self, reconstruction: Reconstruction, writer: RowTarget, filters: bool = True, listener: Listener | None = None
    ) -> None:
        """Hand the view's rows to a writer that was opened for its layout, while they are decoded.

        Raises Cancelled when `listener` asks to stop.
        """
        if writer.takes_rgb and self._streams_rgb(reconstruction, filters):
            for rgb in reconstruction.rgb_bands(self.region, listener):
                writer.write_rgb(rgb)
        else:
            for band in self.bands(reconstruction, filters, listener):
                writer.write_rows(band)

    def rgb(
        self,
        reconstruction: Reconstruction,
        filters: bool = True,
        listener: Listener | None = None,
        bit_depth: int | None = None,
    ) -> Samples:
        """The view as one array of RGB samples [row, column, 3]; a YUV picture is converted by BT.709.

        `bit_depth` is that of the samples, None for the picture's own. Raises Unsupported as `layout` does, Cancelled
        when `listener` asks to stop.
        """
        picture = reconstruction.stream.picture
        self.layout(picture)  # refuses what cannot be output, before any work
        bit_depth = bit_depth or picture.bit_depth
        if bit_depth != picture.bit_depth or not self._streams_rgb(reconstruction, filters):
            planes = join_bands(self.bands(reconstruction, filters, listener))
            return yuv_to_rgb(to_444(planes), bit_depth)
        samples: Samples = np.empty((*self._size(picture), 3), sample_type(bit_depth))
        row = 0
        for rgb in reconstruction.rgb_bands(self.region, listener):
            samples[row : row + len(rgb)] = rgb
            row += len(rgb)
        return samples

    def _streams_rgb(self, reconstruction: Reconstruction, filters: bool) -> bool:
        return self.factor == 1 and reconstruction.streams_rgb(filters)

    def bands(
        self, reconstruction: Reconstruction, filters: bool, listener: Listener | None = None
    ) -> Iterator[Planes]:
        """The view from top to bottom, in its layout.

        Equal to the same part of the whole picture bit for bit. Where rows can be streamed (see
        `Reconstruction.streams_rows`) and chroma is not subsampled, only what the region needs is computed. Raises
        Unsupported as `layout` does, Cancelled when `listener` asks to stop.
        """
        picture = reconstruction.stream.picture
        self.layout(picture)  # refuses what cannot be output, before any work
        if self._keeps_chroma_format:
            yield from _output_bands(reconstruction, filters, self.region, listener)
            return
        scaler = BoxScaler(self._size(picture), self.factor)
        for band in self._full_size_bands(reconstruction, filters, listener):
            yield scaler.feed(band)

    def _full_size_bands(
        self, reconstruction: Reconstruction, filters: bool, listener: Listener | None
    ) -> Iterator[Planes]:
        """4:4:4 rows of the region."""
        picture = reconstruction.stream.picture
        if picture.source_subsampling == FORMAT_444:
            yield from _output_bands(reconstruction, filters, self.region, listener)
            return
        width = picture.display_size[1]
        to_444_rows, row = bands_to_444(picture.display_size, picture.source_subsampling), 0
        for band in _output_bands(reconstruction, filters, None, listener):
            complete = to_444_rows(band)
            place = Rectangle(row, 0, row + complete.size[0], width)
            kept = place if self.region is None else place.intersection(self.region)
            if not kept.empty:
                yield cropped(complete, kept.relative_to(place), FORMAT_444)
            row = place.bottom

    def _size(self, picture: PictureHeader) -> tuple[int, int]:
        return picture.display_size if self.region is None else (self.region.height, self.region.width)


def _output_bands(
    reconstruction: Reconstruction, filters: bool, region: Rectangle | None, listener: Listener | None
) -> Iterator[Planes]:
    """`Reconstruction.bands` after the colour transform of the standard, which clamps the samples of a YUV source.

    So they are clamped before anything resamples or converts them; what becomes RGB is clamped as RGB only.
    """
    is_yuv = reconstruction.stream.picture.colour_transform_idx == YUV
    for band in reconstruction.bands(filters, region, listener):
        yield clamped(band) if is_yuv else band
