"""Residual symbols to float residuals: the inverse of the encoder's scaling, in reproducible float32 steps."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ..latent.quality_map import MAX_QUALITY
from ..latent.residual_scaling import decoder_multiplier

LOG_STEP = math.log(54.82 / 0.11) / 31
"""Natural logarithm of the ratio of neighbouring scales (32 of them from 0.11 to 54.82)."""
SCALER_ONE = 1024
EPSILON = np.float32(1e-9)
QUALITY_SIXTEENTHS = np.array([4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 23, 27, 32, 39, 46, 54, 64], np.float32)
"""Step multiplier times 16 for the quality map values -8..8."""


def scaler(log_value: NDArray[np.int32]) -> NDArray[np.float32]:
    """Multiplier that the encoder applied for gain plus beta displacement: exp of it, in units of 1/1024.

    The exponential is taken in float64 and rounded to float32, so that no float32 `exp` of a platform matters.
    """
    argument = log_value.astype(np.float32) / np.float32(128) * np.float32(LOG_STEP)
    exponential = np.exp(argument.astype(np.float64)).astype(np.float32)
    rounded: NDArray[np.float32] = np.round(exponential * np.float32(SCALER_ONE))
    return (rounded / np.float32(SCALER_ONE)).astype(np.float32)


def channel_scalers(gain: NDArray[np.int16], beta_displacement_log: int) -> NDArray[np.float32]:
    """[C] multipliers of a component with a gain vector [C], without RVS, GRFS and quality map."""
    return scaler(gain.astype(np.int32) + beta_displacement_log)


def dequantise(
    residual: NDArray[np.int16],
    scalers: NDArray[np.float32],
    scale: NDArray[np.int32] | None,
    quality_map: NDArray[np.int8] | None,
) -> NDArray[np.float32]:
    """Residual float32 [row, column, channel] from symbols [row, column, channel].

    `scalers` has one value per channel (see `scaler`), `scale` is that of RVS and GRFS [channel, row, column] (7
    fractional bits), `quality_map` is [row, column]; the last two are None where the tool is off.
    """
    values = residual.astype(np.float32)
    if scale is not None:
        values *= decoder_multiplier(scale).transpose(1, 2, 0).astype(np.float32)
        values /= np.float32(1 << 16)
    if quality_map is not None:
        sixteenths = QUALITY_SIXTEENTHS[quality_map.astype(np.int32) + MAX_QUALITY]
        values /= (sixteenths / np.float32(16) + EPSILON)[..., np.newaxis]
    values /= scalers + EPSILON
    return values
