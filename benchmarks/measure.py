"""Timing and notes for the benchmark scripts: those of `jpegai bench`, which are part of the package."""

from jpegai_mobile.bench.results import write_result
from jpegai_mobile.bench.timing import interleaved

__all__ = ["interleaved", "write_result"]
