"""The native entropy stage: arrays, headers and judgements equal those of the plain one and the reference."""

from __future__ import annotations

import gc
from pathlib import Path

import numpy as np
import pytest

from jpegai_mobile import native
from jpegai_mobile.codestream.segments import Marker, read_segments, write_segments
from jpegai_mobile.codestream.stream import read_code_stream
from jpegai_mobile.errors import BundleError, InvalidStream, LimitExceeded
from jpegai_mobile.latent.entropy_stage import EntropyArrays, decode_entropy_stage
from jpegai_mobile.latent.model_tables import EntropyModel
from jpegai_mobile.version import __version__

from .test_entropy_stage import differing_arrays, oracle_arrays
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
    for component in stream.picture.components:
        component.cube_group_flag = []  # the native header keeps the flags themselves
    assert headers.picture == stream.picture
    assert headers.tools == stream.tools
    assert headers.rendering == stream.rendering
    assert headers.user_data == stream.user_data


@pytest.mark.parametrize("name", ["bop_67x65_bm200", "threads16_200x136", "numchs_33_5_187x133"])
@pytest.mark.parametrize("limit", [(0, 0), (1, 1), (16, 5), (40, 96), (160, 7)])
def test_channel_limit_equals_the_plain_stage(name: str, limit: tuple[int, int]) -> None:
    data = stream_bytes(name)
    ours = native.decode_entropy_stage(data, MODEL_BYTES, max_channels=limit)
    assert_same_arrays(ours, plain_arrays(data, limit))


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


def test_sample_limit_is_judged_like_in_the_plain_stage() -> None:
    data = stream_bytes("bop_64x64")
    with pytest.raises(LimitExceeded, match="64 x 64"):
        native.decode_entropy_stage(data, MODEL_BYTES, max_samples=64 * 64 - 1)
    native.decode_entropy_stage(data, MODEL_BYTES, max_samples=64 * 64)


def test_other_weights_are_noticed() -> None:
    model = EntropyModel.from_bytes(MODEL_BYTES)
    tables = model.components[0]
    other = type(tables)(tables.gain + 40, tables.z_cumulative, tables.hyper_scale_decoder)
    with pytest.raises(InvalidStream, match="made for other weights"):
        native.decode_entropy_stage(
            stream_bytes("bop_64x64"), EntropyModel((other, model.components[1])).to_bytes()
        )


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


@pytest.mark.parametrize("name", ["bop_64x64", "meta_udi_rdi_64x64"])
def test_every_prefix_is_an_invalid_stream(name: str) -> None:
    data = stream_bytes(name)
    for length in range(len(data)):
        with pytest.raises(InvalidStream):
            native.decode_entropy_stage(data[:length], MODEL_BYTES)
