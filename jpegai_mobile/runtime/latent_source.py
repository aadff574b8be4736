"""Where synthesis gets its latents from: windows decoded when they are needed, or a whole picture held."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..codestream.components import LATENT_GRID, Component
from ..codestream.picture_header import PictureHeader
from ..codestream.tiling import Rectangle
from ..codestream.tool_header import ToolHeader
from .dependent_regions import decode_dependent_regions
from .latents import RegionLatents
from .lsbs import lsbs
from .model_networks import ModelNetworks
from .symbols import Symbols
from .windows import equal_windows

Array = NDArray[np.float32]
Latents = tuple[Array, Array]
"""Luma and chroma latents, float32 [row, column, channel]."""
NOTHING = Rectangle(0, 0, 0, 0)


@dataclass(frozen=True)
class LatentParts:
    """The parts in which latents are decoded and held: the smaller, the less memory and the more margins."""

    columns: int = 64
    """Most latents side by side that the networks are run on."""
    rows: int = 0
    """Most rows that they are run on at a time, where windows have fewer."""
    rows_ahead: int = 0
    """Rows that are decoded together and held where windows have fewer, for networks that are prepared every time."""


AS_ASKED_FOR = LatentParts()
"""Window by window, nothing ahead."""


class LatentSource(Protocol):
    """Gives the latents that enter the synthesis transforms."""

    def window(self, window: Rectangle) -> Latents:
        """The latents of a window in latent samples."""


def latent_source(
    symbols: Symbols,
    tools: ToolHeader,
    networks: ModelNetworks,
    parts: LatentParts = AS_ASKED_FOR,
    last_row: int = 0,
) -> LatentSource:
    """The source for a picture: dependent regions are decoded as a whole, all else window by window, in `parts`.

    No latents below `last_row` are decoded ahead.
    """
    picture = symbols.picture
    if holds_all_latents(picture):
        whole = Rectangle(0, 0, *picture.sizes.latent)
        latents = decode_dependent_regions(symbols, networks)
        return StoredLatents(scaled_by_lsbs(symbols, tools, whole, latents))
    return DecodedLatents(symbols, tools, networks, parts, last_row)


def holds_all_latents(picture: PictureHeader) -> bool:
    """Whether the latents of the whole picture are held in memory: dependent regions are decoded together."""
    return bool(picture.region_partitioning_flag) and not picture.independent_regions


@dataclass(frozen=True, eq=False)
class StoredLatents:
    """Latents of a whole picture in memory."""

    latents: Latents

    def window(self, window: Rectangle) -> Latents:
        """A view."""
        luma, chroma = self.latents
        return luma[window.slices], chroma[window.slices]


@dataclass(eq=False)
class DecodedLatents:
    """Latents decoded on demand. Rows that the window before had in common are not decoded again."""

    symbols: Symbols
    tools: ToolHeader
    networks: ModelNetworks
    parts: LatentParts = AS_ASKED_FOR
    last_row: int = 0
    """Where decoding ahead ends."""
    _known: Rectangle = field(default=NOTHING, init=False)
    """What was decoded last and is still held."""
    _latents: Latents | None = field(default=None, init=False)
    """Its latents."""
    _regions: dict[Rectangle, RegionLatents] = field(default_factory=dict, init=False)
    """Those that a window may still need, with the psi rows that they keep."""

    def window(self, window: Rectangle) -> Latents:
        """Decode what is new of a window. Its arrays are valid until the next one is asked for.

        Windows of the same columns are best asked for from top to bottom.
        """
        if self._latents is None or self._known.intersection(window) != window:
            self._hold(window)
        assert self._latents is not None
        luma, chroma = self._latents
        place = window.relative_to(self._known).slices
        return luma[place], chroma[place]

    def _hold(self, window: Rectangle) -> None:
        """Decode a window, and rows below it that will be asked for next; rows in common with what is held stay."""
        shared = self._rows_in_common(window)
        kept = [part[len(part) - shared :].copy() for part in self._latents or ()] if shared else []
        self._latents = None  # before there are new ones
        self._regions = {
            region: latents for region, latents in self._regions.items() if region.bottom > window.top * LATENT_GRID
        }
        bottom = max(window.bottom, min(window.top + self.parts.rows_ahead, self.last_row))
        held = Rectangle(window.top, window.left, bottom, window.right)
        luma, chroma = (np.empty((held.height, held.width, i.channels), np.float32) for i in Component)
        for part, old in zip((luma, chroma), kept, strict=False):
            part[:shared] = old
        step = max(window.height, self.parts.rows)
        for top in range(held.top + shared, held.bottom, step):
            new = Rectangle(top, held.left, min(top + step, held.bottom), held.right)
            rows = new.relative_to(held).slices
            self._decode(new, (luma[rows], chroma[rows]))
        self._known, self._latents = held, (luma, chroma)

    def _rows_in_common(self, window: Rectangle) -> int:
        """Rows at the end of what is held with which `window` begins."""
        known = self._known
        below = known.top <= window.top <= known.bottom <= window.bottom
        same_columns = (known.left, known.right) == (window.left, window.right)
        return known.bottom - window.top if below and same_columns else 0

    def _decode(self, window: Rectangle, into: Latents) -> None:
        """Decode a window into arrays of its size."""
        picture = self.symbols.picture
        for region in picture.regions:
            for part in _narrow_parts(window.intersection(region.on_grid(LATENT_GRID)), self.parts.columns):
                place = part.relative_to(window).slices
                decoded = self._region(region).decode(part)
                for component, latents in zip(
                    into, scaled_by_lsbs(self.symbols, self.tools, part, decoded), strict=True
                ):
                    component[place] = latents
                del decoded, latents  # before there are those of the next part

    def _region(self, region: Rectangle) -> RegionLatents:
        if region not in self._regions:
            self._regions[region] = RegionLatents(self.symbols, self.networks, region)
        return self._regions[region]


def _narrow_parts(part: Rectangle, columns: int) -> Iterator[Rectangle]:
    """A rectangle in parts of at most `columns`, wide ones first (a network that grows needs old and new memory).

    Nothing when it is empty.
    """
    if part.empty:
        return
    windows = equal_windows(part.width, columns, 0, 0)
    for window in sorted(windows, key=lambda window: window.core_start - window.core_stop):
        left, right = part.left + window.core_start, part.left + window.core_stop
        yield Rectangle(part.top, left, part.bottom, right)


def scaled_by_lsbs(symbols: Symbols, tools: ToolHeader, window: Rectangle, latents: Latents) -> Latents:
    """LSBS on the components where it is on."""
    luma, chroma = (
        lsbs(
            latents[i],
            symbols.residual(i, window),
            symbols.block_averages(i, window),
            symbols.picture.model_id,
        )
        if tools.lsbs_enable_flag[i]
        else latents[i]
        for i in Component
    )
    return luma, chroma
