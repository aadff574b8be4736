"""The four 2x2 phases of a latent in the stage order of the context model."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from jpegai_mobile.networks.context_model import STAGE_PHASES

_STAGE_OF_POSITION = [STAGE_PHASES.index((row, column)) for row in (0, 1) for column in (0, 1)]


def split_phases(x: Tensor) -> tuple[Tensor, ...]:
    """[batch, C, rows, columns] to four of half the size; odd sizes are filled up with zeros."""
    x = functional.pad(x, (0, x.shape[3] % 2, 0, x.shape[2] % 2))
    return tuple(x[:, :, row::2, column::2] for row, column in STAGE_PHASES)


def merge_phases(phases: Sequence[Tensor], size: Sequence[int]) -> Tensor:
    """The inverse of `split_phases`, for a latent of `size` = (rows, columns)."""
    raster = torch.stack([phases[stage] for stage in _STAGE_OF_POSITION], 2).flatten(1, 2)
    return functional.pixel_shuffle(raster, 2)[:, :, : size[0], : size[1]]
