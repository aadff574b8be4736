"""LEF: luma sharpened where the sigma of one latent channel is large."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..image.planes import Plane

THRESHOLDS = ((600, 1200, 2000), (800, 1400, 2400), (1000, 1600, 2800), (1200, 2000, 3200))
"""Sigma (log domain, 7 fractional bits) from which each gain holds, per model_id."""
GAINS = ((1.10, 1.13, 1.16), (1.07, 1.09, 1.11), (1.03, 1.04, 1.05), (1.01, 1.02, 1.03))
"""Gain of what the blur takes away; 1 below the first threshold."""
BLUR_CENTRE, BLUR_NEIGHBOUR = np.float32(24 / 64), np.float32(5 / 64)
PEAK = np.float32(255)
SMALLEST = 3
"""Rows and columns that a picture needs for LEF to do anything: only inner samples change."""


def lef(luma: Plane, sigma: NDArray[np.int32], model_id: int) -> Plane:
    """Luma of the displayed picture, sharpened by the sigma [h, w] of the latent channel LEF_chIdx."""
    gain_of_interval = np.array((1, *GAINS[model_id]), np.float32)
    gain = gain_of_interval[np.searchsorted(THRESHOLDS[model_id], sigma, side="right")]
    sharpened = luma.copy()
    if min(luma.shape) >= SMALLEST:
        inside = (slice(1, -1), slice(1, -1))
        smooth = blurred(luma)
        rows, columns = (nearest_latents(*lengths) for lengths in zip(gain.shape, luma.shape, strict=True))
        sharpened[inside] = smooth + (luma[inside] - smooth) * gain[rows[1:-1]][:, columns[1:-1]]
    clamped: Plane = np.clip(sharpened, 0, PEAK)
    return clamped


def blurred(plane: Plane) -> Plane:
    """Every inner sample mixed with its eight neighbours: [rows - 2, columns - 2]."""
    rows, columns = plane.shape
    neighbours = np.zeros((rows - 2, columns - 2), np.float32)
    for dy in range(3):
        for dx in range(3):
            if (dy, dx) != (1, 1):
                neighbours += plane[dy : rows - 2 + dy, dx : columns - 2 + dx]
    total: Plane = plane[1:-1, 1:-1] * BLUR_CENTRE
    total += neighbours * BLUR_NEIGHBOUR
    return total


def nearest_latents(latents: int, samples: int) -> NDArray[np.intp]:
    """The latent whose sigma holds for each sample along one direction.

    The latents are stretched over the displayed samples, in float32 as in the reference decoder.
    """
    position = np.arange(samples, dtype=np.float32) * (np.float32(latents) / np.float32(samples))
    nearest: NDArray[np.intp] = np.minimum(position.astype(np.intp), latents - 1)
    return nearest
