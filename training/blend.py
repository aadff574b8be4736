"""Weights between those that a run started from and those it ended with.

A short run with another aim moves weights little, and what lies between is often better than either end: part of the
way has most of what was won, and less than its share of what that cost.
"""

from __future__ import annotations

import torch

from training.codec import Codec

_NOT_WEIGHTS = ("z_model", "gain_vector")
"""Statistics of what is coded, which belong to the end of the run."""


@torch.no_grad()
def blend(codec: Codec, start: Codec, share: float) -> None:
    """Take `codec`, trained from `start`, back until only `share` (0..1) of every change is left."""
    before = start.state_dict()
    for name, value in codec.state_dict().items():
        if not any(part in name for part in _NOT_WEIGHTS):
            value.lerp_(before[name], 1 - share)
