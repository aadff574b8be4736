"""Chroma formats: from what the synthesis gives to the format of the source, and on to 4:4:4."""

from __future__ import annotations

from ..codestream.picture_header import CHROMA_FORMATS, PictureHeader
from ..errors import Unsupported
from .planes import Plane, Planes, Subsampling, chroma_size
from .resampling import downsample, upsample

FORMAT_444: Subsampling = (1, 1)
SUPPORTED_FORMATS: tuple[Subsampling, ...] = ((1, 1), (1, 2), (2, 2))


def check_chroma_formats(picture: PictureHeader) -> None:
    """Raise Unsupported for formats that have no defined conversion: 4:4:0, and 4:2:2 coded as 4:2:0."""
    source, coded = picture.source_subsampling, picture.coded_subsampling
    for subsampling in (source, coded):
        if subsampling not in SUPPORTED_FORMATS:
            raise Unsupported(f"picture header: chroma format {CHROMA_FORMATS[subsampling]}")
    if source not in (coded, FORMAT_444):
        raise Unsupported(
            f"picture header: chroma of a {CHROMA_FORMATS[source]} source coded as {CHROMA_FORMATS[coded]}"
        )


def from_synthesis(y: Plane, u: Plane, v: Plane, picture: PictureHeader) -> Planes:
    """Planes of the displayed size in the source's chroma format, from planes of the coded size.

    Chroma is always synthesised at full resolution; where it was coded subsampled, every second row and
    column of it is kept. Raises Unsupported (see `check_chroma_formats`).
    """
    check_chroma_formats(picture)
    rows, columns = picture.display_size
    vertical, horizontal = picture.coded_subsampling
    size = chroma_size((rows, columns), picture.source_subsampling)
    coded_u, coded_v = (plane[:rows:vertical, :columns:horizontal] for plane in (u, v))
    return Planes(y[:rows, :columns], upsample(coded_u, size), upsample(coded_v, size))


def to_444(planes: Planes) -> Planes:
    """The same picture with chroma at luma resolution (unchanged if it has that already)."""
    return Planes(planes.y, upsample(planes.u, planes.size), upsample(planes.v, planes.size))


def from_444(planes: Planes, subsampling: Subsampling) -> Planes:
    """A 4:4:4 picture with its chroma reduced (unchanged for 4:4:4)."""
    size = chroma_size(planes.size, subsampling)
    return Planes(planes.y, downsample(planes.u, size), downsample(planes.v, size))
