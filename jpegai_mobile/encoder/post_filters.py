"""Post-filters that bring the decoder's picture nearer to the source, for few bits.

EFE linear gets the kernels and EFE non-linear the curves that minimise the squared error of chroma, by least squares;
LEF the channel whose sigma tells best where luma is blurred. Whoever uses them has to compare what the decoder then
gives.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..codestream.picture_header import PictureHeader
from ..codestream.tiling import Rectangle
from ..codestream.tool_header import (
    PHASES,
    EfeLinearHeader,
    EfeLinearPlane,
    EfeLinearSet,
    EfeNonlinearHeader,
    EfeNonlinearPlane,
)
from ..filters.efe_linear import CENTRE, SPLITS, interpolation_kernel, is_interpolated, padded_phase, split_regions
from ..filters.efe_nonlinear import LUMA_UNIT, SEGMENTS, curve_tiles, knots
from ..filters.lef import GAINS, THRESHOLDS, blurred, nearest_latents
from ..filters.weights import LARGEST_CODE, weight_codes
from ..image.planes import Plane, Planes

KERNELS = ((1, range(len(SPLITS))), (3, range(1)))
"""fL that are tried, and for each the splits: for more than one large kernel a picture hardly ever has enough bits."""
TILES_A_SIDE = (1, 2)
"""Rows and columns of tiles, each with its own curves, that are tried."""
MEAN_UNIT = 100
"""B1 is in hundredths."""
BAND = 128
"""Rows of a phase that are put into the equations at a time."""


def efe_linear_headers(decoded: Planes, source: Planes, picture: PictureHeader) -> Iterator[EfeLinearHeader]:
    """Headers with the best kernels of every size and split, for planes in the source's chroma format."""
    means = [round(float(plane.mean()) * MEAN_UNIT) for plane in (decoded.u, decoded.v)]
    for side, splits in KERNELS:
        for split in splits:
            taps = np.stack(
                [
                    _kernels(decoded.y, plane, target, mean / MEAN_UNIT, side, split, picture)
                    for plane, target, mean in zip((decoded.u, decoded.v), (source.u, source.v), means, strict=True)
                ]
            )
            if coded := _coded(taps):
                u, v = (_plane_header(codes, side, split) for codes in coded.codes)
                yield EfeLinearHeader(means, EfeLinearSet(), EfeLinearSet((u, v), coded.min_symbol, coded.max_symbol))


class _Coded(NamedTuple):
    """Weights as headers hold them."""

    codes: NDArray[np.int64]
    min_symbol: int
    max_symbol: int


def _coded(weights: NDArray[np.float64]) -> _Coded | None:
    """The nearest codes of weights [plane, ...], None where one of them cannot be coded."""
    codes = weight_codes(weights)
    lowest, highest = int(codes.min()), int(codes.max())
    return _Coded(codes - lowest, lowest, highest - lowest) if lowest >= 0 and highest <= LARGEST_CODE else None


def _plane_header(codes: NDArray[np.int64], side: int, split: int) -> EfeLinearPlane:
    area = side * side
    return EfeLinearPlane(split + 1, side, codes[:, :-area].tolist(), codes[:, -area:].tolist())


def _kernels(
    luma: Plane, chroma: Plane, target: Plane, mean: float, side: int, split: int, picture: PictureHeader
) -> NDArray[np.float64]:
    """The taps [region, tap] that come nearest to the target.

    Of every region those over chroma (of every phase, where each has its own), then those over luma.
    """
    interpolated = is_interpolated(picture)
    vertical, horizontal = picture.source_subsampling
    step = 3 - vertical, 3 - horizontal
    size = -(-luma.shape[0] // 2), -(-luma.shape[1] // 2)
    area = side * side
    unknowns = (PHASES + 1 if interpolated else 2) * area
    regions = split_regions(size, SPLITS[split])
    # The normal equations of all phases together: they share the taps over luma.
    equations = [_Equations(unknowns) for _ in regions]
    first = CENTRE - (side - 1) // 2
    for phase in product(range(step[0]), range(step[1])):
        deviation = padded_phase(chroma, phase, step, size) - np.float32(mean)
        wanted = target[phase[0] :: step[0], phase[1] :: step[1]] - np.float32(mean)
        rows, columns = wanted.shape
        for (dy, dx), weight in np.ndenumerate(interpolation_kernel(phase, interpolated)):
            wanted = wanted - weight * deviation[dy : dy + rows, dx : dx + columns]
        support = padded_phase(luma, phase, (2, 2), size)
        own = (2 * phase[0] + phase[1]) * area if interpolated else 0
        places = np.r_[own : own + area, unknowns - area : unknowns]
        for region, sums in zip(regions, equations, strict=True):
            for part in _bands(region, rows, columns):
                windows = [
                    padded[part.top + dy : part.bottom + dy, part.left + dx : part.right + dx].ravel()
                    for padded in (deviation, support)
                    for dy, dx in product(range(first, first + side), repeat=2)
                ]
                sums.add(places, np.stack(windows), wanted[part.slices].ravel())
    return np.stack([sums.solution() for sums in equations])


def _bands(region: Rectangle, rows: int, columns: int) -> Iterator[Rectangle]:
    """What a phase of so many rows and columns has of a region, a few rows at a time."""
    bottom, right = min(region.bottom, rows), min(region.right, columns)
    for top in range(region.top, bottom, BAND):
        yield Rectangle(top, region.left, min(top + BAND, bottom), right)


class _Equations:
    """The normal equations of a least squares problem."""

    def __init__(self, unknowns: int) -> None:
        self._matrix, self._vector = np.zeros((unknowns, unknowns)), np.zeros(unknowns)

    def add(self, places: NDArray[np.int64], samples: Plane, wanted: Plane) -> None:
        """What the unknowns at `places` are multiplied with, float32 [unknown, equation], and what is wanted of it."""
        # Not by BLAS: its threads wait for each other where others compute, and its sums depend on their number.
        wide = samples.astype(np.float64)
        self._matrix[np.ix_(places, places)] += np.einsum("ik,jk->ij", wide, wide)
        self._vector[places] += np.einsum("ik,k->i", wide, wanted.astype(np.float64))

    def solution(self) -> NDArray[np.float64]:
        """The smallest one that is nearest."""
        return np.linalg.lstsq(self._matrix, self._vector, rcond=None)[0].astype(np.float64)


def efe_nonlinear_headers(decoded: Planes, source: Planes, picture: PictureHeader) -> Iterator[EfeNonlinearHeader]:
    """Headers with the best curves for tiles of every size, for planes as `efe_linear_headers` takes them."""
    vertical, horizontal = picture.source_subsampling
    luma = decoded.y[::vertical, ::horizontal]
    rows, columns = luma.shape
    for count in TILES_A_SIDE:
        height, width = -(-rows // count), -(-columns // count)
        tiles = list(curve_tiles(luma.shape, (height, width)))
        limits = [_luma_limits(luma[tile.slices]) for tile in tiles]
        curves = np.array(
            [
                [_curve(plane, target, luma, *place) for place in zip(tiles, limits, strict=True)]
                for plane, target in ((decoded.u, source.u), (decoded.v, source.v))
            ]
        )
        if coded := _coded(curves):
            u, v = (EfeNonlinearPlane(1, codes.size, codes.ravel().tolist()) for codes in coded.codes)
            yield EfeNonlinearHeader(
                coded.min_symbol,
                coded.max_symbol,
                planes=(u, v),
                nonlinearW=width,
                nonlinearH=height,
                numTiles=len(tiles),
                minLuma=[minimum for minimum, _ in limits],
                maxLuma=[maximum for _, maximum in limits],
            )


def _luma_limits(luma: Plane) -> tuple[int, int]:
    """minLuma and maxLuma of a tile."""
    lowest, highest = (round(float(extreme) * LUMA_UNIT) for extreme in (luma.min(), luma.max()))
    return max(lowest, 0), max(highest, 0)


def _curve(plane: Plane, target: Plane, luma: Plane, tile: Rectangle, limits: tuple[int, int]) -> NDArray[np.float64]:
    """The weights [segment] of a tile that come nearest to the target."""
    above = np.array([knots(*limits)]).T
    sums = _Equations(SEGMENTS)
    for part in _bands(tile, *plane.shape):
        samples = np.maximum(luma[part.slices].ravel() - above, np.float32(0))
        sums.add(np.arange(SEGMENTS), samples, (target[part.slices] - plane[part.slices]).ravel())
    return sums.solution()


def lef_channel(luma: Plane, source: Plane, sigma: NDArray[np.int32], model_id: int) -> int:
    """The channel of sigma [C, h, w] after which LEF leaves the least squared error."""
    smooth = blurred(luma)
    inside = (slice(1, -1), slice(1, -1))
    detail, wanted = luma[inside] - smooth, source[inside] - smooth
    rows, columns = (nearest_latents(*lengths)[1:-1] for lengths in zip(sigma.shape[1:], luma.shape, strict=True))
    latent_of_sample = (rows[:, None] * sigma.shape[2] + columns).ravel()
    count = sigma.shape[1] * sigma.shape[2]
    errors = np.stack(
        [
            np.bincount(latent_of_sample, np.square(detail * np.float32(gain) - wanted).ravel(), count)
            for gain in (1, *GAINS[model_id])
        ]
    )
    intervals = np.searchsorted(THRESHOLDS[model_id], sigma.reshape(len(sigma), -1), side="right")
    return int(np.argmin([errors[interval, np.arange(count)].sum() for interval in intervals]))
