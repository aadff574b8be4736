"""The plan of a synthesis: which patches of which tiles are computed, band by band from top to bottom.

Tiles are the stream's and normative: the transform sees zeros around them. Patches are the decoder's choice: each is
computed with a margin of latents that makes it equal to the same part of its tile, bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache

from ..codestream.components import LATENT_GRID, Component, grid_size
from ..codestream.picture_header import PictureHeader
from ..codestream.tiling import Rectangle, Span
from ..networks.catalogue import build
from ..networks.measure import Halo, halo
from .tiles import SynthesisTile, TileColumns, TileSpan, synthesis_tiles, tile_rows
from .windows import Window, windows_over

ALL_OF_A_TILE = Halo(*4 * (1 << 20,))
"""The margin of networks that see the whole tile: more latents than any has."""
_windows_over = lru_cache(maxsize=64)(windows_over)
"""The tiles of a column have the same windows."""


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
    operating point whose networks see all of a tile. With `region` (luma samples) only what it needs is computed, and
    the patches partition it.
    """
    margin = synthesis_halo(operating_point) or ALL_OF_A_TILE
    wanted = region or Rectangle(0, 0, picture.height, picture.width)
    for rows in tile_rows(picture):
        # Others are left out here: tiles of which only the margin is touched may have other windows than the rest.
        tiles = [tile for row in rows for tile in synthesis_tiles(row, wanted)]
        if tiles:
            yield from _bands_of(tiles, margin, patch, wanted)


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
    start = max(kept[0] - tile[0], 0) // LATENT_GRID
    stop = grid_size(min(kept[1], tile[1]) - tile[0], LATENT_GRID)
    return _windows_over(start, stop, latents, largest or latents, before, after)


def _strip(tile: SynthesisTile, rows: Window, largest: int | None, margin: Halo, region: Rectangle) -> Strip:
    area = tile.tile
    windows = _windows((area.left, area.right), (region.left, region.right), largest, margin.left, margin.right)
    kept = tile.core.intersection(region)
    patches = [_patch(area, kept, rows, columns) for columns in windows]
    patches = [patch for patch in patches if not patch.core.empty]
    if not patches:
        return Strip(Rectangle(0, 0, 0, 0), ())
    first, last = patches[0].latents, patches[-1].latents
    return Strip(Rectangle(first.top, first.left, last.bottom, last.right), tuple(patches))


def _patch(area: Rectangle, kept: Rectangle, rows: Window, columns: Window) -> Patch:
    """The patch over two windows relative to the area of a tile, of which `kept` is asked for."""
    top, left = area.top // LATENT_GRID, area.left // LATENT_GRID
    latents = Rectangle(top + rows.start, left + columns.start, top + rows.stop, left + columns.stop)
    extent = (
        min(rows.stop * LATENT_GRID, area.height) - rows.start * LATENT_GRID,
        min(columns.stop * LATENT_GRID, area.width) - columns.start * LATENT_GRID,
    )
    core = Rectangle(
        area.top + rows.core_start * LATENT_GRID,
        area.left + columns.core_start * LATENT_GRID,
        area.top + min(rows.core_stop * LATENT_GRID, area.height),
        area.left + min(columns.core_stop * LATENT_GRID, area.width),
    )
    return Patch(latents, extent, core.intersection(kept))


@dataclass(frozen=True)
class BandOutline:
    """What a band takes, counted without its patches one by one: there may be hundreds of thousands."""

    latents: Rectangle
    """As in `Band`."""
    rows: int
    """Of its largest patch, in latents."""
    columns: int
    """Of its largest patch, in latents."""
    largest: int
    """Latents of its largest patch."""
    computed: int
    """Luma samples that its patches compute."""


@dataclass(frozen=True)
class _Side:
    """Patches along one direction, in latents of the picture."""

    start: int
    stop: int
    largest: int
    """Latents of the largest one."""
    computed: int
    """Luma samples of all together."""


def outline_bands(
    picture: PictureHeader, operating_point: str, patch: tuple[int, int] | None, region: Rectangle
) -> Iterator[BandOutline]:
    """The bands of `plan_bands`, with as much work for a tile of any size."""
    margin = synthesis_halo(operating_point) or ALL_OF_A_TILE
    columns: dict[TileColumns, _Side | None] = {}
    for rows in tile_rows(picture):
        across: list[_Side] = []
        tiles: list[TileSpan] = []
        for row in rows:
            if not row.rows.touches(region.top, region.bottom):
                continue
            if row.columns not in columns:
                columns[row.columns] = _columns_together(row.columns, patch and patch[1], margin, region)
            side = columns[row.columns]
            if side is not None:
                across.append(side)
                tiles.append(row.rows)
        aligned = len({each.tile for each in tiles}) == 1
        largest = patch[0] if patch and aligned else None
        down = [_sides(each, (region.top, region.bottom), largest, margin.top, margin.bottom) for each in tiles]
        for sides in zip(*down, strict=True):
            yield _outline(sides, across)


def _outline(down: tuple[_Side, ...], across: list[_Side]) -> BandOutline:
    strips = list(zip(down, across, strict=True))
    return BandOutline(
        Rectangle(
            min(rows.start for rows in down),
            min(columns.start for columns in across),
            max(rows.stop for rows in down),
            max(columns.stop for columns in across),
        ),
        max(rows.largest for rows in down),
        max(columns.largest for columns in across),
        max(rows.largest * columns.largest for rows, columns in strips),
        sum(rows.computed * columns.computed for rows, columns in strips),
    )


def _columns_together(columns: TileColumns, largest: int | None, margin: Halo, region: Rectangle) -> _Side | None:
    """All patches side by side, None where there is none."""
    sides = [
        side
        for span in columns.spans
        if span.touches(region.left, region.right)
        for side in _sides(span, (region.left, region.right), largest, margin.left, margin.right)
    ]
    if not sides:
        return None
    return _Side(
        min(side.start for side in sides),
        max(side.stop for side in sides),
        max(side.largest for side in sides),
        sum(side.computed for side in sides),
    )


def _sides(tile: TileSpan, kept: Span, largest: int | None, before: int, after: int) -> list[_Side]:
    """The patches over a tile, one by one, as far as they are needed to keep those samples of a region."""
    first, last = tile.tile
    place = first // LATENT_GRID
    asked = max(kept[0] - first, 0), min(kept[1], last) - first
    core = max(kept[0], tile.core[0]) - first, min(kept[1], tile.core[1]) - first
    return [
        _Side(place + start, place + stop, stop - start, computed)
        for start, stop, computed in _needed_windows(last - first, asked, core, largest, before, after)
    ]


@lru_cache(maxsize=64)
def _needed_windows(
    length: int, asked: Span, core: Span, largest: int | None, before: int, after: int
) -> list[tuple[int, int, int]]:
    """Start and stop in latents and the samples of windows over the beginning of a tile that keep some of a core."""
    needed = []
    for window in _windows((0, length), asked, largest, before, after):
        kept = max(window.core_start * LATENT_GRID, core[0]), min(window.core_stop * LATENT_GRID, core[1])
        if kept[0] < kept[1]:
            computed = min(window.stop * LATENT_GRID, length) - window.start * LATENT_GRID
            needed.append((window.start, window.stop, computed))
    return needed
