"""JPEG AI (ISO/IEC 6048-1 | ITU-T T.840.1) for phones: read, decode, encode and trace code streams.

    import jpegai_mobile

    picture = jpegai_mobile.decode(stream_bytes, bundle="model")     # NumPy [row, column, RGB]
    description = jpegai_mobile.info(stream_bytes)                   # headers as a dictionary
    stream_bytes = jpegai_mobile.encode(picture, bundle="model", bpp=0.5)

The network runtime is loaded when the first picture is decoded, not when this package is imported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .errors import (
    BundleError,
    Cancelled,
    DecodeWarning,
    EncodeWarning,
    InvalidStream,
    JpegAiError,
    LimitExceeded,
    PictureError,
    Unsupported,
)
from .version import __version__

if TYPE_CHECKING:
    from .api import CodeStreamFile, decode, decode_latents, encode, info, open
    from .encoder.encoder import EncodedPicture, Encoder
    from .encoder.options import EncodeOptions
    from .encoder.yuv_picture import YuvPicture
    from .runtime.decoder import DecodedPicture, DecodeOptions, Decoder
    from .runtime.default_bundle import open_bundle
    from .runtime.memory_budget import NO_LIMIT

__all__ = [
    "NO_LIMIT",
    "BundleError",
    "Cancelled",
    "CodeStreamFile",
    "DecodeOptions",
    "DecodeWarning",
    "DecodedPicture",
    "Decoder",
    "EncodeOptions",
    "EncodeWarning",
    "EncodedPicture",
    "Encoder",
    "InvalidStream",
    "JpegAiError",
    "LimitExceeded",
    "PictureError",
    "Unsupported",
    "YuvPicture",
    "__version__",
    "decode",
    "decode_latents",
    "encode",
    "info",
    "open",
    "open_bundle",
]

_HOME = {
    "CodeStreamFile": "api",
    "decode": "api",
    "decode_latents": "api",
    "encode": "api",
    "info": "api",
    "open": "api",
    "DecodeOptions": "runtime.decoder",
    "DecodedPicture": "runtime.decoder",
    "Decoder": "runtime.decoder",
    "NO_LIMIT": "runtime.memory_budget",
    "EncodedPicture": "encoder.encoder",
    "Encoder": "encoder.encoder",
    "EncodeOptions": "encoder.options",
    "YuvPicture": "encoder.yuv_picture",
    "open_bundle": "runtime.default_bundle",
}
"""Modules of the names that are loaded when they are first used."""


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_HOME[name]}", __name__), name)
