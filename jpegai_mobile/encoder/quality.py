"""How `quality` and `bpp` choose a model and a first beta displacement: one scale for all models.

A position on the scale is a beta displacement as if every picture were coded with model 1. Quality 50 is position 0,
a step of quality is 24. The models were trained for losses about a factor of 6 apart, which is 572 on this scale:
model m is meant for the neighbourhood of (m - 1) * 572, where its own displacement is 0. The model nearest to the
position is taken among those that the bundle has, and its displacement is the distance; so a quality means the same
with every bundle of the same models.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from .options import DEFAULT_QUALITY, MAX_BETA, MIN_BETA

QUALITY_STEP = 24
MODEL_STEP = 572
BETA_PER_DOUBLING = 400
"""Displacement that about doubles the bits of a photograph."""
TYPICAL_BPP = 0.41
"""Bits per sample of a photograph at position 0."""

TYPICAL_PSNR = 31.0
"""PSNR of a photograph at position 0, in dB."""
DECIBELS_PER_DOUBLING = 3.0
"""What twice the bits about add to it."""


def position_of_quality(quality: int) -> int:
    """The position of a quality 1..100."""
    return QUALITY_STEP * (quality - DEFAULT_QUALITY)


def position_of_bpp(bpp: float) -> int:
    """About where a photograph takes so many bits per sample."""
    return round(BETA_PER_DOUBLING * math.log2(bpp / TYPICAL_BPP))


def position_of_psnr(decibels: float) -> int:
    """About where a photograph is as good, in dB."""
    return round(BETA_PER_DOUBLING * (decibels - TYPICAL_PSNR) / DECIBELS_PER_DOUBLING)


def nearest_model(position: int, models: Sequence[int]) -> int:
    """The model of a bundle that is meant for a position."""
    return min(models, key=lambda model: abs(position - _home(model)))


def displacement(position: int, model: int) -> int:
    """The beta displacement of a model at a position."""
    return min(max(position - _home(model), MIN_BETA), MAX_BETA)


def _home(model: int) -> int:
    return (model - 1) * MODEL_STEP
