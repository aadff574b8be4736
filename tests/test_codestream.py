"""Headers and segments: every conformance header reads as the reference wrote it and re-serialises to the byte."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jpegai_mobile.codestream.bits import BitReader, BitWriter
from jpegai_mobile.codestream.description import describe
from jpegai_mobile.codestream.picture_header import (
    PictureHeader,
    cube_counts,
    read_picture_header,
    write_picture_header,
)
from jpegai_mobile.codestream.segments import Marker, read_segments, write_segments
from jpegai_mobile.codestream.stream import read_code_stream, write_code_stream
from jpegai_mobile.codestream.substreams import SubStream, join_regions, split_regions
from jpegai_mobile.codestream.tool_header import EicciHeader, ToolHeader, read_tool_header, write_tool_header
from jpegai_mobile.errors import InvalidStream, JpegAiError, LimitExceeded, Unsupported

from .vectors import all_stream_folders, stream_folder

SEGMENT_OF_HEADER_JSON = ("picture_header", "tool_header", "rendering_information")


def _coded_values(fields: list[dict]) -> list[tuple[int, int]]:
    """(bits, value) of every coded field, arrays flattened."""
    values = []
    for field in fields:
        listed = field["value"] if isinstance(field["value"], list) else [field["value"]]
        values += [(field["bits"], value) for value in listed]
    return values


@pytest.mark.parametrize("folder", all_stream_folders(), ids=lambda folder: folder.name)
def test_headers_round_trip_and_equal_the_reference(folder: Path) -> None:
    data = (folder / "stream.jai").read_bytes()
    stream = read_code_stream(data)
    assert write_code_stream(stream) == data
    reference = json.loads((folder / "header.json").read_text())
    offsets = [(s["name"], s["offset"], s["size"]) for s in reference["segments"]]
    assert [(s.marker.name, s.offset, len(s.payload)) for s in stream.segments] == offsets
    for header in SEGMENT_OF_HEADER_JSON:
        coded = [f for f in reference["fields"] if f["segment"] == header]
        read = [(f.bits, v) for f in stream.fields[header] for v in _flat(f.value)]
        if header == "rendering_information":
            read = _joined_metadata_bytes(read, coded)
        assert read == _coded_values(coded), header


def _flat(value: int | tuple[int, ...]) -> tuple[int, ...]:
    return value if isinstance(value, tuple) else (value,)


def _joined_metadata_bytes(read: list[tuple[int, int]], coded: list[dict]) -> list[tuple[int, int]]:
    """header.json lists the bytes of dynamic metadata as one number."""
    if coded and coded[-1]["name"] == "dm_data_byte":
        count = coded[-1]["bits"] // 8
        number = int.from_bytes(bytes(value for _, value in read[-count:]), "big")
        return [*read[:-count], (8 * count, number)]
    return read


@given(st.lists(st.integers(0, 1 << 30), max_size=20))
def test_exp_golomb_round_trips(values: list[int]) -> None:
    writer = BitWriter()
    for value in values:
        writer.write_exp_golomb(value)
        writer.write_signed_exp_golomb(value)
        writer.write_signed_exp_golomb(-value)
    reader = BitReader(writer.to_bytes(), "test")
    for value in values:
        assert reader.read_exp_golomb() == value
        assert reader.read_signed_exp_golomb() == value
        assert reader.read_signed_exp_golomb() == -value
    reader.finish()


@st.composite
def picture_headers(draw: st.DrawFn) -> PictureHeader:
    """Legal picture headers."""
    bit = st.integers(0, 1)
    header = PictureHeader(
        decoder_profile_id=draw(st.integers(0, 2)),
        level_idc=draw(st.integers(0, 255)),
        img_width_minus64=draw(st.integers(0, 2000)),
        img_height_minus64=draw(st.integers(0, 2000)),
        diff_display_img_width=draw(st.integers(0, 63)),
        bit_depth_idc=draw(bit),
        s_ver_minus1=draw(bit),
        s_hor_minus1=draw(bit),
        colour_transform_idx=draw(bit),
        model_id=draw(st.integers(0, 3)),
        multi_threading_z=draw(bit),
        independent_beta_uv=1,
        gain_3D_enable_flag=draw(bit),
        quality_map_entropy_index=draw(st.integers(0, 7)),
    )
    header.synthesis_transform_id = draw(st.lists(st.integers(0, 2), min_size=1, max_size=16))
    header.num_synthesis_transforms_minus1 = len(header.synthesis_transform_id) - 1
    header.c_ver_minus1 = header.s_ver_minus1 or draw(bit)
    header.c_hor_minus1 = header.s_hor_minus1 or draw(bit)
    header.beta_displacement_log_plus_2048 = draw(st.lists(st.integers(0, 4095), min_size=2, max_size=2))
    if not header.gain_3D_enable_flag:
        header.quality_map_entropy_index = 0
    for component in header.components:
        component.num_chs = draw(st.integers(0, component.num_chs))
        component.use_cube_flags = draw(bit)
        if component.use_cube_flags:
            rows, columns = cube_counts(header)
            count = 4 * rows * columns
            component.cube_group_flag = [1] * -(-count // 8)
            component.cube_flag = draw(st.lists(bit, min_size=count, max_size=count))
        component.grfs_enable_flag = draw(bit)
        if component.grfs_enable_flag:
            component.grfs_channel_flag = draw(st.lists(bit, min_size=component.num_chs, max_size=component.num_chs))
    return header


@given(picture_headers())
def test_picture_header_round_trips(header: PictureHeader) -> None:
    payload = write_picture_header(header)
    read, fields = read_picture_header(payload)
    assert read == header
    assert 0 <= 8 * len(payload) - sum(f.bits * len(_flat(f.value)) for f in fields) < 8


@given(st.binary(max_size=80))
def test_any_picture_header_is_read_or_refused(payload: bytes) -> None:
    try:
        header, _ = read_picture_header(payload)
    except JpegAiError as error:
        assert "\n" not in str(error)
    else:
        assert write_picture_header(header) == payload


@given(st.lists(st.binary(max_size=30), min_size=1, max_size=9))
def test_region_sizes_round_trip(payloads: list[bytes]) -> None:
    joined = SubStream(join_regions(payloads), "regions")
    assert [part.payload for part in split_regions(joined, len(payloads))] == payloads


@pytest.fixture
def stream_bytes() -> bytes:
    return (stream_folder("bop_64x64") / "stream.jai").read_bytes()


def test_every_prefix_is_refused(stream_bytes: bytes) -> None:
    for length in range(len(stream_bytes)):
        with pytest.raises(InvalidStream):
            read_code_stream(stream_bytes[:length])


def test_segments_may_come_in_another_order(stream_bytes: bytes) -> None:
    first, *others = read_segments(stream_bytes)
    stream = read_code_stream(write_segments([first, *reversed(others)]))
    assert stream.z.payload == read_code_stream(stream_bytes).z.payload


def test_without_a_tool_header_all_tools_are_off(stream_bytes: bytes) -> None:
    stream = read_code_stream(write_segments(s for s in read_segments(stream_bytes) if s.marker != Marker.TON))
    assert stream.tools == ToolHeader()
    assert describe(stream)["fields"]["tool_header"] == []
    assert write_code_stream(stream) == stream_bytes


@pytest.mark.parametrize("marker", [Marker.PIH, Marker.SOZ, Marker.SORP, Marker.SORS])
def test_missing_segments_are_named(stream_bytes: bytes, marker: Marker) -> None:
    segments = [s for s in read_segments(stream_bytes) if s.marker != marker]
    with pytest.raises(InvalidStream, match=marker.name):
        read_code_stream(write_segments(segments))


@pytest.mark.parametrize("marker", [m for m in Marker if m not in (Marker.SOC, Marker.EOC, Marker.SOQ, Marker.UDI)])
def test_repeated_segments_are_refused(stream_bytes: bytes, marker: Marker) -> None:
    segments = read_segments(stream_bytes)
    twice = [*segments, next(s for s in segments if s.marker == marker)]
    with pytest.raises(InvalidStream, match=f"{marker.name} at byte .* segment 2 of this kind"):
        read_code_stream(write_segments(twice))


@pytest.mark.parametrize(("marker", "most"), [(Marker.UDI, 1), (Marker.SORP, 256)])
def test_many_empty_segments_are_refused_at_the_first_too_many(stream_bytes: bytes, marker: Marker, most: int) -> None:
    damaged = stream_bytes[:2] + (marker.to_bytes(2, "big") + b"\x80") * 1000
    with pytest.raises(InvalidStream, match=f"{marker.name} at byte {2 + 3 * most}: segment {most + 1} of this kind"):
        read_segments(damaged)


def test_bytes_after_the_end_are_refused(stream_bytes: bytes) -> None:
    with pytest.raises(InvalidStream, match="3 bytes after marker EOC"):
        read_code_stream(stream_bytes + b"abc")


def test_unknown_markers_are_refused(stream_bytes: bytes) -> None:
    with pytest.raises(InvalidStream, match="unknown marker FF99 at byte 2"):
        read_code_stream(stream_bytes[:2] + b"\xff\x99" + stream_bytes[4:])


def test_a_huge_announced_size_is_refused(stream_bytes: bytes) -> None:
    size = BitWriter()
    size.write_exp_golomb(1 << 31)
    with pytest.raises(InvalidStream, match="announces 2147483648 bytes"):
        read_code_stream(stream_bytes[:4] + size.to_bytes() + stream_bytes[5:])


def test_millions_of_announced_tiles_take_no_memory() -> None:
    small, huge = PictureHeader(), PictureHeader(img_height_minus64=65000, img_width_minus64=65000)
    tools = ToolHeader(eicci=EicciHeader(tile_manager_enabled=1, tile_size=1))
    payload = write_tool_header(tools, small)
    tracemalloc.start()
    with pytest.raises(InvalidStream, match="ends inside"):
        read_tool_header(payload, huge)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


def test_displacements_are_described_by_component(stream_bytes: bytes) -> None:
    stream = read_code_stream(stream_bytes)
    stream.picture.independent_beta_uv = 1
    stream.picture.beta_displacement_log_plus_2048 = [2048 + 10, 2048 - 20]
    described = describe(read_code_stream(write_code_stream(stream)))
    assert described["summary"]["beta displacement"] == "10 luma, -20 chroma"


def test_sample_limit_is_judged_first(stream_bytes: bytes) -> None:
    with pytest.raises(LimitExceeded, match="64 x 64"):
        read_code_stream(stream_bytes, max_samples=4095)


@pytest.mark.parametrize(
    ("field", "value"),
    [("decoder_profile_id", 3), ("bit_depth_idc", 2), ("colour_transform_idx", 3), ("model_id", 4)],
)
def test_reserved_values_are_unsupported_by_name(field: str, value: int) -> None:
    header = PictureHeader()
    payload = write_picture_header(header)
    setattr(header, field, value)
    with pytest.raises(Unsupported, match=f"{field} {value}"):
        write_picture_header(header)
    assert read_picture_header(payload)[0] == PictureHeader()
