"""EFE non-linear: chroma corrected by a piecewise linear function of luma, then switched block by block."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

from ..codestream.picture_header import PictureHeader
from ..codestream.tiling import Rectangle
from ..codestream.tool_header import EfeNonlinearHeader
from ..errors import InvalidStream
from ..image.planes import Plane, Planes, Size
from .weights import dequantised_weights

PLACE = "tool header: EFE non-linear"
SEGMENTS = 8
"""Linear pieces of the function of luma, and weights of a tile."""
LUMA_UNIT = 100
"""minLuma and maxLuma are in hundredths."""
MAX_SWITCH = np.float32(2)
"""Switch values: 0 keeps the filtered block, 1 averages, 2 takes the alternative."""


def switches(header: EfeNonlinearHeader) -> bool:
    """Whether blocks are switched to the alternative picture; a mask for V alone has no effect."""
    return bool(header.mask_enabled_flag[0])


def efe_nonlinear(
    planes: Planes, header: EfeNonlinearHeader, picture: PictureHeader, alternative: Planes | None
) -> Planes:
    """Planes with U and V corrected where the header enables it.

    `alternative` is what switched blocks take: EFE linear with its set A on the unfiltered picture. Raises
    InvalidStream for tiles, weights or masks that do not fit the picture, or a switch without EFE linear.
    """
    vertical, horizontal = picture.source_subsampling
    luma = planes.y[::vertical, ::horizontal]
    corrected = []
    for plane, coded in zip((planes.u, planes.v), header.planes, strict=True):
        weights = dequantised_weights(coded.A1, header.minSymbol)
        corrected.append(_corrected(plane, luma, header, weights) if coded.enabled_flag else plane)
    if switches(header):
        if alternative is None:
            raise InvalidStream(f"{PLACE}: a switch mask without EFE linear")
        for i, alternative_plane in enumerate((alternative.u, alternative.v)):
            if header.mask_enabled_flag[i]:
                corrected[i] = _switched(corrected[i], alternative_plane, header, header.W5[i])
    return Planes(planes.y, corrected[0], corrected[1])


def _corrected(plane: Plane, luma: Plane, header: EfeNonlinearHeader, weights: NDArray[np.float32]) -> Plane:
    if not header.nonlinearW or not header.nonlinearH:
        raise InvalidStream(f"{PLACE}: tiles of {header.nonlinearW} x {header.nonlinearH} samples")
    tile_size = header.nonlinearH, header.nonlinearW
    count = math.prod(-(-length // side) for length, side in zip(plane.shape, tile_size, strict=True))
    if header.numTiles != count:
        raise InvalidStream(f"{PLACE}: numTiles is {header.numTiles}, the picture has {count}")
    if len(weights) != SEGMENTS * count:
        raise InvalidStream(f"{PLACE}: candNum is {len(weights)}, {count} tiles need {SEGMENTS} each")
    corrected = np.empty_like(plane)
    per_tile = zip(header.minLuma, header.maxLuma, weights.reshape(-1, SEGMENTS), strict=True)
    for tile, (minimum, maximum, tile_weights) in zip(curve_tiles(plane.shape, tile_size), per_tile, strict=True):
        part = tile.slices
        corrected[part] = _curve(plane[part], luma[part], minimum, maximum, tile_weights)
    return corrected


def curve_tiles(size: tuple[int, ...], tile: Size) -> Iterator[Rectangle]:
    """The tiles of chroma planes of `size` in raster order, the last ones of both directions cut off."""
    for top, left in product(range(0, size[0], tile[0]), range(0, size[1], tile[1])):
        yield Rectangle(top, left, min(top + tile[0], size[0]), min(left + tile[1], size[1]))


def knots(min_luma: int, max_luma: int) -> NDArray[np.float32]:
    """Where the segments of a tile begin, on the scale of luma samples."""
    minimum, step = min_luma / LUMA_UNIT, (max_luma - min_luma) / LUMA_UNIT / SEGMENTS
    return (minimum + np.arange(SEGMENTS) * step).astype(np.float32)


def _curve(plane: Plane, luma: Plane, min_luma: int, max_luma: int, weights: NDArray[np.float32]) -> Plane:
    """max(0, chroma + w0 * (y - min)) plus w_k * max(0, y - min - k * step) for every further segment k."""
    first, *others = knots(min_luma, max_luma)
    zero = np.float32(0)
    total: Plane = np.maximum(plane + weights[0] * (luma - first), zero)
    for knot, weight in zip(others, weights[1:], strict=True):
        total += weight * np.maximum(luma - knot, zero)
    return total


def _switched(plane: Plane, alternative: Plane, header: EfeNonlinearHeader, mask: Sequence[int]) -> Plane:
    """Blend of plane and alternative by a mask value per block of bS x bS samples."""
    grid = header.len_mask_y, header.len_mask_x
    block = header.bS
    if not block or grid != (-(-plane.shape[0] // block), -(-plane.shape[1] // block)):
        raise InvalidStream(f"{PLACE}: {grid[0]} x {grid[1]} mask blocks of {block} samples do not cover the picture")
    if max(mask) > MAX_SWITCH:
        raise InvalidStream(f"{PLACE}: W5 has the value {max(mask)}, at most {MAX_SWITCH:.0f}")
    values = np.array(mask, np.float32).reshape(grid).repeat(block, axis=0).repeat(block, axis=1)
    m = values[: plane.shape[0], : plane.shape[1]]
    blend: Plane = alternative * m
    blend += plane * (MAX_SWITCH - m)
    blend /= MAX_SWITCH
    return blend
