"""How far a decoded picture is from its original: full-reference metrics of uint8 pictures [row, column, RGB].

Luma is that of BT.709. MS-SSIM follows Wang, Simoncelli and Bovik (2003), the mean over R, G and B, with the definition
of `training.quality`; VIF is the pixel-domain form of Sheikh and Bovik's "Image information and visual quality" (2006)
on luma; PSNR-HVS-M (Ponomarenko and others, 2007) on luma is that of the package psnr-hvsm, if it is installed.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jpegai_mobile.image.colour import BLUE, GREEN, RED

Picture = NDArray[np.uint8]
Plane = NDArray[np.float64]

PEAK = 255.0
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
WINDOW, SPREAD = 11, 1.5
C1, C2 = (0.01 * PEAK) ** 2, (0.03 * PEAK) ** 2
SMALLEST_SIDE = WINDOW * 2 ** (len(SCALE_WEIGHTS) - 1)
"""Fewest rows and columns that MS-SSIM is defined for."""

VIF_WINDOWS = (17, 9, 5, 3)
VIF_NOISE = 2.0
"""Variance of the visual noise on the 0..255 scale."""
_TINY = 1e-10
_HVS_BLOCK = 8


@dataclass(frozen=True)
class Quality:
    """All metrics of a decoded picture."""

    psnr_rgb: float
    """dB over all samples; infinite for equal pictures."""
    psnr_y: float
    ms_ssim: float
    """0..1."""
    psnr_hvs_m: float
    """dB; not a number without the package psnr-hvsm."""
    vif: float
    """0..1 as a rule."""


def compare(original: Picture, decoded: Picture) -> Quality:
    """Every metric; raises ValueError for pictures of different size, or below 176 rows or columns."""
    if original.shape != decoded.shape:
        raise ValueError(f"pictures of {original.shape} and {decoded.shape} samples cannot be compared")
    y, decoded_y = luma(original), luma(decoded)
    return Quality(
        psnr(original, decoded), psnr(y, decoded_y), ms_ssim(original, decoded), psnr_hvs_m(y, decoded_y),
        vif(y, decoded_y),
    )  # fmt: skip


def luma(picture: Picture) -> Plane:
    """BT.709 luma, 0..255, not rounded."""
    y: Plane = picture.astype(np.float64) @ np.array((RED, GREEN, BLUE))
    return y


def psnr(first: NDArray[np.generic], second: NDArray[np.generic], peak: float = PEAK) -> float:
    """PSNR in dB of samples in 0..peak; infinite where they are equal."""
    error = float(np.mean(np.square(first.astype(np.float64) - second.astype(np.float64))))
    return math.inf if error == 0 else 10 * math.log10(peak**2 / error)


def ms_ssim(original: Picture, decoded: Picture) -> float:
    """Multi-scale structural similarity, mean over the channels; raises ValueError below 176 rows or columns."""
    if min(original.shape[:2]) < SMALLEST_SIDE:
        raise ValueError(f"MS-SSIM needs {SMALLEST_SIDE} rows and columns, not {original.shape[:2]}")
    channels = range(original.shape[2])
    return float(np.mean([_ms_ssim_of_plane(original[..., c], decoded[..., c]) for c in channels]))


def _ms_ssim_of_plane(original: Picture, decoded: Picture) -> float:
    a, b = original.astype(np.float64), decoded.astype(np.float64)
    product = 1.0
    for scale, weight in enumerate(SCALE_WEIGHTS):
        moments = _moments(a, b, WINDOW, SPREAD)
        similarity = (2 * moments.covariance + C2) / (moments.variance_a + moments.variance_b + C2)
        if scale == len(SCALE_WEIGHTS) - 1:
            mean_a, mean_b = moments.mean_a, moments.mean_b
            similarity *= (2 * mean_a * mean_b + C1) / (mean_a**2 + mean_b**2 + C1)
        product *= max(float(similarity.mean()), 1e-6) ** weight
        a, b = _halved(a), _halved(b)
    return product


def vif(original: Plane, decoded: Plane) -> float:
    """Visual information fidelity of planes in 0..255: information that is left, relative to that of the original."""
    left = whole = 0.0
    for scale, window in enumerate(VIF_WINDOWS):
        if scale:
            original, decoded = (_blur(plane, window, window / 5)[::2, ::2] for plane in (original, decoded))
        moments = _moments(original, decoded, window, window / 5)
        signal, received = np.maximum(moments.variance_a, 0), np.maximum(moments.variance_b, 0)
        # The channel is a gain and noise; nothing arrives where either side is flat or the gain would be negative.
        gain = moments.covariance / (signal + _TINY)
        arrives = (signal >= _TINY) & (received >= _TINY) & (gain > 0)
        gain = np.where(arrives, gain, 0)
        noise = np.maximum(received - gain * moments.covariance, _TINY)
        left += float(np.log1p(gain**2 * signal / (noise + VIF_NOISE)).sum())
        whole += float(np.log1p(signal / VIF_NOISE).sum())
    return left / whole if whole else 1.0


def psnr_hvs_m(original: Plane, decoded: Plane) -> float:
    """PSNR in dB weighted by contrast sensitivity and masking, over whole blocks of 8 x 8."""
    package = hvs_package()
    if package is None:
        return math.nan
    rows, columns = (length - length % _HVS_BLOCK for length in original.shape)
    a, b = (np.ascontiguousarray(plane[:rows, :columns]) / PEAK for plane in (original, decoded))
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(package.psnr_hvs_hvsm(a, b)[1])


@cache
def hvs_package() -> Any:
    """The package psnr-hvsm, or None; what it prints when it is loaded is not for our readers."""
    with contextlib.redirect_stdout(io.StringIO()):
        try:
            return importlib.import_module("psnr_hvsm")
        except ImportError:
            return None


@dataclass(frozen=True)
class _Moments:
    """Means, variances and covariance in the window around every position where it fits."""

    mean_a: Plane
    mean_b: Plane
    variance_a: Plane
    variance_b: Plane
    covariance: Plane


def _moments(a: Plane, b: Plane, window: int, spread: float) -> _Moments:
    mean_a, mean_b = _blur(a, window, spread), _blur(b, window, spread)
    return _Moments(
        mean_a, mean_b, _blur(a * a, window, spread) - mean_a**2, _blur(b * b, window, spread) - mean_b**2,
        _blur(a * b, window, spread) - mean_a * mean_b,
    )  # fmt: skip


def _blur(plane: Plane, window: int, spread: float) -> Plane:
    """Gaussian window, only where it fits."""
    offsets = np.arange(window) - window // 2
    taps = np.exp(-(offsets**2) / (2 * spread**2))
    taps /= taps.sum()
    for _ in range(2):  # along the rows; turned, along the columns; turned back
        plane = sum(tap * part for tap, part in zip(taps, _shifted(plane, window), strict=True)).T
    return plane


def _shifted(plane: Plane, window: int) -> Iterator[Plane]:
    rows = plane.shape[0] - window + 1
    for start in range(window):
        yield plane[start : start + rows]


def _halved(plane: Plane) -> Plane:
    """Means of 2 x 2 samples; a last odd row or column is dropped."""
    rows, columns = (length // 2 * 2 for length in plane.shape)
    even = plane[:rows, :columns]
    return (even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]) / 4
