"""EFE linear: chroma enhanced by coded kernels over chroma and luma, per region of the picture.

The filter works on the four 2x2 phases of the picture. Chroma that was coded at half resolution is
interpolated by a fixed kernel per phase on top of which the coded one comes.
"""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
from numpy.typing import NDArray

from ..codestream.picture_header import PictureHeader
from ..codestream.tiling import Rectangle
from ..codestream.tool_header import EfeLinearHeader, EfeLinearPlane, EfeLinearSet
from ..errors import InvalidStream
from ..image.planes import Plane, Planes, Size, Subsampling
from .weights import dequantised_weights

PLACE = "tool header: EFE linear"
Kernel = NDArray[np.float32]
SUPPORT = 4
"""Kernels are placed in 4x4 taps, of which tap (1, 1) lies on the filtered sample."""
CENTRE = 1
WHOLE_SAMPLE = np.array([0, 1, 0, 0], np.float32)
HALF_SAMPLE = np.array([-1, 9, 9, -1], np.float32) / np.float32(16)
"""Interpolation between taps 1 and 2, for odd phases."""

UNSPLIT, HALVES, THIRDS = (0, 1), (0, 0.5, 1), (0, 0.33, 0.66, 1)
SPLITS: tuple[tuple[tuple[float, ...], tuple[float, ...], bool], ...] = (
    (UNSPLIT, UNSPLIT, False),
    (HALVES, UNSPLIT, False),
    (UNSPLIT, HALVES, False),
    (UNSPLIT, THIRDS, False),
    (THIRDS, UNSPLIT, False),
    (HALVES, HALVES, False),
    (THIRDS, HALVES, False),
    (HALVES, THIRDS, True),
)
"""By split number: borders along rows and columns as parts of the picture; True where regions are coded
column by column."""


def efe_linear(planes: Planes, header: EfeLinearHeader, filter_set: EfeLinearSet, picture: PictureHeader) -> Planes:
    """Planes with U and V filtered by one of the header's two sets.

    `planes` are those of the displayed picture in the source's chroma format. Raises InvalidStream for
    kernels that do not fit the support.
    """
    u, v = (
        _filtered_plane(planes.y, plane, np.float32(mean) / np.float32(100), coded, filter_set.minSymbol, picture)
        for plane, mean, coded in zip((planes.u, planes.v), header.B1, filter_set.planes, strict=True)
    )
    return Planes(planes.y, u, v)


def _filtered_plane(
    luma: Plane,
    chroma: Plane,
    mean: np.float32,
    coded: EfeLinearPlane,
    min_symbol: int,
    picture: PictureHeader,
) -> Plane:
    interpolated = is_interpolated(picture)
    if not coded.best_cand_idx and not interpolated:
        return chroma
    vertical, horizontal = picture.source_subsampling
    size = -(-luma.shape[0] // 2), -(-luma.shape[1] // 2)
    regions = split_regions(size, SPLITS[max(coded.best_cand_idx - 1, 0)])
    chroma_step = 3 - vertical, 3 - horizontal
    filtered = np.empty_like(chroma)
    for phase in product(range(chroma_step[0]), range(chroma_step[1])):
        deviation = padded_phase(chroma, phase, chroma_step, size) - mean
        support = padded_phase(luma, phase, (2, 2), size)
        rows, columns = filtered[phase[0] :: chroma_step[0], phase[1] :: chroma_step[1]].shape
        total = np.full(size, mean, np.float32)
        for number, region in enumerate(regions):
            chroma_kernel, luma_kernel = _kernels(coded, number, phase, min_symbol, interpolated)
            _convolve(total, deviation, chroma_kernel, region)
            _convolve(total, support, luma_kernel, region)
        filtered[phase[0] :: chroma_step[0], phase[1] :: chroma_step[1]] = total[:rows, :columns]
    return filtered


def split_regions(size: Size, split: tuple[tuple[float, ...], tuple[float, ...], bool]) -> list[Rectangle]:
    """The regions of a split of phases of `size`, in coding order; borders are multiples of 32."""
    row_parts, column_parts, by_column = split
    rows, columns = _spans(row_parts, size[0]), _spans(column_parts, size[1])
    if by_column:
        return [Rectangle(top, left, bottom, right) for left, right in columns for top, bottom in rows]
    return [Rectangle(top, left, bottom, right) for top, bottom in rows for left, right in columns]


def _spans(parts: tuple[float, ...], length: int) -> list[tuple[int, int]]:
    borders = [min(round(part * (length + 31) / 32) * 32, length) for part in parts]
    return list(pairwise(borders))


def padded_phase(plane: Plane, phase: tuple[int, int], step: Subsampling, size: Size) -> Plane:
    """Every step-th sample from `phase` on, as `size` samples and the margin of the support around them.

    Beyond its borders a phase repeats its own first and last samples; a direction with step 1 is taken whole.
    """
    rows, columns = (
        np.minimum(
            stride * np.clip(np.arange(-CENTRE, count + SUPPORT - CENTRE - 1), 0, count - 1) + start,
            length - 1,
        )
        for start, stride, count, length in zip(phase, step, size, plane.shape, strict=True)
    )
    return plane[np.ix_(rows, columns)]


def _kernels(
    coded: EfeLinearPlane, region: int, phase: tuple[int, int], min_symbol: int, interpolated: bool
) -> tuple[Kernel, Kernel]:
    """The kernels over chroma (less its mean) and luma of one phase in one region."""
    chroma, luma = interpolation_kernel(phase, interpolated), np.zeros((SUPPORT, SUPPORT), np.float32)
    if coded.best_cand_idx:
        if not 1 <= coded.fL <= SUPPORT:
            raise InvalidStream(f"{PLACE}: fL is {coded.fL}, kernels have 1 to {SUPPORT} taps a side")
        first = CENTRE - (coded.fL - 1) // 2
        taps = slice(first, first + coded.fL)
        per_phase = dequantised_weights(coded.weights[region], min_symbol).reshape(-1, coded.fL, coded.fL)
        chroma[taps, taps] += per_phase[2 * phase[0] + phase[1] if len(per_phase) > 1 else 0]
        luma[taps, taps] += dequantised_weights(coded.weights2[region], min_symbol).reshape(coded.fL, coded.fL)
    return chroma, luma


def is_interpolated(picture: PictureHeader) -> bool:
    """Whether every phase has a kernel of its own, on top of an interpolation of what was coded at half resolution."""
    return picture.coded_subsampling != picture.source_subsampling


def interpolation_kernel(phase: tuple[int, int], interpolated: bool) -> Kernel:
    """The fixed kernel over chroma that the coded one is added to."""
    row, column = (HALF_SAMPLE if interpolated and odd else WHOLE_SAMPLE for odd in phase)
    kernel: Kernel = np.outer(row, column)
    return kernel


def _convolve(total: Plane, padded: Plane, kernel: Kernel, region: Rectangle) -> None:
    """Add the correlation of `padded` with `kernel` to one region of `total`."""
    rows, columns = region.slices
    for dy, dx in np.argwhere(kernel):
        window = padded[region.top + dy : region.bottom + dy, region.left + dx : region.right + dx]
        total[rows, columns] += kernel[dy, dx] * window
