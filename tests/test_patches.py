"""Patches: whatever their size and the number of threads, the picture is the same bit for bit."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jpegai_mobile import DecodeOptions, Decoder
from jpegai_mobile.codestream.components import LATENT_GRID
from jpegai_mobile.codestream.picture_header import PictureHeader
from jpegai_mobile.codestream.stream import read_code_stream, write_code_stream
from jpegai_mobile.codestream.tiling import Rectangle, overlapping_spans
from jpegai_mobile.encoder.options import EncodeOptions
from jpegai_mobile.image.planes import join_bands
from jpegai_mobile.runtime.latent_source import DecodedLatents, LatentParts, Latents, LatentSource
from jpegai_mobile.runtime.memory_budget import NO_LIMIT
from jpegai_mobile.runtime.model_networks import LATENTS
from jpegai_mobile.runtime.patches import plan_bands
from jpegai_mobile.runtime.synthesis import synthesise_bands
from jpegai_mobile.runtime.tiles import tile_rows

from .conformance import conformance_decoder
from .encoding import own_decoder, own_encoder, random_picture
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
        for part in band.patches:
            covered[part.core.slices] += 1
            assert (part.core.top, part.core.bottom) == (band.rows.start, band.rows.stop)
            assert band.latents.intersection(part.latents) == part.latents
    assert np.all(covered == 1)


def _picture_with_independent_regions(
    size: tuple[int, int], regions: tuple[int, int], tile_size: int, overlap: int
) -> PictureHeader:
    picture = PictureHeader(img_height_minus64=size[0] - 64, img_width_minus64=size[1] - 64)
    picture.region_partitioning_flag = picture.region_residual_in_its_own_substream_flag = 1
    picture.num_ver_splits_minus1, picture.num_hor_splits_minus1 = regions[0] - 1, regions[1] - 1
    for component in picture.components:
        component.synthesis_tile_enable = 1
        component.synthesis_tile_size, component.synthesis_tile_overlap = tile_size // 16, overlap // 16
    return picture


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_patches_partition_any_part_of_a_picture_with_independent_regions(data: st.DataObject) -> None:
    height, width = data.draw(st.integers(256, 900)), data.draw(st.integers(256, 900))
    regions = data.draw(st.integers(1, height // 257 + 1)), 2
    tile_size = data.draw(st.sampled_from([48, 80, 128, 144, 256]))
    picture = _picture_with_independent_regions((height, width), regions, tile_size, 32)
    top, left = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    bottom, right = data.draw(st.integers(top + 1, height)), data.draw(st.integers(left + 1, width))
    region = Rectangle(top, left, bottom, right)
    covered = np.zeros((height, width), int)
    for band in plan_bands(picture, "bop", data.draw(st.sampled_from([None, (14, 14), (40, 24)])), region):
        for part in band.patches:
            covered[part.core.slices] += 1
            assert (part.core.top, part.core.bottom) == (band.rows.start, band.rows.stop)
    assert covered.max() == 1
    assert np.all(covered[region.slices] == 1)


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_a_band_counts_what_it_lists(data: st.DataObject) -> None:
    height, width = data.draw(st.integers(256, 900)), data.draw(st.integers(256, 900))
    size, overlap = data.draw(st.sampled_from([(16, 0), (48, 32), (128, 96), (144, 64), (256, 128), (400, 16)]))
    if data.draw(st.booleans()):
        overlap &= ~31
        picture = _picture_with_independent_regions((height, width), (1 + (height > 300), 2), size, overlap)
    else:
        picture = _picture_with_independent_regions((height, width), (1, 1), size, overlap)
        picture.region_partitioning_flag = picture.region_residual_in_its_own_substream_flag = 0
    top, left = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    bottom, right = data.draw(st.integers(top + 1, height)), data.draw(st.integers(left + 1, width))
    choices = data.draw(st.sampled_from(["sop", "bop", "hop"])), data.draw(st.sampled_from([None, (14, 14), (40, 24)]))
    region = Rectangle(top, left, bottom, right)
    for band in plan_bands(picture, *choices, region):
        latents = [patch.latents for patch in band.patches]
        assert (band.latents.top, band.latents.bottom) == (min(x.top for x in latents), max(x.bottom for x in latents))
        assert (band.latents.left, band.latents.right) == (min(x.left for x in latents), max(x.right for x in latents))
        assert band.most_rows == max(x.height for x in latents)
        assert band.most_columns == max(x.width for x in latents)
        assert band.most_latents == max(x.height * x.width for x in latents)
        assert band.computed == sum(patch.extent[0] * patch.extent[1] for patch in band.patches)
        for place in picture.regions:
            needed = place.on_grid(LATENT_GRID)
            assert band.needs(needed) == any(not needed.intersection(x).empty for x in latents)


@pytest.mark.parametrize(
    ("size", "regions", "tile_size", "overlap"),
    [
        ((144, 700), (1, 2), 448, 128),
        ((700, 144), (2, 1), 448, 128),
        ((700, 700), (2, 2), 448, 128),
        ((300, 560), (2, 4), 144, 32),
        ((400, 680), (2, 2), 208, 64),
        ((400, 680), (1, 2), 400, 64),
    ],
)
def test_tiles_whose_margin_begins_with_their_region_keep_it(
    size: tuple[int, int], regions: tuple[int, int], tile_size: int, overlap: int
) -> None:
    """The cores are what is left of tiles that are painted one over the other in raster order."""
    picture = _picture_with_independent_regions(size, regions, tile_size, overlap)
    margin = overlap // 2
    expected, painted = np.zeros(size, int), []
    for (top, bottom), (left, right) in product(*(overlapping_spans(length, tile_size, 0) for length in size)):
        tile = core = cell = Rectangle(top, left, bottom, right)
        for region in picture.regions:
            if region.intersection(cell) == cell:
                around = Rectangle(cell.top - margin, cell.left - margin, cell.bottom + margin, cell.right + margin)
                tile = around.intersection(region)
                top = tile.top if tile.top == region.top else cell.top
                left = tile.left if tile.left == region.left else cell.left
                core = Rectangle(top, left, cell.bottom, cell.right)
        expected[core.slices] = len(painted)
        painted.append(tile)
    covered = np.zeros(size, int)
    for row in (row for rows in tile_rows(picture) for row in rows):
        for column in row.columns.spans:
            core = slice(*row.rows.core), slice(*column.core)
            tile = Rectangle(row.rows.tile[0], column.tile[0], row.rows.tile[1], column.tile[1])
            assert {painted[number] for number in np.unique(expected[core])} == {tile}
            covered[core] += 1
    assert np.all(covered == 1)


@pytest.mark.parametrize("patch", [None, (9, 11)])
def test_a_margin_that_begins_with_its_region_is_part_of_the_picture(patch: tuple[int, int] | None) -> None:
    coded = own_encoder().encode(random_picture(64, 200, 0), EncodeOptions(beta_displacement=0, regions=(1, 2))).data
    stream, planes = read_code_stream(coded), []
    # The second tile is the second region, 128..199: as its cell, and with its margin.
    for size, overlap in ((8, 0), (9, 2)):
        for component in stream.picture.components:
            component.synthesis_tile_enable = 1
            component.synthesis_tile_size, component.synthesis_tile_overlap = size, overlap
        planes.append(_decode(own_decoder(), write_code_stream(stream), patch=patch))
    for ours, expected in zip(*planes, strict=True):
        assert np.array_equal(ours[:, 128:], expected[:, 128:])
        assert not np.array_equal(ours[:, :128], expected[:, :128])


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
    assert len(bands) > 1 and max(len(list(band.patches)) for band in bands) > 1
    assert source.windows == [band.latents for band in bands]


@dataclass(eq=False)
class RecordingSource:
    """A latent source that knows what it was asked for."""

    real: LatentSource
    windows: list[Rectangle] = field(default_factory=list)

    def window(self, window: Rectangle) -> Latents:
        self.windows.append(window)
        return self.real.window(window)
