"""Skip mode: which latent positions are coded at all."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..codestream.components import grid_size
from ..codestream.picture_header import CUBE_SIZE, ComponentHeader

SKIP_THRESHOLD = 382
"""Positions with a smaller or equal scale index are not coded: their residual is 0."""
CUBE_PHASES = ((0, 0), (0, 1), (1, 0), (1, 1))
"""(row, column) phases of the latent in the order of the cube flags."""


def skip_mask(scale_index: NDArray[np.int32], header: ComponentHeader) -> NDArray[np.bool_]:
    """True where a residual is coded, bool [C, h, w]; of these only the first num_chs channels are in the stream."""
    mask = scale_index > SKIP_THRESHOLD
    if header.use_cube_flags:
        mask |= _uncoded_cubes_are_kept(header, scale_index.shape[1], scale_index.shape[2])
    return mask


def _uncoded_cubes_are_kept(header: ComponentHeader, rows: int, columns: int) -> NDArray[np.bool_]:
    """True [h, w] in cubes whose flag is 0: there every position is coded.

    A cube is a block of 8x8 positions of one 2x2 phase over all channels.
    """
    cube_rows, cube_columns = (grid_size(grid_size(length, 2), CUBE_SIZE) for length in (rows, columns))
    flags = np.array(header.cube_flag, np.int32).reshape(len(CUBE_PHASES), cube_rows, cube_columns)
    kept = np.zeros((rows, columns), bool)
    for (row, column), phase_flags in zip(CUBE_PHASES, flags, strict=True):
        phase = kept[row::2, column::2]
        blocks = np.kron(phase_flags == 0, np.ones((CUBE_SIZE, CUBE_SIZE), bool))
        phase[:] = blocks[: phase.shape[0], : phase.shape[1]]
    return kept
