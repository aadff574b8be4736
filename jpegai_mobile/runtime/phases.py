"""The four 2x2 phases of a latent in the order in which the context model reconstructs them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..networks.context_model import STAGE_PHASES


def split_phases(latent: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Phases [ceil(h/2), ceil(w/2), C] of [h, w, C]; odd sizes are padded with zeros. Views where they can be."""
    rows, columns, _ = latent.shape
    odd = rows % 2 or columns % 2
    padded = np.pad(latent, ((0, rows % 2), (0, columns % 2), (0, 0))) if odd else latent
    return [padded[row::2, column::2] for row, column in STAGE_PHASES]


def merge_phases(phases: Sequence[NDArray[np.float32]], size: tuple[int, int]) -> NDArray[np.float32]:
    """The inverse of `split_phases` for a latent of size (h, w)."""
    rows, columns, channels = phases[0].shape
    merged = np.empty((2 * rows, 2 * columns, channels), np.float32)
    for (row, column), phase in zip(STAGE_PHASES, phases, strict=True):
        merged[row::2, column::2] = phase
    return merged[: size[0], : size[1]]
