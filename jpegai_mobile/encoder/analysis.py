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
from ..image.colour import rgb_to_yuv
from ..networks.catalogue import build
from ..networks.measure import halo
from ..runtime.windows import Window, equal_windows
from .networks import EncoderNetworks
from .pictures import SourcePicture

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
    picture: SourcePicture, size: Size, networks: EncoderNetworks, patch: int = DEFAULT_PATCH
) -> tuple[ComponentAnalysis, ComponentAnalysis]:
    """Luma and chroma of a picture that is coded as `size` (rows, columns), by repeating its last row and column."""
    luma, chroma = (_analyse_component(i, picture, size, networks, patch) for i in Component)
    return luma, chroma


def _analyse_component(
    component: Component, picture: SourcePicture, size: Size, networks: EncoderNetworks, patch: int
) -> ComponentAnalysis:
    latent = _latent(component, picture, size, networks, patch)
    z = _hyper_latent(component, latent, size, networks, patch)
    return ComponentAnalysis(latent, z)


def _latent(component: Component, picture: SourcePicture, size: Size, networks: EncoderNetworks, patch: int) -> Array:
    rows, columns = LatentSizes.of_picture(*size).latent
    latent = np.empty((rows, columns, component.channels), np.float32)
    # The transforms take an even number of rows and columns.
    even = (size[0] + size[0] % 2, size[1] + size[1] % 2)
    margin = _margin("analysis", component, LATENT_GRID)
    with networks.analysis(component) as run:
        for vertical, horizontal in _windows((rows, columns), patch, margin):
            span_rows, span_columns = (
                _samples(window, LATENT_GRID, side) for window, side in zip((vertical, horizontal), even, strict=True)
            )
            planes = _network_input(component, picture, span_rows, span_columns)
            _keep(latent, run(planes, (len(span_rows), len(span_columns))), vertical, horizontal)
    return latent


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
            _keep(z, np.rint(np.clip(run(part, extent), -MAX_Z, MAX_Z)), vertical, horizontal)
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
    for vertical in equal_windows(size[0], largest, *margin, 1):
        for horizontal in equal_windows(size[1], largest, *margin, 1):
            yield vertical, horizontal


def _samples(window: Window, grid: int, length: int) -> range:
    """The luma samples that a window stands for."""
    return range(window.start * grid, min(window.stop * grid, length))


def _keep(whole: NDArray[np.generic], part: Array, vertical: Window, horizontal: Window) -> None:
    """Put the core of a window where it belongs."""
    whole[vertical.core_start : vertical.core_stop, horizontal.core_start : horizontal.core_stop] = part[
        vertical.core_start - vertical.start : vertical.core_stop - vertical.start,
        horizontal.core_start - horizontal.start : horizontal.core_stop - horizontal.start,
    ]


def _network_input(component: Component, picture: SourcePicture, rows: range, columns: range) -> Array:
    """Samples of a window as (sample - 127.5) / 128: luma, or the four row-major phases each of Y, U and V."""
    # Beyond the picture its last row and column are repeated, first up to the coded size, then to an even one.
    last = [length - 1 for length in picture.size]
    inside = np.ix_(np.minimum(rows, last[0]), np.minimum(columns, last[1]))
    planes = rgb_to_yuv(picture.samples[inside], picture.bit_depth)
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
