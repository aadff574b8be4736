"""Planes and pictures that the post-filter tests compare with."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from jpegai_mobile.codestream.stream import CodeStream, read_code_stream
from jpegai_mobile.image.planes import Plane

from .vectors import CONFORMANCE, DATA

Array = NDArray[Any]


def stored_plane(values: Array) -> Plane:
    """A float plane from its 16-bit form."""
    return values.astype(np.float32) / np.float32(240) - np.float32(8)


def small_vector(stream: str) -> tuple[CodeStream, dict[str, Array]]:
    """Headers and arrays of a stream of tests/data/filters; `NAME_u16` arrays become float planes `NAME`."""
    with np.load(DATA / "filters" / f"{stream}.npz") as file:
        arrays = {name: file[name] for name in file.files}
    return read_code_stream(arrays.pop("stream").tobytes()), _with_float_planes(arrays)


def oracle(stream: str) -> dict[str, Array]:
    """The oracle of a conformance stream, 16-bit planes turned into float planes."""
    with np.load(CONFORMANCE / "streams" / stream / "oracle.npz") as file:
        return _with_float_planes({name: file[name] for name in file.files})


def _with_float_planes(arrays: dict[str, Array]) -> dict[str, Array]:
    stored = {name for name in arrays if name.endswith("_u16")}
    planes = {name.removesuffix("_u16"): stored_plane(arrays[name]) for name in stored}
    return planes | {name: array for name, array in arrays.items() if name not in stored}


def assert_samples_agree(ours: Array, theirs: Array, one_of: int = 1000) -> None:
    """Samples differ by at most one step, and at most one of `one_of` does."""
    difference = np.abs(ours.astype(int) - theirs.astype(int))
    assert ours.shape == theirs.shape
    assert difference.max() <= 1
    assert np.count_nonzero(difference) * one_of <= difference.size
