"""From symbols to the latents that enter the synthesis transforms, for any window of a region.

A region (the whole picture, when it has no regions) is decoded on its own, with zeros around it. Inside one,
a window needs a margin of hyper latents and residuals around it; with that margin, which is computed from the
networks' description, it equals the same window of the whole region bit for bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from ..codestream.components import LATENT_GRID, PSI_GRID, Z_GRID, Component, grid_size
from ..codestream.tiling import Rectangle
from ..networks.catalogue import build
from ..networks.measure import halo
from .model_networks import ModelNetworks
from .phases import merge_phases
from .symbols import Symbols
from .windows import expanded

Array = NDArray[np.float32]
LATENTS_PER_PSI = PSI_GRID // LATENT_GRID
PSI_PER_Z = Z_GRID // PSI_GRID


@dataclass(frozen=True)
class Reach:
    """What a span of latents depends on, along one direction of a region of `length` luma samples."""

    length: int
    latents: tuple[int, int]
    psi: tuple[int, int]
    """Psi samples that the context model reads, likewise (start, stop)."""
    z: tuple[int, int]
    """Hyper latents that the hyper decoder reads."""

    @classmethod
    def of(cls, latents: tuple[int, int], length: int) -> Reach:
        """The reach of latents start..stop-1."""
        hyper_margin, context_margin = _margins()
        start, stop = latents[0] // LATENTS_PER_PSI, grid_size(latents[1], LATENTS_PER_PSI)
        psi = expanded(start, stop, context_margin, context_margin, grid_size(length, PSI_GRID))
        start, stop = psi[0] // PSI_PER_Z, grid_size(psi[1], PSI_PER_Z)
        z = expanded(start, stop, hyper_margin, hyper_margin, grid_size(length, Z_GRID))
        return cls(length, latents, psi, z)

    @property
    def z_samples(self) -> int:
        """Luma samples that `z` covers."""
        return min(self.z[1] * Z_GRID, self.length) - self.z[0] * Z_GRID

    @property
    def psi_samples(self) -> int:
        """Luma samples that `psi` covers."""
        return min(self.psi[1] * PSI_GRID, self.length) - self.psi[0] * PSI_GRID

    @property
    def residual(self) -> tuple[int, int]:
        """Latents that `psi` covers."""
        return self.psi[0] * LATENTS_PER_PSI, grid_size(min(self.psi[1] * PSI_GRID, self.length), LATENT_GRID)

    @property
    def psi_in_z(self) -> slice:
        """`psi` among the psi samples that the hyper decoder makes of `z`."""
        return slice(self.psi[0] - self.z[0] * PSI_PER_Z, self.psi[1] - self.z[0] * PSI_PER_Z)

    @property
    def latents_in_residual(self) -> slice:
        """The latents among those of `residual`."""
        return slice(self.latents[0] - self.residual[0], self.latents[1] - self.residual[0])


@cache
def _margins() -> tuple[int, int]:
    """Hyper latents, and psi samples, that a window needs on every side."""
    hyper = [halo(build("hyper_decoder", component.suffix)) for component in Component]
    context = halo(build("context_model", Component.LUMA.suffix))
    assert context is not None and all(hyper)
    return max(max(h["z"]) for h in hyper if h is not None), max(max(sides) for sides in context.values())


def hyper_decode(
    symbols: Symbols, networks: ModelNetworks, z: Rectangle, extent: tuple[int, int]
) -> tuple[Array, Array]:
    """psi of luma and chroma from a window of hyper latents that covers `extent` luma samples."""
    luma, chroma = (networks.hyper_decoder(i, symbols.z(i, z), extent) for i in Component)
    return luma, chroma


def decode_latents(
    symbols: Symbols, networks: ModelNetworks, region: Rectangle, latents: Rectangle
) -> tuple[Array, Array]:
    """Luma and chroma latents (before LSBS) of a window inside a region, float32 [row, column, channel].

    `region` is in luma samples, `latents` in latent samples of the picture.
    """
    top, left = region.top // LATENT_GRID, region.left // LATENT_GRID
    rows = Reach.of((latents.top - top, latents.bottom - top), region.height)
    columns = Reach.of((latents.left - left, latents.right - left), region.width)
    z = placed(rows.z, columns.z, region, Z_GRID)
    psi = [
        part[rows.psi_in_z, columns.psi_in_z]
        for part in hyper_decode(symbols, networks, z, (rows.z_samples, columns.z_samples))
    ]
    window = placed(rows.residual, columns.residual, region, LATENT_GRID)
    luma_residual = symbols.residual(Component.LUMA, window)
    luma = networks.context_model(luma_residual, psi[Component.LUMA], (rows.psi_samples, columns.psi_samples))
    chroma = merge_chroma(psi[Component.CHROMA], (window.height, window.width))
    inside = (rows.latents_in_residual, columns.latents_in_residual)
    return luma[inside], chroma[inside] + symbols.residual(Component.CHROMA, latents)


def merge_chroma(psi: Array, size: tuple[int, int]) -> Array:
    """The chroma prediction [h, w, C]: psi holds one group of channels per 2x2 phase."""
    return merge_phases(np.split(psi, 4, axis=2), size)


def placed(rows: tuple[int, int], columns: tuple[int, int], region: Rectangle, grid: int) -> Rectangle:
    """Spans relative to a region as a rectangle of the picture, on a grid."""
    top, left = region.top // grid, region.left // grid
    return Rectangle(rows[0] + top, columns[0] + left, rows[1] + top, columns[1] + left)
