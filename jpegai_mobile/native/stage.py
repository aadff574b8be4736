"""The entropy stage of the native core, with the results of the plain one."""

from __future__ import annotations

import ctypes as c
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..codestream.components import Component
from ..codestream.stream import DEFAULT_MAX_SAMPLES, CodeStream
from ..codestream.tiling import Rectangle
from ..latent.block_average import BLOCK
from ..latent.decoded_symbols import DecodedSymbols, reads_block_averages
from ..latent.entropy_stage import ComponentArrays, EntropyArrays
from .binding import NativeContext, Options

MAX_UINT64 = (1 << 64) - 1
SCALE_INDEX, SIGMA, SKIP_MASK, BLOCK_AVERAGE, LEF_SIGMA = (1 << bit for bit in range(5))
"""Bits of jai_options.arrays."""
SPARSE_RESIDUAL = 64
"""Another one: the residual is kept without its zeros."""
MODELS_HELD = 4
"""Models that stay open: those of a codec."""


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
        ("block_average", c.c_void_p),
    )


class _Arrays(c.Structure):
    """jai_arrays."""

    _fields_ = (("component", _ComponentArrays * 2), ("quality_map", c.c_void_p), ("lef_sigma", c.c_void_p))


@dataclass(frozen=True, eq=False)
class SparseResidual:
    """Residual symbols of a component in memory of the library, without their zeros."""

    context: NativeContext
    stream: c.c_void_p
    component: Component
    size: tuple[int, int]
    """Rows and columns of latents."""

    def window(self, window: Rectangle) -> NDArray[np.int16]:
        """As in `ResidualSymbols`; raises ValueError for a window outside of the picture."""
        if window.intersection(Rectangle(0, 0, *self.size)) != window:
            raise ValueError(f"{window} is not inside of {self.size[0]} x {self.size[1]} latents")
        values = np.empty((window.height, window.width, self.component.channels), np.int16)
        self.context.functions.jai_residual_window(
            self.stream, self.component, window.top, window.left, window.height, window.width, values.ctypes.data
        )
        return values


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

    `byte_limit` is the most memory that the native core may hold at a time, its result included; models, which stay
    open from one decode to the next, are not counted. Raises InvalidStream, Unsupported, LimitExceeded or BundleError.
    """
    wanted = SCALE_INDEX | SIGMA | SKIP_MASK
    context, _, arrays = _decode(data, model, wanted, max_channels, max_samples, allow_missing_regions, byte_limit)
    luma, chroma = (_component_arrays(context, component) for component in arrays.component)
    return EntropyArrays((luma, chroma), _quality_map(context, arrays))


def decode_symbols(
    data: bytes,
    stream: CodeStream,
    model: bytes,
    *,
    max_channels: tuple[int, int] | None = None,
    max_samples: int = DEFAULT_MAX_SAMPLES,
    allow_missing_regions: bool = False,
    byte_limit: int | None = None,
    skipped_regions: Collection[int] = (),
) -> DecodedSymbols:
    """What the reconstruction needs of a code stream; `stream` are the headers of `data`.

    Takes a small part of the memory of all arrays. `skipped_regions` are numbers of independent regions that are
    treated as missing, whatever their sub-streams hold. Raises what `decode_entropy_stage` raises.
    """
    averages = [reads_block_averages(stream, component) for component in Component]
    wanted = SPARSE_RESIDUAL | LEF_SIGMA | (BLOCK_AVERAGE if any(averages) else 0)
    context, opened, arrays = _decode(
        data, model, wanted, max_channels, max_samples, allow_missing_regions, byte_limit, skipped_regions
    )
    luma, chroma = arrays.component
    luma_averages, chroma_averages = (
        _block_averages(context, arrays.component[i]) if averages[i] else None for i in Component
    )
    return DecodedSymbols(
        (_z(context, luma), _z(context, chroma)),
        (
            SparseResidual(context, opened, Component.LUMA, (luma.rows, luma.columns)),
            SparseResidual(context, opened, Component.CHROMA, (chroma.rows, chroma.columns)),
        ),
        _quality_map(context, arrays),
        (luma_averages, chroma_averages),
        _view(context, arrays.lef_sigma, np.int32, (luma.rows, luma.columns)) if arrays.lef_sigma else None,
    )


def _decode(
    data: bytes,
    model: bytes,
    wanted: int,
    max_channels: tuple[int, int] | None,
    max_samples: int,
    allow_missing_regions: bool,
    byte_limit: int | None,
    skipped_regions: Collection[int] = (),
) -> tuple[NativeContext, c.c_void_p, _Arrays]:
    """Decode the arrays that are `wanted`; they and the stream live as long as the context."""
    context = NativeContext(byte_limit)
    options = stream_options(context, max_samples, allow_missing_regions)
    options.arrays = wanted
    for number in skipped_regions:
        options.skipped_regions[number // 8] |= 1 << number % 8
    if max_channels is not None:
        options.max_channels[:] = [min(max_channels[i], i.channels) for i in Component]
    stream = context.open("stream", "jai_stream_open", data, len(data), c.byref(options))
    arrays = c.c_void_p()
    opened = _OpenModel.of(model)  # held until the end: another thread may open so many that this one is forgotten
    context.call("jai_stream_decode", stream, opened.handle, c.byref(options), c.byref(arrays))
    return context, stream, _Arrays.from_address(arrays.value or 0)


class _OpenModel:
    """Integer tables, checked and packed by the library."""

    def __init__(self, model: bytes) -> None:
        self._bytes = model  # the library reads them in place
        self._context = NativeContext()
        self.handle = self._context.open("model", "jai_model_open", model, len(model))

    @staticmethod
    @lru_cache(MODELS_HELD)
    def of(model: bytes) -> _OpenModel:
        """The open model of these bytes; raises BundleError."""
        return _OpenModel(model)


def stream_options(context: NativeContext, max_samples: int, allow_missing_regions: bool = False) -> Options:
    """The library's default options with the given limit."""
    options = Options()
    context.functions.jai_options_init(c.byref(options))
    options.max_samples = min(max_samples, MAX_UINT64)
    options.allow_missing_regions = allow_missing_regions
    return options


def _component_arrays(context: NativeContext, a: _ComponentArrays) -> ComponentArrays:
    latents = (a.channels, a.rows, a.columns)
    return ComponentArrays(
        z=_z(context, a),
        scale_index=_view(context, a.scale_index, np.int32, latents),
        sigma=_view(context, a.sigma, np.int32, latents),
        skip_mask=_view(context, a.skip_mask, np.bool_, latents),
        residual=_residual(context, a),
    )


def _z(context: NativeContext, a: _ComponentArrays) -> NDArray[np.int8]:
    return _view(context, a.z, np.int8, (a.channels, a.z_rows, a.z_columns))


def _residual(context: NativeContext, a: _ComponentArrays) -> NDArray[np.int16]:
    return _view(context, a.residual, np.int16, (a.channels, a.rows, a.columns))


def _block_averages(context: NativeContext, a: _ComponentArrays) -> NDArray[np.int32]:
    return _view(context, a.block_average, np.int32, (a.channels, -(-a.rows // BLOCK), -(-a.columns // BLOCK)))


def _quality_map(context: NativeContext, arrays: _Arrays) -> NDArray[np.int8] | None:
    if not arrays.quality_map:
        return None
    luma = arrays.component[0]
    return _view(context, arrays.quality_map, np.int8, (luma.rows, luma.columns))


def _view(context: NativeContext, address: int, dtype: DTypeLike, shape: tuple[int, ...]) -> NDArray[Any]:
    """An array over memory of the library, which lives as long as the array."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    memory: Any = (c.c_char * size).from_address(address)
    memory.owner = context
    return np.frombuffer(memory, dtype).reshape(shape)
