"""Probability masses of the 32 residual distributions of the standard (table values, mass 256 each).

Distribution i is a discretised Gaussian of standard deviation 0.11 * (54.82 / 0.11)^(i / 31). Masses are listed
in the order of the symbols 0, -1, 1, -2, 2, ..., -bound; the last one (always 1) is the escape. `NxK` stands
for K masses of N.
"""

from __future__ import annotations

_RUNS = (
    "255 1",
    "255 1",
    "255 1",
    "251 2x2 1",
    "245 5x2 1",
    "231 12x2 1",
    "211 22x2 1",
    "188 33 34 1",
    "157 48x2 1x3",
    "134 57 56 4x2 1",
    "111 61x2 10x2 1x3",
    "94 62 61 17x2 2x2 1",
    "77 58x2 24x2 6x2 1x3",
    "63 52x2 29x2 11x2 3x2 1x3",
    "52 46x2 31 30 16x2 6x2 2x2 1x3",
    "43 39x2 30x2 19x2 10x2 5x2 2x2 1x3",
    "35 33x2 28x2 21x2 13x2 8x2 4x2 2x2 1x3",
    "29 28x2 25x2 20x2 15x2 10x2 7x2 4x2 2x2 1x5",
    "24 23x2 21x2 19 18 15x2 12x2 9x2 6x2 4x2 3x2 2x2 1x5",
    "19x3 18x2 17x2 15x2 12x2 10x2 8x2 6x2 4x2 3x2 2x2 1x9",
    "17 16x4 15x2 13x2 12x2 10x2 9x2 7x2 6x2 4x2 3x2 2x4 1x9",
    "14 13x4 12x4 11x2 10x2 9x2 8x2 6x2 5x2 4 5 4x2 3x2 2x4 1x13",
    "11x5 10x6 9x2 8x2 7x4 6x2 5x4 4x2 3x4 2x6 1x15",
    "9x7 8x6 7x4 6x4 5x4 4x6 3x4 2x8 1x21",
    "7x13 6x6 5x8 4x6 3x6 2x10 1x27",
    "6x9 5 6 5x12 4x10 3x10 2x12 1x37",
    "5x9 4x22 3x14 2x16 1x49",
    "4x16 3x27 2x24 1x63",
    "3x33 2x36 1x85",
    "2x72 1x112",
    "2x44 1x168",
    "1x256",
)


def _expand(runs: str) -> tuple[int, ...]:
    masses: list[int] = []
    for run in runs.split():
        mass, _, repeats = run.partition("x")
        masses += [int(mass)] * int(repeats or 1)
    return tuple(masses)


RESIDUAL_MASSES: tuple[tuple[int, ...], ...] = tuple(_expand(runs) for runs in _RUNS)
"""Masses of each distribution, 2 * bound entries that sum to 256."""
