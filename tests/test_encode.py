"""The encoder with the project's own weights: what it codes is what decoders decode."""

from __future__ import annotations

import hashlib
import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jpegai_mobile
from converters.cli import main as convert
from converters.open_checkpoints import open_checkpoints
from converters.packed_checkpoint import INDEX_NAME
from jpegai_mobile import BundleError, DecodeOptions, EncodeOptions, PictureError
from jpegai_mobile.codestream.components import Component
from jpegai_mobile.codestream.model_mark import MAGIC
from jpegai_mobile.codestream.stream import read_code_stream, write_code_stream
from jpegai_mobile.encoder import cube_flags, encoder, hyper_scales, quantisation
from jpegai_mobile.encoder.analysis import ComponentAnalysis, analyse
from jpegai_mobile.encoder.coded_planes import CodedPlanes
from jpegai_mobile.encoder.encoder import Coding, Encoder
from jpegai_mobile.encoder.header import level, picture_header, set_beta_displacement
from jpegai_mobile.encoder.known_hyper_latents import known_hyper_latents
from jpegai_mobile.encoder.networks import EncoderNetworks
from jpegai_mobile.encoder.options import DEFAULT_ROI_STRENGTH, EFFORTS, MAX_BETA, MIN_BETA
from jpegai_mobile.encoder.pictures import SourcePicture
from jpegai_mobile.encoder.quality import displacement, nearest_model, position_of_quality
from jpegai_mobile.encoder.quality_map import quality_map_of
from jpegai_mobile.encoder.rate_control import MAX_PASSES, TOLERANCE, TargetSize
from jpegai_mobile.entropy.residual import table_index
from jpegai_mobile.image.colour import yuv_to_rgb
from jpegai_mobile.latent.block_average import block_average, spread_blocks
from jpegai_mobile.latent.entropy_stage import latent_regions
from jpegai_mobile.latent.residual_scaling import residual_scale
from jpegai_mobile.runtime.dequantise import QUALITY_SIXTEENTHS, scaler
from jpegai_mobile.runtime.entropy_engine import ENGINES, EntropyOptions, run_entropy_stage
from picture_quality.metrics import psnr

from .encoding import WEIGHTS, own_bundle_path, own_decoder, own_encoder, photo, random_picture


def prepared(picture: SourcePicture, roi: np.ndarray | None = None, **options: object) -> Coding:
    return own_encoder().prepare(picture, EncodeOptions(**options), roi)


def decoded(data: bytes) -> np.ndarray:
    result = own_decoder().decode(data)
    return yuv_to_rgb(result.planes, result.stream.picture.bit_depth)


def assert_codes_what_it_quantised(coding: Coding, data: bytes) -> None:
    """Both engines read the symbols that the encoder wrote, and the latents are as near as the step allows."""
    arrays = [run_entropy_stage(data, coding.tables, EntropyOptions(engine)) for engine in ENGINES]
    latents = jpegai_mobile.decode_latents(data, own_bundle_path())
    for i in Component:
        quantised = coding.quantise(i)
        for engine in arrays:
            component = engine.components[i]
            assert np.array_equal(component.z, coding.analysis[i].z)
            assert np.array_equal(component.residual, quantised.residual)
            assert np.array_equal(component.skip_mask, quantised.skip_mask)
            assert np.array_equal(table_index(component.sigma), quantised.table_index)
        gain = coding.model.components[i].gain.astype(np.int32)
        steps = scaler(gain + coding.header.beta_displacement_log(i))[:, None, None]
        if engine.quality_map is not None:
            assert np.array_equal(engine.quality_map, coding.quality_map)
            steps = steps * (QUALITY_SIXTEENTHS[engine.quality_map.astype(int) + 8] / 16)
        if coding.options.lsbs or coding.options.weighs_rate:
            continue  # latents are scaled, or not rounded to the nearest symbol
        scale = residual_scale(block_average(component.scale_index), coding.header.components[i], 1)
        if scale is not None:
            steps = steps * spread_blocks(scale, *map(range, component.sigma.shape[1:])) / 128
        error = np.abs(coding.analysis[i].latent - latents[i]).transpose(2, 0, 1) * steps
        num_chs = coding.header.components[i].num_chs
        # Predictions are float32 sums of what was coded around: they are as exact as that is large.
        rounding = 1e-4 + 1e-5 * np.abs(quantised.residual).max()
        assert error[:num_chs][quantised.skip_mask[:num_chs]].max(initial=0) < 0.5 + rounding


@pytest.mark.filterwarnings("ignore:decoded at operating point:jpegai_mobile.DecodeWarning")
@settings(max_examples=25, deadline=None)
@given(
    size=st.tuples(st.integers(1, 150), st.integers(1, 150)),
    seed=st.integers(0, 99),
    bit_depth=st.sampled_from([8, 10]),
    beta=st.integers(MIN_BETA, 1000),
    chroma_beta=st.none() | st.integers(-600, 600),
    coder_threads=st.sampled_from([1, 2, 4, 8, 16]),
    operating_point=st.sampled_from(["sop", "bop", "hop"]),
    engine=st.sampled_from(ENGINES),
    tools=st.fixed_dictionaries(
        {
            "rvs": st.booleans() | st.none(),
            "grfs": st.booleans(),
            "lsbs": st.booleans(),
            "cube_flags": st.booleans(),
            "effort": st.sampled_from(EFFORTS),
            "chroma": st.sampled_from([None, (1, 1), (1, 2), (2, 2)]),
        }
    ),
    free=st.booleans(),
    post_filters=st.booleans(),
    roi_strength=st.none() | st.integers(1, 8),
)
def test_streams_hold_what_was_encoded(
    size: tuple[int, int], seed: int, bit_depth: int, beta: int, chroma_beta: int | None, coder_threads: int,
    operating_point: str, engine: str, tools: dict[str, object], free: bool, post_filters: bool,
    roi_strength: int | None,
) -> None:  # fmt: skip
    picture = random_picture(*size, seed, bit_depth)
    coding = prepared(
        picture,
        None if roi_strength is None else random_picture(*size, seed + 1).samples[..., 0],
        beta_displacement=None if free else beta,
        post_filters=post_filters,
        roi_strength=roi_strength or DEFAULT_ROI_STRENGTH,
        **tools,
        chroma_beta_displacement=chroma_beta,
        coder_threads=coder_threads,
        operating_point=operating_point,
        engine=engine,
    )
    data = coding.code(beta)
    assert_codes_what_it_quantised(coding, data)
    assert write_code_stream(read_code_stream(data)) == data
    if post_filters:
        assert coding.verification is not None
        data = coding.verification.filtered(data)
        assert write_code_stream(read_code_stream(data)) == data
    samples = decoded(data)
    assert samples.shape == (*size, 3)
    assert samples.dtype == picture.samples.dtype


@pytest.mark.parametrize("threads", [1, 16])
def test_both_engines_write_the_same_bytes(threads: int) -> None:
    streams = {
        own_encoder().encode(photo(), EncodeOptions(quality=40, coder_threads=threads, engine=engine)).data
        for engine in ENGINES
    }
    assert len(streams) == 1


def test_the_stream_does_not_depend_on_threads() -> None:
    streams = {own_encoder().encode(photo(), EncodeOptions(num_threads=threads)).data for threads in (1, 2, 3)}
    assert len(streams) == 1


def test_a_photo_survives() -> None:
    assert psnr(decoded(own_encoder().encode(photo(), EncodeOptions(bpp=1.0)).data), photo().samples) > 30


def test_ten_bits_are_coded_as_ten_bits() -> None:
    wide = SourcePicture(photo().samples.astype(np.uint16) * 4)
    options = EncodeOptions(beta_displacement=300)
    narrow, ten = (decoded(own_encoder().encode(picture, options).data) for picture in (photo(), wide))
    assert ten.dtype == np.uint16
    assert psnr(ten, wide.samples, 1023) == pytest.approx(psnr(narrow, photo().samples), abs=0.3)


def test_windows_equal_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = random_picture(331, 227, 1)
    coding = prepared(picture, beta_displacement=100)
    whole = coding.code(100)
    monkeypatch.setattr(quantisation, "WINDOW", 6)
    monkeypatch.setattr(hyper_scales, "BAND", 2)
    coding = prepared(picture, beta_displacement=100)
    assert coding.code(100) == whole
    networks = EncoderNetworks(own_encoder().bundle, 1, "float32", 2)
    for patch in (1, 6):
        for part, expected in zip(
            analyse(CodedPlanes(picture, picture.size, (1, 1)), networks, patch), coding.analysis, strict=True
        ):
            assert np.array_equal(part.latent, expected.latent)
            assert np.array_equal(part.z, expected.z)


@pytest.mark.parametrize("tools", [{"rvs_enable_flag": 1}, {"grfs_enable_flag": 1}, {"num_chs": 17}])
def test_tools_of_the_header_are_obeyed(tools: dict[str, int]) -> None:
    coding = prepared(photo(), beta_displacement=200)
    for component in coding.header.components:
        for name, value in tools.items():
            setattr(component, name, value)
        component.grfs_channel_flag = [i % 2 for i in range(component.num_chs)] if component.grfs_enable_flag else []
    data = coding.code(200)
    assert_codes_what_it_quantised(coding, data)
    assert len(data) != len(prepared(photo(), beta_displacement=200).code(200))
    for i in Component:
        assert coding.quantise(i).residual.any()


def test_cube_flags_code_what_skipping_would_lose(monkeypatch: pytest.MonkeyPatch) -> None:
    picture, options = random_picture(300, 300, 7), EncodeOptions(beta_displacement=-700, cube_flags=True)
    without = own_encoder().prepare(picture, replace(options, cube_flags=False)).code(-700)
    monkeypatch.setattr(cube_flags, "ZERO_BITS", np.zeros_like(cube_flags.ZERO_BITS))
    monkeypatch.setattr(cube_flags, "ESCAPE_BITS", np.zeros_like(cube_flags.ESCAPE_BITS))
    coding = own_encoder().prepare(picture, options)
    data = coding.code(-700)
    header = read_code_stream(data).picture.components[Component.LUMA]
    assert header.use_cube_flags and 0 < header.cube_flag.count(0) < len(header.cube_flag)
    assert_codes_what_it_quantised(coding, data)
    assert len(data) > len(without)
    assert psnr(decoded(data), picture.samples) > psnr(decoded(without), picture.samples)


@settings(max_examples=4, deadline=None)
@given(
    size=st.tuples(st.integers(250, 320), st.integers(250, 320)),
    regions=st.sampled_from([(1, 2), (2, 1), (2, 2)]),
    coder_threads=st.sampled_from([1, 4]),
    roi=st.booleans(),
)
def test_regions_are_coded_without_each_other(
    size: tuple[int, int], regions: tuple[int, int], coder_threads: int, roi: bool
) -> None:
    picture = random_picture(*size, 4)
    mask = picture.samples[..., 1] if roi else None
    coding = prepared(picture, mask, beta_displacement=0, regions=regions, coder_threads=coder_threads, rvs=roi)
    data = coding.code(0)
    assert_codes_what_it_quantised(coding, data)
    stream = read_code_stream(data)
    assert stream.picture.region_counts == regions and stream.picture.independent_regions
    for residuals in stream.residuals:
        residuals[-1] = None
    partial = write_code_stream(stream), own_bundle_path(), DecodeOptions(allow_partial=True)
    first = latent_regions(stream.picture)[0].slices
    with pytest.warns(jpegai_mobile.DecodeWarning, match="is missing and was left empty"):
        parts = jpegai_mobile.decode_latents(*partial)
    for part, whole in zip(parts, jpegai_mobile.decode_latents(data, own_bundle_path()), strict=True):
        assert np.array_equal(part[first], whole[first])
        assert not np.array_equal(part, whole)


@pytest.mark.parametrize(
    ("size", "regions", "overlap", "tools"),
    [
        ((256, 300), (2, 2), 1, {"rvs": True}),
        ((256, 520), (1, 2), 2, {"chroma": (2, 2), "coder_threads": 4}),
        ((200, 386), (1, 3), 1, {"lsbs": True}),
    ],
)
def test_regions_that_see_each_other(
    size: tuple[int, int], regions: tuple[int, int], overlap: int, tools: dict[str, object]
) -> None:
    picture = random_picture(*size, 4)
    coding = prepared(picture, None, beta_displacement=0, regions=regions, region_overlap=overlap, **tools)
    data = coding.code(0)
    assert_codes_what_it_quantised(coding, data)
    header = read_code_stream(data).picture
    assert header.region_counts == regions and header.independent_regions == (not overlap)
    if overlap:
        alone = prepared(picture, None, beta_displacement=0, regions=regions, **tools).code(0)
        assert psnr(decoded(data), decoded(alone)) < 60, "regions see nothing of each other"


def test_regions_that_do_not_fit_are_refused() -> None:
    with pytest.raises(PictureError, match="2 x 2 regions with an overlap of 2 do not fit a picture of 300 x 300"):
        own_encoder().encode(random_picture(300, 300, 0), EncodeOptions(regions=(2, 2), region_overlap=2))
    with pytest.raises(ValueError, match="a region overlap needs regions"):
        EncodeOptions(region_overlap=1)
    with pytest.raises(PictureError, match="2 x 3 regions do not fit a picture of 300 x 120"):
        own_encoder().encode(random_picture(120, 300, 0), EncodeOptions(regions=(2, 3)))
    with pytest.raises(PictureError, match="2 x 2 regions do not fit a picture of 50 x 40"):
        own_encoder().encode(random_picture(40, 50, 0), EncodeOptions(regions=(2, 2)))


def test_a_region_of_interest_is_better_than_the_rest() -> None:
    picture = photo()
    mask = np.zeros(picture.size, np.uint8)
    half = picture.size[1] // 32 * 16
    mask[:, :half] = 255
    mean, left = (
        decoded(own_encoder().encode(picture, EncodeOptions(bpp=0.3, roi_strength=8), roi).data) for roi in (None, mask)
    )
    inside, outside = slice(0, half - 16), slice(half + 16, None)
    assert psnr(left[:, inside], picture.samples[:, inside]) > psnr(mean[:, inside], picture.samples[:, inside]) + 1
    assert psnr(left[:, outside], picture.samples[:, outside]) < psnr(mean[:, outside], picture.samples[:, outside]) - 1
    with pytest.raises(PictureError, match="the mask is"):
        own_encoder().encode(picture, roi=mask[:-1])


def test_a_quality_map_has_the_means_of_the_mask() -> None:
    """Black is coarser, white finer by the strength; latents beyond the mask repeat its border."""
    mask = np.zeros((40, 50), np.uint8)
    mask[:, 16:] = 120
    mask[:, 32:] = 255
    assert quality_map_of(mask, (3, 4), 8).tolist() == [[-8, 0, 8, 8]] * 3
    mask[:16, :8] = 255
    assert quality_map_of(mask, (3, 4), 3).tolist() == [[0, 0, 3, 3], [-3, 0, 3, 3], [-3, 0, 3, 3]]


@pytest.mark.parametrize("bpp", [0.1, 0.5, 1.2])
def test_bpp_is_hit_in_few_passes(bpp: float) -> None:
    picture = photo()
    encoded = own_encoder().encode(picture, EncodeOptions(bpp=bpp))
    assert len(encoded.data) * 8 / (picture.size[0] * picture.size[1]) == encoded.bits_per_sample
    assert encoded.bits_per_sample == pytest.approx(bpp, rel=TOLERANCE)
    assert encoded.passes <= MAX_PASSES
    assert not encoded.notes


@pytest.mark.parametrize(("rows", "columns"), [(64, 176), (96, 96), (120, 72)])
def test_the_size_of_headers_is_known_to_the_search(rows: int, columns: int) -> None:
    """Most of so small a stream is the same at every rate; what is not jumps by some bytes of 300."""
    picture = SourcePicture(photo().samples[:rows, :columns])
    encoded = own_encoder().encode(picture, EncodeOptions(bpp=0.25))
    assert encoded.bits_per_sample == pytest.approx(0.25, rel=0.03)
    assert bool(encoded.notes) == (abs(encoded.bits_per_sample / 0.25 - 1) > TOLERANCE)


@pytest.mark.parametrize("bpp", [0.1, 0.5, 1.2])
def test_bpp_of_noise_is_hit_nearly_or_told(bpp: float) -> None:
    """Its size does not grow evenly with the displacement."""
    encoded = own_encoder().encode(random_picture(200, 300, 3), EncodeOptions(bpp=bpp))
    assert encoded.bits_per_sample == pytest.approx(bpp, rel=0.1)
    assert encoded.passes <= MAX_PASSES
    assert bool(encoded.notes) == (abs(encoded.bits_per_sample / bpp - 1) > TOLERANCE)


def test_a_rate_out_of_reach_is_told() -> None:
    encoded = own_encoder().encode(random_picture(64, 64, 0), EncodeOptions(bpp=0.01))
    assert "as near to 0.01 as was found" in encoded.notes[0]


@given(slope=st.floats(0.75, 1.75), curve=st.floats(-0.3, 0.3), at_zero=st.floats(8, 16), target=st.floats(9, 16))
def test_search_finds_sizes_of_any_smooth_curve(slope: float, curve: float, at_zero: float, target: float) -> None:
    def code(beta: int) -> bytes:
        x = beta / 400
        return bytes(100 + round(2 ** min(at_zero + slope * x + curve * x * abs(x) / 8, 20)))

    size = TargetSize(2**target + 100, 100)
    first = size.first_displacement(lambda beta: 2 ** (12 + beta / 400))
    attempt, passes = size.search(first, MAX_PASSES, code)
    assert passes <= MAX_PASSES
    within = abs(len(attempt.stream) / (2**target + 100) - 1) < 0.02
    assert within or attempt.beta in (MIN_BETA, MAX_BETA) or abs(target - at_zero) > 3 * slope


def test_quality_is_a_stable_scale() -> None:
    assert [position_of_quality(q) for q in (1, 25, 50, 75, 100)] == [-1176, -600, 0, 600, 1200]
    chosen = {q: nearest_model(position_of_quality(q), (0, 1, 2, 3)) for q in (1, 25, 50, 75, 100)}
    assert chosen == {1: 0, 25: 0, 50: 1, 75: 2, 100: 3}
    assert [displacement(600, model) for model in range(4)] == [1172, 600, 28, -544]
    assert nearest_model(600, (1,)) == 1
    sizes = [len(own_encoder().encode(photo(), EncodeOptions(quality=q)).data) for q in (5, 30, 50, 70, 90)]
    assert sizes == sorted(sizes)
    default = own_encoder().encode(photo())
    assert (default.model, default.beta_displacement) == (1, 0)


def test_headers_say_profile_level_and_size() -> None:
    header = read_code_stream(own_encoder().encode(random_picture(3, 70, 0)).data).picture
    assert (header.height, header.width, header.display_size) == (64, 70, (3, 70))
    assert (header.decoder_profile_id, header.synthesis_transform_id, header.level_idc) == (1, [1, 0], 12)
    assert not header.components[0].synthesis_tile_enable
    simple = own_encoder().encode(random_picture(64, 64, 0), EncodeOptions(operating_point="sop", coder_threads=4))
    header = read_code_stream(simple.data).picture
    assert (header.decoder_profile_id, header.synthesis_transform_id) == (0, [0])
    assert (header.z_threads, header.components[1].residual_threads) == (4, 4)


def test_large_pictures_are_tiled_for_synthesis() -> None:
    picture = SourcePicture(np.full((1030, 1030, 3), 90, np.uint8))
    for component in read_code_stream(own_encoder().encode(picture).data).picture.components:
        tiles = component.synthesis_tile_enable, component.synthesis_tile_size, component.synthesis_tile_overlap
        assert tiles == (1, 64, 4)


@pytest.mark.parametrize(("size", "tiled"), [((64, 16385), 0), ((3, 16385), 0), ((16385, 64), 0), ((16385, 65), 1)])
def test_strips_no_wider_than_the_overlap_are_not_tiled(size: tuple[int, int], tiled: int) -> None:
    header = picture_header(SourcePicture(np.zeros((*size, 3), np.uint8)), 1, EncodeOptions())
    assert [component.synthesis_tile_enable for component in header.components] == [tiled, tiled]


@pytest.mark.parametrize(
    ("samples", "model", "expected"),
    [
        (6220800, 1, 12),
        (6220801, 0, 22),
        (24883200, 1, 22),
        (24883201, 3, 31),
        (99532800, 2, 31),
        (99532801, 2, 41),
        (149817600, 2, 41),
        (149817601, 0, 52),
        (398131200, 1, 52),
    ],
)
def test_level(samples: int, model: int, expected: int) -> None:
    assert level(samples, model) == expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"quality": 40}, (-240, -240)),
        ({"quality": 40, "chroma_beta_displacement": 90}, (-240, -150)),
        ({"bpp": 0.5, "chroma_beta_displacement": -2000}, (-240, MIN_BETA)),
        ({"beta_displacement": -240, "chroma_beta_displacement": 90}, (-240, 90)),
    ],
)
def test_a_displacement_of_chroma_is_relative_unless_that_of_luma_is_given(
    options: dict[str, Any], expected: tuple[int, int]
) -> None:
    choices = EncodeOptions(**options)
    header = picture_header(photo(), 1, choices)
    set_beta_displacement(header, -240, choices)
    assert tuple(header.beta_displacement_log(i) for i in Component) == expected


def test_a_picture_above_all_levels_is_refused() -> None:
    with pytest.raises(PictureError, match="398131200"):
        level(398131201, 1)


def test_streams_name_their_weights() -> None:
    data = own_encoder().encode(photo()).data
    stream = read_code_stream(data)
    tables = own_encoder().bundle.entropy_model_bytes(1)
    assert stream.user_data == MAGIC + hashlib.sha256(tables).digest()
    stream.user_data = MAGIC + bytes(32) + b"of others"
    with pytest.raises(BundleError, match="other weights than model 1"):
        own_decoder().decode(write_code_stream(stream))
    for harmless in (MAGIC + hashlib.sha256(tables).digest() + b"more", b"JAIMODL", b"", MAGIC + bytes(31), None):
        stream.user_data = harmless
        own_decoder().decode(write_code_stream(stream))
    assert read_code_stream(own_encoder().encode(photo(), EncodeOptions(model_mark=False)).data).user_data is None


def test_a_bundle_without_encoder_is_named() -> None:
    with pytest.raises(BundleError, match="cannot encode with model 3; it can with 1"):
        own_encoder().encode(photo(), EncodeOptions(model=3))


@pytest.mark.parametrize(
    "wrong",
    [
        {"bpp": 0.5, "quality": 50},
        {"bpp": 0},
        {"quality": 101},
        {"model": 4},
        {"beta_displacement": 2048},
        {"chroma_beta_displacement": -2049},
        {"operating_point": "top"},
        {"coder_threads": 3},
        {"num_threads": 0},
        {"regions": (0, 1)},
        {"regions": (129, 1)},
        {"regions": (1, 129)},
        {"regions": (17, 16)},
        {"roi_strength": 9},
    ],
)
def test_options_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        EncodeOptions(**wrong)


def test_python_functions() -> None:
    mask = photo().samples[..., 0]
    assert read_code_stream(jpegai_mobile.encode(photo().samples, own_bundle_path(), roi=mask)).quality_map is not None
    data = jpegai_mobile.encode(photo().samples, own_bundle_path(), bpp=0.6)
    assert len(data) * 8 / photo().samples[..., 0].size == pytest.approx(0.6, rel=0.02)
    assert jpegai_mobile.encode(photo().samples, own_bundle_path()) == own_encoder().encode(photo()).data
    fast = own_encoder().encode(photo(), EncodeOptions(effort=1)).data
    assert jpegai_mobile.encode(photo().samples, own_bundle_path(), effort=1) == fast
    assert np.array_equal(jpegai_mobile.decode(data, own_bundle_path()), decoded(data))
    luma, chroma = jpegai_mobile.decode_latents(data, own_bundle_path())
    rows, columns = (-(-length // 16) for length in photo().size)
    assert luma.shape == (rows, columns, 160) and chroma.shape == (rows, columns, 96)


def test_a_rate_replaces_the_model_of_the_options() -> None:
    plain = EncodeOptions(model=1, beta_displacement=100, cube_flags=False)
    data = jpegai_mobile.encode(photo().samples, own_bundle_path(), quality=40, options=plain)
    assert data == own_encoder().encode(photo(), EncodeOptions(quality=40, cube_flags=False)).data


@pytest.mark.parametrize("options", [{"quality": 40}, {"bpp": 0.4}])
def test_a_coding_gives_one_stream(options: dict[str, object]) -> None:
    coding = prepared(photo(), **options)
    assert coding.encode().data == coding.encode().data == own_encoder().encode(photo(), EncodeOptions(**options)).data


def test_hyper_latents_without_a_count_become_the_nearest_with_one() -> None:
    counts = np.zeros((2, 63), int)
    counts[0, [31, 33]] = 200, 55  # values 0 and 2
    counts[1, 30] = 255  # value -1
    z = np.array([[[-31, 0, 1, 2, 31]], [[-31, -1, 0, 1, 31]]], np.int8)
    known = known_hyper_latents(z, np.cumsum(counts, axis=1).astype(np.uint8))
    assert known.dtype == np.int8
    assert known.tolist() == [[[0, 0, 0, 2, 2]], [[-1] * 5]]


def test_hyper_latents_run_wild_where_streams_have_to_be_those_of_the_reference_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def wild(*arguments: Any, **keywords: Any) -> tuple[ComponentAnalysis, ComponentAnalysis]:
        luma, chroma = analyse(*arguments, **keywords)
        luma.z[:, 0, 0] = 31
        return luma, chroma

    tame = own_encoder().encode(photo(), EncodeOptions(quality=40)).data
    monkeypatch.setattr(encoder, "analyse", wild)
    assert np.all(prepared(photo(), model=1, beta_displacement=0).analysis[0].z[:, 0, 0] == 31)
    for effort in EFFORTS:
        assert np.any(prepared(photo(), quality=40, effort=effort).analysis[0].z[:, 0, 0] != 31)
    assert len(own_encoder().encode(photo(), EncodeOptions(quality=40)).data) < len(tame) + 100


def test_an_encoder_keeps_the_networks_of_the_last_picture_only() -> None:
    encoder, picture = Encoder(own_encoder().bundle), random_picture(64, 64, 0)
    codings = []
    for point in ("sop", "bop", "bop"):
        codings.append(encoder.prepare(picture, EncodeOptions(operating_point=point)))
        codings[-1].encode()
    assert codings[0].networks.prepared() == ()
    assert codings[1].networks is codings[2].networks
    assert codings[2].networks.prepared()


def test_a_decoder_bundle_says_what_is_missing(tmp_path: Path) -> None:
    bundle = tmp_path / "decoder.bundle"
    assert convert([str(WEIGHTS / "own_model1.zip"), "-o", str(bundle), "--operating-points", "sop"]) == 0
    with pytest.raises(BundleError, match=r"no encoder networks; make one with: .* --parts decoder,encoder"):
        jpegai_mobile.encode(photo().samples, bundle)


def test_packed_weights_of_different_trees_are_not_mixed(tmp_path: Path) -> None:
    own, other = WEIGHTS / "own_model1.zip", tmp_path / "other.zip"
    with zipfile.ZipFile(WEIGHTS / "own_model1_encoder.zip") as source, zipfile.ZipFile(other, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            if name == INDEX_NAME:
                index = json.loads(data)
                index["files"]["VM_common_int/Y_0.012.pth"]["sha256"] = "0" * 64
                data = json.dumps(index).encode()
            target.writestr(name, data)
    with pytest.raises(BundleError, match=r"other\.zip: its VM_common_int/Y_0\.012\.pth is not the one"):
        open_checkpoints(own, other)
