"""Numbers of a network in floats of fewer bits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .errors import ConversionError

Numbers = NDArray[np.floating]


def fitting(values: Numbers, number_type: type[np.floating], what: str) -> Numbers:
    """The nearest numbers of a type. Raises ConversionError, naming `what` they are, where one is not finite."""
    with np.errstate(over="ignore"):
        numbers: Numbers = values.astype(number_type)
    if not np.isfinite(numbers).all():
        raise ConversionError(f"{what} does not fit {numbers.dtype}")
    return numbers


def not_below(values: Numbers, number_type: type[np.floating]) -> Numbers:
    """The next numbers of a type that are not smaller than `values`, and 1 instead of 0.

    On such scales no weight overflows its int8. Beyond the largest number of the type is infinity.
    """
    with np.errstate(over="ignore"):
        near: Numbers = values.astype(number_type)
        rounded = np.where(near < values, np.nextafter(near, number_type(np.inf)), near)
    return np.where(values == 0, number_type(1), rounded)
