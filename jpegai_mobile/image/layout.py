"""What a decoded picture looks like to those who write it: size, bit depth, colour space, chroma format."""

from __future__ import annotations

from dataclasses import dataclass

from ..codestream.picture_header import PictureHeader
from ..errors import Unsupported
from .chroma import check_chroma_formats
from .planes import Size, Subsampling

YUV, RGB = 0, 1
"""Values of colour_transform_idx: what the source was, and what the output therefore is."""


@dataclass(frozen=True)
class PictureLayout:
    """Layout of the displayed picture."""

    size: Size
    """Rows and columns of luma."""
    bit_depth: int
    """8 or 10."""
    subsampling: Subsampling
    """Chroma format of the source, in which filtered planes are."""
    is_rgb: bool
    """True when the source was RGB; else YUV samples are the output."""

    @classmethod
    def of(cls, picture: PictureHeader) -> PictureLayout:
        """The layout that a picture header announces; raises Unsupported for one that cannot be output."""
        check_chroma_formats(picture)
        if picture.colour_transform_idx not in (YUV, RGB):
            raise Unsupported(f"picture header: colour_transform_idx {picture.colour_transform_idx} (user matrix)")
        is_rgb = picture.colour_transform_idx == RGB
        return cls(picture.display_size, picture.bit_depth, picture.source_subsampling, is_rgb)
