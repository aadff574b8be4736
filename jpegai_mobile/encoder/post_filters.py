"""Post-filters that bring the decoder's picture nearer to the source, for few bits.

EFE linear gets the kernels that minimise the squared error of chroma, by least squares; LEF the channel whose sigma
tells best where luma is blurred. Whoever uses them has to compare what the decoder then gives.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np
from numpy.typing import NDArray

from ..codestream.picture_header import PictureHeader
from ..codestream.tool_header import PHASES, EfeLinearHeader, EfeLinearPlane, EfeLinearSet
from ..filters.efe_linear import CENTRE, interpolation_kernel, is_interpolated, padded_phase
from ..filters.lef import GAINS, THRESHOLDS, blurred, nearest_latents
from ..filters.weights import WEIGHT_ONE, WEIGHT_ZERO
from ..image.planes import Plane, Planes

KERNEL_SIDES = (1, 3)
"""fL that are tried."""
UNSPLIT = 1
"""best_cand_idx of one kernel for the whole picture."""
MEAN_UNIT = 100
"""B1 is in hundredths."""
MAX_CODE = 0xFFFF
SMALLEST = 3
"""Rows and columns that a picture needs for LEF to do anything."""
BAND = 128
"""Rows of a phase that are put into the equations at a time."""


def efe_linear_headers(decoded: Planes, source: Planes, picture: PictureHeader) -> Iterator[EfeLinearHeader]:
    """Headers with the best kernels of every size, for planes in the source's chroma format."""
    means = [round(float(plane.mean()) * MEAN_UNIT) for plane in (decoded.u, decoded.v)]
    for side in KERNEL_SIDES:
        solutions = [
            _kernels(decoded.y, plane, target, mean / MEAN_UNIT, side, picture)
            for plane, target, mean in zip((decoded.u, decoded.v), (source.u, source.v), means, strict=True)
        ]
        codes = [np.rint(taps * WEIGHT_ONE).astype(np.int64) + WEIGHT_ZERO for taps in solutions]
        lowest, highest = (int(extreme(np.concatenate(codes))) for extreme in (np.min, np.max))
        if lowest >= 0 and highest <= MAX_CODE:
            u, v = (_plane_header(code - lowest, side) for code in codes)
            yield EfeLinearHeader(means, EfeLinearSet(), EfeLinearSet((u, v), lowest, highest - lowest))


def _plane_header(codes: NDArray[np.int64], side: int) -> EfeLinearPlane:
    values, area = codes.tolist(), side * side
    return EfeLinearPlane(UNSPLIT, side, [values[:-area]], [values[-area:]])


def _kernels(
    luma: Plane, chroma: Plane, target: Plane, mean: float, side: int, picture: PictureHeader
) -> NDArray[np.float64]:
    """Taps over chroma (of every phase, where each has its own), then over luma, that come nearest to the target."""
    interpolated = is_interpolated(picture)
    vertical, horizontal = picture.source_subsampling
    step = 3 - vertical, 3 - horizontal
    size = -(-luma.shape[0] // 2), -(-luma.shape[1] // 2)
    area = side * side
    unknowns = (PHASES + 1 if interpolated else 2) * area
    # The normal equations of all phases together: they share the taps over luma.
    matrix, vector = np.zeros((unknowns, unknowns)), np.zeros(unknowns)
    for phase in product(range(step[0]), range(step[1])):
        deviation = padded_phase(chroma, phase, step, size) - np.float32(mean)
        wanted = target[phase[0] :: step[0], phase[1] :: step[1]] - np.float32(mean)
        rows, columns = wanted.shape
        for (dy, dx), weight in np.ndenumerate(interpolation_kernel(phase, interpolated)):
            wanted = wanted - weight * deviation[dy : dy + rows, dx : dx + columns]
        support = padded_phase(luma, phase, (2, 2), size)
        own = (2 * phase[0] + phase[1]) * area if interpolated else 0
        place = np.r_[own : own + area, unknowns - area : unknowns]
        first = CENTRE - (side - 1) // 2
        for top in range(0, rows, BAND):
            bottom = min(top + BAND, rows)
            windows = [
                padded[top + dy : bottom + dy, dx : dx + columns].ravel()
                for padded in (deviation, support)
                for dy, dx in product(range(first, first + side), repeat=2)
            ]
            samples = np.stack(windows).astype(np.float64)
            # Not by BLAS: its threads wait for each other where others compute, and its sums depend on their number.
            matrix[np.ix_(place, place)] += np.einsum("ik,jk->ij", samples, samples)
            vector[place] += np.einsum("ik,k->i", samples, wanted[top:bottom].ravel().astype(np.float64))
    taps = np.linalg.lstsq(matrix, vector, rcond=None)[0]
    return taps.astype(np.float64)


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
