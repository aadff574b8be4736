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
from .latents import decode_latents
from .lsbs import lsbs
from .model_networks import ModelNetworks
from .symbols import Symbols
from .windows import equal_windows

Array = NDArray[np.float32]
Latents = tuple[Array, Array]
"""Luma and chroma latents, float32 [row, column, channel]."""
COLUMNS_AT_ONCE = 128
"""2048 samples: narrower windows would decode their margins too often."""


class LatentSource(Protocol):
    """Gives the latents that enter the synthesis transforms."""

    def window(self, window: Rectangle) -> Latents:
        """The latents of a window in latent samples."""


def latent_source(symbols: Symbols, tools: ToolHeader, networks: ModelNetworks) -> LatentSource:
    """The source for a picture: dependent regions are decoded as a whole, all else window by window."""
    picture = symbols.picture
    if holds_all_latents(picture):
        whole = Rectangle(0, 0, *picture.sizes.latent)
        latents = decode_dependent_regions(symbols, networks)
        return StoredLatents(scaled_by_lsbs(symbols, tools, whole, latents))
    return DecodedLatents(symbols, tools, networks)


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
    columns_at_once: int = COLUMNS_AT_ONCE
    """Widest window, in latents, that the networks are run on: what they need in between grows with it."""
    _last: dict[tuple[int, int], tuple[Rectangle, Latents]] = field(default_factory=dict)

    def window(self, window: Rectangle) -> Latents:
        """Decode what is new of a window; windows of the same columns are best asked for from top to bottom."""
        known, latents = self._last.get((window.left, window.right), (Rectangle(0, 0, 0, 0), None))
        if latents is not None and known.top <= window.top < known.bottom <= window.bottom:
            new = Rectangle(known.bottom, window.left, window.bottom, window.right)
            kept = slice(window.top - known.top, None)
            luma, chroma = (
                np.concatenate([old[kept], fresh]) for old, fresh in zip(latents, self._decoded(new), strict=True)
            )
        else:
            luma, chroma = self._decoded(window)
        self._last[window.left, window.right] = window, (luma, chroma)
        return luma, chroma

    def _decoded(self, window: Rectangle) -> Latents:
        picture = self.symbols.picture
        luma, chroma = (np.empty((window.height, window.width, i.channels), np.float32) for i in Component)
        for region in picture.regions:
            for part in _narrow_parts(window.intersection(region.on_grid(LATENT_GRID)), self.columns_at_once):
                place = part.relative_to(window).slices
                luma[place], chroma[place] = decode_latents(self.symbols, self.networks, region, part)
        return scaled_by_lsbs(self.symbols, self.tools, window, (luma, chroma))


def _narrow_parts(part: Rectangle, columns: int) -> Iterator[Rectangle]:
    """A rectangle in parts of at most `columns`; nothing when it is empty."""
    if part.empty:
        return
    for window in equal_windows(part.width, columns, 0, 0, 1):
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
