"""What a trace records: every header field and every array of the entropy stage, from either engine."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np

from jpegai_mobile.codestream.picture_header import PictureHeader, cube_counts
from jpegai_mobile.codestream.stream import read_code_stream
from jpegai_mobile.latent.entropy_stage import EntropyArrays
from jpegai_mobile.native import read_headers
from jpegai_mobile.runtime.entropy_engine import EntropyOptions, run_entropy_stage

from .trace_file import Record

ARRAYS = ("scale_index", "sigma", "skip_mask", "residual")
CUBE_PHASES = 4


def trace_records(data: bytes, model: bytes, engine: str) -> Iterator[Record]:
    """The records of a code stream in the order of decoding, so that the first difference is the cause of others.

    `model` is the content of `entropy_<model>.bin`; `engine` is `native` or `python`. Raises InvalidStream,
    Unsupported, LimitExceeded or BundleError.
    """
    arrays = run_entropy_stage(data, model, EntropyOptions(engine))
    headers = read_headers(data) if engine == "native" else read_code_stream(data)
    yield from _picture_records(headers.picture)
    yield from _field_records("tool_header", headers.tools)
    if headers.rendering is not None:
        yield from _field_records("rendering_information", headers.rendering)
    if headers.user_data is not None:
        yield Record("user_data", np.frombuffer(headers.user_data, np.uint8))
    yield from _array_records(arrays)


def _picture_records(picture: PictureHeader) -> Iterator[Record]:
    """The picture header; cube flags as [phase, row, column]."""
    for record in _field_records("picture_header", picture):
        if record.name.endswith(".cube_flag") and record.values.size:
            yield Record(record.name, record.values.reshape(CUBE_PHASES, *cube_counts(picture)))
        else:
            yield record


def _field_records(prefix: str, header: Any) -> Iterator[Record]:
    """One record per field of a header dataclass, its parts under their path; absent parts give none."""
    for field in dataclasses.fields(header):
        value, name = getattr(header, field.name), f"{prefix}.{field.name}"
        if value is None:
            continue
        if isinstance(value, bytes):
            yield Record(name, np.frombuffer(value, np.uint8))
        elif dataclasses.is_dataclass(value):
            yield from _field_records(name, value)
        elif field.type == "list[list[int]]":
            yield from (Record(f"{name}[{i}]", np.array(row, np.uint32)) for i, row in enumerate(value))
        elif isinstance(value, int) or field.type == "list[int]":
            yield Record(name, np.array(value, np.uint32))
        else:
            for i, part in enumerate(value):
                yield from _field_records(f"{name}[{i}]", part)


def _array_records(arrays: EntropyArrays) -> Iterator[Record]:
    named = arrays.named()
    order = ["z_y", "z_uv", "quality_map", *(f"{name}_{component}" for component in ("y", "uv") for name in ARRAYS)]
    yield from (Record(name, named[name]) for name in order if name in named)
