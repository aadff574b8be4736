"""Colour conversion (ITU-R BT.709, full range) and rounding to the bit depth of the output.

All arithmetic is float32 on samples scaled to 0..1; halves are rounded to even.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .planes import Plane, Planes

RED, GREEN, BLUE = 0.2126, 0.7152, 0.0722
"""Parts of the primaries in luma."""
RED_RANGE, BLUE_RANGE = 1.5748, 1.8556
"""Range of R - Y and B - Y relative to that of Y."""

FULL = np.float32(255)
"""Largest sample of a float plane."""
BAND = 64
"""Rows converted at a time, so that intermediate planes stay small."""

Samples = NDArray[np.uint8] | NDArray[np.uint16]
"""Output samples: uint8 for 8 bit, uint16 (0..1023) for 10 bit."""


def from_raw(raw: NDArray[np.float32]) -> Plane:
    """What a synthesis transform gives, any float32 [row, column], as samples 0..255."""
    plane: Plane = raw * np.float32(128)
    plane += np.float32(127.5)
    return np.clip(plane, 0, FULL, out=plane)


def clamped(planes: Planes) -> Planes:
    """The samples of a picture held to 0..255, which filters and resampling overshoot."""
    y, u, v = (np.clip(plane, 0, FULL) for plane in (planes.y, planes.u, planes.v))
    return Planes(y, u, v)


def sample_type(bit_depth: int) -> np.dtype[Any]:
    """What output samples of a bit depth are stored in."""
    return np.dtype(np.uint8 if bit_depth == 8 else np.uint16)


def quantise(plane: Plane, bit_depth: int) -> Samples:
    """Float samples (0..255) rounded to integers of `bit_depth` bits and clamped."""
    peak = (1 << bit_depth) - 1
    scaled = plane if peak == FULL else plane / FULL * np.float32(peak)
    rounded = np.clip(np.round(scaled), 0, peak)
    samples: Samples = rounded.astype(sample_type(bit_depth))
    return samples


def yuv_to_rgb(planes: Planes, bit_depth: int) -> Samples:
    """Interleaved [row, column, (R, G, B)] samples of a 4:4:4 picture."""
    rgb: Samples = np.empty((*planes.size, 3), sample_type(bit_depth))
    for top in range(0, planes.size[0], BAND):
        band = slice(top, top + BAND)
        y = planes.y[band] / FULL
        u = planes.u[band] / FULL - np.float32(0.5)
        v = planes.v[band] / FULL - np.float32(0.5)
        red = y + np.float32(RED_RANGE) * v
        green = y - np.float32(BLUE * BLUE_RANGE / GREEN) * u - np.float32(RED * RED_RANGE / GREEN) * v
        blue = y + np.float32(BLUE_RANGE) * u
        for channel, plane in enumerate((red, green, blue)):
            rgb[band, :, channel] = quantise(plane * FULL, bit_depth)
    return rgb


def rgb_to_yuv(rgb: Samples, bit_depth: int) -> Planes:
    """4:4:4 planes (0..255) of interleaved [row, column, (R, G, B)] samples of `bit_depth` bits."""
    peak = np.float32((1 << bit_depth) - 1)
    red, green, blue = (rgb[..., channel].astype(np.float32) / peak for channel in range(3))
    y = np.float32(RED) * red + np.float32(GREEN) * green + np.float32(BLUE) * blue
    u = (blue - y) / np.float32(BLUE_RANGE) + np.float32(0.5)
    v = (red - y) / np.float32(RED_RANGE) + np.float32(0.5)
    return Planes(y * FULL, u * FULL, v * FULL)
