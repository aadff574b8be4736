"""Coding of quantised residuals: every coded position with the table that its sigma selects."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..codestream.substreams import SubStream
from ..errors import InvalidStream
from .coding_tables import ResidualTable, residual_tables
from .me_tans import MeTansDecoder, encode_rows

SIGMA_ROUNDING = 64
SIGMA_BITS = 7


def table_index(sigma: NDArray[np.int32]) -> NDArray[np.int32]:
    """Index 0..31 of the coding table for sigma in the log domain (7 fractional bits)."""
    tables = len(residual_tables())
    index: NDArray[np.int32] = np.clip((sigma + SIGMA_ROUNDING) >> SIGMA_BITS, 0, tables - 1)
    return index


def decode_residual(
    sub_stream: SubStream, threads: int, sigma: NDArray[np.int32], mask: NDArray[np.bool_]
) -> NDArray[np.int16]:
    """Residual symbols int16 in the shape of `sigma`, 0 where `mask` is false; raises InvalidStream."""
    decoder = MeTansDecoder(sub_stream, threads)
    values = decoder.decode_row(_tables(sigma, mask))
    decoder.finish()
    if max(values, default=0) > np.iinfo(np.int16).max or min(values, default=0) < np.iinfo(np.int16).min:
        raise InvalidStream(f"{sub_stream.place}: a residual is out of range")
    return np.array(values, np.int16).reshape(sigma.shape)


def encode_residual(
    residual: NDArray[np.int16], threads: int, sigma: NDArray[np.int32], mask: NDArray[np.bool_]
) -> bytes:
    """The inverse of `decode_residual`; raises ValueError when a value cannot be coded."""
    return encode_rows([(_tables(sigma, mask), residual.ravel().tolist())], threads)


def _tables(sigma: NDArray[np.int32], mask: NDArray[np.bool_]) -> list[ResidualTable | None]:
    tables = residual_tables()
    indices = table_index(sigma).ravel().tolist()
    return [tables[index] if coded else None for index, coded in zip(indices, mask.ravel().tolist(), strict=True)]
