"""The plan of a synthesis: which patches of which tiles are computed, band by band from top to bottom.

Tiles are the stream's and normative: the transform sees zeros around them. Patches are the decoder's choice: each is
computed with a margin of latents that makes it equal to the same part of its tile, bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import groupby

from ..codestream.components import LATENT_GRID, Component, grid_size
from ..codestream.picture_header import TILE_UNIT, PictureHeader
from ..codestream.tiling import Rectangle, overlapping_tiles, region_spans
from ..errors import Unsupported
from ..networks.catalogue import build
from ..networks.measure import Halo, halo
from .windows import Window, windows_over

ALL_OF_A_TILE = Halo(*4 * (1 << 20,))
"""The margin of networks that see the whole tile: more latents than any has."""
Span = tuple[int, int]
"""Start and stop along one direction."""
_windows_over = lru_cache(maxsize=64)(windows_over)
"""The tiles of a column have the same windows."""


@dataclass(frozen=True)
class SynthesisTile:
    """A tile that is synthesised and the core of it that is kept, both in luma samples of the picture."""

    tile: Rectangle
    core: Rectangle


@dataclass(frozen=True)
class Patch:
    """A part of a tile that is computed in one run of the networks."""

    latents: Rectangle
    """In latent samples of the picture, margin included."""
    extent: tuple[int, int]
    """Luma rows and columns that the latents stand for; less than 16 each at odd ends of the tile."""
    core: Rectangle
    """What is kept, in luma samples of the picture."""

    @property
    def core_in_window(self) -> Rectangle:
        """The core counted from the first sample that is computed."""
        top, left = self.latents.top * LATENT_GRID, self.latents.left * LATENT_GRID
        return self.core.relative_to(Rectangle(top, left, top, left))


@dataclass(frozen=True)
class Strip:
    """Patches of one tile side by side; together they need the latents of a rectangle."""

    latents: Rectangle
    patches: tuple[Patch, ...]


@dataclass(frozen=True)
class Band:
    """Rows of the picture that are finished together."""

    rows: range
    strips: tuple[Strip, ...]

    @property
    def latents(self) -> Rectangle:
        """What the patches of the band need together, in latent samples: one rectangle around that of all strips."""
        areas = [strip.latents for strip in self.strips]
        return Rectangle(
            min(area.top for area in areas),
            min(area.left for area in areas),
            max(area.bottom for area in areas),
            max(area.right for area in areas),
        )


def plan_bands(
    picture: PictureHeader,
    operating_point: str,
    patch: tuple[int, int] | None,
    region: Rectangle | None = None,
) -> Iterator[Band]:
    """The bands of a picture from top to bottom, planned as they are asked for; their patches partition the picture.

    `patch` is the largest (rows, columns) of latents in one run, margin included; None takes whole tiles, as does an
    operating point whose networks see all of a tile. With `region` (luma samples) only what it needs is computed.
    """
    margin = synthesis_halo(operating_point) or ALL_OF_A_TILE
    wanted = region or Rectangle(0, 0, picture.height, picture.width)
    # Left out here, for tiles of which only the margin is touched may have other windows than the rest of their row.
    tiles = (tile for tile in synthesis_tiles(picture) if not tile.core.intersection(wanted).empty)
    for _, row_of_tiles in groupby(tiles, key=lambda tile: tile.core.top):
        yield from _bands_of(list(row_of_tiles), margin, patch, wanted)


@cache
def synthesis_halo(operating_point: str) -> Halo | None:
    """Latents that a patch needs around it; None when the networks see the whole tile."""
    halos = [halo(build("synthesis", component.suffix, operating_point)) for component in Component]
    if any(h is None for h in halos):
        return None
    return Halo(*(max(sides) for sides in zip(*(h["latent"] for h in halos if h is not None), strict=True)))


def last_latent_row(picture: PictureHeader, operating_point: str, region: Rectangle) -> int:
    """Where the latents end that a region (luma samples) needs; its bands hardly ask for any below."""
    margin = synthesis_halo(operating_point) or ALL_OF_A_TILE
    return min(region.on_grid(LATENT_GRID).bottom + margin.bottom, picture.sizes.latent[0])


def _bands_of(
    tiles: list[SynthesisTile], margin: Halo, patch: tuple[int, int] | None, region: Rectangle
) -> Iterator[Band]:
    """The bands of a row of tiles."""
    # Tiles of independent regions may begin at different rows; their bands would not end together.
    aligned = len({(tile.tile.top, tile.tile.bottom) for tile in tiles}) == 1
    largest = patch[0] if patch and aligned else None
    windows = [
        _windows((each.tile.top, each.tile.bottom), (region.top, region.bottom), largest, margin.top, margin.bottom)
        for each in tiles
    ]
    for rows in zip(*windows, strict=True):
        strips = [_strip(*each, patch and patch[1], margin, region) for each in zip(tiles, rows, strict=True)]
        strips = [strip for strip in strips if strip.patches]
        if strips:
            core = strips[0].patches[0].core
            yield Band(range(core.top, core.bottom), tuple(strips))


def _windows(tile: Span, kept: Span, largest: int | None, before: int, after: int) -> list[Window]:
    """Windows in latents over the luma samples of a tile, as far as they are needed to keep those of a region."""
    latents = grid_size(tile[1] - tile[0], LATENT_GRID)
    start, stop = (kept[0] - tile[0]) // LATENT_GRID, grid_size(kept[1] - tile[0], LATENT_GRID)
    return _windows_over(start, stop, latents, largest or latents, before, after)


def _strip(tile: SynthesisTile, rows: Window, largest: int | None, margin: Halo, region: Rectangle) -> Strip:
    area = tile.tile
    windows = _windows((area.left, area.right), (region.left, region.right), largest, margin.left, margin.right)
    patches = [_patch(tile, rows, columns) for columns in windows]
    patches = [patch for patch in patches if not patch.core.intersection(region).empty]
    if not patches:
        return Strip(Rectangle(0, 0, 0, 0), ())
    first, last = patches[0].latents, patches[-1].latents
    return Strip(Rectangle(first.top, first.left, last.bottom, last.right), tuple(patches))


def _patch(tile: SynthesisTile, rows: Window, columns: Window) -> Patch:
    """The patch of a tile over two windows relative to it."""
    area = tile.tile
    top, left = area.top // LATENT_GRID, area.left // LATENT_GRID
    latents = Rectangle(top + rows.start, left + columns.start, top + rows.stop, left + columns.stop)
    extent = (
        min(rows.stop * LATENT_GRID, area.height) - rows.start * LATENT_GRID,
        min(columns.stop * LATENT_GRID, area.width) - columns.start * LATENT_GRID,
    )
    kept = Rectangle(
        area.top + rows.core_start * LATENT_GRID,
        area.left + columns.core_start * LATENT_GRID,
        area.top + min(rows.core_stop * LATENT_GRID, area.height),
        area.left + min(columns.core_stop * LATENT_GRID, area.width),
    )
    return Patch(latents, extent, kept.intersection(tile.core))


def synthesis_tiles(picture: PictureHeader) -> Iterator[SynthesisTile]:
    """The synthesis tiles that the stream signals, in raster order; their cores partition the picture.

    Tiles overlap and give up half of the overlap at inner sides. With independent regions the cores are a plain
    grid instead, and only a core inside a region has a margin, which stays in that region. Raises Unsupported for
    margins of half a latent.
    """
    whole = Rectangle(0, 0, picture.height, picture.width)
    header = picture.components[0]
    if not header.synthesis_tile_enable:
        yield SynthesisTile(whole, whole)
        return
    size, overlap = header.synthesis_tile_size * TILE_UNIT, header.synthesis_tile_overlap * TILE_UNIT
    if picture.independent_regions:
        yield from _independent_tiles(picture, size, overlap // 2)
        return
    for tile in overlapping_tiles(picture.height, picture.width, size, overlap):
        yield SynthesisTile(tile, _shrunk(tile, overlap // 2, whole))


def _independent_tiles(picture: PictureHeader, size: int, margin: int) -> Iterator[SynthesisTile]:
    """Cells of a plain grid over the picture; one inside a region is extended by `margin` within that region."""
    if margin % LATENT_GRID:
        raise Unsupported(f"picture header: independent regions with tiles that overlap by {2 * margin} samples")
    rows, columns = picture.region_counts
    row_spans, column_spans = region_spans(picture.height, rows), region_spans(picture.width, columns)
    for core in overlapping_tiles(picture.height, picture.width, size, 0):
        top, bottom = row_spans[min(core.top // row_spans[0][1], rows - 1)]
        left, right = column_spans[min(core.left // column_spans[0][1], columns - 1)]
        region = Rectangle(top, left, bottom, right)
        if region.intersection(core) != core:
            region = core
        extended = Rectangle(
            max(core.top - margin, 0), max(core.left - margin, 0), core.bottom + margin, core.right + margin
        )
        yield SynthesisTile(extended.intersection(region), core)


def _shrunk(tile: Rectangle, margin: int, whole: Rectangle) -> Rectangle:
    return Rectangle(
        tile.top + (margin if tile.top > whole.top else 0),
        tile.left + (margin if tile.left > whole.left else 0),
        tile.bottom - (margin if tile.bottom < whole.bottom else 0),
        tile.right - (margin if tile.right < whole.right else 0),
    )
