"""The decoder of this process: what targets with networks are compared with, and pictures of anyone's symbols."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jpegai_mobile.codestream.components import Component
from jpegai_mobile.image.chroma import to_444
from jpegai_mobile.image.colour import yuv_to_rgb
from jpegai_mobile.image.planes import join_bands
from jpegai_mobile.latent.decoded_symbols import decoded_symbols
from jpegai_mobile.latent.entropy_stage import ComponentArrays, EntropyArrays
from jpegai_mobile.runtime.bundle import Bundle
from jpegai_mobile.runtime.decoder import DecodeOptions, Decoder
from jpegai_mobile.runtime.symbols import Symbols

from .reconstruction.trace import write_reconstruction

Arrays = Mapping[str, NDArray[Any]]
"""Arrays of a trace by name."""
Picture = NDArray[Any]
"""[row, column, RGB], uint8 or (10 bit) uint16."""
LARGEST_SYMBOL = 255
"""Residual symbols of a picture that went wrong are cut to this: what is beyond looks no worse."""


class ReferenceDecoder:
    """Decodes one stream at a time, whatever the thread it is called from."""

    def __init__(self, bundle: Bundle) -> None:
        self._decoder = Decoder(bundle)
        self._lock = threading.Lock()

    def reconstruction_trace(self, data: bytes, precision: str | None) -> bytes:
        """The reconstruction trace of a stream; raises the errors of decoding."""
        with self._lock:
            return write_reconstruction(self._decoder, data, precision)

    def picture(self, data: bytes, arrays: Arrays) -> Picture:
        """What a stream looks like when its symbols are those of `arrays`, of the shapes that the stream has.

        Raises the errors of decoding.
        """
        with self._lock:
            exact = self._decoder.reconstruct(data, DecodeOptions())
            stream = exact.stream
            symbols = Symbols(exact.symbols.picture, exact.symbols.model, decoded_symbols(stream, _entropy(arrays)))
            planes = join_bands(replace(exact, symbols=symbols).bands())
        return yuv_to_rgb(to_444(planes), stream.picture.bit_depth)


def _entropy(arrays: Arrays) -> EntropyArrays:
    luma, chroma = (_component(arrays, component.suffix) for component in Component)
    return EntropyArrays((luma, chroma), arrays.get("quality_map"))


def _component(arrays: Arrays, suffix: str) -> ComponentArrays:
    return ComponentArrays(
        arrays[f"z_{suffix}"],
        arrays[f"scale_index_{suffix}"],
        arrays[f"sigma_{suffix}"],
        arrays[f"skip_mask_{suffix}"].astype(np.bool_),
        np.clip(arrays[f"residual_{suffix}"], -LARGEST_SYMBOL, LARGEST_SYMBOL),
    )
