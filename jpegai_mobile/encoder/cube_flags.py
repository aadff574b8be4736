"""Which cubes are coded in full: where skipping loses more than the bits that it saves.

A skipped position has a sigma so small that coding it is a waste on average. Where the prediction fails nevertheless,
the loss is bounded by nothing: a cube full of such positions is worth the bits of coding every position in it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..codestream.components import Component
from ..codestream.picture_header import CUBE_GROUP, CUBE_SIZE, PictureHeader, cube_counts
from ..latent.skip_mode import CUBE_PHASES
from .symbol_costs import MAGNITUDE_BITS, SHORT_ESCAPES

Array = NDArray[np.float32]

BITS_PER_SQUARED_STEP = np.float32(0.5 / (2 * np.log(2) / 12))
"""What a squared error of one step is worth: half of what a uniform quantiser pays where it leaves 1/12, to be sure."""
ESCAPE_BITS = np.append(np.float32(0), MAGNITUDE_BITS[0, 1 : SHORT_ESCAPES + 2])
"""Cost of a symbol of magnitude 0, 1, .., and 5 or more, in tables that expect nothing but zeros; `cost_of_zeros` holds
that of zeros."""
ZERO_BITS = MAGNITUDE_BITS[:, 0]
"""Cost of a zero, by coding table."""


def cost_of_zeros(table_index: NDArray[np.uint8], mask: NDArray[np.bool_]) -> Array:
    """Bits [h, w] for coding zeros, summed over the channels, where `mask` [C, h, w] says that nothing is coded."""
    bits = np.zeros(mask.shape[1:], np.float32)
    for tables, coded in zip(table_index, mask, strict=True):
        bits += np.where(coded, 0, ZERO_BITS[tables])
    return bits


def gain_of_coding(values: Array, symbols: Array, coded: NDArray[np.bool_]) -> Array:
    """Bits [row, column] that coding the skipped ones among `values` [row, column, C] is worth, less their escapes.

    `values` are in steps, `symbols` are the rounded ones.
    """
    squares = np.square(values) - np.square(values - symbols)
    magnitudes = np.minimum(np.abs(symbols), len(ESCAPE_BITS) - 1).astype(np.intp)
    worth = squares * BITS_PER_SQUARED_STEP - ESCAPE_BITS[magnitudes]
    total: Array = np.where(coded, 0, worth).sum(axis=2, dtype=np.float32)
    return total


def set_cube_flags(header: PictureHeader, component: Component, worth: Array | None) -> bool:
    """Give a component cube flags by the worth [h, w] of coding skipped positions, in bits; True if there are any.

    None turns the tool off.
    """
    part = header.components[component]
    flags = [] if worth is None else _flags(header, worth)
    part.use_cube_flags = int(0 in flags)
    part.cube_flag = flags if part.use_cube_flags else []
    groups = range(0, len(part.cube_flag), CUBE_GROUP)
    part.cube_group_flag = [int(0 in part.cube_flag[start : start + CUBE_GROUP]) for start in groups]
    return bool(part.use_cube_flags)


def _flags(header: PictureHeader, worth: Array) -> list[int]:
    """1 where a cube skips, 0 where coding it in full is worth it; phase, row, column."""
    rows, columns = cube_counts(header)
    flags: list[int] = []
    for row, column in CUBE_PHASES:
        phase = worth[row::2, column::2]
        padding = [(0, count * CUBE_SIZE - length) for count, length in zip((rows, columns), phase.shape, strict=True)]
        cubes = np.pad(phase, padding).reshape(rows, CUBE_SIZE, columns, CUBE_SIZE).sum(axis=(1, 3))
        flags += (cubes <= 0).astype(int).ravel().tolist()
    return flags
