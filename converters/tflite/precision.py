"""What of a network is kept in how many bits: the concrete numbers that a recipe comes to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..quantisation.affine import Affine, weight_scales, weight_steps
from .model_builder import ModelBuilder, Quantisation
from .operators import Operators

WeightStore = Callable[[Operators, str, NDArray[np.float32], int], int]


@dataclass(frozen=True)
class Scheme:
    """Which numbers of a network are stored how."""

    weights: str = "float32"
    """Name of the `WEIGHT_STORES` for the weights of operators that compute in float32."""
    tensors: Mapping[str, Affine] = field(default_factory=dict)
    """Tensor -> grid on which it is kept in int8. An operator computes in int8 when all that it reads and
    writes is kept so; else in float32, and its result is rounded if it is listed here. What only moves samples
    (masks, shuffles, slices) has the grid of its input and need not be listed."""


FLOAT32 = Scheme()


def int8_weight(builder: ModelBuilder, name: str, weight: NDArray[np.float32], axis: int) -> tuple[int, Quantisation]:
    """An int8 constant with one scale per index along `axis`."""
    scales = weight_scales(weight, axis)
    quantisation = Quantisation(scales, 0, axis)
    return builder.constant(name, weight_steps(weight, scales, axis), quantisation), quantisation


def _store_float32(operators: Operators, name: str, weight: NDArray[np.float32], axis: int) -> int:
    return operators.builder.constant(name, weight)


def _store_float16(operators: Operators, name: str, weight: NDArray[np.float32], axis: int) -> int:
    half = operators.builder.constant(f"{name}_float16", weight.astype(np.float16))
    return operators.constant_as_float32(name, half, weight.shape, version=3)


def _store_int8(operators: Operators, name: str, weight: NDArray[np.float32], axis: int) -> int:
    steps, _ = int8_weight(operators.builder, f"{name}_int8", weight, axis)
    return operators.constant_as_float32(name, steps, weight.shape, version=5)


WEIGHT_STORES: dict[str, WeightStore] = {"float32": _store_float32, "float16": _store_float16, "int8": _store_int8}
"""Each adds the constants and operators that give a float32 weight, and gives the index of its tensor."""
