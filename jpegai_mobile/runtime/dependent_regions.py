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
"""Latents dropped at inner sides of an extended region; a default of the standard, not signalled."""


def decode_dependent_regions(symbols: Symbols, networks: ModelNetworks) -> tuple[Array, Array]:
    """Luma and chroma latents (before LSBS) of the picture, float32 [row, column, channel].

    Raises InvalidStream or Unsupported for overlaps that cannot be decoded.
    """
    picture = symbols.picture
    _check_overlap(picture)
    luma_psi, chroma_psi = decode_psi(symbols, networks)
    whole = Rectangle(0, 0, *picture.sizes.latent)
    luma = predicted_by_tiles(picture, symbols.residual(Component.LUMA, whole), luma_psi, networks)
    chroma = merge_chroma(chroma_psi, picture.sizes.latent) + symbols.residual(Component.CHROMA, whole)
    return luma, chroma


def predicted_by_tiles(picture: PictureHeader, residual: Array, psi: Array, networks: ModelNetworks) -> Array:
    """Luma latents of the picture [row, column, channel] from its residual and psi."""
    luma = np.empty((*picture.sizes.latent, Component.LUMA.channels), np.float32)
    for tile in _coding_tiles(picture):
        place = tile.on_grid(LATENT_GRID).slices
        part = np.ascontiguousarray(residual[place])
        latent = networks.context_model(part, psi[tile.on_grid(PSI_GRID).slices], (tile.height, tile.width))
        kept = _without_dropped_border(latent, tile, picture)
        luma[place][kept] = latent[kept]
    return luma


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
    if min(min(region.height, region.width) for region in picture.regions) < _overlap(picture):
        raise InvalidStream(f"picture header: regions are narrower than their overlap of {_overlap(picture)} samples")


def _extended(region: Rectangle, picture: PictureHeader) -> Rectangle:
    overlap = _overlap(picture)
    return Rectangle(
        max(region.top - overlap, 0),
        max(region.left - overlap, 0),
        min(region.bottom + overlap, picture.height),
        min(region.right + overlap, picture.width),
    )


def _without_dropped_border(latent: Array, tile: Rectangle, picture: PictureHeader) -> tuple[slice, slice]:
    """The latents of an extended tile that are kept: those at inner sides lack context."""
    dropped = DROPPED_LATENTS if _overlap(picture) else 0
    rows, columns = latent.shape[:2]
    return (
        slice(dropped if tile.top else 0, rows - dropped if tile.bottom < picture.height else rows),
        slice(dropped if tile.left else 0, columns - dropped if tile.right < picture.width else columns),
    )
