"""The quality map: finer steps in a region of interest, coarser ones elsewhere."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..codestream.components import LATENT_GRID
from ..latent.quality_map import SIGMA_BY_ENTROPY_INDEX, prediction
from .substreams import encode_residuals

WHITE = 255


def quality_map_of(mask: NDArray[np.uint8], latent_size: tuple[int, int], strength: int) -> NDArray[np.int8]:
    """Quality map [h, w] from a mask [row, column] of the picture's size.

    White becomes `strength` (1..8), black -strength; every 4 halve or double the step.
    """
    rows, columns = latent_size
    # A latent at the border stands for what there is of the picture, and for its last row and column repeated.
    padding = [(0, latents * LATENT_GRID - length) for latents, length in zip((rows, columns), mask.shape, strict=True)]
    blocks = np.pad(mask, padding, mode="edge").reshape(rows, LATENT_GRID, columns, LATENT_GRID)
    means = blocks.mean(axis=(1, 3), dtype=np.float32)
    quality_map: NDArray[np.int8] = np.rint(strength * (2 * means / WHITE - 1)).astype(np.int8)
    return quality_map


def encode_quality_map(quality_map: NDArray[np.int8], threads: int, engine: str) -> tuple[int, bytes]:
    """The entropy index that takes the fewest bytes, and the sub-stream with it."""
    values = quality_map.tolist()
    residual = np.array(
        [
            [value - prediction(values, row, column) for column, value in enumerate(line)]
            for row, line in enumerate(values)
        ],
        np.int16,
    )
    coded = np.ones(residual.shape, bool)
    streams = [
        encode_residuals(residual, np.full(residual.shape, table, np.uint8), coded, threads, engine)
        for table in SIGMA_BY_ENTROPY_INDEX
    ]
    index = min(range(len(streams)), key=lambda i: len(streams[i]))
    return index, streams[index]
