"""The entropy stage of the native core, with the results of the plain one."""

from __future__ import annotations

import ctypes as c
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..codestream.components import Component
from ..codestream.stream import DEFAULT_MAX_SAMPLES
from ..latent.entropy_stage import ComponentArrays, EntropyArrays
from .binding import NativeContext, Options

MAX_UINT64 = (1 << 64) - 1


class _ComponentArrays(c.Structure):
    """jai_component_arrays."""

    _fields_ = (
        ("channels", c.c_uint32),
        ("rows", c.c_uint32),
        ("columns", c.c_uint32),
        ("z_rows", c.c_uint32),
        ("z_columns", c.c_uint32),
        ("z", c.c_void_p),
        ("scale_index", c.c_void_p),
        ("sigma", c.c_void_p),
        ("skip_mask", c.c_void_p),
        ("residual", c.c_void_p),
    )


class _Arrays(c.Structure):
    """jai_arrays."""

    _fields_ = (("component", _ComponentArrays * 2), ("quality_map", c.c_void_p))


def decode_entropy_stage(
    data: bytes,
    model: bytes,
    *,
    max_channels: tuple[int, int] | None = None,
    max_samples: int = DEFAULT_MAX_SAMPLES,
    allow_missing_regions: bool = False,
    byte_limit: int | None = None,
) -> EntropyArrays:
    """Arrays of a code stream, from its bytes and those of `entropy_<model>.bin`.

    `byte_limit` is the most memory that the native core may hold at a time, its result included. Raises
    InvalidStream, Unsupported, LimitExceeded or BundleError.
    """
    context = NativeContext(byte_limit)
    options = stream_options(context, max_samples, allow_missing_regions)
    if max_channels is not None:
        options.max_channels[:] = [min(max_channels[i], i.channels) for i in Component]
    stream = context.open("stream", "jai_stream_open", data, len(data), c.byref(options))
    tables = context.open("model", "jai_model_open", model, len(model))
    arrays = c.c_void_p()
    context.call("jai_stream_decode", stream, tables, c.byref(options), c.byref(arrays))
    context.close(tables)
    return _entropy_arrays(context, _Arrays.from_address(arrays.value or 0))


def stream_options(context: NativeContext, max_samples: int, allow_missing_regions: bool = False) -> Options:
    """The library's default options with the given limit."""
    options = Options()
    context.library.jai_options_init(c.byref(options))
    options.max_samples = min(max_samples, MAX_UINT64)
    options.allow_missing_regions = allow_missing_regions
    return options


def _entropy_arrays(context: NativeContext, arrays: _Arrays) -> EntropyArrays:
    luma, chroma = (_component_arrays(context, component) for component in arrays.component)
    quality_map = None
    if arrays.quality_map:
        quality_map = _view(context, arrays.quality_map, np.int8, luma.residual.shape[1:])
    return EntropyArrays((luma, chroma), quality_map)


def _component_arrays(context: NativeContext, a: _ComponentArrays) -> ComponentArrays:
    latents = (a.channels, a.rows, a.columns)
    return ComponentArrays(
        z=_view(context, a.z, np.int8, (a.channels, a.z_rows, a.z_columns)),
        scale_index=_view(context, a.scale_index, np.int32, latents),
        sigma=_view(context, a.sigma, np.int32, latents),
        skip_mask=_view(context, a.skip_mask, np.bool_, latents),
        residual=_view(context, a.residual, np.int16, latents),
    )


def _view(context: NativeContext, address: int, dtype: DTypeLike, shape: tuple[int, ...]) -> NDArray[Any]:
    """An array over memory of the library, which lives as long as the array."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    memory: Any = (c.c_char * size).from_address(address)
    memory.owner = context
    return np.frombuffer(memory, dtype).reshape(shape)
