"""Latents of dependent regions: decoded region by region on samples that reach into their neighbours.

What neighbours share is pasted in raster order, later regions over earlier ones, so the result is defined for the
picture as a whole only: this is the one case where all latents are held in memory.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ..codestream.components import LATENT_GRID, PSI_GRID, Z_GRID, Component
from ..codestream.picture_header import PictureHeader
from ..codestream.tiling import Rectangle
from ..errors import InvalidStream, Unsupported
from .latents import merge_chroma
from .model_networks import ModelNetworks
from .symbols import Symbols

Array = NDArray[np.float32]
DROPPED_LATENTS = 1
"""Latents dropped at inner sides of a region, extended or not; a default of the standard, not signalled."""


def decode_dependent_regions(symbols: Symbols, networks: ModelNetworks) -> tuple[Array, Array]:
    """Luma and chroma latents (before LSBS) of the picture, float32 [row, column, channel].

    Raises InvalidStream or Unsupported for overlaps that cannot be decoded.
    """
    picture = symbols.picture
    _check_overlap(picture)
    luma_psi, chroma_psi = decode_psi(symbols, networks)
    whole = Rectangle(0, 0, *picture.sizes.latent)
    luma = predicted_by_tiles(picture, symbols.residual(Component.LUMA, whole), luma_psi, networks)

    def chroma_of_tile(tile: Rectangle) -> Array:
        place = tile.on_grid(LATENT_GRID)
        psi = chroma_psi[tile.on_grid(PSI_GRID).slices]
        return merge_chroma(psi, (place.height, place.width)) + symbols.residual(Component.CHROMA, place)

    return luma, _latents_of_tiles(picture, Component.CHROMA, chroma_of_tile)


def predicted_by_tiles(picture: PictureHeader, residual: Array, psi: Array, networks: ModelNetworks) -> Array:
    """Luma latents of the picture [row, column, channel] from its residual and psi."""

    def of_tile(tile: Rectangle) -> Array:
        part = np.ascontiguousarray(residual[tile.on_grid(LATENT_GRID).slices])
        return networks.context_model(part, psi[tile.on_grid(PSI_GRID).slices], (tile.height, tile.width))

    return _latents_of_tiles(picture, Component.LUMA, of_tile)


def _latents_of_tiles(picture: PictureHeader, component: Component, of_tile: Callable[[Rectangle], Array]) -> Array:
    """Latents of a component; what no tile keeps, at the borders of regions without overlap, is zero."""
    latents = np.zeros((*picture.sizes.latent, component.channels), np.float32)
    for tile in _coding_tiles(picture):
        kept = _without_dropped_border(tile, picture)
        latents[tile.on_grid(LATENT_GRID).slices][kept] = of_tile(tile)[kept]
    return latents


def decode_psi(symbols: Symbols, networks: ModelNetworks) -> tuple[Array, Array]:
    """psi of luma and chroma of the picture, whatever its regions, float32 [row, column, 4C]."""

    def of_tile(component: Component, z: Rectangle, extent: tuple[int, int]) -> Array:
        return networks.hyper_decoder(component, symbols.z(component, z), extent)

    luma, chroma = (psi_of_tiles(symbols.picture, i, partial(of_tile, i)) for i in Component)
    return luma, chroma


def psi_of_tiles(
    picture: PictureHeader, component: Component, of_tile: Callable[[Rectangle, tuple[int, int]], Array]
) -> Array:
    """psi of a component from `of_tile`, which gives it for a window of hyper latents of some luma samples."""
    psi = np.empty((*picture.sizes.psi, 4 * component.channels), np.float32)
    for tile in _coding_tiles(picture):
        psi[tile.on_grid(PSI_GRID).slices] = of_tile(tile.on_grid(Z_GRID), (tile.height, tile.width))
    return psi


def _coding_tiles(picture: PictureHeader) -> list[Rectangle]:
    """The regions in raster order, extended by their overlap (which independent regions do not have)."""
    return [_extended(region, picture) for region in picture.regions]


def _overlap(picture: PictureHeader) -> int:
    """Luma samples by which a region is extended on its inner sides."""
    return 2 * picture.hyper_decoder_overlap_in_latent_samples * Z_GRID


def _check_overlap(picture: PictureHeader) -> None:
    hyper, context = picture.hyper_decoder_overlap_in_latent_samples, picture.mcm_overlap_in_latent_samples
    if context != 4 * hyper:
        raise Unsupported(f"mcm_overlap_in_latent_samples {context} with a hyper decoder overlap of {hyper}")
    overlap = _overlap(picture)
    # Only what would begin outside the picture is undefined: what reaches beyond its other end is cut off there.
    if any(0 < edge < overlap for region in picture.regions for edge in (region.top, region.left)):
        raise InvalidStream(f"picture header: regions are narrower than their overlap of {overlap} samples")


def _extended(region: Rectangle, picture: PictureHeader) -> Rectangle:
    overlap = _overlap(picture)
    return Rectangle(
        max(region.top - overlap, 0),
        max(region.left - overlap, 0),
        min(region.bottom + overlap, picture.height),
        min(region.right + overlap, picture.width),
    )


def _without_dropped_border(tile: Rectangle, picture: PictureHeader) -> tuple[slice, slice]:
    """Rows and columns of the latents of a tile that are kept: those at inner sides lack context."""

    def kept(start: int, stop: int, length: int) -> slice:
        return slice(DROPPED_LATENTS if start else 0, -DROPPED_LATENTS if stop < length else None)

    return kept(tile.top, tile.bottom, picture.height), kept(tile.left, tile.right, picture.width)
