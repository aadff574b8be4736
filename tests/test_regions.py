"""Regions: missing ones, and what they see and keep at their borders."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import jpegai_mobile
from jpegai_mobile import DecodeOptions, Decoder, InvalidStream, Unsupported, open_bundle
from jpegai_mobile.cli.main import main
from jpegai_mobile.codestream.components import LATENT_GRID, Component
from jpegai_mobile.codestream.segments import RESIDUALS, Segment, read_segments, write_segments
from jpegai_mobile.codestream.stream import read_code_stream, write_code_stream
from jpegai_mobile.codestream.tiling import Rectangle, region_grid
from jpegai_mobile.encoder.options import EncodeOptions
from jpegai_mobile.runtime.entropy_engine import ENGINES, EntropyOptions, run_entropy_stage, run_symbol_decoding
from jpegai_mobile.runtime.memory_budget import NO_LIMIT
from jpegai_mobile.runtime.view import View

from .conformance import conformance_decoder
from .encoding import own_bundle_path, own_decoder, own_encoder, random_picture
from .vectors import DATA, needs_conformance, stream_folder

INDEPENDENT = "indreg_rvs_threads2_700x530"
DEPENDENT = "depreg_threads4_640x392"


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


def _with_damaged_region(data: bytes, number: int) -> bytes:
    def damaged(segment: Segment) -> Segment:
        if segment.marker in RESIDUALS and segment.payload[0] == number:
            return replace(segment, payload=segment.payload[:9] + bytes(255 - byte for byte in segment.payload[9:]))
        return segment

    return write_segments(damaged(segment) for segment in read_segments(data))


@pytest.mark.parametrize("engine", ENGINES)
def test_skipped_regions_are_not_looked_at(engine: str) -> None:
    tables = (DATA / "entropy_1.bin").read_bytes()
    intact, damaged = _data(INDEPENDENT), _with_damaged_region(_data(INDEPENDENT), 2)
    stream = read_code_stream(damaged)
    with pytest.raises(InvalidStream):
        run_symbol_decoding(damaged, stream, tables, EntropyOptions(engine))
    skipping = EntropyOptions(engine, skipped_regions=frozenset({2}))
    partial = run_symbol_decoding(damaged, stream, tables, skipping)
    whole = run_symbol_decoding(intact, read_code_stream(intact), tables, EntropyOptions(engine))
    for number, place in enumerate(stream.picture.regions):
        window = place.on_grid(LATENT_GRID)
        for ours, theirs in zip(partial.residual, whole.residual, strict=True):
            assert np.array_equal(
                ours.window(window), theirs.window(window) if number != 2 else 0 * ours.window(window)
            )


def test_a_region_of_interest_needs_only_its_own_regions() -> None:
    coded = own_encoder().encode(random_picture(288, 352, 0), EncodeOptions(beta_displacement=0, regions=(2, 2))).data
    damaged = _with_damaged_region(coded, 3)
    options = DecodeOptions(patch=(16, 16))
    with open_bundle(own_bundle_path()) as bundle:
        decoder = Decoder(bundle)
        whole = View().rgb(decoder.reconstruct(coded, options))
        inside = Rectangle(16, 20, 64, 60)
        reconstruction = decoder.reconstruct(damaged, options, inside)
        assert reconstruction.skipped == {1, 2, 3}
        assert np.array_equal(View(inside).rgb(reconstruction), whole[inside.slices])
        with pytest.raises(ValueError, match="the region that was decoded"):
            View().rgb(reconstruction)
        left = Rectangle(0, 30, 288, 60)
        reconstruction = decoder.reconstruct(damaged, options, left)
        assert reconstruction.skipped == {1, 3}
        assert np.array_equal(View(left).rgb(reconstruction), whole[left.slices])
        with pytest.raises(InvalidStream):
            decoder.reconstruct(damaged, options, Rectangle(250, 300, 280, 340))
        assert decoder.reconstruct(coded, options).skipped == frozenset()


def test_missing_regions_are_left_empty_on_the_command_line_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = EncodeOptions(quality=20, effort=1, regions=(1, 2))
    data = own_encoder().encode(random_picture(64, 256, 0), options).data
    stream, output = tmp_path / "a.jai", tmp_path / "a.npy"
    stream.write_bytes(_without_region(data, 1))
    command = ["decode", str(stream), str(output), "--bundle", str(own_bundle_path())]
    assert main(command) == 1
    assert "SORP of region 1 is missing" in capsys.readouterr().err
    assert main([*command, "--allow-partial"]) == 0
    assert np.load(output).shape == (64, 256, 3)
    assert capsys.readouterr().err == "jpegai decode: note: region 1 is missing and was left empty\n"


@pytest.mark.parametrize("engine", ENGINES)
def test_any_region_can_be_skipped(engine: str) -> None:
    options = EncodeOptions(beta_displacement=0, regions=(1, 9))
    data = own_encoder().encode(random_picture(64, 1152, 0), options).data
    stream, tables = read_code_stream(data), own_encoder().bundle.entropy_model_bytes(1)
    places = [place.on_grid(LATENT_GRID) for place in stream.picture.regions]
    for skipped in (0, 7, 8):
        choices = EntropyOptions(engine, skipped_regions=frozenset({skipped}))
        luma, _ = run_symbol_decoding(data, stream, tables, choices).residual
        assert [luma.window(place).any() for place in places] == [number != skipped for number in range(9)]


@needs_conformance
def test_a_partial_picture_has_the_other_regions() -> None:
    decoder = conformance_decoder()
    whole = decoder.decode(_data(INDEPENDENT))
    partial = decoder.decode(_without_region(_data(INDEPENDENT), 2), DecodeOptions(allow_partial=True))
    assert partial.notes == ("region 2 is missing and was left empty",)
    # Far from region 2 (bottom left) nothing changes; inside it the picture is another one.
    assert np.array_equal(partial.planes.y[:200], whole.planes.y[:200])
    assert np.abs(partial.planes.y[300:, :200] - whole.planes.y[300:, :200]).max() > 5


@pytest.mark.parametrize(
    ("size", "regions", "overlap"), [((70, 300), (1, 2), 1), ((150, 520), (1, 2), 2), ((140, 140), (2, 2), 1)]
)
def test_sides_that_no_region_reaches_over_may_be_short(
    size: tuple[int, int], regions: tuple[int, int], overlap: int
) -> None:
    options = EncodeOptions(beta_displacement=0, regions=regions, region_overlap=overlap)
    coded = own_encoder().encode(random_picture(*size, 1), options).data
    whole = own_decoder().decode(coded, DecodeOptions(memory_limit=NO_LIMIT)).planes
    for engine in ENGINES:
        planes = own_decoder().decode(coded, DecodeOptions(engine=engine, patch=(7, 9))).planes
        for ours, expected in ((planes.y, whole.y), (planes.u, whole.u), (planes.v, whole.v)):
            assert np.array_equal(ours, expected)


def test_one_region_has_nothing_to_reach_over() -> None:
    coded = own_encoder().encode(random_picture(64, 100, 2), EncodeOptions(beta_displacement=0)).data
    stream = read_code_stream(coded)
    stream.picture.region_partitioning_flag = 1
    stream.picture.hyper_decoder_overlap_in_latent_samples, stream.picture.mcm_overlap_in_latent_samples = 2, 8
    for ours, expected in zip(
        jpegai_mobile.decode_latents(write_code_stream(stream), own_bundle_path()),
        jpegai_mobile.decode_latents(coded, own_bundle_path()),
        strict=True,
    ):
        assert np.array_equal(ours, expected)


def test_regions_without_overlap_drop_their_borders_too() -> None:
    options = EncodeOptions(beta_displacement=0, regions=(2, 2))
    coded = own_encoder().encode(random_picture(200, 290, 3), options).data
    stream = read_code_stream(coded)
    stream.picture.region_residual_in_its_own_substream_flag = 0
    border = stream.picture.regions[0].on_grid(LATENT_GRID)
    rows, columns = (slice(edge - 1, edge + 1) for edge in (border.bottom, border.right))
    for ours, alone in zip(
        jpegai_mobile.decode_latents(write_code_stream(stream), own_bundle_path()),
        jpegai_mobile.decode_latents(coded, own_bundle_path()),
        strict=True,
    ):
        assert alone[rows].any() and alone[:, columns].any()
        alone[rows] = alone[:, columns] = 0
        assert np.array_equal(ours, alone)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("independent", [0, 1])
def test_a_limit_on_channels_is_rounded_by_the_symbols_of_each_region(engine: str, independent: int) -> None:
    stream = read_code_stream(_data(DEPENDENT))
    stream.picture.region_residual_in_its_own_substream_flag = independent
    skipped = frozenset({1} if independent else ())
    data, tables = write_code_stream(stream), (DATA / "entropy_1.bin").read_bytes()
    full = run_entropy_stage(data, tables)
    options = EntropyOptions(engine, max_channels=(33, 33), skipped_regions=skipped)
    dense = run_entropy_stage(data, tables, options)
    sparse = run_symbol_decoding(data, stream, tables, options)
    regions = [region.on_grid(LATENT_GRID) for region in stream.picture.regions]
    # Four threads take sixteen symbols at once: channels of the first region fill that one by one, others by pairs.
    assert [region.height * region.width % 16 for region in regions] == [0, 8]
    for number, (region, kept) in enumerate(zip(regions, (33, 34), strict=True)):
        for i in Component:
            expected = full.components[i].residual[:, *region.slices].copy()
            assert expected[33].any()
            expected[kept:] = 0
            assert np.array_equal(dense.components[i].residual[:, *region.slices], expected)
            expected[:] *= number not in skipped
            assert np.array_equal(sparse.residual[i].window(region), expected.transpose(1, 2, 0))


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
