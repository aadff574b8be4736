"""RVS and GRFS: residual variance scale and group-wise residual factor, chosen by the local mean of sigma.

Both are a scale per block of 8x8 latents that the encoder multiplied the residual with: the decoder adds its logarithm
to sigma, and divides the residual by it. Constants are those of the standard, per model and coding tool.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..codestream.picture_header import ComponentHeader

BREAKPOINTS = ((1004, 1353, 1938), (1004, 1271, 1909), (1004, 1379, 1935), (1004, 1297, 1909))
"""Per model: block averages of sigma at which the scale changes."""

UNIT_SCALE = 128
GRFS_OFF, GRFS_FLAG_SET, GRFS_FLAG_CLEAR = range(3)

RVS_SCALES = (
    ((115, 125, 146, 160), (122, 132, 155, 170), (113, 122, 143, 157)),
    ((115, 122, 125, 160), (122, 129, 132, 170), (113, 120, 122, 157)),
    ((115, 130, 156, 175), (122, 138, 165, 186), (113, 127, 153, 172)),
    ((115, 130, 156, 160), (122, 138, 165, 170), (113, 127, 153, 157)),
)
"""Scales with 7 fractional bits: [model][GRFS off, channel flag 1, channel flag 0][interval]."""

GRFS_SCALES = (UNIT_SCALE, 136, 125)
"""Scales with RVS off: GRFS off, channel flag 1, channel flag 0."""

LOG_OFFSET_OF_SCALE = {
    113: -80, 115: -68, 120: -41, 122: -31, 125: -15, 127: -5, 128: 0, 129: 5, 130: 10, 132: 20, 136: 39, 138: 48,
    143: 71, 146: 84, 153: 114, 155: 122, 156: 126, 157: 130, 160: 143, 165: 162, 170: 181, 172: 189, 175: 200,
    186: 239,
}  # fmt: skip
"""round(128 * ln(scale / 128) / k) with k = ln(54.82 / 0.11) / 31, as integers."""


def scales_residual(header: ComponentHeader) -> bool:
    """Whether RVS or GRFS is on."""
    return bool(header.rvs_enable_flag or header.grfs_enable_flag)


def residual_scale(
    block_averages: NDArray[np.int32], header: ComponentHeader, model_id: int
) -> NDArray[np.int32] | None:
    """The scale (7 fractional bits) of every block from the block averages of sigma, int32 [C, ceil(h/8), ceil(w/8)].

    None when neither tool is on.
    """
    if not scales_residual(header):
        return None
    scale = np.empty_like(block_averages)
    for channel, values in enumerate(block_averages):
        group = _grfs_group(header, channel)
        if header.rvs_enable_flag:
            interval = np.searchsorted(BREAKPOINTS[model_id], values, side="right")
            scale[channel] = np.array(RVS_SCALES[model_id][group], np.int32)[interval]
        else:
            scale[channel] = GRFS_SCALES[group]
    return scale


def _grfs_group(header: ComponentHeader, channel: int) -> int:
    if not header.grfs_enable_flag:
        return GRFS_OFF
    flagged = channel < header.num_chs and header.grfs_channel_flag[channel]
    return GRFS_FLAG_SET if flagged else GRFS_FLAG_CLEAR


def log_offset(scale: NDArray[np.int32]) -> NDArray[np.int32]:
    """What a scale adds to sigma in the log domain."""
    table = np.zeros(max(LOG_OFFSET_OF_SCALE) + 1, np.int32)
    table[list(LOG_OFFSET_OF_SCALE)] = list(LOG_OFFSET_OF_SCALE.values())
    return table[scale]


def decoder_multiplier(scale: NDArray[np.int32]) -> NDArray[np.int32]:
    """What the decoder multiplies a residual with, 16 fractional bits: round(2^23 / scale)."""
    return ((1 << 24) // scale + 1) >> 1
