"""Symbols to sub-streams, with either entropy engine; both give the same bytes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .. import native
from ..entropy.residual import SIGMA_BITS, encode_residual
from ..entropy.z import Z_OFFSET, encode_z
from ..latent.model_tables import EntropyModel


def encode_hyper_latents(z: Sequence[NDArray[np.int8]], threads: int, model: EntropyModel, engine: str) -> bytes:
    """The sub-stream of the hyper latents [C, rows, columns] of luma and chroma."""
    tables = [component.z_cumulative for component in model.components]
    if engine == "python":
        return encode_z(z, threads, tables)
    rows = [
        native.ZRow(cumulative, (channel.ravel() + np.int8(Z_OFFSET)).astype(np.uint8))
        for component, cumulatives in zip(z, tables, strict=True)
        for channel, cumulative in zip(component, cumulatives, strict=True)
    ]
    return native.encode_z_rows(threads, rows)


def encode_residuals(
    residual: NDArray[np.int16], tables: NDArray[np.uint8], mask: NDArray[np.bool_], threads: int, engine: str
) -> bytes:
    """The sub-stream of one region of one component; arrays [C, h, w] of the coded channels."""
    if engine == "python":
        return encode_residual(residual, threads, tables.astype(np.int32) << SIGMA_BITS, mask)
    row = native.ResidualRow(tables.ravel(), mask.ravel(), residual.ravel())
    return native.encode_residual_rows(threads, [row])
