"""me-tANS of the native core by itself: rows of residuals or hyper latents as one sub-stream."""

from __future__ import annotations

import ctypes as c
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..entropy.coding_tables import Z_ESCAPE, Z_SYMBOLS
from .binding import NativeContext

THREADS = (1, 2, 4, 8, 16)
RESIDUAL_TABLES = 32


@dataclass(frozen=True, eq=False)
class ResidualRow:
    """Positions that are coded together."""

    table_index: NDArray[np.uint8]
    """[n], coding table 0..31."""
    mask: NDArray[np.bool_]
    """[n], true where a value is coded."""
    value: NDArray[np.int16]
    """[n]; decoding fills in where `mask` is true."""


@dataclass(frozen=True, eq=False)
class ZRow:
    """Hyper latents of one channel."""

    cumulative: NDArray[np.uint8]
    """[63], not decreasing, the last entry is 255."""
    symbol: NDArray[np.uint8]
    """[n], 0..63; decoding fills them in."""


class _ResidualRow(c.Structure):
    """jai_residual_row."""

    _fields_ = (
        ("count", c.c_size_t),
        ("table_index", c.c_void_p),
        ("mask", c.c_void_p),
        ("value", c.c_void_p),
    )


class _ZRow(c.Structure):
    """jai_z_row."""

    _fields_ = (("count", c.c_size_t), ("cumulative", c.c_void_p), ("symbol", c.c_void_p))


def decode_residual_rows(data: bytes, threads: int, rows: Sequence[ResidualRow]) -> None:
    """Decode into `rows`; raises InvalidStream."""
    _decode("jai_decode_residual_rows", data, threads, residual_rows(rows))


def decode_z_rows(data: bytes, threads: int, rows: Sequence[ZRow]) -> None:
    """Decode into `rows`; raises InvalidStream."""
    _decode("jai_decode_z_rows", data, threads, _z_rows(rows))


def encode_residual_rows(threads: int, rows: Sequence[ResidualRow]) -> bytes:
    """The sub-stream of `rows`."""
    return _encode("jai_encode_residual_rows", threads, residual_rows(rows))


def encode_z_rows(threads: int, rows: Sequence[ZRow]) -> bytes:
    """The sub-stream of `rows`."""
    return _encode("jai_encode_z_rows", threads, _z_rows(rows))


def _decode(function: str, data: bytes, threads: int, rows: Any) -> None:
    _check_threads(threads)
    context = NativeContext()
    context.call(function, c.byref(context.context), data, len(data), threads, rows, len(rows))


def _encode(function: str, threads: int, rows: Any) -> bytes:
    _check_threads(threads)
    context = NativeContext()
    encoding = context.open("encoding", function, threads, rows, len(rows))
    size = c.c_size_t()
    address = context.functions.jai_encoding_bytes(encoding, c.byref(size))
    return c.string_at(address, size.value)


def residual_rows(rows: Sequence[ResidualRow]) -> Any:
    """The C structures of rows; raises ValueError when an array is not what the library expects."""
    for row in rows:
        arrays = (row.table_index, np.uint8), (row.mask, np.bool_), (row.value, np.int16)
        _check_arrays(arrays, row.value.shape)
        if np.any(row.table_index >= RESIDUAL_TABLES):
            raise ValueError("a table index is above 31")
    structures = [
        _ResidualRow(r.value.size, r.table_index.ctypes.data, r.mask.ctypes.data, r.value.ctypes.data) for r in rows
    ]
    return (_ResidualRow * len(rows))(*structures)


def _z_rows(rows: Sequence[ZRow]) -> Any:
    for row in rows:
        _check_arrays([(row.symbol, np.uint8)], row.symbol.shape)
        _check_arrays([(row.cumulative, np.uint8)], (Z_SYMBOLS,))
        if np.any(np.diff(row.cumulative.astype(int)) < 0) or row.cumulative[-1] != 255:
            raise ValueError("a cumulative table decreases or does not end at 255")
        if np.any(row.symbol > Z_ESCAPE):
            raise ValueError("a symbol is above 63")
    structures = [_ZRow(r.symbol.size, r.cumulative.ctypes.data, r.symbol.ctypes.data) for r in rows]
    return (_ZRow * len(rows))(*structures)


def _check_threads(threads: int) -> None:
    if threads not in THREADS:
        raise ValueError(f"{threads} threads: must be one of {THREADS}")


def _check_arrays(arrays: Sequence[tuple[NDArray[Any], Any]], shape: tuple[int, ...]) -> None:
    """The library gets addresses: sizes, types and layout must be what it takes them for."""
    for array, dtype in arrays:
        if array.dtype != dtype or array.shape != shape or not array.flags.c_contiguous:
            raise ValueError(f"an array is not a contiguous {np.dtype(dtype)} of shape {shape}")
