"""The native entropy stage: arrays, headers and judgements equal those of the plain one and the reference."""

from __future__ import annotations

import gc
import struct
import weakref
import zlib
from dataclasses import fields
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from jpegai_mobile import native
from jpegai_mobile.codestream.components import Component
from jpegai_mobile.codestream.picture_header import PictureHeader, read_picture_header, write_picture_header
from jpegai_mobile.codestream.segments import Marker, Segment, read_segments, write_segments
from jpegai_mobile.codestream.stream import CodeStream, read_code_stream, write_code_stream
from jpegai_mobile.codestream.substreams import SubStream
from jpegai_mobile.codestream.tiling import Rectangle
from jpegai_mobile.codestream.tool_header import (
    EfeLinearHeader,
    EicciHeader,
    EicciTile,
    ToolHeader,
    read_tool_header,
    write_tool_header,
)
from jpegai_mobile.entropy.residual import encode_residual
from jpegai_mobile.entropy.z import encode_z
from jpegai_mobile.errors import BundleError, InvalidStream, LimitExceeded
from jpegai_mobile.latent.decoded_symbols import DecodedSymbols, decoded_symbols
from jpegai_mobile.latent.entropy_stage import EntropyArrays, decode_entropy_stage
from jpegai_mobile.latent.model_tables import EntropyModel
from jpegai_mobile.native.binding import NativeContext
from jpegai_mobile.native.stage import _OpenModel
from jpegai_mobile.version import __version__

from .conformance import differing_arrays, oracle_arrays
from .fuzz.differential import Case, disagreement, legal_cases, native_outcome, plain_outcome
from .fuzz.mutators import with_field
from .vectors import DATA, all_stream_folders, stream_folder

MODEL_BYTES = (DATA / "entropy_1.bin").read_bytes()
REPOSITORY_STREAMS = sorted(path.name for path in (DATA / "streams").iterdir())


def stream_bytes(name: str) -> bytes:
    return (stream_folder(name) / "stream.jai").read_bytes()


def plain_arrays(data: bytes, max_channels: tuple[int, int] | None = None) -> EntropyArrays:
    return decode_entropy_stage(read_code_stream(data), EntropyModel.from_bytes(MODEL_BYTES), max_channels)


def assert_same_arrays(ours: EntropyArrays, expected: EntropyArrays) -> None:
    assert differing_arrays(ours, expected.named()) == []
    for name, array in expected.named().items():
        assert ours.named()[name].dtype == array.dtype
    assert (ours.quality_map is None) == (expected.quality_map is None)


def test_version_is_that_of_the_package() -> None:
    assert native.version() == __version__


@pytest.mark.parametrize("folder", all_stream_folders(), ids=lambda folder: folder.name)
def test_arrays_equal_the_oracle(folder: Path) -> None:
    arrays = native.decode_entropy_stage((folder / "stream.jai").read_bytes(), MODEL_BYTES)
    assert differing_arrays(arrays, oracle_arrays(folder)) == []


@pytest.mark.parametrize("name", REPOSITORY_STREAMS)
def test_arrays_equal_the_plain_stage(name: str) -> None:
    data = stream_bytes(name)
    assert_same_arrays(native.decode_entropy_stage(data, MODEL_BYTES), plain_arrays(data))


@pytest.mark.parametrize("folder", all_stream_folders(), ids=lambda folder: folder.name)
def test_headers_equal_the_plain_ones(folder: Path) -> None:
    data = (folder / "stream.jai").read_bytes()
    headers, stream = native.read_headers(data), read_code_stream(data)
    assert headers.picture == stream.picture
    assert headers.tools == stream.tools
    assert headers.rendering == stream.rendering
    assert headers.user_data == stream.user_data


@pytest.mark.parametrize(("marker", "most"), [(Marker.UDI, 1), (Marker.SORP, 256)])
def test_many_empty_segments_are_refused_at_the_first_too_many(marker: Marker, most: int) -> None:
    damaged = Marker.SOC.to_bytes(2, "big") + (marker.to_bytes(2, "big") + b"\x80") * 100_000
    with pytest.raises(InvalidStream, match=f"{marker.name} at byte {2 + 3 * most}: segment {most + 1} of this kind"):
        native.decode_entropy_stage(damaged, MODEL_BYTES, byte_limit=1 << 20)


def test_without_a_tool_header_all_tools_are_off() -> None:
    data = stream_bytes("bop_64x64")
    without = write_segments(s for s in read_segments(data) if s.marker != Marker.TON)
    assert native.read_headers(without).tools == ToolHeader()
    assert_same_arrays(native.decode_entropy_stage(without, MODEL_BYTES), plain_arrays(data))


@pytest.mark.parametrize("name", ["bop_67x65_bm200", "threads16_200x136", "numchs_33_5_187x133"])
@pytest.mark.parametrize("limit", [(0, 0), (1, 1), (16, 5), (40, 96), (160, 7), (65536, 1 << 40)])
def test_channel_limit_equals_the_plain_stage(name: str, limit: tuple[int, int]) -> None:
    data = stream_bytes(name)
    ours = native.decode_entropy_stage(data, MODEL_BYTES, max_channels=limit)
    assert_same_arrays(ours, plain_arrays(data, limit))


SYMBOL_STREAMS = [*REPOSITORY_STREAMS, "generated"]


@pytest.mark.parametrize("name", SYMBOL_STREAMS)
def test_symbols_equal_those_of_all_arrays(name: str) -> None:
    streams = [case.data for case in legal_cases(5, 12)] if name == "generated" else [stream_bytes(name)]
    for data in streams:
        stream = read_code_stream(data)
        ours, expected = native.decode_symbols(data, stream, MODEL_BYTES), decoded_symbols(stream, plain_arrays(data))
        whole = Rectangle(0, 0, *stream.picture.sizes.latent)
        middle = Rectangle(whole.bottom // 3, whole.right // 4, whole.bottom - 1, whole.right - 1)
        for window, component in product((whole, middle), Component):
            symbols = ours.residual[component].window(window)
            assert np.array_equal(symbols, expected.residual[component].window(window))
        for field in fields(DecodedSymbols):
            if field.name == "residual":
                continue
            pairs = getattr(ours, field.name), getattr(expected, field.name)
            for one, other in zip(*(p if isinstance(p, tuple) else (p,) for p in pairs), strict=True):
                assert (one is None) == (other is None), field.name
                assert one is None or (one.dtype == other.dtype and np.array_equal(one, other)), field.name


def test_few_symbols_of_a_wide_picture_are_found_again() -> None:
    picture = PictureHeader(img_width_minus64=12_000, img_height_minus64=0)
    model = EntropyModel.from_bytes(MODEL_BYTES)
    z = [np.zeros((i.channels, *picture.sizes.z), np.int8) for i in Component]
    tables = [component.z_cumulative for component in model.components]
    stream = CodeStream(picture, ToolHeader(), SubStream(encode_z(z, 1, tables), "z"), ([None], [None]))
    arrays = decode_entropy_stage(stream, model)
    for i, component in zip(Component, arrays.components, strict=True):
        channel = component.skip_mask.all(axis=(1, 2)).argmax()
        component.residual[channel, ::2, [0, 255, 256, 700]] = [[-128], [5], [-129], [32767]]
        payload = encode_residual(component.residual, 1, component.sigma, component.skip_mask)
        stream.residuals[i][0] = SubStream(payload, "residual")
    symbols = native.decode_symbols(write_code_stream(stream), stream, MODEL_BYTES)
    whole = Rectangle(0, 0, *picture.sizes.latent)
    for ours, expected in zip(symbols.residual, arrays.components, strict=True):
        assert np.array_equal(ours.window(whole).transpose(2, 0, 1), expected.residual)


def test_lef_reads_the_sigma_of_its_channel() -> None:
    symbols = [
        native.decode_symbols(case.data, read_code_stream(case.data), MODEL_BYTES) for case in legal_cases(5, 12)
    ]
    assert any(s.lef_sigma is not None for s in symbols) and any(s.lef_sigma is None for s in symbols)


def test_missing_regions_are_zero_where_they_are_allowed() -> None:
    segments = read_segments(stream_bytes("indreg_rvs_threads2_700x530"))
    kept = [s for s in segments if not (s.marker == Marker.SORP and s.payload[0] == 1)]
    data = write_segments(kept)
    with pytest.raises(InvalidStream, match="region 1 is missing"):
        native.decode_entropy_stage(data, MODEL_BYTES)
    ours = native.decode_entropy_stage(data, MODEL_BYTES, allow_missing_regions=True)
    stream = read_code_stream(data, allow_missing_regions=True)
    assert_same_arrays(ours, decode_entropy_stage(stream, EntropyModel.from_bytes(MODEL_BYTES)))


def test_arrays_outlive_everything_else() -> None:
    arrays = native.decode_entropy_stage(bytes(bytearray(stream_bytes("bop_64x64"))), MODEL_BYTES)
    residual = arrays.components[0].residual
    expected = residual.copy()
    del arrays
    gc.collect()
    native.decode_entropy_stage(stream_bytes("sop_64x64"), MODEL_BYTES)
    assert np.array_equal(residual, expected)


def test_a_model_that_is_forgotten_while_it_is_used_stays_open(monkeypatch: pytest.MonkeyPatch) -> None:
    data, model = (stream_folder("bop_64x64") / "stream.jai").read_bytes(), (DATA / "entropy_1.bin").read_bytes()
    opened, call = weakref.ref(_OpenModel.of(model)), NativeContext.call

    def call_after_others_opened_models(context: NativeContext, function: str, *arguments: object) -> None:
        if function == "jai_stream_decode":
            _OpenModel.of.cache_clear()
            gc.collect()
            assert opened() is not None
        call(context, function, *arguments)

    monkeypatch.setattr(NativeContext, "call", call_after_others_opened_models)
    native.decode_entropy_stage(data, model)
    gc.collect()
    assert opened() is None


def test_sample_limit_is_judged_like_in_the_plain_stage() -> None:
    data = stream_bytes("bop_64x64")
    with pytest.raises(LimitExceeded, match="64 x 64"):
        native.decode_entropy_stage(data, MODEL_BYTES, max_samples=64 * 64 - 1)
    for enough in (64 * 64, 1 << 64, 1 << 70):
        native.decode_entropy_stage(data, MODEL_BYTES, max_samples=enough, byte_limit=enough << 20)


def test_other_weights_are_noticed() -> None:
    model = EntropyModel.from_bytes(MODEL_BYTES)
    tables = model.components[0]
    other = type(tables)(tables.gain + 40, tables.z_cumulative, tables.hyper_scale_decoder)
    with pytest.raises(InvalidStream, match="made for other weights"):
        native.decode_entropy_stage(stream_bytes("bop_64x64"), EntropyModel((other, model.components[1])).to_bytes())


@pytest.mark.parametrize("position", [0, 9, 500, 2_000, len(MODEL_BYTES) - 1])
def test_damaged_model_tables_are_refused(position: int) -> None:
    damaged = bytearray(MODEL_BYTES)
    damaged[position] ^= 0x10
    with pytest.raises(BundleError, match="integer tables"):
        native.decode_entropy_stage(stream_bytes("bop_64x64"), bytes(damaged))


@pytest.mark.parametrize("length", [0, 7, 12, 4000])
def test_truncated_model_tables_are_refused(length: int) -> None:
    with pytest.raises(BundleError, match="integer tables"):
        native.decode_entropy_stage(stream_bytes("bop_64x64"), MODEL_BYTES[:length])


GAIN, Z_TABLE, BIAS, SHIFT = 16, 336, 36_028, 36_668
"""Where the luma tables of the model file start: gain, z tables, biases and shifts of the first layer."""


@pytest.mark.parametrize(
    ("position", "layout", "value", "legal"),
    [
        (8, "<I", 3, False),
        (12, "<I", 159, False),
        (GAIN, "<h", -2048, True),
        (GAIN + 318, "<h", -2049, False),
        (GAIN, "<h", 32767, True),
        (Z_TABLE + 62, "B", 254, False),
        (Z_TABLE + 63 * 159 + 61, "B", 255, True),
        (Z_TABLE, "B", 255, False),
        (BIAS, "<i", 1 << 30, True),
        (BIAS + 636, "<i", (1 << 30) + 1, False),
        (BIAS, "<i", -(1 << 30), True),
        (BIAS, "<i", -(1 << 30) - 1, False),
        (BIAS, "<i", -(1 << 31), False),
        (SHIFT, "B", 31, True),
        (SHIFT + 159, "B", 32, False),
    ],
)
def test_value_rules_of_model_tables(position: int, layout: str, value: int, legal: bool) -> None:
    body = bytearray(MODEL_BYTES[:-4])
    struct.pack_into(layout, body, position, value)
    model = bytes(body) + struct.pack("<I", zlib.crc32(body))
    case = Case("model", stream_bytes("bop_64x64"), model)
    outcome = native_outcome(case)
    assert disagreement(plain_outcome(case), outcome) is None
    assert (outcome is not BundleError) == legal


def assert_headers_are_refused(headers: dict[Marker, bytes], message: str) -> None:
    """By both engines."""
    data = write_segments(Segment(marker, payload) for marker, payload in headers.items())
    for read in (read_code_stream, native.read_headers):
        with pytest.raises(InvalidStream, match=message):
            read(data)


def region_header(rows: int, columns: int, independent: int) -> bytes:
    picture = PictureHeader(img_width_minus64=2000, img_height_minus64=2100, region_partitioning_flag=1)
    picture.num_ver_splits_minus1, picture.num_hor_splits_minus1 = rows - 1, columns - 1
    picture.region_residual_in_its_own_substream_flag = independent
    return write_picture_header(picture)


def with_independent_regions(payload: bytes) -> bytes:
    """Sets the flag behind the region counts, which the writer would judge."""
    _, fields = read_picture_header(payload)
    return with_field(payload, fields, "region_residual_in_its_own_substream_flag", 1)


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (region_header(16, 16, 1), "SOZ is missing"),
        (with_independent_regions(region_header(17, 16, 0)), "numbered"),
    ],
)
def test_independent_regions_can_be_numbered(payload: bytes, message: str) -> None:
    assert_headers_are_refused({Marker.PIH: payload}, message)


@pytest.mark.parametrize(
    ("marker", "name", "value", "message"),
    [
        (Marker.PIH, "num_ver_splits_minus1", 3, "4 x 5 regions do not fit|too low"),
        (Marker.PIH, "num_hor_splits_minus1", 5, "3 x 6 regions do not fit|too narrow"),
        (Marker.PIH, "num_chs[0]", 161, "num_chs.* 161"),
        (Marker.PIH, "synthesis_tile_overlap", 8, "synthesis_tile_size .*is not above"),
        (Marker.TON, "best_cand_idx[0]", 9, "best_cand_idx.* 8"),
        (Marker.TON, "tile_overlap", 12, "eICCI tile size .*is not above"),
    ],
)
def test_headers_may_go_to_their_limits_only(marker: Marker, name: str, value: int, message: str) -> None:
    picture = PictureHeader(img_width_minus64=576, img_height_minus64=320, region_partitioning_flag=1)
    picture.num_ver_splits_minus1, picture.num_hor_splits_minus1 = 2, 4
    for component in picture.components:
        component.synthesis_tile_enable, component.synthesis_tile_size, component.synthesis_tile_overlap = 1, 8, 7
    eicci = EicciHeader(1, 12, 11, [EicciTile()] * (13 * 29))
    tools = ToolHeader(efe_linear=EfeLinearHeader(), eicci=eicci)
    headers = {Marker.PIH: write_picture_header(picture), Marker.TON: write_tool_header(tools, picture)}
    assert_headers_are_refused(headers, "SOZ is missing")
    fields = {
        Marker.PIH: read_picture_header(headers[Marker.PIH])[1],
        Marker.TON: read_tool_header(headers[Marker.TON], picture)[1],
    }
    headers[marker] = with_field(headers[marker], fields[marker], name, value)
    assert_headers_are_refused(headers, message)


@pytest.mark.parametrize("name", ["bop_64x64", "meta_udi_rdi_64x64"])
def test_every_prefix_is_an_invalid_stream(name: str) -> None:
    data = stream_bytes(name)
    for length in range(len(data)):
        with pytest.raises(InvalidStream):
            native.decode_entropy_stage(data[:length], MODEL_BYTES)
