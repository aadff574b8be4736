"""Hyper latents that a model's tables know, for those that they do not.

A hyper encoder can run wild on a rare pattern: of kodim07 a hundred channels that are constant elsewhere came out at
-31..31 in a few places. Such values cost an escape each, and the hyper decoders have not learnt them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..entropy.coding_tables import Z_SYMBOLS
from ..entropy.z import Z_OFFSET


def known_hyper_latents(z: NDArray[np.int8], cumulative: NDArray[np.uint8]) -> NDArray[np.int8]:
    """`z` [C, row, column], every value whose count is 0 in its channel's table replaced by the nearest that has one.

    `cumulative` are the tables [C, 63] of the values -31..31. Of two that are as near the lower one is taken.
    """
    counts = np.diff(cumulative.astype(np.int16), axis=1, prepend=0)
    symbols = np.arange(Z_SYMBOLS)
    distances = np.abs(symbols[:, None] - symbols)
    nearest = np.array([known[distances[:, known].argmin(axis=1)] for known in map(np.flatnonzero, counts)])
    wanted = z.reshape(len(z), -1).astype(np.intp) + Z_OFFSET
    known_z: NDArray[np.int8] = (np.take_along_axis(nearest, wanted, axis=1) - Z_OFFSET).astype(np.int8)
    return known_z.reshape(z.shape)
