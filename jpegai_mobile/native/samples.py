"""Per-sample work outside the networks, by the library of `pixels/` where it was built, else by its NumPy twins.

Both give the same bits; the twins, in `image/` and `filters/`, are the contract.
"""

from __future__ import annotations

import ctypes as c
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..filters.lef import lef as plain_lef
from ..image import colour
from ..image.colour import Samples
from ..image.planes import Plane, Planes
from .binding import load_library

if TYPE_CHECKING:
    from ..image.resampling import Taps

Array = NDArray[np.float32]

_POINTER, _SIZE = c.c_void_p, c.c_size_t


class _Taps(c.Structure):
    """jai_taps."""

    _fields_ = (("index", _POINTER), ("weight", _POINTER), ("count", _SIZE), ("outputs", _SIZE))


class _LefSigma(c.Structure):
    """jai_lef_sigma."""

    _fields_ = (("values", _POINTER), ("rows", _SIZE), ("columns", _SIZE))


_SIGNATURES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    **{f"jai_quantise{bits}": (None, (_POINTER, _SIZE, _POINTER)) for bits in (8, 10)},
    **{f"jai_yuv_to_rgb{bits}": (None, (_POINTER, _POINTER, _POINTER, _SIZE, _POINTER)) for bits in (8, 10)},
    "jai_resample_columns": (None, (c.POINTER(_Taps), _POINTER, _SIZE, _SIZE, _POINTER)),
    "jai_resample_rows": (None, (c.POINTER(_Taps), _POINTER, *(_SIZE,) * 4, _POINTER)),
    "jai_lef": (None, (_POINTER, _SIZE, _SIZE, c.POINTER(_LefSigma), c.c_uint, _SIZE, _SIZE, _POINTER)),
    "jai_samples": (None, (_POINTER, _SIZE, _SIZE, _SIZE, _SIZE, _POINTER, _SIZE)),
}


@cache
def library() -> Any:
    """The library, None where it was not built."""
    try:
        return load_library("jai_pixels", _SIGNATURES)
    except ImportError:
        return None


def quantise(plane: Plane, bit_depth: int) -> Samples:
    """As `colour.quantise`."""
    functions = library()
    if functions is None:
        return colour.quantise(plane, bit_depth)
    plane = np.ascontiguousarray(plane)
    samples = _empty_samples(plane.shape, bit_depth)
    getattr(functions, f"jai_quantise{bit_depth}")(plane.ctypes.data, plane.size, samples.ctypes.data)
    return samples


def yuv_to_rgb(planes: Planes, bit_depth: int) -> Samples:
    """As `colour.yuv_to_rgb`; raises ValueError where chroma is subsampled."""
    functions = library()
    if functions is None:
        return colour.yuv_to_rgb(planes, bit_depth)
    y, u, v = (np.ascontiguousarray(plane) for plane in (planes.y, planes.u, planes.v))
    if not y.shape == u.shape == v.shape:
        raise ValueError(f"planes {y.shape}, {u.shape}, {v.shape} are not of one size")
    rgb = _empty_samples((*planes.size, 3), bit_depth)
    convert = getattr(functions, f"jai_yuv_to_rgb{bit_depth}")
    convert(y.ctypes.data, u.ctypes.data, v.ctypes.data, y.size, rgb.ctypes.data)
    return rgb


def from_raw(raw: Array) -> Plane:
    """As `colour.from_raw`."""
    functions = library()
    if functions is None:
        return colour.from_raw(raw)
    rows, columns = raw.shape
    lines = [stride // raw.itemsize for stride in raw.strides]
    plane = np.empty(raw.shape, np.float32)
    functions.jai_samples(raw.ctypes.data, *lines, rows, columns, plane.ctypes.data, columns)
    return plane


def resample_columns(taps: Taps, source: Plane) -> Plane:
    """As `Taps.columns`."""
    functions = library()
    if functions is None:
        return taps.columns(source)
    source = np.ascontiguousarray(source)
    index, weight = _contiguous(taps)
    target = np.empty((len(source), weight.shape[1]), np.float32)
    structure = _Taps(index.ctypes.data, weight.ctypes.data, *weight.shape)
    functions.jai_resample_columns(
        c.byref(structure), source.ctypes.data, source.shape[1], len(source), target.ctypes.data
    )
    return target


def resample_rows(taps: Taps, source: Plane, first: int, start: int, stop: int) -> Plane:
    """As `Taps.rows`."""
    functions = library()
    if functions is None or start == stop:
        return taps.rows(source, first, start, stop)
    source = np.ascontiguousarray(source)
    index, weight = _contiguous(taps)
    low, high = taps.source(start, stop)
    if first > low or high > first + len(source):
        raise ValueError(f"rows {first}..{first + len(source) - 1} are not all of {low}..{high - 1}")
    target = np.empty((stop - start, source.shape[1]), np.float32)
    structure = _Taps(index.ctypes.data, weight.ctypes.data, *weight.shape)
    functions.jai_resample_rows(
        c.byref(structure), source.ctypes.data, first, source.shape[1], start, stop, target.ctypes.data
    )
    return target


def _contiguous(taps: Taps) -> tuple[NDArray[np.int64], Array]:
    return np.ascontiguousarray(taps.index, np.int64), np.ascontiguousarray(taps.weight)


def lef(luma: Plane, sigma: NDArray[np.int32], model_id: int) -> Plane:
    """As `filters.lef.lef`."""
    functions = library()
    if functions is None:
        return plain_lef(luma, sigma, model_id)
    luma, sigma = np.ascontiguousarray(luma), np.ascontiguousarray(sigma, np.int32)
    latents = _LefSigma(sigma.ctypes.data, *sigma.shape)
    sharpened = np.empty_like(luma)
    functions.jai_lef(luma.ctypes.data, *luma.shape, c.byref(latents), model_id, 0, len(luma), sharpened.ctypes.data)
    return sharpened


def _empty_samples(shape: tuple[int, ...], bit_depth: int) -> Samples:
    return np.empty(shape, np.uint8) if bit_depth == 8 else np.empty(shape, np.uint16)
