"""What of a network is kept in how many bits: the concrete numbers that a recipe comes to, for every target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .affine import Affine

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Scheme:
    """Which numbers of a network are stored how."""

    weights: str = "float32"
    """How weights of what computes in float are stored: float32, float16 or int8."""
    tensors: Mapping[str, Affine] = field(default_factory=dict)
    """Tensor -> grid on which it is kept in int8. In TFLite an operator computes in int8 when all that it reads and
    writes is kept so; else in float32, and its result is rounded if it is listed here. In Core ML convolutions read
    such tensors in int8. What only moves samples (masks, shuffles, slices) has the grid of its input and need not be
    listed."""
    weight_scales: Mapping[str, Floats] = field(default_factory=dict)
    """Weight -> int8 scale of every output channel, where the weight lies on such grids already."""


FLOAT32 = Scheme()
