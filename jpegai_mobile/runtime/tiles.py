"""The synthesis tiles that a stream signals, as rows of tiles side by side: there may be hundreds of thousands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from ..codestream.components import LATENT_GRID
from ..codestream.picture_header import TILE_UNIT, PictureHeader
from ..codestream.tiling import Span, overlapping_spans, region_spans
from ..errors import Unsupported


@dataclass(frozen=True)
class TileSpan:
    """A synthesis tile along one direction, in luma samples of the picture."""

    tile: Span
    core: Span
    """What is kept of it."""


@dataclass(frozen=True, eq=False)
class TileColumns:
    """Where tiles that lie side by side are; the same object for all rows of tiles that are alike."""

    spans: tuple[TileSpan, ...]


@dataclass(frozen=True)
class TileRow:
    """Tiles side by side with the same rows."""

    rows: TileSpan
    columns: TileColumns


def tile_rows(picture: PictureHeader) -> Iterator[tuple[TileRow, ...]]:
    """All synthesis tiles from top to bottom, those together of which the same rows are kept.

    Cores partition the picture. Tiles overlap and give up half of the overlap at inner sides; those of independent
    regions are cells of a plain grid instead, see `_independent_rows`. Raises Unsupported for margins of half a latent.
    """
    header = picture.components[0]
    if not header.synthesis_tile_enable:
        yield (TileRow(_whole(picture.height), TileColumns((_whole(picture.width),))),)
        return
    size, overlap = header.synthesis_tile_size * TILE_UNIT, header.synthesis_tile_overlap * TILE_UNIT
    if picture.independent_regions:
        yield from _independent_rows(picture, size, overlap // 2)
        return
    columns = TileColumns(tuple(_overlapping(picture.width, size, overlap)))
    for rows in _overlapping(picture.height, size, overlap):
        yield (TileRow(rows, columns),)


def _whole(length: int) -> TileSpan:
    return TileSpan((0, length), (0, length))


def _overlapping(length: int, size: int, overlap: int) -> Iterator[TileSpan]:
    margin = overlap // 2
    for start, stop in overlapping_spans(length, size, overlap):
        yield TileSpan((start, stop), (start + margin if start else 0, stop - margin if stop < length else length))


@dataclass(frozen=True)
class _Cell:
    """A cell of the plain grid of tiles of independent regions, along one direction."""

    span: Span
    extended: Span | None
    """With its margin, which stays in the region around the cell; None where the cell crosses a border of regions."""
    core: Span
    """What is kept where the tile is inside a region in the other direction, too. Cores partition the length."""


def _independent_rows(picture: PictureHeader, size: int, margin: int) -> Iterator[tuple[TileRow, ...]]:
    """Cells of a plain grid over the picture; one inside a region is extended by `margin` within that region.

    The margin is given up, but for one that begins with its region: what the cell before has of that region is no
    other tile's either. In one direction:

        cells    |            |            |            |
        regions  |                  |                   |
        cores    | inside     |cross| inside            |
    """
    if margin % LATENT_GRID:
        raise Unsupported(f"picture header: independent regions with tiles that overlap by {2 * margin} samples")
    rows, columns = (
        _cells(length, count, size, margin)
        for length, count in zip((picture.height, picture.width), picture.region_counts, strict=True)
    )
    # A tile has a margin where it is inside a region in both directions, elsewhere it is the plain cell.
    plain = TileColumns(tuple(TileSpan(cell.span, cell.span) for cell in columns))
    inside = TileColumns(tuple(TileSpan(cell.extended, cell.core) for cell in columns if cell.extended))
    crossing = TileColumns(tuple(TileSpan(cell.span, cell.core) for cell in columns if not cell.extended))
    for above, cell in pairwise((rows[0], *rows)):
        if cell.extended is None:
            yield (TileRow(TileSpan(cell.span, cell.core), plain),)
            continue
        start, (first, last) = cell.span[0], cell.core
        # In rows that the core takes from the cell above, tiles that cross are still those of that cell.
        for others, kept in ((above.span, (first, start)), (cell.span, (start, last))):
            if kept[0] < kept[1]:
                yield TileRow(TileSpan(cell.extended, kept), inside), TileRow(TileSpan(others, kept), crossing)


def _cells(length: int, regions: int, size: int, margin: int) -> list[_Cell]:
    """The cells along a length; where a margin begins with its region, the core takes it from the cell before."""
    region_of = region_spans(length, regions)
    cells: list[_Cell] = []
    for start, stop in overlapping_spans(length, size, 0):
        first, last = region_of[min(start // region_of[0][1], regions - 1)]
        extended = (max(start - margin, first), min(stop + margin, last)) if stop <= last else None
        core = start, stop
        if extended and extended[0] == first < start:
            core = first, stop
            cells[-1] = replace(cells[-1], core=(cells[-1].core[0], first))
        cells.append(_Cell((start, stop), extended, core))
    return cells
