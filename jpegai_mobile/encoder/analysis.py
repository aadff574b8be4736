"""From samples to latents and hyper latents, window by window, so that memory does not grow with the activations.

A window has the margin that the networks see, so it equals the same part of a whole picture bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from ..codestream.components import LATENT_GRID, Z_GRID, Component, LatentSizes, grid_size
from ..codestream.tiling import Rectangle
from ..image.planes import Planes
from ..networks.catalogue import build
from ..networks.measure import halo
from ..runtime.progress import Advance, unheard
from ..runtime.windows import Window, equal_windows
from .coded_planes import CodedPlanes
from .networks import EncoderNetworks

Array = NDArray[np.float32]
Size = tuple[int, int]

MAX_Z = 31
LATENTS_PER_Z = Z_GRID // LATENT_GRID
DEFAULT_PATCH = 24
"""Largest side, in latents, of what the analysis transforms run on at a time, margin included."""


@dataclass(frozen=True, eq=False)
class ComponentAnalysis:
    """What the encoder codes of luma or chroma; it does not depend on the rate."""

    latent: Array
    """float32 [h, w, C]."""
    z: NDArray[np.int8]
    """Hyper latents [C, ceil(H/64), ceil(W/64)], -31..31."""


def analyse(
    picture: CodedPlanes, networks: EncoderNetworks, patch: int = DEFAULT_PATCH, on_window: Advance = unheard
) -> tuple[ComponentAnalysis, ComponentAnalysis]:
    """Luma and chroma of a picture."""
    luma, chroma = (_analyse_component(i, picture, networks, patch, on_window) for i in Component)
    return luma, chroma


def samples_of(latents: Rectangle) -> int:
    """Luma samples that a window of one component counts for: half of them, as there are two."""
    return latents.height * latents.width * LATENT_GRID**2 // 2


def _analyse_component(
    component: Component, picture: CodedPlanes, networks: EncoderNetworks, patch: int, on_window: Advance
) -> ComponentAnalysis:
    latent = np.empty((*LatentSizes.of_picture(*picture.size).latent, component.channels), np.float32)
    for part, core in latent_windows(component, picture, networks, patch, on_window):
        latent[part.slices] = core
    z = _hyper_latent(component, latent, picture.size, networks, patch)
    return ComponentAnalysis(latent, z)


def latent_windows(
    component: Component,
    picture: CodedPlanes,
    networks: EncoderNetworks,
    patch: int = DEFAULT_PATCH,
    on_window: Advance = unheard,
) -> Iterator[tuple[Rectangle, Array]]:
    """The latent of a component in parts that cover it: where each is, and its values [row, column, C]."""
    # The transforms take an even number of rows and columns.
    even = tuple(length + length % 2 for length in picture.size)
    margin = _margin("analysis", component, LATENT_GRID)
    with networks.analysis(component) as run:
        for windows in _windows(LatentSizes.of_picture(*picture.size).latent, patch, margin):
            rows, columns = (_samples(window, LATENT_GRID, side) for window, side in zip(windows, even, strict=True))
            values = run(_network_input(component, picture.window(rows, columns)), (len(rows), len(columns)))
            part, core = _core(values, *windows)
            yield part, core
            on_window(samples_of(part))


def _hyper_latent(
    component: Component, latent: Array, size: Size, networks: EncoderNetworks, patch: int
) -> NDArray[np.int8]:
    rows, columns = LatentSizes.of_picture(*size).z
    z = np.empty((rows, columns, component.channels), np.int8)
    margin = _margin("hyper_encoder", component, Z_GRID)
    with networks.hyper_encoder(component) as run:
        for vertical, horizontal in _windows((rows, columns), patch, margin):
            part = latent[
                vertical.start * LATENTS_PER_Z : vertical.stop * LATENTS_PER_Z,
                horizontal.start * LATENTS_PER_Z : horizontal.stop * LATENTS_PER_Z,
            ]
            extent = len(_samples(vertical, Z_GRID, size[0])), len(_samples(horizontal, Z_GRID, size[1]))
            place, core = _core(run(part, extent), vertical, horizontal)
            z[place.slices] = np.rint(np.clip(core, -MAX_Z, MAX_Z))
    return np.ascontiguousarray(z.transpose(2, 0, 1))


@cache
def _margin(network: str, component: Component, grid: int) -> tuple[int, int]:
    """Elements of the output that a window needs before and after its core."""
    graph = build(network, component.suffix)
    reach = halo(graph)
    assert reach is not None
    ((name, sides),) = reach.items()
    before, after = (grid_size(max(pair) * graph.input_grid[name], grid) for pair in (sides[:2], sides[2:]))
    return before, after


def _windows(size: Size, largest: int, margin: tuple[int, int]) -> Iterator[tuple[Window, Window]]:
    for vertical in equal_windows(size[0], largest, *margin):
        for horizontal in equal_windows(size[1], largest, *margin):
            yield vertical, horizontal


def _samples(window: Window, grid: int, length: int) -> range:
    """The luma samples that a window stands for."""
    return range(window.start * grid, min(window.stop * grid, length))


def _core(part: Array, vertical: Window, horizontal: Window) -> tuple[Rectangle, Array]:
    """The core of a window, and where it belongs."""
    place = Rectangle(vertical.core_start, horizontal.core_start, vertical.core_stop, horizontal.core_stop)
    return place, part[place.relative_to(Rectangle(vertical.start, horizontal.start, 0, 0)).slices]


def _network_input(component: Component, planes: Planes) -> Array:
    """Samples of a window as (sample - 127.5) / 128: luma, or the four row-major phases each of Y, U and V."""
    if component is Component.LUMA:
        chosen = [planes.y]
    else:
        chosen = [
            plane[row::2, column::2] for plane in (planes.y, planes.u, planes.v) for row in (0, 1) for column in (0, 1)
        ]
    stacked = np.stack(chosen, axis=-1)
    stacked -= np.float32(127.5)
    stacked /= np.float32(128)
    return stacked
