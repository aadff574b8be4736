"""What the reconstruction stage computed, small enough to carry home: hashes, statistics, down-sampled tensors."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jpegai_mobile.runtime.decoder import DecodeOptions, Decoder
from jpegai_mobile.runtime.reconstruction import Reconstruction

from ..trace_file import Record, Trace, write_trace

HASH, STATISTICS, SMALL = "sha256", "statistics", "small"
PRECISION = "precision"
"""Name of the record that holds the precision of the networks, in ASCII."""
PLANE_CELL = 8
"""Samples of a plane that one sample of its down-sampled form stands for, in both directions."""


def write_reconstruction(decoder: Decoder, data: bytes, precision: str | None) -> bytes:
    """A trace of psi, latents and planes before filters, on one thread; raises the errors of decoding.

    `precision` None takes the most exact one of the bundle.
    """
    reconstruction = decoder.reconstruct(data, DecodeOptions(precision=precision, num_threads=1))
    return b"".join(write_trace(reconstruction_records(reconstruction)))


def reconstruction_records(reconstruction: Reconstruction) -> Iterator[Record]:
    """The records of such a trace."""
    yield Record(PRECISION, np.frombuffer(reconstruction.networks.precision.encode(), np.uint8))
    for name, values in reconstruction.float_arrays(latents=True, planes=True).items():
        yield from _records(name, values)


def is_reconstruction(trace: Trace) -> bool:
    """Whether it is a trace of the reconstruction, not of the entropy stage."""
    return any(record.name.endswith(f".{SMALL}") for record in trace.records)


def _records(name: str, values: NDArray[np.float32]) -> Iterator[Record]:
    """Hash of all values, (least, greatest, mean, root mean square), and the tensor in small."""
    data = np.ascontiguousarray(values, "<f4")
    wide = values.astype(np.float64)
    statistics = [wide.min(), wide.max(), wide.mean(), np.sqrt(np.mean(wide**2))]
    yield Record(f"{name}.{HASH}", np.frombuffer(hashlib.sha256(data.tobytes()).digest(), np.uint8))
    yield Record(f"{name}.{STATISTICS}", np.array(statistics, np.float32))
    yield Record(f"{name}.{SMALL}", _small(wide))


def _small(values: NDArray[Any]) -> NDArray[np.float32]:
    """A plane in cells of PLANE_CELL x PLANE_CELL; of a tensor [channel, row, column] the mean of every channel group.

    Channels are taken eight at a time: enough to see where a network went another way, and which part of it.
    """
    if values.ndim == 2:
        return _cells(values, PLANE_CELL, (0, 1))
    return _cells(values, PLANE_CELL, (0,))


def _cells(values: NDArray[Any], size: int, axes: tuple[int, ...]) -> NDArray[np.float32]:
    """Means over `size` neighbours along some axes; the last cell may be smaller."""
    for axis in axes:
        starts = np.arange(0, values.shape[axis], size)
        counts = np.diff(np.append(starts, values.shape[axis]))
        shape = [-1 if a == axis else 1 for a in range(values.ndim)]
        values = np.add.reduceat(values, starts, axis) / counts.reshape(shape)
    return values.astype(np.float32)
