"""Pictures for reports, as data addresses: what was decoded, and where two decodes differ."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from jpegai_mobile.image.chroma import to_444
from jpegai_mobile.image.colour import yuv_to_rgb
from jpegai_mobile.image.planes import Planes

from .comparison import differing_map
from .reconstruction.trace import SMALL
from .reference_decoder import Picture
from .trace_file import Record, Trace

LARGEST_SIDE = 512
"""Pictures are shown no larger than this, in pixels."""
MAP_SIZE = 256
"""Longer side of a map or of a picture in small, in pixels, at least."""


@dataclass(frozen=True)
class Figure:
    """A picture with a line below it."""

    caption: str
    address: str
    """`data:` address of a PNG or JPEG."""


def record_figure(first: Record, second: Record) -> Figure:
    """Where two records of one shape and rank 2 or 3 differ: white, equal; the darker, the more channels differ."""
    counts = differing_map(first, second)
    shade = np.where(counts, 200 - 200 * counts // max(int(counts.max()), 1), 255).astype(np.uint8)
    picture = np.stack([np.where(counts, 255, shade), shade, shade], axis=-1).astype(np.uint8)
    return Figure(f"where {first.name} differs: the darker, the more channels", _png(picture))


def picture_figures(exact: Picture, other: Picture, target: str) -> list[Figure]:
    """The picture as it should be, as a target has it, and the absolute difference of the two."""
    return [
        Figure("the picture of the reference", jpeg_address(exact)),
        Figure(f"the picture of {target}", jpeg_address(other)),
        Figure("difference", jpeg_address(difference(exact, other))),
    ]


def small_figures(exact: Trace, other: Trace, target: str) -> list[Figure]:
    """The same of two reconstruction traces, which hold planes in small; the difference is stretched to be seen."""
    first, second = (_small_planes(trace) for trace in (exact, other))
    if any(a.shape != b.shape for a, b in zip(first, second, strict=True)):
        return []
    gaps = [np.abs(a - b) for a, b in zip(first, second, strict=True)]
    largest = max(float(gap.max()) for gap in gaps)
    stretched = to_444(Planes(*((255 * gap / (largest or 1)).astype(np.float32) for gap in gaps)))
    worst = np.maximum.reduce([stretched.y, stretched.u, stretched.v]).astype(np.uint8)
    return [
        Figure("the reference, 1 : 8", _png(_rgb(first))),
        Figure(f"{target}, 1 : 8", _png(_rgb(second))),
        Figure(f"difference, white where it is {largest:.2g} of 255", _png(worst)),
    ]


def difference(a: Picture, b: Picture) -> Picture:
    """Absolute difference, of the type of the pictures."""
    return np.abs(a.astype(np.int32) - b).astype(a.dtype)


def jpeg_address(picture: Picture) -> str:
    """A picture as a JPEG of at most LARGEST_SIDE."""
    samples = picture if picture.dtype == np.uint8 else (picture >> 2).astype(np.uint8)
    image = Image.fromarray(samples)
    image.thumbnail((LARGEST_SIDE, LARGEST_SIDE))
    return _address(image, "jpeg", quality=85)


def _small_planes(trace: Trace) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    values = {record.name: record.values.astype(np.float32) for record in trace.records}
    y, u, v = (np.atleast_2d(values.get(f"plane_{name}.{SMALL}", np.zeros((1, 1), np.float32))) for name in "YUV")
    return y, u, v


def _rgb(planes: tuple[NDArray[Any], NDArray[Any], NDArray[Any]]) -> Picture:
    return yuv_to_rgb(to_444(Planes(*planes)), 8)


def _png(picture: Picture) -> str:
    """A small picture as a PNG, enlarged by whole numbers."""
    image = Image.fromarray(picture)
    factor = max(1, MAP_SIZE // max(image.size))
    return _address(image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST), "png")


def _address(image: Image.Image, kind: str, **options: int) -> str:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return f"data:image/{kind};base64," + base64.b64encode(file.getvalue()).decode()
