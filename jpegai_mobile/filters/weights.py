"""Weights of the EFE filters as they are coded in the tool header."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

WEIGHT_ZERO = 32767
WEIGHT_ONE = np.float32(2048)


def dequantised_weights(codes: Sequence[int], min_symbol: int) -> NDArray[np.float32]:
    """Float weights: (code + minSymbol - 32767) / 2048."""
    symbols = np.array(codes, np.int64) + (min_symbol - WEIGHT_ZERO)
    weights: NDArray[np.float32] = symbols.astype(np.float32) / WEIGHT_ONE
    return weights
