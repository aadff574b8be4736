"""Weights of the EFE filters as they are coded in the tool header."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

WEIGHT_ZERO = 32767
WEIGHT_ONE = np.float32(2048)
LARGEST_CODE = 0xFFFF


def dequantised_weights(codes: Sequence[int], min_symbol: int) -> NDArray[np.float32]:
    """Float weights: (code + minSymbol - 32767) / 2048."""
    symbols = np.array(codes, np.int64) + (min_symbol - WEIGHT_ZERO)
    weights: NDArray[np.float32] = symbols.astype(np.float32) / WEIGHT_ONE
    return weights


def weight_codes(weights: NDArray[np.float64]) -> NDArray[np.int64]:
    """The nearest code + minSymbol of every weight; one outside of 0..LARGEST_CODE cannot be coded."""
    return np.rint(weights * WEIGHT_ONE).astype(np.int64) + WEIGHT_ZERO
