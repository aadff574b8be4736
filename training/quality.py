"""Distortion of pictures [batch, channels, rows, columns] on the 0..255 scale, differentiable.

The measures are those of `picture_quality.metrics`, which holds their constants.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from picture_quality.metrics import C1, C2, PEAK, SCALE_WEIGHTS, SMALLEST_SIDE, SPREAD, WINDOW


def psnr(a: Tensor, b: Tensor) -> float:
    """Peak signal-to-noise ratio in dB over all samples; infinite for equal pictures."""
    error = float(((a - b) ** 2).mean())
    return 10 * math.log10(PEAK**2 / error) if error else math.inf


class MsSsim:
    """Multi-scale structural similarity to a source: five scales, Gaussian window, mean over channels.

    What depends on the source alone is computed once, for any number of pictures. Raises ValueError for sources
    smaller than 176 samples.
    """

    def __init__(self, source: Tensor) -> None:
        if min(source.shape[2:]) < SMALLEST_SIDE:
            raise ValueError(f"MS-SSIM needs {SMALLEST_SIDE} rows and columns, not {tuple(source.shape[2:])}")
        self._scales: list[_Moments] = []
        for _ in SCALE_WEIGHTS:
            self._scales.append(_moments(source))
            source = functional.avg_pool2d(source, 2)

    def __call__(self, picture: Tensor) -> Tensor:
        """[batch]: the similarity of a picture of the source's shape."""
        product = torch.ones(picture.shape[:2], device=picture.device)
        for scale, (source, weight) in enumerate(zip(self._scales, SCALE_WEIGHTS, strict=True)):
            luminance, contrast = _similarity(picture, source)
            last = scale == len(SCALE_WEIGHTS) - 1
            value = (luminance * contrast if last else contrast).mean((2, 3))
            product = product * value.clamp(min=1e-6) ** weight
            picture = functional.avg_pool2d(picture, 2)
        return product.mean(1)


class _Moments(NamedTuple):
    """A picture with its mean and its variance around every sample."""

    picture: Tensor
    mean: Tensor
    variance: Tensor


def _moments(picture: Tensor) -> _Moments:
    mean, square = _blur(picture, picture * picture)
    return _Moments(picture, mean, square - mean**2)


def _similarity(a: Tensor, b: _Moments) -> tuple[Tensor, Tensor]:
    """Luminance term and contrast-structure term at every position."""
    mean, square, product = _blur(a, a * a, a * b.picture)
    variances = square - mean**2 + b.variance
    covariance = product - mean * b.mean
    luminance = (2 * mean * b.mean + C1) / (mean**2 + b.mean**2 + C1)
    return luminance, (2 * covariance + C2) / (variances + C2)


def _blur(*tensors: Tensor) -> tuple[Tensor, ...]:
    """Gaussian window over each tensor, only where it fits."""
    x = torch.cat(tensors, 1)
    offsets = torch.arange(WINDOW, device=x.device, dtype=x.dtype) - WINDOW // 2
    taps = torch.exp(-(offsets**2) / (2 * SPREAD**2))
    taps = taps / taps.sum()
    channels = x.shape[1]
    column, row = taps.reshape(1, 1, -1, 1), taps.reshape(1, 1, 1, -1)
    x = functional.conv2d(x, column.expand(channels, 1, -1, 1), groups=channels)
    return functional.conv2d(x, row.expand(channels, 1, 1, -1), groups=channels).chunk(len(tensors), 1)
