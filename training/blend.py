"""Weights between those that runs started from and those they ended with.

A short run with another aim moves weights little, and what lies between is often better than either end: part of the
way has most of what was won, and less than its share of what that cost. Ways of several runs from one start add up.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from training.codec import Codec

_NOT_WEIGHTS = ("z_model", "gain_vector")
"""Statistics of what is coded, which belong to the ends of the runs: their mean, weighted by the shares."""


@torch.no_grad()
def blend(start: Codec, ends: Sequence[tuple[Codec, float]]) -> Codec:
    """`start`, moved by shares (above 0) of the changes that runs from it made; returns it."""
    total = sum(share for _, share in ends)
    states = [(end.state_dict(), share) for end, share in ends]
    for name, value in start.state_dict().items():
        if any(part in name for part in _NOT_WEIGHTS):
            value.copy_(_sum([state[name] * (share / total) for state, share in states]))
        else:
            value.add_(_sum([(state[name] - value) * share for state, share in states]))
    return start


def _sum(parts: Sequence[Tensor]) -> Tensor:
    return torch.stack(list(parts)).sum(0)
