"""The functions of the package: describe and decode code streams held in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .codestream.description import describe
from .codestream.stream import read_code_stream
from .image.chroma import to_444
from .image.colour import Samples, yuv_to_rgb
from .runtime.decoder import DecodeOptions, Decoder
from .runtime.default_bundle import open_bundle

_NO_LIMIT = 1 << 62
"""More samples than the headers can announce."""


def info(data: bytes) -> dict[str, Any]:
    """Headers, segments and a summary of a code stream, JSON-ready; nothing is decoded. Raises InvalidStream."""
    return describe(read_code_stream(data, max_samples=_NO_LIMIT, allow_missing_regions=True))


def decode(data: bytes, bundle: str | Path | None = None, options: DecodeOptions | None = None) -> Samples:
    """Decode a code stream to RGB samples [row, column, 3]: uint8, or uint16 in 0..1023 for 10 bit.

    A YUV picture is converted by BT.709. Without `bundle`, $JPEGAI_BUNDLE or the packaged bundle is used.
    Raises InvalidStream, Unsupported, LimitExceeded or BundleError.
    """
    with open_bundle(bundle) as opened:
        picture = Decoder(opened).decode(data, options)
    return yuv_to_rgb(to_444(picture.planes), picture.stream.picture.bit_depth)
