"""How TFLite files store the weights of a network."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ..float_types import fitting
from ..quantisation.affine import weight_scales, weight_steps
from .model_builder import ModelBuilder, Quantisation
from .operators import Operators

Floats = NDArray[np.float32]
WeightStore = Callable[[Operators, str, Floats, int, Floats | None], int]


def int8_weight(builder: ModelBuilder, name: str, weight: Floats, axis: int, scales: Floats) -> int:
    """An int8 constant with one of the scales per index along `axis`."""
    return builder.constant(name, weight_steps(weight, scales, axis), Quantisation(scales, 0, axis))


def _store_float32(operators: Operators, name: str, weight: Floats, axis: int, scales: Floats | None) -> int:
    return operators.builder.constant(name, weight)


def _store_float16(operators: Operators, name: str, weight: Floats, axis: int, scales: Floats | None) -> int:
    fitted = fitting(weight, np.float16, f"{operators.builder.name}: parameter {name}")
    half = operators.builder.constant(f"{name}_float16", fitted)
    return operators.constant_as_float32(name, half, weight.shape, version=3)


def _store_int8(operators: Operators, name: str, weight: Floats, axis: int, scales: Floats | None) -> int:
    scales = weight_scales(weight, axis) if scales is None else scales
    steps = int8_weight(operators.builder, f"{name}_int8", weight, axis, scales)
    return operators.constant_as_float32(name, steps, weight.shape, version=5)


WEIGHT_STORES: dict[str, WeightStore] = {"float32": _store_float32, "float16": _store_float16, "int8": _store_int8}
"""Each adds the constants and operators that give a float32 weight, and gives the index of its tensor.

Raises ConversionError for a weight that its type does not hold.
"""
