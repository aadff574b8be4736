"""The integer network that turns hyper latents z into sigma indices; the same bits on every machine."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .model_tables import UPSAMPLING, ComponentTables, IntegerConvolution

MAX_SIGMA_INDEX = 31 * 128 - 1
"""Largest output: 31 table steps with 7 fractional bits."""


def hyper_scale_decoder(
    z: NDArray[np.int8], tables: ComponentTables, latent_size: tuple[int, int]
) -> NDArray[np.int32]:
    """Sigma index int32 [C, h, w] in 0..3967 from z int8 [C, rows, columns] for a latent of h x w."""
    conv1, depthwise, pointwise = tables.hyper_scale_decoder
    x = _convolution(z.astype(np.int32), conv1)
    x = _convolution(np.maximum(x, 0), depthwise)
    x = _convolution(np.maximum(x, 0), pointwise)
    rows, columns = latent_size
    x = _pixel_shuffle(x)[:, :rows, :columns]
    # |-2^31| would overflow 32 bits, so the ceiling is applied to both signs first.
    return np.abs(np.clip(x, -MAX_SIGMA_INDEX, MAX_SIGMA_INDEX))


def _convolution(x: NDArray[np.int32], layer: IntegerConvolution) -> NDArray[np.int32]:
    """int8 convolution with zero padding, 32-bit accumulation and an arithmetic shift per output channel."""
    x = np.clip(x, -128, 127)
    out_channels, in_channels, kernel, _ = layer.weight.shape
    margin = kernel // 2
    padded = np.pad(x, ((0, 0), (margin, margin), (margin, margin)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (kernel, kernel), axis=(1, 2))
    columns = windows.transpose(0, 3, 4, 1, 2).reshape(in_channels * kernel * kernel, -1)
    sums = layer.weight.reshape(out_channels, -1).astype(np.int32) @ columns
    sums = (sums + layer.bias[:, None]) >> layer.shift[:, None].astype(np.int32)
    return sums.reshape(out_channels, *x.shape[1:])


def _pixel_shuffle(x: NDArray[np.int32]) -> NDArray[np.int32]:
    """Channel 16c + 4*dy + dx becomes channel c at sub-position (dy, dx)."""
    channels, rows, columns = x.shape
    r = UPSAMPLING
    x = x.reshape(channels // (r * r), r, r, rows, columns).transpose(0, 3, 1, 4, 2)
    return x.reshape(channels // (r * r), rows * r, columns * r)
