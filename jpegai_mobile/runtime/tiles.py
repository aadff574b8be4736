"""The synthesis tiles that a stream signals, as rows of tiles side by side: there may be hundreds of thousands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..codestream.components import LATENT_GRID
from ..codestream.picture_header import TILE_UNIT, PictureHeader
from ..codestream.tiling import Rectangle, Span, overlapping_spans, region_spans
from ..errors import Unsupported


@dataclass(frozen=True)
class SynthesisTile:
    """A tile that is synthesised and the core of it that is kept, both in luma samples of the picture."""

    tile: Rectangle
    core: Rectangle


@dataclass(frozen=True)
class TileSpan:
    """A synthesis tile along one direction, in luma samples of the picture."""

    tile: Span
    core: Span
    """What is kept of it."""

    def touches(self, start: int, stop: int) -> bool:
        """Whether something of start..stop-1 is kept."""
        return max(self.core[0], start) < min(self.core[1], stop)


@dataclass(frozen=True, eq=False)
class TileColumns:
    """Where tiles that lie side by side are; the same object for all rows of tiles that are alike."""

    spans: tuple[TileSpan, ...]


@dataclass(frozen=True)
class TileRow:
    """Tiles side by side with the same rows."""

    rows: TileSpan
    columns: TileColumns


def synthesis_tiles(row: TileRow, region: Rectangle) -> Iterator[SynthesisTile]:
    """The tiles of a row of which something in the region (luma samples) is kept, from left to right."""
    (top, bottom), (first, last) = row.rows.tile, row.rows.core
    if row.rows.touches(region.top, region.bottom):
        for column in row.columns.spans:
            if column.touches(region.left, region.right):
                tile = Rectangle(top, column.tile[0], bottom, column.tile[1])
                yield SynthesisTile(tile, Rectangle(first, column.core[0], last, column.core[1]))


def tile_rows(picture: PictureHeader) -> Iterator[tuple[TileRow, ...]]:
    """All synthesis tiles from top to bottom, those together of which the same rows are kept.

    Cores partition the picture. Tiles overlap and give up half of the overlap at inner sides. With independent regions
    the cores are a plain grid instead, and only a core inside a region has a margin, which stays in that region; where
    the margin begins with the region it is part of the core. Raises Unsupported for margins of half a latent.
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
    start: int
    """Where it is kept from: a margin that begins with the region is no other tile's either, and is not given up."""


def _independent_rows(picture: PictureHeader, size: int, margin: int) -> Iterator[tuple[TileRow, ...]]:
    """Cells of a plain grid over the picture; one inside a region is extended by `margin` within that region."""
    if margin % LATENT_GRID:
        raise Unsupported(f"picture header: independent regions with tiles that overlap by {2 * margin} samples")
    rows, columns = (
        list(_cells(length, count, size, margin))
        for length, count in zip((picture.height, picture.width), picture.region_counts, strict=True)
    )
    plain = TileColumns(tuple(TileSpan(cell.span, cell.span) for cell in columns))
    rights = [*(cell.start for cell in columns[1:]), picture.width]
    inside, across = (
        TileColumns(
            tuple(
                TileSpan(cell.extended or cell.span, (cell.start, right))
                for cell, right in zip(columns, rights, strict=True)
                if (cell.extended is not None) == is_inside
            )
        )
        for is_inside in (True, False)
    )

    def of_cell(row: _Cell, others: _Cell, kept: Span) -> tuple[TileRow, ...]:
        """Tiles of which some rows are kept: those of `row` that lie inside a region, and the rest of `others`."""
        if row.extended is None:
            return (TileRow(TileSpan(others.span, kept), plain),)
        return TileRow(TileSpan(row.extended, kept), inside), TileRow(TileSpan(others.span, kept), across)

    bottoms = [*(row.start for row in rows[1:]), picture.height]
    for above, row, bottom in zip(rows[:1] + rows, rows, bottoms, strict=False):
        if row.start < row.span[0]:
            yield of_cell(row, above, (row.start, row.span[0]))
        yield of_cell(row, row, (row.span[0], bottom))


def _cells(length: int, regions: int, size: int, margin: int) -> Iterator[_Cell]:
    region_of = region_spans(length, regions)
    for start, stop in overlapping_spans(length, size, 0):
        first, last = region_of[min(start // region_of[0][1], regions - 1)]
        if stop > last:
            yield _Cell((start, stop), None, start)
        else:
            extended = max(start - margin, first), min(stop + margin, last)
            yield _Cell((start, stop), extended, first if extended[0] == first else start)
