"""The beta displacement at which a stream has a wanted size, in few entropy passes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from .options import MAX_BETA, MIN_BETA
from .quality import BETA_PER_DOUBLING

MAX_PASSES = 4
TOLERANCE = 0.02
"""Relative distance from the wanted size that a search is expected to keep."""
CLOSE_ENOUGH = 0.005
"""Relative distance at which the search ends early."""


@dataclass(frozen=True)
class Attempt:
    """A stream at one displacement."""

    beta: int
    stream: bytes

    def error(self, target: float) -> float:
        """log2 of its size relative to the wanted one."""
        return math.log2(len(self.stream) / target)


def search(target_bytes: float, start: int, code: Callable[[int], bytes]) -> tuple[Attempt, int]:
    """The best attempt at a stream of `target_bytes`, and the number of passes; `code` makes a stream.

    The logarithm of the size is close to linear in the displacement: secants find the place.
    """
    attempts: list[Attempt] = []
    beta = start
    while len(attempts) < MAX_PASSES and all(beta != attempt.beta for attempt in attempts):
        attempts.append(Attempt(beta, code(beta)))
        attempts.sort(key=lambda attempt: abs(attempt.error(target_bytes)))
        if abs(attempts[0].error(target_bytes)) < CLOSE_ENOUGH:
            break
        beta = _next(attempts, target_bytes)
    return attempts[0], len(attempts)


def _next(attempts: list[Attempt], target: float) -> int:
    """Where the line through the two best attempts (or one on either side of the target) meets the target."""
    best = attempts[0]
    slope = 1 / BETA_PER_DOUBLING
    if len(attempts) > 1:
        across = [a for a in attempts[1:] if a.error(target) * best.error(target) < 0]
        other = (across or attempts[1:])[0]
        rise = (best.error(target) - other.error(target)) / (best.beta - other.beta)
        slope = min(max(rise, slope / 4), 4 * slope)
    return min(max(best.beta - round(best.error(target) / slope), MIN_BETA), MAX_BETA)
