"""What a residual symbol costs, by coding table and magnitude."""

from __future__ import annotations

import numpy as np

from ..entropy.coding_tables import STATES
from ..entropy.residual_masses import RESIDUAL_MASSES

ESCAPE_FLAG_BITS, SHORT_ESCAPE_BITS, LONG_ESCAPE_BITS = 1, 3, 16
SHORT_ESCAPES = 4
"""Magnitudes from the escape on that the short form reaches."""
LARGEST = max(len(masses) // 2 for masses in RESIDUAL_MASSES) + SHORT_ESCAPES
"""Magnitudes from here on all cost the same."""


def _magnitude_bits(masses: tuple[int, ...]) -> list[float]:
    """Bits of the magnitudes 0..LARGEST; those of both signs differ by a rounding of their masses."""
    bound = len(masses) // 2
    coded = [masses[0], *((masses[2 * k - 1] + masses[2 * k]) / 2 for k in range(1, bound))]
    bits = [float(-np.log2(mass / STATES)) for mass in coded]
    escape = float(-np.log2(masses[-1] / STATES)) + ESCAPE_FLAG_BITS
    bits += [escape + SHORT_ESCAPE_BITS] * SHORT_ESCAPES
    return bits + [escape + LONG_ESCAPE_BITS] * (LARGEST + 1 - len(bits))


MAGNITUDE_BITS = np.array([_magnitude_bits(masses) for masses in RESIDUAL_MASSES], np.float32)
"""[table, magnitude]"""
