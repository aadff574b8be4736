"""Mean of sigma over blocks of 8x8 latents: what RVS, GRFS and LSBS are switched by."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

BLOCK = 8
OUTSIDE = 1411
"""Value of block positions outside the latent: sigma of a unit step."""
MAX_AVERAGE = 4351

Values = TypeVar("Values", bound=np.generic)


def block_average(scale_index: NDArray[np.int32]) -> NDArray[np.int32]:
    """The mean of every block, int32 [C, ceil(h/8), ceil(w/8)] in 0..4351, from the scale index [C, h, w]."""
    channels, rows, columns = scale_index.shape
    padding = ((0, 0), (0, -rows % BLOCK), (0, -columns % BLOCK))
    padded = np.pad(scale_index, padding, constant_values=OUTSIDE)
    blocks = padded.reshape(channels, padded.shape[1] // BLOCK, BLOCK, padded.shape[2] // BLOCK, BLOCK)
    average: NDArray[np.int32] = np.clip((blocks.sum(axis=(2, 4), dtype=np.int32) + 32) >> 6, 0, MAX_AVERAGE)
    return average


def spread_blocks(blocks: NDArray[Values], rows: range, columns: range) -> NDArray[Values]:
    """The values [C, row, column] of `blocks` [C, ceil(h/8), ceil(w/8)] at latent positions rows x columns."""
    row_blocks, column_blocks = (np.arange(span.start, span.stop) // BLOCK for span in (rows, columns))
    spread: NDArray[Any] = blocks[:, row_blocks[:, None], column_blocks]
    return spread
