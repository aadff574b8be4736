"""Rounding that weighs the error of a symbol against its bits: a dead zone that depends on the coding table.

The nearest symbol is kept unless the one that is a step nearer to zero saves more bits than its error
is worth.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .symbol_costs import LARGEST, MAGNITUDE_BITS

Array = NDArray[np.float32]

STEPS_PER_BIT = np.float32(0.2 * 2 * np.log(2) / 12)
"""Squared steps that a bit is worth. A uniform quantiser pays 2 ln 2 / 12; the errors of symbols that were dropped add
up in the picture, as those of rounding do not, so the price is a part of that. How large a part was measured."""
MAGNITUDES = np.arange(1, LARGEST + 2)
"""All above LARGEST cost the same: the last one stands for them."""
SAVED_BITS = np.diff(MAGNITUDE_BITS[:, np.minimum(np.arange(LARGEST + 2), LARGEST)])
"""[table, magnitude - 1]: what one step less saves."""
THRESHOLDS = MAGNITUDES.astype(np.float32) - np.float32(0.5) + STEPS_PER_BIT * SAVED_BITS / 2
"""[table, magnitude - 1]: values up to here are coded as one step less than the magnitude."""


def rounded(values: Array, table_index: NDArray[np.uint8]) -> Array:
    """Symbols for `values` (in steps) that are coded with the tables `table_index` of the same shape."""
    symbols = np.rint(values)
    some = np.nonzero(symbols)
    nearest = symbols[some]
    magnitudes = np.abs(nearest)
    columns = np.minimum(magnitudes, MAGNITUDES[-1]).astype(np.intp) - 1
    thresholds = THRESHOLDS[table_index[some], columns] + (magnitudes - (columns + 1))
    symbols[some] -= np.sign(nearest) * (np.abs(values[some]) <= thresholds)
    return symbols
