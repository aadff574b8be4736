"""Regions: missing ones, and overlaps that cannot be decoded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from jpegai_mobile import DecodeOptions, InvalidStream, Unsupported
from jpegai_mobile.codestream.segments import Marker, Segment, read_segments, write_segments
from jpegai_mobile.codestream.stream import read_code_stream, write_code_stream
from jpegai_mobile.codestream.tiling import region_grid
from jpegai_mobile.runtime.entropy_engine import ENGINES, EntropyOptions, run_entropy_stage

from .conformance import conformance_decoder
from .vectors import DATA, needs_conformance, stream_folder

INDEPENDENT = "indreg_rvs_threads2_700x530"
DEPENDENT = "depreg_threads4_640x392"
RESIDUALS = (Marker.SORP, Marker.SORS)


def _data(name: str) -> bytes:
    return Path(stream_folder(name) / "stream.jai").read_bytes()


def _without_region(data: bytes, number: int) -> bytes:
    def belongs(segment: Segment) -> bool:
        return segment.marker in RESIDUALS and segment.payload[0] == number

    return write_segments(segment for segment in read_segments(data) if not belongs(segment))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_missing_region_is_an_error_unless_allowed(engine: str) -> None:
    data = _without_region(_data(INDEPENDENT), 2)
    tables = (DATA / "entropy_1.bin").read_bytes()
    with pytest.raises(InvalidStream, match="SORP of region 2 is missing"):
        run_entropy_stage(data, tables, EntropyOptions(engine))
    whole = run_entropy_stage(_data(INDEPENDENT), tables, EntropyOptions(engine))
    partial = run_entropy_stage(data, tables, EntropyOptions(engine, allow_missing_regions=True))
    stream = read_code_stream(_data(INDEPENDENT))
    picture = stream.picture
    regions = region_grid(picture.height, picture.width, *picture.region_counts)
    for number, region in enumerate(regions):
        part = (
            slice(None),
            slice(region.top // 16, -(-region.bottom // 16)),
            slice(region.left // 16, -(-region.right // 16)),
        )
        for ours, theirs in zip(partial.components, whole.components, strict=True):
            expected = theirs.residual[part] if number != 2 else 0
            assert np.all(ours.residual[part] == expected)


@needs_conformance
def test_a_partial_picture_has_the_other_regions() -> None:
    decoder = conformance_decoder()
    whole = decoder.decode(_data(INDEPENDENT))
    partial = decoder.decode(_without_region(_data(INDEPENDENT), 2), DecodeOptions(allow_partial=True))
    assert partial.notes == ("region 2 is missing and was left empty",)
    # Far from region 2 (bottom left) nothing changes; inside it the picture is another one.
    assert np.array_equal(partial.planes.y[:200], whole.planes.y[:200])
    assert np.abs(partial.planes.y[300:, :200] - whole.planes.y[300:, :200]).max() > 5


@needs_conformance
def test_overlaps_that_cannot_be_decoded_are_refused() -> None:
    decoder = conformance_decoder()
    stream = read_code_stream(_data(DEPENDENT))
    stream.picture.mcm_overlap_in_latent_samples += 1
    with pytest.raises(Unsupported, match="mcm_overlap_in_latent_samples 5 with a hyper decoder overlap of 1"):
        decoder.decode(write_code_stream(stream))
    stream.picture.hyper_decoder_overlap_in_latent_samples = 3
    stream.picture.mcm_overlap_in_latent_samples = 12
    with pytest.raises(InvalidStream, match="narrower than their overlap of 384"):
        decoder.decode(write_code_stream(stream))
