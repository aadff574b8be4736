"""How the weights of a graph are stored, by name of the precision.

A weight store adds the operators and constants that give a float32 weight tensor and returns its index.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from .model_builder import ModelBuilder

WeightStore = Callable[[ModelBuilder, str, NDArray[np.float32]], int]


def _store_float32(builder: ModelBuilder, name: str, values: NDArray[np.float32]) -> int:
    return builder.constant(name, values)


WEIGHT_STORES: dict[str, WeightStore] = {"float32": _store_float32}
