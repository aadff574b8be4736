"""The plain entropy stage: every integer array of every stream equals the reference's."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from jpegai_mobile.codestream.components import Component
from jpegai_mobile.codestream.picture_header import ComponentHeader
from jpegai_mobile.codestream.stream import read_code_stream
from jpegai_mobile.codestream.tiling import Rectangle
from jpegai_mobile.errors import BundleError, InvalidStream
from jpegai_mobile.latent.entropy_stage import decode_entropy_stage
from jpegai_mobile.latent.model_tables import EntropyModel
from jpegai_mobile.latent.residual_scaling import (
    GRFS_FLAG_CLEAR,
    GRFS_FLAG_SET,
    GRFS_OFF,
    UNIT_SCALE,
    decoder_multiplier,
    log_offset,
    residual_scale,
)
from jpegai_mobile.runtime.entropy_engine import EntropyOptions, run_symbol_decoding

from .conformance import differing_arrays, oracle_arrays
from .vectors import DATA, all_stream_folders, stream_folder, unit_vectors

MODEL_BYTES = (DATA / "entropy_1.bin").read_bytes()


@pytest.fixture(scope="module")
def model() -> EntropyModel:
    return EntropyModel.from_bytes(MODEL_BYTES)


@pytest.mark.parametrize("folder", all_stream_folders(), ids=lambda folder: folder.name)
def test_arrays_equal_the_oracle(folder: Path, model: EntropyModel) -> None:
    arrays = decode_entropy_stage(read_code_stream((folder / "stream.jai").read_bytes()), model)
    # Where the reference stored planes only, the end of every coder in state 0 is the check.
    assert differing_arrays(arrays, oracle_arrays(folder)) == []


def test_trace_types_and_shapes(model: EntropyModel) -> None:
    named = decode_entropy_stage(
        read_code_stream((stream_folder("numchs_33_5_187x133") / "stream.jai").read_bytes()), model
    ).named()
    types = {
        "z": np.int8,
        "scale_index": np.int32,
        "sigma": np.int32,
        "skip_mask": np.bool_,
        "residual": np.int16,
    }
    for name, dtype in types.items():
        for component in Component:
            array = named[f"{name}_{component.suffix}"]
            assert (array.dtype, len(array)) == (dtype, component.channels)
    assert not named["residual_y"][33:].any() and not named["residual_uv"][5:].any()


def test_channel_limit_keeps_the_first_channels(model: EntropyModel) -> None:
    stream = read_code_stream((stream_folder("bop_64x64") / "stream.jai").read_bytes())
    full, limited = (decode_entropy_stage(stream, model, limit) for limit in (None, (40, 7)))
    for component, limit in zip(Component, (40, 7), strict=True):
        kept, whole = limited.components[component].residual, full.components[component].residual
        assert np.array_equal(kept[:limit], whole[:limit]) and not kept[limit:].any() and whole[limit:].any()


def test_other_weights_are_noticed(model: EntropyModel) -> None:
    tables = model.components[0]
    other = EntropyModel(
        (type(tables)(tables.gain + 40, tables.z_cumulative, tables.hyper_scale_decoder), model.components[1])
    )
    with pytest.raises(InvalidStream, match="made for other weights"):
        decode_entropy_stage(read_code_stream((stream_folder("bop_64x64") / "stream.jai").read_bytes()), other)


def test_residual_scaling_equals_the_reference() -> None:
    vectors = unit_vectors("rvs_tables")
    averages = np.arange(4352, dtype=np.int32)[None, None]
    for model_id, group, rvs in product(range(4), (GRFS_OFF, GRFS_FLAG_SET, GRFS_FLAG_CLEAR), (0, 1)):
        header = ComponentHeader(num_chs=1, rvs_enable_flag=rvs, grfs_enable_flag=int(group != GRFS_OFF))
        header.grfs_channel_flag = [int(group == GRFS_FLAG_SET)]
        scale = residual_scale(averages, header, model_id)
        assert (scale is None) == (group == GRFS_OFF and not rvs)
        scale = np.full_like(averages, UNIT_SCALE) if scale is None else scale
        prefix = f"model{model_id}_grfs{group}_rvs{rvs}"
        assert np.array_equal(scale[0, 0], vectors[f"{prefix}_mul_enc_q7"]), prefix
        assert np.array_equal(log_offset(scale)[0, 0], vectors[f"{prefix}_log_add"]), prefix
        assert np.array_equal(decoder_multiplier(scale)[0, 0], vectors[f"{prefix}_mul_dec_q16"]), prefix


def test_model_tables_round_trip() -> None:
    assert EntropyModel.from_bytes(MODEL_BYTES).to_bytes() == MODEL_BYTES


@pytest.mark.parametrize("position", [0, 9, 500, 2_000, len(MODEL_BYTES) - 1])
def test_damaged_model_tables_are_refused(position: int) -> None:
    damaged = bytearray(MODEL_BYTES)
    damaged[position] ^= 0x10
    with pytest.raises(BundleError, match="integer tables"):
        EntropyModel.from_bytes(bytes(damaged))


@pytest.mark.parametrize("length", [0, 7, 12, 4000])
def test_truncated_model_tables_are_refused(length: int) -> None:
    with pytest.raises(BundleError, match="integer tables"):
        EntropyModel.from_bytes(MODEL_BYTES[:length])


@pytest.mark.parametrize("folder", all_stream_folders(), ids=lambda folder: folder.name)
def test_symbols_are_the_same_from_both_engines(folder: Path) -> None:
    data = (folder / "stream.jai").read_bytes()
    stream = read_code_stream(data)
    plain, native = (run_symbol_decoding(data, stream, MODEL_BYTES, EntropyOptions(e)) for e in ("python", "native"))
    for name in ("z", "block_averages"):
        for ours, theirs in zip(getattr(plain, name), getattr(native, name), strict=True):
            assert np.array_equal(ours, theirs), name
    whole = Rectangle(0, 0, *stream.picture.sizes.latent)
    for ours, theirs in zip(plain.residual, native.residual, strict=True):
        assert np.array_equal(ours.window(whole), theirs.window(whole))
    assert np.array_equal(plain.quality_map, native.quality_map)
    assert np.array_equal(plain.lef_sigma, native.lef_sigma)
