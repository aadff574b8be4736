"""Truncated streams: prefixes are refused, unless what they lack is independent regions that may be missing."""

from __future__ import annotations

from functools import cache

import pytest

from jpegai_mobile import DecodeOptions, EncodeOptions
from jpegai_mobile.codestream.segments import RESIDUALS, Marker, read_segments, write_segments
from jpegai_mobile.codestream.stream import read_code_stream
from jpegai_mobile.errors import InvalidStream
from jpegai_mobile.latent.entropy_stage import EntropyArrays, decode_entropy_stage
from jpegai_mobile.latent.model_tables import EntropyModel
from jpegai_mobile.native import decode_entropy_stage as native_entropy_stage

from .encoding import own_decoder, own_encoder, random_picture
from .fuzz.differential import disagreement
from .vectors import stream_folder


@pytest.mark.parametrize("name", ["bop_67x65_bm200", "meta_udi_rdi_64x64", "threads_z8_r4_187x133"])
@pytest.mark.parametrize("partial", [False, True])
def test_every_prefix_is_invalid(name: str, partial: bool) -> None:
    data = (stream_folder(name) / "stream.jai").read_bytes()
    for length in range(len(data) - 2 * partial):
        with pytest.raises(InvalidStream):
            read_code_stream(data[:length], allow_missing_regions=partial, allow_cut=partial)


@cache
def regions_at_the_end() -> bytes:
    """A stream of two independent regions, which follow all else; luma and chroma of each lie together."""
    options = EncodeOptions(quality=20, regions=(1, 2), effort=1)
    segments = read_segments(own_encoder().encode(random_picture(64, 256, 1), options).data)
    residuals = [segment for segment in segments if segment.marker in RESIDUALS]
    others = [segment for segment in segments if segment.marker not in RESIDUALS]
    return write_segments([*others, *sorted(residuals, key=lambda segment: segment.payload[0])])


def test_engines_agree_on_what_the_end_of_data_cuts_off() -> None:
    """Residuals that are cut are missing, all else is required; without the option every prefix is refused."""
    data, tables = regions_at_the_end(), own_decoder().bundle.entropy_model_bytes(1)
    model, complete = EntropyModel.from_bytes(tables), set()
    expected: dict[tuple[bool, ...], EntropyArrays] = {}
    first = next(segment.offset for segment in read_segments(data) if segment.marker in RESIDUALS)
    for length in range(len(data)):
        prefix = data[:length]
        with pytest.raises(InvalidStream):
            native_entropy_stage(prefix, tables)
        with pytest.raises(InvalidStream):
            read_code_stream(prefix, allow_missing_regions=True)
        if length < first:
            with pytest.raises(InvalidStream):
                native_entropy_stage(prefix, tables, allow_missing_regions=True)
            with pytest.raises(InvalidStream):
                read_code_stream(prefix, allow_missing_regions=True, allow_cut=True)
            continue
        stream = read_code_stream(prefix, allow_missing_regions=True, allow_cut=True)
        there = tuple(part is not None for regions in stream.residuals for part in regions)
        if there not in expected:
            expected[there] = decode_entropy_stage(stream, model)
        ours = native_entropy_stage(prefix, tables, allow_missing_regions=True)
        assert disagreement(expected[there], ours) is None, length
        complete.add(sum(there))
    assert complete == {0, 1, 2, 3, 4}


@pytest.mark.parametrize("engine", ["native", "python"])
def test_a_cut_file_is_a_partial_picture_where_that_is_allowed(engine: str) -> None:
    data = regions_at_the_end()
    whole = own_decoder().decode(data).planes
    first, second = (segment for segment in read_segments(data) if segment.marker == Marker.SORP)
    lost = {
        len(data) - 1: (),
        len(data) - 3: (1,),
        second.offset + 3: (1,),
        second.offset: (1,),
        second.offset - 1: (0, 1),
        first.offset: (0, 1),
    }
    for length, missing in lost.items():
        options = DecodeOptions(engine=engine, allow_partial=True)
        partial = own_decoder().decode(data[:length], options)
        assert partial.notes == tuple(f"region {number} is missing and was left empty" for number in missing)
        same = [getattr(partial.planes, name) == getattr(whole, name) for name in "yuv"]
        kept = {(): 256, (1,): 64, (0, 1): 0}[missing]  # the synthesis of a region sees a little of its neighbour
        assert all(plane[:, :kept].all() for plane in same), length
        assert all(plane[:, 128:].all() for plane in same) == (not missing), length
        with pytest.raises(InvalidStream):
            own_decoder().decode(data[:length], DecodeOptions(engine=engine))
