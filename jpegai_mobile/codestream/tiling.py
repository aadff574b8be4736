"""Tiles that the stream signals: the overlapping grid of synthesis and filter tiles, and the region grid."""

from __future__ import annotations

from dataclasses import dataclass

from .components import grid_size

Span = tuple[int, int]
"""Start and stop along one direction."""


@dataclass(frozen=True)
class Rectangle:
    """Rows top..bottom-1 and columns left..right-1."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def height(self) -> int:
        """Rows."""
        return self.bottom - self.top

    @property
    def width(self) -> int:
        """Columns."""
        return self.right - self.left

    @property
    def slices(self) -> tuple[slice, slice]:
        """Row and column slices for arrays [..., row, column]."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    @property
    def empty(self) -> bool:
        """True when there is no sample in it."""
        return self.height <= 0 or self.width <= 0

    def intersection(self, other: Rectangle) -> Rectangle:
        """What both have in common; may be `empty`."""
        return Rectangle(
            max(self.top, other.top),
            max(self.left, other.left),
            min(self.bottom, other.bottom),
            min(self.right, other.right),
        )

    def on_grid(self, grid: int) -> Rectangle:
        """The elements of a tensor with one per grid x grid samples that cover this rectangle of samples."""
        return Rectangle(self.top // grid, self.left // grid, grid_size(self.bottom, grid), grid_size(self.right, grid))

    def relative_to(self, other: Rectangle) -> Rectangle:
        """The same place counted from the top left corner of `other`."""
        return Rectangle(self.top - other.top, self.left - other.left, self.bottom - other.top, self.right - other.left)


def overlapping_spans(length: int, size: int, overlap: int) -> list[Span]:
    """(start, stop) of tiles of `size` that start every size - overlap samples and cover `length`.

    Needs 0 <= overlap < size.
    """
    starts = range(0, max(length - overlap, 1), size - overlap)
    return [(start, min(start + size, length)) for start in starts]


REGION_UNIT = 128


def region_step(length: int, count: int) -> int:
    """Samples of all but the last of `count` regions along `length`; 0 when there are too many regions."""
    return grid_size(length, REGION_UNIT) // count * REGION_UNIT


def region_spans(length: int, count: int) -> list[Span]:
    """(start, stop) of `count` regions along `length` samples; the last one takes the rest."""
    step = region_step(length, count)
    return [(i * step, length if i == count - 1 else (i + 1) * step) for i in range(count)]


def region_grid(height: int, width: int, rows: int, columns: int) -> list[Rectangle]:
    """The regions of a picture in raster order."""
    horizontal = region_spans(width, columns)
    return [
        Rectangle(top, left, bottom, right) for top, bottom in region_spans(height, rows) for left, right in horizontal
    ]
