"""Per-sample work outside the networks, by the library of `pixels/` where it was built, else by its NumPy twins.

Both give the same bits; the twins, in `image/`, are the contract.
"""

from __future__ import annotations

import ctypes as c
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..image import colour
from ..image.colour import Samples
from ..image.planes import Plane, Planes
from .binding import load_library

Array = NDArray[np.float32]

_POINTER, _SIZE = c.c_void_p, c.c_size_t
_SIGNATURES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    **{f"jai_quantise{bits}": (None, (_POINTER, _SIZE, _POINTER)) for bits in (8, 10)},
    **{f"jai_yuv_to_rgb{bits}": (None, (_POINTER, _POINTER, _POINTER, _SIZE, _POINTER)) for bits in (8, 10)},
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


def _empty_samples(shape: tuple[int, ...], bit_depth: int) -> Samples:
    return np.empty(shape, np.uint8) if bit_depth == 8 else np.empty(shape, np.uint16)
