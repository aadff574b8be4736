"""From residuals and hyper latents to the latents that enter the synthesis transforms, region by region."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..codestream.components import LATENT_GRID, PSI_GRID, Z_GRID, Component, grid_size
from ..codestream.picture_header import PictureHeader
from ..codestream.tiling import Rectangle, region_grid
from ..errors import InvalidStream, Unsupported
from .model_networks import ModelNetworks
from .phases import merge_phases

Array = NDArray[np.float32]
DROPPED_LATENTS = 1
"""Latents dropped at inner sides of an extended dependent region; a default of the standard, not signalled."""


@dataclass(frozen=True, eq=False)
class Latents:
    """Latents of both components with what the hyper decoder gave, float32 [row, column, channel]."""

    psi: tuple[Array, Array]
    y_hat: tuple[Array, Array]


def reconstruct_latents(
    picture: PictureHeader, networks: ModelNetworks, z: tuple[Array, Array], residual: tuple[Array, Array]
) -> Latents:
    """psi and latents of a whole picture.

    Every region runs the hyper decoder and the context model on its own samples, extended into its neighbours by
    a signalled overlap when regions are dependent. Raises InvalidStream or Unsupported for overlaps that
    cannot be decoded.
    """
    regions = region_grid(picture.height, picture.width, *picture.region_counts)
    tiles = [_extended(region, picture) for region in regions]
    _check_overlap(picture, regions)
    sizes = picture.sizes
    luma_psi, chroma_psi = (np.empty((*sizes.psi, 4 * i.channels), np.float32) for i in Component)
    for tile in tiles:
        extent = (tile.height, tile.width)
        for component, psi in zip(Component, (luma_psi, chroma_psi), strict=True):
            z_tile = _on_grid(z[component], tile, Z_GRID)
            _on_grid(psi, tile, PSI_GRID)[:] = networks.hyper_decoder(component, z_tile, extent)
    luma = np.empty((*sizes.latent, Component.LUMA.channels), np.float32)
    for tile in tiles:
        residual_tile = _on_grid(residual[Component.LUMA], tile, LATENT_GRID)
        psi_tile = _on_grid(luma_psi, tile, PSI_GRID)
        latent = networks.context_model(residual_tile, psi_tile, (tile.height, tile.width))
        kept = _without_dropped_border(latent, tile, picture)
        _on_grid(luma, tile, LATENT_GRID)[kept] = latent[kept]
    prediction = merge_phases(np.split(chroma_psi, 4, axis=2), sizes.latent)
    return Latents((luma_psi, chroma_psi), (luma, residual[Component.CHROMA] + prediction))


def _overlap(picture: PictureHeader) -> int:
    """Luma samples by which a dependent region is extended on its inner sides."""
    return 2 * picture.hyper_decoder_overlap_in_latent_samples * Z_GRID


def _check_overlap(picture: PictureHeader, regions: list[Rectangle]) -> None:
    hyper, context = picture.hyper_decoder_overlap_in_latent_samples, picture.mcm_overlap_in_latent_samples
    if len(regions) == 1 or picture.independent_regions:
        return
    if context != 4 * hyper:
        raise Unsupported(f"mcm_overlap_in_latent_samples {context} with a hyper decoder overlap of {hyper}")
    if min(min(region.height, region.width) for region in regions) < _overlap(picture):
        raise InvalidStream(f"picture header: regions are narrower than their overlap of {_overlap(picture)} samples")


def _extended(region: Rectangle, picture: PictureHeader) -> Rectangle:
    overlap = _overlap(picture)
    return Rectangle(
        max(region.top - overlap, 0),
        max(region.left - overlap, 0),
        min(region.bottom + overlap, picture.height),
        min(region.right + overlap, picture.width),
    )


def _on_grid(array: Array, tile: Rectangle, grid: int) -> Array:
    """The part of `array` (one element per grid x grid luma samples) that covers a tile."""
    rows = slice(tile.top // grid, grid_size(tile.bottom, grid))
    columns = slice(tile.left // grid, grid_size(tile.right, grid))
    return array[rows, columns]


def _without_dropped_border(latent: Array, tile: Rectangle, picture: PictureHeader) -> tuple[slice, slice]:
    """The latents of an extended tile that are kept: those at inner sides lack context."""
    dropped = DROPPED_LATENTS if _overlap(picture) else 0
    rows, columns = latent.shape[:2]
    return (
        slice(dropped if tile.top else 0, rows - dropped if tile.bottom < picture.height else rows),
        slice(dropped if tile.left else 0, columns - dropped if tile.right < picture.width else columns),
    )
