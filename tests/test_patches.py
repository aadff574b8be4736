"""Patches: whatever their size and the number of threads, the picture is the same bit for bit."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jpegai_mobile import DecodeOptions, Decoder
from jpegai_mobile.codestream.picture_header import PictureHeader
from jpegai_mobile.codestream.tiling import Rectangle
from jpegai_mobile.image.planes import join_bands
from jpegai_mobile.runtime.latent_source import DecodedLatents, LatentParts, Latents, LatentSource
from jpegai_mobile.runtime.memory_budget import NO_LIMIT
from jpegai_mobile.runtime.model_networks import LATENTS
from jpegai_mobile.runtime.patches import plan_bands
from jpegai_mobile.runtime.synthesis import synthesise_bands

from .conformance import conformance_decoder
from .vectors import CONFORMANCE, needs_conformance

STREAMS = (
    "bop_187x133",
    "sop_187x133",
    "tall_64x700",
    "wide_900x65",
    "tiles320_ov32_sop_700x300",
    "tiles256_600x420",
    "indreg_rvs_threads2_700x530",
    "sop_tiles_depreg_768x512",
    "lsbs_rvs_187x133",
    "toolson_320x240",
    "yuv420_187x133",
)


def _decode(decoder: Decoder, data: bytes, **options: object) -> list[np.ndarray]:
    planes = decoder.decode(data, DecodeOptions(**options)).planes
    return [planes.y, planes.u, planes.v]


@needs_conformance
@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("patch", [(1, 1), (12, 20), (17, 13)])
def test_patches_equal_the_whole(name: str, patch: tuple[int, int]) -> None:
    decoder = conformance_decoder()
    data = Path(CONFORMANCE / "streams" / name / "stream.jai").read_bytes()
    whole = _decode(decoder, data)
    for threads in (1, 2):
        for ours, expected in zip(_decode(decoder, data, patch=patch, num_threads=threads), whole, strict=True):
            assert np.array_equal(ours, expected)


@pytest.mark.parametrize("size", [(64, 64), (65, 1000), (777, 333), (2100, 1400)])
@pytest.mark.parametrize("patch", [(8, 8), (24, 40), None])
@pytest.mark.parametrize("operating_point", ["sop", "bop", "hop"])
def test_patches_partition_the_picture(
    size: tuple[int, int], patch: tuple[int, int] | None, operating_point: str
) -> None:
    picture = PictureHeader(img_height_minus64=size[0] - 64, img_width_minus64=size[1] - 64)
    for component in picture.components:
        component.synthesis_tile_enable, component.synthesis_tile_size, component.synthesis_tile_overlap = (
            1,
            40,
            4,
        )
    covered = np.zeros(size, int)
    for band in plan_bands(picture, operating_point, patch):
        for strip in band.strips:
            for part in strip.patches:
                covered[part.core.slices] += 1
                assert (part.core.top, part.core.bottom) == (band.rows.start, band.rows.stop)
                assert band.latents.intersection(part.latents) == part.latents
    assert np.all(covered == 1)


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_patches_partition_any_part_of_a_picture_with_independent_regions(data: st.DataObject) -> None:
    height, width = data.draw(st.integers(256, 900)), data.draw(st.integers(256, 900))
    picture = PictureHeader(img_height_minus64=height - 64, img_width_minus64=width - 64)
    picture.region_partitioning_flag = picture.region_residual_in_its_own_substream_flag = 1
    picture.num_ver_splits_minus1, picture.num_hor_splits_minus1 = data.draw(st.integers(0, height // 257)), 1
    for component in picture.components:
        component.synthesis_tile_enable, component.synthesis_tile_overlap = 1, 2
        component.synthesis_tile_size = data.draw(st.sampled_from([3, 5, 8, 16]))
    top, left = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    bottom, right = data.draw(st.integers(top + 1, height)), data.draw(st.integers(left + 1, width))
    region = Rectangle(top, left, bottom, right)
    covered = np.zeros((height, width), int)
    for band in plan_bands(picture, "bop", data.draw(st.sampled_from([None, (14, 14), (40, 24)])), region):
        for strip in band.strips:
            for part in strip.patches:
                covered[part.core.slices] += 1
                assert (part.core.top, part.core.bottom) == (band.rows.start, band.rows.stop)
    assert covered.max() == 1
    assert np.all(covered[region.slices] == 1)


@needs_conformance
def test_regions_that_are_done_are_let_go() -> None:
    data = (CONFORMANCE / "streams" / "indreg_640x520" / "stream.jai").read_bytes()
    reconstruction = conformance_decoder().reconstruct(data, DecodeOptions(patch=(14, 40), memory_limit=NO_LIMIT))
    source = reconstruction.latents
    assert isinstance(source, DecodedLatents)
    join_bands(reconstruction.bands())
    last_row = max(region.bottom for region in reconstruction.stream.picture.regions)
    assert source._regions
    assert all(region.bottom == last_row for region in source._regions)


@needs_conformance
@pytest.mark.parametrize("name", ["wide_900x65", "indreg_rvs_threads2_700x530", "lsbs_rvs_187x133"])
@pytest.mark.parametrize("columns", [1, 9, 20])
def test_latents_decoded_in_narrow_parts_are_the_same(name: str, columns: int) -> None:
    data = Path(CONFORMANCE / "streams" / name / "stream.jai").read_bytes()
    reconstruction = conformance_decoder().reconstruct(data, DecodeOptions())
    whole = Rectangle(0, 0, *reconstruction.stream.picture.sizes.latent)
    source = DecodedLatents(reconstruction.symbols, reconstruction.stream.tools, reconstruction.networks)
    expected = source.window(whole)
    narrow = replace(source, parts=LatentParts(columns))
    for ours, theirs in zip(narrow.window(whole), expected, strict=True):
        assert np.array_equal(ours, theirs)


@needs_conformance
@pytest.mark.parametrize("name", ["tall_64x700", "indreg_rvs_threads2_700x530", "lsbs_rvs_187x133"])
@pytest.mark.parametrize("ahead", [9, 20, 1000])
def test_latents_decoded_ahead_are_the_same(name: str, ahead: int) -> None:
    data = Path(CONFORMANCE / "streams" / name / "stream.jai").read_bytes()
    reconstruction = conformance_decoder().reconstruct(data, DecodeOptions())
    rows, columns = reconstruction.stream.picture.sizes.latent
    source = DecodedLatents(reconstruction.symbols, reconstruction.stream.tools, reconstruction.networks)
    expected = [part.copy() for part in source.window(Rectangle(0, 0, rows, columns))]
    eager = replace(source, parts=LatentParts(rows=ahead // 2, rows_ahead=ahead), last_row=rows - 1)
    for top in range(0, rows, 5):
        window = Rectangle(top, 0, min(top + 7, rows), columns)
        for ours, theirs in zip(eager.window(window), expected, strict=True):
            assert np.array_equal(ours, theirs[window.slices])


@needs_conformance
def test_networks_that_come_and_go_are_prepared_once_for_latents_decoded_ahead() -> None:
    data = Path(CONFORMANCE / "streams" / "wide_900x65" / "stream.jai").read_bytes()
    decoder = conformance_decoder()
    whole = decoder.decode(data).planes
    reconstruction = decoder.reconstruct(data, DecodeOptions(patch=(1, 20)))
    networks = replace(reconstruction.networks, one_stage_at_a_time=True, _prepared={}, _stage=LATENTS)
    releases: list[int] = []
    release = networks.release
    networks.release = lambda: releases.append(1) or release()  # type: ignore[method-assign]
    lean = replace(reconstruction, networks=networks, parts=LatentParts(rows_ahead=1000))
    assert np.array_equal(join_bands(lean.bands()).y, whole.y)
    assert len(releases) == 1


@needs_conformance
def test_latents_of_a_band_are_asked_for_once() -> None:
    data = Path(CONFORMANCE / "streams" / "tiles320_ov32_sop_700x300" / "stream.jai").read_bytes()
    reconstruction = conformance_decoder().reconstruct(data, DecodeOptions(patch=(16, 16)))
    picture, source = reconstruction.stream.picture, RecordingSource(reconstruction.latents)
    bands = list(plan_bands(picture, reconstruction.operating_point, reconstruction.patch))
    for _ in synthesise_bands(bands, source, reconstruction.networks, range(picture.width)):
        pass
    assert len(bands) > 1 and max(len(band.strips) for band in bands) > 1
    assert source.windows == [band.latents for band in bands]


@dataclass(eq=False)
class RecordingSource:
    """A latent source that knows what it was asked for."""

    real: LatentSource
    windows: list[Rectangle] = field(default_factory=list)

    def window(self, window: Rectangle) -> Latents:
        self.windows.append(window)
        return self.real.window(window)
