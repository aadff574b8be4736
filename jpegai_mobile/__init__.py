"""JPEG AI (ISO/IEC 6048-1 | ITU-T T.840.1) for phones: read, decode and trace code streams.

    import jpegai_mobile

    picture = jpegai_mobile.decode(stream_bytes, bundle="model")     # NumPy [row, column, RGB]
    description = jpegai_mobile.info(stream_bytes)                   # headers as a dictionary

The network runtime is loaded when the first picture is decoded, not when this package is imported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .errors import BundleError, InvalidStream, JpegAiError, LimitExceeded, Unsupported
from .version import __version__

if TYPE_CHECKING:
    from .api import decode, info
    from .runtime.decoder import DecodedPicture, DecodeOptions, Decoder
    from .runtime.default_bundle import open_bundle

__all__ = [
    "BundleError",
    "DecodeOptions",
    "DecodedPicture",
    "Decoder",
    "InvalidStream",
    "JpegAiError",
    "LimitExceeded",
    "Unsupported",
    "__version__",
    "decode",
    "info",
    "open_bundle",
]

_HOME = {
    "decode": "api",
    "info": "api",
    "DecodeOptions": "runtime.decoder",
    "DecodedPicture": "runtime.decoder",
    "Decoder": "runtime.decoder",
    "open_bundle": "runtime.default_bundle",
}
"""Modules of the names that are loaded when they are first used."""


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_HOME[name]}", __name__), name)
