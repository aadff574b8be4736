"""Latents to samples: runs the synthesis transforms over the patches of a plan."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..codestream.tiling import Rectangle
from ..image.planes import Planes
from ..native.samples import from_raw
from .latent_source import Latents, LatentSource
from .model_networks import ModelNetworks
from .patches import Band, Patch
from .progress import Advance, unheard

Array = NDArray[np.float32]
Finish = Callable[[Planes], NDArray[Any]]
"""From samples 0..255 to what is wanted of them, [row, column, 3]."""
ROWS_AT_ONCE = 64
"""Rows of a patch that are finished together: several times their size is needed for it."""


def interleaved(planes: Planes) -> Array:
    """Samples [row, column, (Y, U, V)]."""
    return np.stack([planes.y, planes.u, planes.v], axis=2)


def synthesise_bands(
    bands: Iterable[Band],
    source: LatentSource,
    networks: ModelNetworks,
    columns: range,
    finish: Finish = interleaved,
    dtype: DTypeLike = np.float32,
    on_patch: Advance = unheard,
) -> Iterator[tuple[Band, NDArray[Any]]]:
    """Every band with its samples: float32 [row, column, (Y, U, V)], 0..255, chroma at full resolution.

    `columns` are those of the picture that bands hold. `finish` converts samples to `dtype`, where something smaller
    than floats is wanted. Whoever lets go of the array of a band before asking for the next one saves its memory.
    `on_patch` is told how many samples were added.
    """
    for band in bands:
        latents = source.window(band.latents)
        rows = np.empty((len(band.rows), len(columns), 3), dtype)  # not before there are latents
        place = Rectangle(band.rows.start, columns.start, band.rows.stop, columns.stop)
        for patch in _large_ones_first(band):
            with networks.dropped_on_error():
                samples = _synthesise_patch(patch, band.latents, latents, networks, finish, dtype)
            rows[patch.core.relative_to(place).slices] = samples
            del samples
            on_patch(patch.core.height * patch.core.width)
        del latents  # whose memory the next ones take
        yield band, rows
        del rows


def _large_ones_first(band: Band) -> list[Patch]:
    """The patches of a band: a network that grows needs old and new memory."""
    return sorted(band.patches, key=lambda patch: -patch.latents.height * patch.latents.width)


def _synthesise_patch(
    patch: Patch, window: Rectangle, latents: Latents, networks: ModelNetworks, finish: Finish, dtype: DTypeLike
) -> NDArray[Any]:
    """The finished samples of the core of a patch."""
    luma, chroma = (component[patch.latents.relative_to(window).slices] for component in latents)
    inside = patch.core_in_window.slices
    y = networks.synthesis_luma(luma, patch.extent)[inside]
    uv = networks.synthesis_chroma(luma, chroma, patch.extent)[inside]
    samples = np.empty((*y.shape, 3), dtype)
    for top in range(0, len(y), ROWS_AT_ONCE):
        rows = slice(top, top + ROWS_AT_ONCE)
        samples[rows] = finish(Planes(from_raw(y[rows]), from_raw(uv[rows, :, 0]), from_raw(uv[rows, :, 1])))
    return samples
