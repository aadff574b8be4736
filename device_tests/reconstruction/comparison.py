"""Two reconstruction traces within tolerances."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import TraceError
from ..trace_file import Trace
from .trace import HASH, PRECISION, SMALL, STATISTICS

NUMBER_OF_STATISTICS = 4
_Records = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Tolerance:
    """How far a tensor may be off on another processor: latents in their own unit, planes on the 0..255 scale."""

    small: float
    """Of any value of the tensor in small."""
    extremes: float
    """Of the least and the greatest value."""
    means: float
    """Of the mean and the root mean square."""


LATENTS = Tolerance(5e-5, 5e-5, 5e-5)
"""Float32 whose sums are made in another order: fifty times what was seen between processors."""
PLANES = Tolerance(3e-3, 5e-3, 4e-4)
"""Where no float is rounded to 8 bits on the way: twice what latents that are off by their tolerance make of planes.
Measured by benchmarks/rounding_response.py, as are the next."""
ROUNDED_PLANES = {b"int8mixed": Tolerance(1.5, 1.5, 0.02), b"int8": Tolerance(4, 5, 0.12)}
"""By precision. A float that two processors round to different integers makes everything that it reaches be rounded
anew: another draw of the rounding noise of that precision, however small the first difference was. Means are what
shows a processor that rounds wrongly."""


@dataclass(frozen=True)
class TensorDifference:
    """How one tensor of the second trace differs from the first."""

    name: str
    equal: bool
    """Bit for bit."""
    part: str
    """What is furthest off, measured by its tolerance: `in small`, `in extremes` or `in means`."""
    largest: float
    """How far that is off."""
    tolerance: float
    """How far that may be off."""

    @property
    def within(self) -> bool:
        """Whether the difference is tolerated."""
        return self.equal or self.largest <= self.tolerance

    def __str__(self) -> str:
        return f"{self.name} differs by {self.largest:.2g} {self.part} (tolerance {self.tolerance:.2g})"


def compare_reconstructions(first: Trace, second: Trace) -> list[TensorDifference]:
    """One entry per tensor of either trace, in their order; a tensor of another shape or absent differs infinitely.

    The tolerances are those of the precision of the first trace. Raises TraceError where neither holds a tensor.
    """
    mine, theirs = ({record.name: record.values for record in trace.records} for trace in (first, second))
    precision = mine[PRECISION].tobytes() if PRECISION in mine else b""
    hashes = (record for record in (*mine, *theirs) if record.endswith(f".{HASH}"))
    names = dict.fromkeys(record.removesuffix(f".{HASH}") for record in hashes)
    if not names:
        raise TraceError(f"neither reconstruction trace holds a record NAME.{HASH}: there is nothing to compare")
    return [_compare(name, mine, theirs, _tolerance(name, precision)) for name in names]


def _tolerance(name: str, precision: bytes) -> Tolerance:
    return ROUNDED_PLANES.get(precision, PLANES) if name.startswith("plane") else LATENTS


def _compare(name: str, mine: _Records, theirs: _Records, tolerance: Tolerance) -> TensorDifference:
    small, statistics = (_distances(f"{name}.{part}", mine, theirs) for part in (SMALL, STATISTICS))
    if statistics.shape != (NUMBER_OF_STATISTICS,):
        statistics = np.full(NUMBER_OF_STATISTICS, np.inf)
    parts = (
        ("in small", float(small.max(initial=0)), tolerance.small),
        ("in extremes", float(statistics[:2].max(initial=0)), tolerance.extremes),
        ("in means", float(statistics[2:].max(initial=0)), tolerance.means),
    )
    furthest = max(parts, key=lambda part: part[1] / part[2])
    record = f"{name}.{HASH}"
    equal = record in mine and record in theirs and np.array_equal(mine[record], theirs[record])
    return TensorDifference(name, equal, *furthest)


def _distances(record: str, mine: _Records, theirs: _Records) -> NDArray[np.float64]:
    """Absolute differences of two records; infinite where there is none: other shapes, NaN."""
    if record not in mine or record not in theirs or mine[record].shape != theirs[record].shape:
        return np.full(NUMBER_OF_STATISTICS, np.inf)
    distances = np.abs(mine[record].astype(np.float64) - theirs[record])
    return np.where(np.isnan(distances), np.inf, distances)
