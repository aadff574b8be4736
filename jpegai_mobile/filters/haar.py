"""The Haar transform of eICCI: 2x2 samples to four bands and back."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Bands = NDArray[np.float32]
"""[row, column, channel]"""

BANDS = 4


def haar(samples: Bands) -> Bands:
    """[h, w, C] of even size to [h / 2, w / 2, 4C]: bands LL, HL, LH, HH of each channel in turn."""
    a, b = samples[0::2, 0::2], samples[0::2, 1::2]
    c, d = samples[1::2, 0::2], samples[1::2, 1::2]
    bands = np.empty((*a.shape, BANDS), np.float32)
    bands[..., 0] = a + c + b + d
    bands[..., 1] = b + d - a - c
    bands[..., 2] = c + d - a - b
    bands[..., 3] = a + d - b - c
    bands *= np.float32(0.5)
    return bands.reshape(*a.shape[:2], -1)


def inverse_haar(bands: Bands) -> Bands:
    """The inverse of `haar`: [h, w, 4C] to [2h, 2w, C]."""
    rows, columns, channels = bands.shape
    half = bands.reshape(rows, columns, channels // BANDS, BANDS) * np.float32(0.5)
    ll, hl, lh, hh = (half[..., band] for band in range(BANDS))
    samples = np.empty((2 * rows, 2 * columns, channels // BANDS), np.float32)
    samples[0::2, 0::2] = ll - hl - lh + hh
    samples[0::2, 1::2] = ll + hl - lh - hh
    samples[1::2, 0::2] = ll - hl + lh - hh
    samples[1::2, 1::2] = ll + hl + lh + hh
    return samples
