"""Differentiable estimates of the bits that the entropy coder will spend."""

from __future__ import annotations

import math

import torch
from torch import Tensor

SMALLEST_SIGMA, LARGEST_SIGMA, SIGMA_LEVELS = 0.11, 54.82, 32
STEP = math.log(LARGEST_SIGMA / SMALLEST_SIGMA) / (SIGMA_LEVELS - 1)
"""Logarithm of the ratio of two sigmas one table step apart."""
LEAST_PROBABILITY = 2.0**-20
"""Added to probabilities: no symbol costs more than 20 bits, and the logarithm stays finite."""


def gain(beta: Tensor) -> Tensor:
    """Factor of the residuals before rounding, for a gain (vector plus beta displacement) in table steps."""
    return torch.exp(STEP * beta)


def gaussian_bits(residual: Tensor, index: Tensor) -> Tensor:
    """Bits of each scaled residual (noisy or rounded) under the sigma of its index in table steps."""
    sigma = SMALLEST_SIGMA * torch.exp(STEP * index.clamp(0, SIGMA_LEVELS - 1))
    magnitude = residual.abs()
    scale = math.sqrt(0.5) / sigma
    upper, lower = torch.erfc((magnitude - 0.5) * scale), torch.erfc((magnitude + 0.5) * scale)
    return -torch.log2(0.5 * (upper - lower) + LEAST_PROBABILITY)
