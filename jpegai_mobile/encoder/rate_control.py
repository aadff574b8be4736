"""The beta displacement at which a stream has a wanted size, in few entropy passes.

What a picture costs at a displacement is foretold by its scales alone: every residual is coded with a table that
expects a certain spread, or skipped where next to none is expected. The expectation is off by some factor, as pictures
differ from what the model was trained on, and it jumps where many scales are equal, which sizes do not. So it gives
the first displacement only; from there on the logarithm of the size is taken for a line over the displacement,
through the sizes that passes of the coder measure.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..entropy.coding_tables import STATES
from ..entropy.residual import table_index
from ..entropy.residual_masses import RESIDUAL_MASSES
from ..latent.model_tables import ComponentTables
from ..latent.quality_map import log_offset
from ..latent.skip_mode import SKIP_THRESHOLD
from .options import MAX_BETA, MIN_BETA
from .quality import BETA_PER_DOUBLING, DECIBELS_PER_DOUBLING

MAX_PASSES = 4
TOLERANCE = 0.02
"""Relative distance from the wanted size that a search is expected to keep."""
CLOSE_ENOUGH = 0.005
"""Relative distance at which the search ends early."""
MAX_PSNR_PASSES = 5
"""Every one decodes the picture."""
PSNR_TOLERANCE = 0.1
"""Distance in dB from the wanted PSNR that a search is expected to keep."""
PSNR_CLOSE_ENOUGH = 0.03
STEEPEST = 4.0
"""How much faster or slower than usual sizes and PSNR are believed to grow with the displacement."""
DOUBLINGS = 1 / BETA_PER_DOUBLING
"""How much sizes usually grow with a step of the displacement."""
DECIBELS = DECIBELS_PER_DOUBLING / BETA_PER_DOUBLING
"""How much the PSNR usually does."""
EQUAL_PSNR = 100.0
"""What a decoded picture that is equal to the source is taken for, in dB."""

_LOWEST, _HIGHEST = -8192, 8191
"""Scales outside cost what these do, at any displacement."""


@dataclass(frozen=True, eq=False)
class ScaleHistogram:
    """How often each scale occurs in a component at displacement 0."""

    counts: NDArray[np.int64]

    @classmethod
    def of(
        cls, hyper_scale: NDArray[np.int16], tables: ComponentTables, quality_map: NDArray[np.int8] | None
    ) -> ScaleHistogram:
        """From the output of the hyper scale decoder [C, h, w]."""
        counts = np.zeros(_HIGHEST - _LOWEST + 1, np.int64)
        offset = np.int32(0) if quality_map is None else log_offset(quality_map)
        for scales, gain in zip(hyper_scale, tables.gain, strict=True):
            values = np.clip(scales + offset + np.int32(gain), _LOWEST, _HIGHEST) - _LOWEST
            counts += np.bincount(values.ravel(), minlength=len(counts))
        return cls(counts)

    def expected_bits(self, beta: int) -> float:
        """Bits of the component at a displacement, if its residuals are spread as the scales say."""
        scales = np.arange(_LOWEST, _HIGHEST + 1, dtype=np.int32) + beta
        bits = np.where(scales > SKIP_THRESHOLD, _ENTROPY[table_index(scales)], 0)
        return float(self.counts @ bits)


def _entropy(masses: Iterable[int]) -> float:
    return -sum(mass / STATES * math.log2(mass / STATES) for mass in masses)


_ENTROPY = np.array([_entropy(masses) for masses in RESIDUAL_MASSES])
"""Bits per symbol, by coding table."""


@dataclass(frozen=True)
class Attempt:
    """A stream at one displacement."""

    beta: int
    stream: bytes


@dataclass(frozen=True)
class TargetSize:
    """A wanted size of the stream."""

    size: float
    """In bytes."""
    fixed_bytes: int
    """What of it does not depend on the displacement."""

    def first_displacement(self, expected_bytes: Callable[[int], float]) -> int:
        """Where to start, by what is expected of the rest; that grows with the displacement."""
        return _displacement(_log(self.size - self.fixed_bytes), expected_bytes)

    def error(self, size: int) -> float:
        """By how many doublings a size is off, as far as it depends on the displacement."""
        return _log(size - self.fixed_bytes) - _log(self.size - self.fixed_bytes)

    def search(self, beta: int, passes: int, code: Callable[[int], bytes]) -> tuple[Attempt, int]:
        """The best attempt, and the number of passes, which is at most `passes`; starts at displacement `beta`."""

        def rated(attempt: Attempt) -> _Rated:
            size = len(attempt.stream)
            return _Rated(attempt, self.error(size), abs(size - self.size) / self.size)

        attempts = _attempts(beta, passes, code, rated, CLOSE_ENOUGH, DOUBLINGS)
        return attempts[0].attempt, len(attempts)


@dataclass(frozen=True)
class TargetPsnr:
    """A wanted PSNR of the decoded samples."""

    decibels: float
    measure: Callable[[bytes], float]
    """The PSNR of a stream."""

    def nearer(self, beta: int, code: Callable[[int], bytes]) -> int:
        """Where the PSNR is about right, by what it is at a displacement."""
        return next_displacement([beta], [self._error(code(beta))], DECIBELS)

    def search(self, beta: int, passes: int, code: Callable[[int], bytes]) -> tuple[Attempt, int, float]:
        """The best attempt, the number of passes, which is at most `passes`, and the PSNR; starts at `beta`."""

        def rated(attempt: Attempt) -> _Rated:
            error = self._error(attempt.stream)
            return _Rated(attempt, error, abs(error))

        attempts = _attempts(beta, passes, code, rated, PSNR_CLOSE_ENOUGH, DECIBELS)
        return attempts[0].attempt, len(attempts), self.decibels + attempts[0].error

    def _error(self, stream: bytes) -> float:
        return min(self.measure(stream), EQUAL_PSNR) - self.decibels


@dataclass(frozen=True)
class _Rated:
    """An attempt and how far it is from the target."""

    attempt: Attempt
    error: float
    """As `next_displacement` takes it."""
    distance: float
    """What decides between attempts."""


def _attempts(
    beta: int,
    passes: int,
    code: Callable[[int], bytes],
    rated: Callable[[Attempt], _Rated],
    close_enough: float,
    usual: float,
) -> list[_Rated]:
    """Up to `passes` attempts from displacement `beta` on, until one is close enough; the best one first."""
    attempts: list[_Rated] = []
    while len(attempts) < passes and all(beta != each.attempt.beta for each in attempts):
        attempts.append(rated(Attempt(beta, code(beta))))
        attempts.sort(key=lambda each: each.distance)
        if attempts[0].distance < close_enough:
            break
        betas, errors = [each.attempt.beta for each in attempts], [each.error for each in attempts]
        beta = next_displacement(betas, errors, usual)
    return attempts


def _log(size: float) -> float:
    return math.log2(max(size, 1))


def next_displacement(betas: Sequence[int], errors: Sequence[float], usual: float = DOUBLINGS) -> int:
    """The displacement where the error is to vanish: on the line through the two attempts next to the target.

    The first attempt is the best one. Errors are believed to grow about as they usually do.
    """
    slope = usual
    if len(betas) > 1:
        across = [i for i in range(1, len(errors)) if errors[i] * errors[0] < 0]
        other = across[0] if across else 1
        slope = (errors[0] - errors[other]) / (betas[0] - betas[other])
        slope = min(max(slope, usual / STEEPEST), usual * STEEPEST)
    return min(max(betas[0] - round(errors[0] / slope), MIN_BETA), MAX_BETA)


def _displacement(log_size: float, expected_bytes: Callable[[int], float]) -> int:
    """The largest displacement for which no more is expected; one of the two at the ends where that does not exist."""
    low, high = MIN_BETA, MAX_BETA
    while low < high:
        middle = (low + high + 1) // 2
        if _log(expected_bytes(middle)) <= log_size:
            low = middle
        else:
            high = middle - 1
    return low
