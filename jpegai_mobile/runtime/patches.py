"""The plan of a synthesis: which patches of which tiles are computed, band by band from top to bottom.

Tiles are the stream's and normative: the transform sees zeros around them. Patches are the decoder's choice: each is
computed with a margin of latents that makes it equal to the same part of its tile, bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache

from ..codestream.components import LATENT_GRID, Component, grid_size
from ..codestream.picture_header import PictureHeader
from ..codestream.tiling import Rectangle, Span
from ..networks.catalogue import build
from ..networks.measure import Halo, halo
from .tiles import TileColumns, TileSpan, tile_rows
from .windows import windows_over

ALL_OF_A_TILE = Halo(*4 * (1 << 20,))
"""The margin of networks that see the whole tile: more latents than any has."""
_windows_over = lru_cache(maxsize=64)(windows_over)
"""The tiles of a column have the same windows."""


@dataclass(frozen=True)
class PatchSpan:
    """A patch along one direction."""

    latents: Span
    """In latent samples of the picture, margin included."""
    extent: int
    """Luma samples that the latents stand for; less than 16 for the last one at odd ends of the tile."""
    core: Span
    """What is kept, in luma samples of the picture."""

    @property
    def size(self) -> int:
        """Latents."""
        return self.latents[1] - self.latents[0]


@dataclass(frozen=True)
class Patch:
    """A part of a tile that is computed in one run of the networks."""

    rows: PatchSpan
    columns: PatchSpan

    @property
    def latents(self) -> Rectangle:
        """In latent samples of the picture, margin included."""
        return _rectangle(self.rows.latents, self.columns.latents)

    @property
    def extent(self) -> tuple[int, int]:
        """Luma rows and columns that the latents stand for."""
        return self.rows.extent, self.columns.extent

    @property
    def core(self) -> Rectangle:
        """What is kept, in luma samples of the picture."""
        return _rectangle(self.rows.core, self.columns.core)

    @property
    def core_in_window(self) -> Rectangle:
        """The core counted from the first sample that is computed."""
        top, left = self.rows.latents[0] * LATENT_GRID, self.columns.latents[0] * LATENT_GRID
        return self.core.relative_to(Rectangle(top, left, top, left))


@dataclass(frozen=True, eq=False)
class PatchColumns:
    """Where patches that lie side by side are, at least one; the same object for all rows of patches that are alike."""

    spans: tuple[PatchSpan, ...]

    @cached_property
    def latents(self) -> Span:
        """What they need together, in latent samples of the picture."""
        return _around([span.latents for span in self.spans])

    @cached_property
    def largest(self) -> int:
        """Latents of the widest patch."""
        return max(span.size for span in self.spans)

    @cached_property
    def extent(self) -> int:
        """Luma samples of all of them together."""
        return sum(span.extent for span in self.spans)


@dataclass(frozen=True)
class Strip:
    """Patches side by side with the same rows."""

    rows: PatchSpan
    columns: PatchColumns


@dataclass(frozen=True)
class Band:
    """Rows of the picture that are finished together.

    A picture may have hundreds of thousands of patches: what they take is counted without listing them.
    """

    strips: tuple[Strip, ...]

    @property
    def rows(self) -> range:
        """In luma samples of the picture."""
        return range(*self.strips[0].rows.core)

    @property
    def patches(self) -> Iterator[Patch]:
        """Strip by strip, from left to right."""
        return (Patch(strip.rows, columns) for strip in self.strips for columns in strip.columns.spans)

    @cached_property
    def latents(self) -> Rectangle:
        """What the patches need together, in latent samples of the picture: one rectangle around that of all."""
        rows = [strip.rows.latents for strip in self.strips]
        columns = [strip.columns.latents for strip in self.strips]
        return _rectangle(_around(rows), _around(columns))

    def needs(self, latents: Rectangle) -> bool:
        """Whether a patch needs some of these latents, given as `Band.latents` are."""
        return any(
            _overlap(strip.rows.latents, (latents.top, latents.bottom))
            and any(_overlap(span.latents, (latents.left, latents.right)) for span in strip.columns.spans)
            for strip in self.strips
        )

    @property
    def most_rows(self) -> int:
        """Of its tallest patch, in latents."""
        return max(strip.rows.size for strip in self.strips)

    @property
    def most_columns(self) -> int:
        """Of its widest patch, in latents."""
        return max(strip.columns.largest for strip in self.strips)

    @property
    def most_latents(self) -> int:
        """Of its largest patch."""
        return max(strip.rows.size * strip.columns.largest for strip in self.strips)

    @property
    def computed(self) -> int:
        """Luma samples that the patches compute, those of margins and of tiles that overlap more than once."""
        return sum(strip.rows.extent * strip.columns.extent for strip in self.strips)


def _rectangle(rows: Span, columns: Span) -> Rectangle:
    return Rectangle(rows[0], columns[0], rows[1], columns[1])


def _around(spans: list[Span]) -> Span:
    starts, stops = zip(*spans, strict=True)
    return min(starts), max(stops)


def _overlap(one: Span, other: Span) -> bool:
    return one[0] < other[1] and other[0] < one[1]


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
    most_rows, most_columns = patch or (None, None)

    @cache
    def patch_columns(tiles: TileColumns) -> PatchColumns | None:
        spans = (
            span
            for tile in tiles.spans
            for span in _patch_spans(tile, (wanted.left, wanted.right), most_columns, margin.left, margin.right)
        )
        return PatchColumns(found) if (found := tuple(spans)) else None

    for group in tile_rows(picture):
        # A row of which nothing is kept is left out first: its tiles may have other windows than the rest.
        rows = [(row.rows, columns) for row in group if (columns := patch_columns(row.columns))]
        # Tiles of independent regions may begin at different rows; their bands would not end together.
        largest = most_rows if len({tiles.tile for tiles, _ in rows}) == 1 else None
        down = [
            _patch_spans(tiles, (wanted.top, wanted.bottom), largest, margin.top, margin.bottom) for tiles, _ in rows
        ]
        for spans in zip(*down, strict=True):
            yield Band(tuple(Strip(span, columns) for span, (_, columns) in zip(spans, rows, strict=True)))


def _patch_spans(tile: TileSpan, asked: Span, largest: int | None, before: int, after: int) -> list[PatchSpan]:
    """The patches over a tile of which something that is asked for is kept, along one direction.

    `asked` is in luma samples of the picture, all else in latents: `largest` of a patch (None: the tile), of which
    `before` and `after` are margin.
    """
    first, last = tile.tile
    place, length = first // LATENT_GRID, grid_size(last - first, LATENT_GRID)
    start = max(asked[0] - first, 0) // LATENT_GRID
    stop = grid_size(min(asked[1], last) - first, LATENT_GRID)
    kept = max(asked[0], tile.core[0]), min(asked[1], tile.core[1])
    spans = []
    for window in _windows_over(start, stop, length, largest or length, before, after):
        core = (
            max(first + window.core_start * LATENT_GRID, kept[0]),
            min(first + window.core_stop * LATENT_GRID, kept[1]),
        )
        if core[0] < core[1]:
            extent = min(window.stop * LATENT_GRID, last - first) - window.start * LATENT_GRID
            spans.append(PatchSpan((place + window.start, place + window.stop), extent, core))
    return spans


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
