"""Distortion of pictures [batch, channels, rows, columns] on the 0..255 scale, differentiable.

The measures are those of `picture_quality.metrics`, which holds their constants.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from picture_quality.metrics import C1, C2, PEAK, SCALE_WEIGHTS, SMALLEST_SIDE, SPREAD, WINDOW


def psnr(a: Tensor, b: Tensor) -> float:
    """Peak signal-to-noise ratio in dB over all samples; infinite for equal pictures."""
    error = float(((a - b) ** 2).mean())
    return 10 * math.log10(PEAK**2 / error) if error else math.inf


def ms_ssim(a: Tensor, b: Tensor) -> Tensor:
    """[batch]: multi-scale structural similarity (five scales, Gaussian window), mean over channels.

    Raises ValueError for pictures smaller than 176 samples.
    """
    if min(a.shape[2:]) < SMALLEST_SIDE:
        raise ValueError(f"MS-SSIM needs {SMALLEST_SIDE} rows and columns, not {tuple(a.shape[2:])}")
    product = torch.ones(a.shape[:2], device=a.device)
    for scale, weight in enumerate(SCALE_WEIGHTS):
        luminance, contrast = _similarity(a, b)
        last = scale == len(SCALE_WEIGHTS) - 1
        value = (luminance * contrast if last else contrast).mean((2, 3))
        product = product * value.clamp(min=1e-6) ** weight
        a, b = functional.avg_pool2d(a, 2), functional.avg_pool2d(b, 2)
    return product.mean(1)


def _similarity(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Luminance term and contrast-structure term at every position."""
    mean_a, mean_b = _blur(a), _blur(b)
    variances = _blur(a * a) - mean_a**2 + _blur(b * b) - mean_b**2
    covariance = _blur(a * b) - mean_a * mean_b
    luminance = (2 * mean_a * mean_b + C1) / (mean_a**2 + mean_b**2 + C1)
    return luminance, (2 * covariance + C2) / (variances + C2)


def _blur(x: Tensor) -> Tensor:
    """Gaussian window, only where it fits."""
    offsets = torch.arange(WINDOW, device=x.device, dtype=x.dtype) - WINDOW // 2
    taps = torch.exp(-(offsets**2) / (2 * SPREAD**2))
    taps = taps / taps.sum()
    channels = x.shape[1]
    column, row = taps.reshape(1, 1, -1, 1), taps.reshape(1, 1, 1, -1)
    x = functional.conv2d(x, column.expand(channels, 1, -1, 1), groups=channels)
    return functional.conv2d(x, row.expand(channels, 1, 1, -1), groups=channels)
