"""A view of a picture: a part of it, or all, perhaps at a reduced size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ..codestream.picture_header import PictureHeader
from ..codestream.tiling import Rectangle
from ..image.chroma import FORMAT_444, to_444
from ..image.layout import PictureLayout
from ..image.planes import Planes, cropped
from ..image.scaling import BoxScaler, scaled_size
from .reconstruction import Reconstruction


@dataclass(frozen=True)
class View:
    """What a caller wants to see of a displayed picture."""

    region: Rectangle | None = None
    """In displayed luma samples; None is all."""
    factor: int = 1
    """1, 2, 4 or 8: both sides are divided by it."""

    def fits(self, picture: PictureHeader) -> bool:
        """Whether the region lies inside the displayed picture."""
        displayed = Rectangle(0, 0, *picture.display_size)
        return self.region is None or self.region.intersection(displayed) == self.region

    def layout(self, picture: PictureHeader) -> PictureLayout:
        """What the view looks like to a writer; raises Unsupported for pictures that cannot be output.

        A view that changes anything has chroma at luma resolution.
        """
        layout = PictureLayout.of(picture)
        if self == View():
            return layout
        return replace(layout, size=scaled_size(self._size(picture), self.factor), subsampling=FORMAT_444)

    def bands(self, reconstruction: Reconstruction, filters: bool) -> Iterator[Planes]:
        """The view from top to bottom, in its layout.

        Equal to the same part of the whole picture bit for bit. Where rows can be streamed (see
        `Reconstruction.streams_rows`) and chroma is not subsampled, only what the region needs is computed.
        """
        picture = reconstruction.stream.picture
        if self == View():
            yield from reconstruction.bands(filters)
            return
        scaler = BoxScaler(self._size(picture), self.factor)
        for band in self._full_size_bands(reconstruction, filters):
            yield scaler.feed(band)

    def _full_size_bands(self, reconstruction: Reconstruction, filters: bool) -> Iterator[Planes]:
        """4:4:4 rows of the region."""
        picture = reconstruction.stream.picture
        if picture.source_subsampling == FORMAT_444:
            yield from reconstruction.bands(filters, self.region)
            return
        whole = to_444(reconstruction.filtered(filters))
        yield cropped(whole, self.region or Rectangle(0, 0, *whole.size), FORMAT_444)

    def _size(self, picture: PictureHeader) -> tuple[int, int]:
        return picture.display_size if self.region is None else (self.region.height, self.region.width)
