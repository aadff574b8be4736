"""Coding of the hyper latents z: luma then chroma in one coder, one row per channel."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..codestream.substreams import SubStream
from ..errors import InvalidStream
from .coding_tables import Z_SYMBOLS, ZTable, z_table
from .me_tans import MeTansDecoder, encode_rows

Z_OFFSET = 31
"""Coded symbols are 0..62, hyper latents -31..31."""
MODEL_CHANNELS = 256
"""Of luma and chroma together."""


def decode_z(
    sub_stream: SubStream, threads: int, cumulative: Sequence[NDArray[np.uint8]], size: tuple[int, int]
) -> list[NDArray[np.int8]]:
    """Hyper latents int8 [C, rows, columns] of every component.

    `cumulative` holds per component the [C, 63] cumulative tables. Raises InvalidStream.
    """
    decoder = MeTansDecoder(sub_stream, threads)
    rows, columns = size
    components = []
    for tables in cumulative:
        symbols = [decoder.decode_row([_table(row.tobytes())] * (rows * columns)) for row in tables]
        if any(max(row) >= Z_SYMBOLS for row in symbols):
            raise InvalidStream(f"{sub_stream.place}: a hyper latent is out of range")
        components.append((np.array(symbols) - Z_OFFSET).astype(np.int8).reshape(-1, rows, columns))
    decoder.finish()
    return components


def encode_z(z: Sequence[NDArray[np.int8]], threads: int, cumulative: Sequence[NDArray[np.uint8]]) -> bytes:
    """The inverse of `decode_z`; raises ValueError when a value is outside -31..31."""
    rows = []
    for component, tables in zip(z, cumulative, strict=True):
        if np.any(np.abs(component.astype(int)) > Z_OFFSET):
            raise ValueError("hyper latents must lie in -31..31")
        for channel, table in zip(component.astype(int) + Z_OFFSET, tables, strict=True):
            rows.append(([_table(table.tobytes())] * channel.size, channel.ravel().tolist()))
    return encode_rows(rows, threads)


@lru_cache(MODEL_CHANNELS)
def _table(cumulative: bytes) -> ZTable:
    """To build the tables of a model takes longer than to decode a small picture with them."""
    return z_table(cumulative)
