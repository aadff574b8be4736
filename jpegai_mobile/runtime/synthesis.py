"""Latents to sample planes, one synthesis tile of the stream after the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..codestream.components import LATENT_GRID, grid_size
from ..codestream.picture_header import TILE_UNIT, PictureHeader
from ..codestream.tiling import Rectangle, overlapping_tiles, region_grid
from .latents import Latents
from .model_networks import ModelNetworks

Array = NDArray[np.float32]


@dataclass(frozen=True)
class SynthesisTile:
    """A tile that is synthesised and the core of it that is kept, both in luma samples of the picture."""

    tile: Rectangle
    core: Rectangle


def synthesis_tiles(picture: PictureHeader) -> list[SynthesisTile]:
    """The synthesis tiles that the stream signals, in raster order; their cores partition the picture.

    Tiles overlap and give up half of the overlap at inner sides. With independent regions the cores are a plain
    grid instead, and only a core inside a region has a margin, which stays in that region.
    """
    whole = Rectangle(0, 0, picture.height, picture.width)
    header = picture.components[0]
    if not header.synthesis_tile_enable:
        return [SynthesisTile(whole, whole)]
    size, overlap = header.synthesis_tile_size * TILE_UNIT, header.synthesis_tile_overlap * TILE_UNIT
    if picture.independent_regions:
        return list(_independent_tiles(picture, size, overlap // 2))
    tiles = overlapping_tiles(picture.height, picture.width, size, overlap)
    return [SynthesisTile(tile, _shrunk(tile, overlap // 2, whole)) for tile in tiles]


def _independent_tiles(picture: PictureHeader, size: int, margin: int) -> Iterator[SynthesisTile]:
    """Cells of a plain grid over the picture; one inside a region is extended by `margin` within that region."""
    regions = region_grid(picture.height, picture.width, *picture.region_counts)
    for core in overlapping_tiles(picture.height, picture.width, size, 0):
        region = next((region for region in regions if _contains(region, core)), core)
        tile = Rectangle(
            max(core.top - margin, region.top),
            max(core.left - margin, region.left),
            min(core.bottom + margin, region.bottom),
            min(core.right + margin, region.right),
        )
        yield SynthesisTile(tile, core)


def _contains(region: Rectangle, tile: Rectangle) -> bool:
    return (
        region.top <= tile.top
        and region.left <= tile.left
        and tile.bottom <= region.bottom
        and tile.right <= region.right
    )


def _shrunk(tile: Rectangle, margin: int, whole: Rectangle) -> Rectangle:
    return Rectangle(
        tile.top + (margin if tile.top > whole.top else 0),
        tile.left + (margin if tile.left > whole.left else 0),
        tile.bottom - (margin if tile.bottom < whole.bottom else 0),
        tile.right - (margin if tile.right < whole.right else 0),
    )


def synthesise(picture: PictureHeader, networks: ModelNetworks, latents: Latents) -> Iterator[tuple[Rectangle, Array]]:
    """Tile cores with their samples: float32 [row, column, (Y, U, V)], 0..255, chroma at full resolution."""
    for part in synthesis_tiles(picture):
        tile = part.tile
        rows = slice(tile.top // LATENT_GRID, grid_size(tile.bottom, LATENT_GRID))
        columns = slice(tile.left // LATENT_GRID, grid_size(tile.right, LATENT_GRID))
        luma, chroma = (y_hat[rows, columns] for y_hat in latents.y_hat)
        extent = (tile.height, tile.width)
        samples = np.empty((*extent, 3), np.float32)
        samples[..., 0] = networks.synthesis_luma(luma, extent)
        samples[..., 1:] = networks.synthesis_chroma(np.concatenate([luma, chroma], axis=2), extent)
        inside = samples[
            part.core.top - tile.top : part.core.bottom - tile.top,
            part.core.left - tile.left : part.core.right - tile.left,
        ]
        yield part.core, np.clip(inside * np.float32(128) + np.float32(127.5), 0, 255)
