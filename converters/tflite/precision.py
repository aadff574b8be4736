"""How TFLite files store the weights of a network."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ..quantisation.affine import weight_scales, weight_steps
from .model_builder import ModelBuilder, Quantisation
from .operators import Operators

Floats = NDArray[np.float32]
WeightStore = Callable[[Operators, str, Floats, int, Floats | None], int]


def int8_weight(
    builder: ModelBuilder, name: str, weight: Floats, axis: int, scales: Floats | None
) -> tuple[int, Quantisation]:
    """An int8 constant with one scale per index along `axis`: `scales`, or by the largest weights."""
    scales = weight_scales(weight, axis) if scales is None else scales
    quantisation = Quantisation(scales, 0, axis)
    return builder.constant(name, weight_steps(weight, scales, axis), quantisation), quantisation


def _store_float32(operators: Operators, name: str, weight: Floats, axis: int, scales: Floats | None) -> int:
    return operators.builder.constant(name, weight)


def _store_float16(operators: Operators, name: str, weight: Floats, axis: int, scales: Floats | None) -> int:
    half = operators.builder.constant(f"{name}_float16", weight.astype(np.float16))
    return operators.constant_as_float32(name, half, weight.shape, version=3)


def _store_int8(operators: Operators, name: str, weight: Floats, axis: int, scales: Floats | None) -> int:
    steps, _ = int8_weight(operators.builder, f"{name}_int8", weight, axis, scales)
    return operators.constant_as_float32(name, steps, weight.shape, version=5)


WEIGHT_STORES: dict[str, WeightStore] = {"float32": _store_float32, "float16": _store_float16, "int8": _store_int8}
"""Each adds the constants and operators that give a float32 weight, and gives the index of its tensor."""
