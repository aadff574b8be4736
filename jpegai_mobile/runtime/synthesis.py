"""Latents to samples: runs the synthesis transforms over the patches of a plan."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue

import numpy as np
from numpy.typing import NDArray

from ..codestream.tiling import Rectangle
from .latent_source import Latents, LatentSource
from .model_networks import ModelNetworks
from .patches import Band, Patch

Array = NDArray[np.float32]


def synthesise_bands(
    bands: Iterable[Band], source: LatentSource, networks: Sequence[ModelNetworks], columns: range
) -> Iterator[tuple[Band, Array]]:
    """Every band with its samples: float32 [row, column, (Y, U, V)], 0..255, chroma at full resolution.

    `columns` are those of the picture that a band holds. One patch is computed per element of `networks` at a time;
    the result does not depend on how many there are.
    """
    idle: SimpleQueue[ModelNetworks] = SimpleQueue()
    for one in networks:
        idle.put(one)

    def compute(work: tuple[Patch, Rectangle, Latents]) -> tuple[Rectangle, Array]:
        patch, window, latents = work
        one = idle.get()
        try:
            return patch.core, _synthesise_patch(patch, window, latents, one)
        finally:
            idle.put(one)

    with ThreadPoolExecutor(len(networks)) as pool:
        run: Callable[..., Iterator[tuple[Rectangle, Array]]] = pool.map if len(networks) > 1 else map
        for band in bands:
            samples = np.empty((len(band.rows), len(columns), 3), np.float32)
            place = Rectangle(band.rows.start, columns.start, band.rows.stop, columns.stop)
            for core, patch_samples in run(compute, _work(band, source)):
                kept = core.intersection(place)
                samples[kept.relative_to(place).slices] = patch_samples[kept.relative_to(core).slices]
            yield band, samples


def _work(band: Band, source: LatentSource) -> Iterator[tuple[Patch, Rectangle, Latents]]:
    """Patches with the latents of their band."""
    latents = source.window(band.latents)
    for strip in band.strips:
        for patch in strip.patches:
            yield patch, band.latents, latents


def _synthesise_patch(patch: Patch, window: Rectangle, latents: Latents, networks: ModelNetworks) -> Array:
    """The core of a patch as samples [row, column, (Y, U, V)]."""
    luma, chroma = (component[patch.latents.relative_to(window).slices] for component in latents)
    samples = np.empty((*patch.extent, 3), np.float32)
    samples[..., 0] = networks.synthesis_luma(luma, patch.extent)
    samples[..., 1:] = networks.synthesis_chroma(luma, chroma, patch.extent)
    inside = samples[patch.core_in_window.slices]
    inside *= np.float32(128)
    inside += np.float32(127.5)
    return np.clip(inside, 0, 255, out=inside)
