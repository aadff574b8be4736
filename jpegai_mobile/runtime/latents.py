"""From symbols to the latents that enter the synthesis transforms, for any window of a region.

A region (the whole picture, when it has no regions) is decoded on its own, with zeros around it. Inside one,
a window needs a margin of hyper latents and residuals around it; with that margin, which is computed from the
networks' description, it equals the same window of the whole region bit for bit.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
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
KEPT_PSI_ROWS = 7
"""Rows that two windows inside a region share, one above the other: two margins, and one more where they meet at an odd
row. Windows at its border share more; their rows are decoded again."""


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
        _, context_margin = _margins()
        start, stop = latents[0] // LATENTS_PER_PSI, grid_size(latents[1], LATENTS_PER_PSI)
        psi = expanded(start, stop, context_margin, context_margin, grid_size(length, PSI_GRID))
        return cls(length, latents, psi, _hyper_latents(psi, length))

    def of_psi(self, psi: tuple[int, int]) -> Reach:
        """The same with the psi samples start..stop-1 only."""
        return replace(self, psi=psi, z=_hyper_latents(psi, self.length))

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


def _hyper_latents(psi: tuple[int, int], length: int) -> tuple[int, int]:
    """What the hyper decoder reads for psi samples start..stop-1."""
    margin, _ = _margins()
    start, stop = psi[0] // PSI_PER_Z, grid_size(psi[1], PSI_PER_Z)
    return expanded(start, stop, margin, margin, grid_size(length, Z_GRID))


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


@dataclass(eq=False)
class RegionLatents:
    """The latents of a region (before LSBS), window by window.

    psi rows that a window shares with the one above it are not decoded again.
    """

    symbols: Symbols
    networks: ModelNetworks
    region: Rectangle
    """In luma samples."""
    _psi: dict[tuple[int, int], tuple[int, tuple[Array, Array]]] = field(default_factory=dict)
    """By psi columns: the last psi rows of the last window of these columns, and the first of them."""

    def decode(self, latents: Rectangle) -> tuple[Array, Array]:
        """Luma and chroma latents of a window (latent samples of the picture), float32 [row, column, channel]."""
        region = self.region
        top, left = region.top // LATENT_GRID, region.left // LATENT_GRID
        rows = Reach.of((latents.top - top, latents.bottom - top), region.height)
        columns = Reach.of((latents.left - left, latents.right - left), region.width)
        luma_psi, chroma_psi = self._psi_window(rows, columns)
        window = placed(rows.residual, columns.residual, region, LATENT_GRID)
        residual = self.symbols.residual(Component.LUMA, window)
        luma = self.networks.context_model(residual, luma_psi, (rows.psi_samples, columns.psi_samples))
        inside = (rows.latents_in_residual, columns.latents_in_residual)
        chroma = merge_chroma(chroma_psi, (window.height, window.width))[inside]
        return luma[inside], chroma + self.symbols.residual(Component.CHROMA, latents)

    def _psi_window(self, rows: Reach, columns: Reach) -> tuple[Array, Array]:
        """psi of luma and chroma where `rows` and `columns` read it."""
        first, kept = self._psi.get(columns.psi, (0, None))
        start, stop = rows.psi
        if kept is None or not first <= start < first + len(kept[0]) <= stop:
            luma, chroma = self._hyper_decode(rows, columns)
        elif first + len(kept[0]) == stop:
            luma, chroma = (part[start - first :] for part in kept)
        else:
            new = rows.of_psi((first + len(kept[0]), stop))
            fresh = self._hyper_decode(new, columns)
            luma, chroma = (np.concatenate([old[start - first :], part]) for old, part in zip(kept, fresh, strict=True))
        last = min(KEPT_PSI_ROWS, stop - start)
        self._psi[columns.psi] = stop - last, (luma[-last:].copy(), chroma[-last:].copy())
        return luma, chroma

    def _hyper_decode(self, rows: Reach, columns: Reach) -> tuple[Array, Array]:
        z = placed(rows.z, columns.z, self.region, Z_GRID)
        luma, chroma = hyper_decode(self.symbols, self.networks, z, (rows.z_samples, columns.z_samples))
        inside = rows.psi_in_z, columns.psi_in_z
        return luma[inside], chroma[inside]


def merge_chroma(psi: Array, size: tuple[int, int]) -> Array:
    """The chroma prediction [h, w, C]: psi holds one group of channels per 2x2 phase."""
    return merge_phases(np.split(psi, 4, axis=2), size)


def placed(rows: tuple[int, int], columns: tuple[int, int], region: Rectangle, grid: int) -> Rectangle:
    """Spans relative to a region as a rectangle of the picture, on a grid."""
    top, left = region.top // grid, region.left // grid
    return Rectangle(rows[0] + top, columns[0] + left, rows[1] + top, columns[1] + left)
