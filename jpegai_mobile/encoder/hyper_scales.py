"""The output of the hyper scale decoder for the hyper latents of an encoder.

The native core has no entry for that network alone, so it is asked as a decoder: for a stream with these hyper latents
and no residual channels. Bands of rows keep memory small.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .. import native
from ..codestream.components import LATENT_GRID, Z_GRID, Component
from ..codestream.picture_header import MIN_SIZE, ComponentHeader, PictureHeader
from ..codestream.stream import CodeStream, write_code_stream
from ..codestream.substreams import SubStream
from ..codestream.tool_header import ToolHeader
from ..latent.hyper_scale_decoder import hyper_scale_decoder
from ..latent.model_tables import EntropyModel
from .substreams import encode_hyper_latents

HyperScales = tuple[NDArray[np.int16], NDArray[np.int16]]
"""Luma and chroma [C, h, w], 0..3967."""

BAND = 8
"""Rows of hyper latents in one run."""
MARGIN = 1
"""Rows around them that the 3x3 convolution sees."""
LATENTS_PER_Z = Z_GRID // LATENT_GRID


def hyper_scales(
    z: Sequence[NDArray[np.int8]], tables: bytes, size: tuple[int, int], latent_size: tuple[int, int], engine: str
) -> HyperScales:
    """From hyper latents [C, rows, columns] of a picture of `size` luma samples, with either entropy engine."""
    model = EntropyModel.from_bytes(tables)
    if engine == "python":
        luma, chroma = (
            hyper_scale_decoder(part, component, latent_size).astype(np.int16)
            for part, component in zip(z, model.components, strict=True)
        )
        return luma, chroma
    luma, chroma = (np.empty((len(part), *latent_size), np.int16) for part in z)
    rows = z[0].shape[1]
    for start in range(0, rows, BAND):
        first, last = max(start - MARGIN, 0), min(start + BAND + MARGIN, rows)
        height = min(last * Z_GRID, size[0]) - first * Z_GRID
        band = _native_scales([part[:, first:last] for part in z], model, tables, (height, size[1]))
        kept = slice(start * LATENTS_PER_Z, (start + BAND) * LATENTS_PER_Z)
        for whole, part in zip((luma, chroma), band, strict=True):
            whole[:, kept] = part[:, (start - first) * LATENTS_PER_Z :][:, : whole[:, kept].shape[1]]
    return luma, chroma


def _native_scales(
    z: Sequence[NDArray[np.int8]], model: EntropyModel, tables: bytes, size: tuple[int, int]
) -> list[NDArray[np.int32]]:
    """The scales of hyper latents that cover `size` luma samples."""
    # A last band of few rows is decoded as if the picture went on: only the size of the result changes.
    rows, columns = (max(length, MIN_SIZE) for length in size)
    header = PictureHeader(
        img_height_minus64=rows - MIN_SIZE,
        img_width_minus64=columns - MIN_SIZE,
        components=(ComponentHeader(), ComponentHeader()),
    )
    nothing = native.encode_residual_rows(1, [])
    residuals = [SubStream(nothing, "no residual")]
    symbols = SubStream(encode_hyper_latents(z, 1, model, "native"), "hyper latents")
    stream = write_code_stream(CodeStream(header, ToolHeader(), symbols, (list(residuals), list(residuals))))
    arrays = native.decode_entropy_stage(stream, tables)
    return [
        arrays.components[i].scale_index - model.components[i].gain[:, None, None].astype(np.int32) for i in Component
    ]
