"""Two reconstruction traces within tolerances."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..trace_file import Trace
from .trace import HASH, PRECISION, SMALL, STATISTICS

TOLERANCES = {"psi": 5e-4, "y_hat": 5e-4, "plane": 3e-3}
"""Largest difference of a down-sampled value, by the first part of a tensor's name: latents in their own unit, planes
on the 0..255 scale. They bound what float32 may differ by from processor to processor."""
ROUNDED_PLANE = 0.25
"""The same of planes that were 8 bits wide on their way: a float that two processors round to different integers moves
everything that it reaches by a step."""
ROUNDED_PRECISIONS = (b"int8mixed", b"int8")


@dataclass(frozen=True)
class TensorDifference:
    """How one tensor of the second trace differs from the first."""

    name: str
    equal: bool
    """Bit for bit."""
    largest: float
    """Of the down-sampled values and the statistics."""
    tolerance: float

    @property
    def within(self) -> bool:
        """Whether the difference is tolerated."""
        return self.equal or self.largest <= self.tolerance

    def __str__(self) -> str:
        return f"{self.name} differs by {self.largest:.2g} (tolerance {self.tolerance:.2g})"


def compare_reconstructions(first: Trace, second: Trace) -> list[TensorDifference]:
    """One entry per tensor, in order of the first trace; a tensor of another shape or absent differs infinitely.

    The tolerances are those of the precision of the first trace.
    """
    theirs = {record.name: record.values for record in second.records}
    mine = {record.name: record.values for record in first.records}
    names = [name.removesuffix(f".{HASH}") for name in mine if name.endswith(f".{HASH}")]
    precision = mine[PRECISION].tobytes() if PRECISION in mine else b""
    differences = []
    for name in names:
        tolerance = _tolerance(name, precision)
        equal = np.array_equal(mine[f"{name}.{HASH}"], theirs.get(f"{name}.{HASH}", np.empty(0)))
        parts = (f"{name}.{STATISTICS}", f"{name}.{SMALL}")
        largest = max(
            float(np.abs(mine[part].astype(np.float64) - theirs[part]).max(initial=0))
            if part in theirs and theirs[part].shape == mine[part].shape
            else float("inf")
            for part in parts
        )
        differences.append(TensorDifference(name, equal, largest, tolerance))
    return differences


def _tolerance(name: str, precision: bytes) -> float:
    if name.startswith("plane") and precision in ROUNDED_PRECISIONS:
        return ROUNDED_PLANE
    return next((value for start, value in TOLERANCES.items() if name.startswith(start)), 0)
