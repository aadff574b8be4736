"""LSBS: latent scale before synthesis, chosen by the local mean of sigma. Constants of the standard, per model."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LATENT_SCALES = ((23, 46), (17, 34), (12, 23), (9, 28))
"""Scale of the predicted part (13 fractional bits) below and above the neutral interval, per model."""
RESIDUAL_SCALES = ((28, 56), (23, 46), (17, 34), (12, 26))
"""Scale of the residual part, likewise."""
NEUTRAL = (1379, 1412)
"""Block averages in NEUTRAL[0] .. NEUTRAL[1] - 1 are left alone."""
ONE = np.float32(1 << 13)


def lsbs(
    latent: NDArray[np.float32],
    residual: NDArray[np.float32],
    block_averages: NDArray[np.int32],
    model_id: int,
) -> NDArray[np.float32]:
    """The scaled latent [row, column, channel].

    `residual` is dequantised, `block_averages` [channel, row, column] are those of the scale index.
    """
    interval = np.searchsorted(NEUTRAL, block_averages, side="right").transpose(1, 2, 0)
    of_latent: NDArray[np.float32]
    of_residual: NDArray[np.float32]
    of_latent, of_residual = (
        np.array([below, 0, above], np.float32)[interval]
        for below, above in (LATENT_SCALES[model_id], RESIDUAL_SCALES[model_id])
    )
    scaled: NDArray[np.float32] = latent + (of_latent * (latent - residual) + of_residual * residual) / ONE
    return scaled
