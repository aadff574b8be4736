"""Traces that this process makes."""

from __future__ import annotations

from jpegai_mobile.errors import BundleError, InvalidStream, JpegAiError, LimitExceeded, Unsupported

from .trace_file import write_trace
from .trace_records import trace_records

STATUS: dict[type[JpegAiError], int] = {InvalidStream: 11, Unsupported: 12, LimitExceeded: 13, BundleError: 14}
"""Exit status of jai-trace for an error of the stream, by its class."""


def engine_trace(data: bytes, model: bytes, engine: str) -> bytes:
    """The trace of a code stream by the engine `native` or `python`; raises the errors of STATUS."""
    return b"".join(write_trace(trace_records(data, model, engine)))
