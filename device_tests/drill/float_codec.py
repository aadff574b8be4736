"""A codec that decides on coding tables in float: its program, and its streams."""

from __future__ import annotations

import dataclasses
import platform
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from jpegai_mobile import native
from jpegai_mobile.codestream.components import Component
from jpegai_mobile.codestream.stream import CodeStream, read_code_stream, write_code_stream
from jpegai_mobile.codestream.substreams import SubStream
from jpegai_mobile.latent.entropy_stage import latent_regions

from ..errors import AbsentTarget
from ..reference_decoder import Arrays
from ..sources import TraceSources

REPLACED = "hyper_scale_decoder.c"
REPLACEMENT = Path(__file__).with_name("float_scale_decoder.c")
LINK_FLAGS = ("-Wl,--wrap=jai_substream_fail", "-lm")
LARGEST_TABLE = 31


def float_sources(sources: TraceSources, target: str) -> TraceSources:
    """The sources of jai-trace with the float hyper scale decoder, which also does not notice damage, for a target.

    Raises AbsentTarget for `host` on macOS, where they cannot be linked.
    """
    if platform.system() == "Darwin" and target.partition("+")[0] == "host":
        raise AbsentTarget(f"{target} has no float decoder on macOS: Apple's linker has no --wrap")
    files = tuple(path for path in sources.files if path.name != REPLACED)
    return TraceSources(sources.include, (*files, REPLACEMENT), LINK_FLAGS)


def recode(data: bytes, scales: Arrays, residuals: Arrays) -> bytes:
    """The code stream with other residuals, coded with the tables that `scales` (sigma, skip mask) choose.

    A residual that the mask does not keep is lost.
    """
    stream = read_code_stream(data)
    luma, chroma = (_sub_streams(stream, i, scales, residuals[f"residual_{i.suffix}"]) for i in Component)
    return write_code_stream(dataclasses.replace(stream, residuals=(luma, chroma)))


def _sub_streams(
    stream: CodeStream, component: Component, scales: Arrays, residual: NDArray[np.int16]
) -> list[SubStream | None]:
    header = stream.picture.components[component]
    sigma, mask = (scales[f"{name}_{component.suffix}"] for name in ("sigma", "skip_mask"))
    table = np.clip((sigma + 64) >> 7, 0, LARGEST_TABLE)
    coded: list[SubStream | None] = []
    for region in latent_regions(stream.picture):
        part = (slice(0, header.num_chs), *region.slices)
        row = native.ResidualRow(
            np.ascontiguousarray(table[part], np.uint8).ravel(),
            np.ascontiguousarray(mask[part], np.bool_).ravel(),
            np.ascontiguousarray(residual[part], np.int16).ravel(),
        )
        coded.append(SubStream(native.encode_residual_rows(header.residual_threads, [row]), "drill"))
    return coded
