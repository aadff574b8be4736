"""Mean of sigma over blocks of 8x8 latents: what RVS, GRFS and LSBS are switched by."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BLOCK = 8
OUTSIDE = 1411
"""Value of block positions outside the latent: sigma of a unit step."""
MAX_AVERAGE = 4351


def block_average(scale_index: NDArray[np.int32]) -> NDArray[np.int32]:
    """The mean of each position's block, int32 [C, h, w] in 0..4351, from the scale index [C, h, w]."""
    channels, rows, columns = scale_index.shape
    padding = ((0, 0), (0, -rows % BLOCK), (0, -columns % BLOCK))
    padded = np.pad(scale_index, padding, constant_values=OUTSIDE)
    blocks = padded.reshape(channels, padded.shape[1] // BLOCK, BLOCK, padded.shape[2] // BLOCK, BLOCK)
    average = np.clip((blocks.sum(axis=(2, 4), dtype=np.int32) + 32) >> 6, 0, MAX_AVERAGE)
    spread = average.repeat(BLOCK, axis=1).repeat(BLOCK, axis=2)
    return spread[:, :rows, :columns]
