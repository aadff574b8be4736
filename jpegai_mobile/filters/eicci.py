"""eICCI: networks on the Haar bands of overlapping tiles, chosen per tile from a bank."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..codestream.components import Component
from ..codestream.picture_header import TILE_UNIT, PictureHeader
from ..codestream.tiling import Rectangle, Span, overlapping_spans
from ..codestream.tool_header import EicciHeader, EicciTile
from ..errors import InvalidStream
from ..image.planes import Planes
from .haar import haar, inverse_haar

PLACE = "tool header: eICCI"
BANK_SIZE = 10
SHORT_LISTS = {
    "sop": (((5, 6), (2, 6), (2, 7), (3, 8)), ((0, 1), (0, 1), (1, 2), (1, 2))),
    "bop": (((5, 6), (3, 6), (2, 7), (3, 8)), ((0, 1), (1, 2), (2, 3), (2, 3))),
    "hop": (((5, 6), (6, 8), (2, 7), (3, 9)), ((0, 2), (1, 3), (2, 3), (2, 3))),
}
"""Networks of the bank that short indices mean: by operating point, for luma and chroma, per model_id."""
BANKS = {"sop": "bop", "bop": "bop", "hop": "hop"}
GRID = 4
"""Tiles are padded to whole Haar cells of two levels."""
MIN_LAST_TILE = 176
"""A last row or column of tiles that is narrower takes this many samples from the one before it."""
FULL = np.float32(255)


@dataclass(frozen=True)
class EicciNetwork:
    """One network of the banks."""

    component: str
    """`y` or `uv`."""
    bank: str
    """`bop` (used for SOP too) or `hop`."""
    index: int
    """0..9 in the order mse 012, 025, 050, 075, 100, mss 012 ... 100."""


EicciRunner = Callable[[EicciNetwork, NDArray[np.float32]], NDArray[np.float32]]
"""Corrects bands: [row, column, 48] (16 each of Y, U, V) to [row, column, 16] of Y or 32 of U, V."""


@dataclass(frozen=True)
class EicciTileGeometry:
    """A tile and the part of it that is kept."""

    tile: Rectangle
    core: Rectangle


def eicci(
    planes: Planes, header: EicciHeader, picture: PictureHeader, operating_point: str, run: EicciRunner
) -> Planes:
    """4:4:4 planes, filtered tile by tile in place: the margins of later tiles see filtered samples.

    Raises InvalidStream for tiles that do not fit the picture and networks that are not in the bank.
    """
    samples = np.stack([planes.y, planes.u, planes.v], axis=-1)
    samples /= FULL
    geometry, displayed = eicci_tiles(header, picture), Rectangle(0, 0, *planes.size)
    if len(geometry) != len(header.tiles):
        raise InvalidStream(f"{PLACE}: {len(header.tiles)} tiles are coded, the picture has {len(geometry)}")
    for number, (place, choice) in enumerate(zip(geometry, header.tiles, strict=True)):
        networks = _chosen_networks(choice, picture.model_id, operating_point, f"{PLACE}: tile {number}")
        tile, core = (each.intersection(displayed) for each in (place.tile, place.core))
        if networks and not core.empty:
            _filter_tile(samples, EicciTileGeometry(tile, core), choice, networks, run)
    np.clip(samples, 0, 1, out=samples)
    samples *= FULL
    y, u, v = (np.ascontiguousarray(samples[..., channel]) for channel in range(3))
    return Planes(y, u, v)


def eicci_tiles(header: EicciHeader, picture: PictureHeader) -> list[EicciTileGeometry]:
    """Tiles of the coded picture in raster order; their cores cover it."""
    if not header.tile_manager_enabled:
        whole = Rectangle(0, 0, picture.height, picture.width)
        return [EicciTileGeometry(whole, whole)]
    size, overlap = header.tile_size * TILE_UNIT, header.tile_overlap * TILE_UNIT
    rows, columns = (_spans(length, size, overlap) for length in (picture.height, picture.width))
    return [
        EicciTileGeometry(_rectangle(row_tile, column_tile), _rectangle(row_core, column_core))
        for row_tile, row_core in rows
        for column_tile, column_core in columns
    ]


def largest_tile(header: EicciHeader, picture: PictureHeader) -> tuple[int, int]:
    """Rows and columns that no tile exceeds, in samples."""
    if not header.tile_manager_enabled:
        return picture.height, picture.width
    side = max(header.tile_size * TILE_UNIT, 2 * MIN_LAST_TILE)
    return min(picture.height, side), min(picture.width, side)


def networks_at_most(header: EicciHeader) -> int:
    """Networks that the tiles name; one named by its place in the bank and in a short list counts twice."""
    return len(
        {
            (component, tile.icci_use_shortList, tile.icci_model_signalled_idx[component])
            for tile in header.tiles
            for component in _used_components(tile)
        }
    )


def _rectangle(rows: Span, columns: Span) -> Rectangle:
    return Rectangle(rows[0], columns[0], rows[1], columns[1])


def _spans(length: int, size: int, overlap: int) -> list[tuple[Span, Span]]:
    """Tiles along one direction and their cores, which give up half of the overlap on inner sides."""
    spans = overlapping_spans(length, size, overlap)
    if len(spans) > 1 and spans[-1][1] - spans[-1][0] < MIN_LAST_TILE:
        (first, end), (last, stop) = spans[-2:]
        spans[-2:] = [(first, end - MIN_LAST_TILE), (last - MIN_LAST_TILE, stop)]
    half = overlap // 2
    cores = [(start + half if start else 0, stop - half if stop < length else stop) for start, stop in spans]
    empty = any(start >= stop for start, stop in spans) or any(start > stop for start, stop in cores)
    if empty or spans[-1][0] < 0:
        raise InvalidStream(f"{PLACE}: tiles of {size} samples cannot give {MIN_LAST_TILE} to the last one")
    return list(zip(spans, cores, strict=True))


def _chosen_networks(choice: EicciTile, model_id: int, operating_point: str, place: str) -> list[EicciNetwork]:
    """The networks that a tile uses: luma, chroma, both or none."""
    networks = []
    for component in _used_components(choice):
        index = choice.icci_model_signalled_idx[component]
        short_list = SHORT_LISTS[operating_point][component][model_id]
        known = short_list if choice.icci_use_shortList else range(BANK_SIZE)
        if index >= len(known):
            raise InvalidStream(f"{place}: network {index} of {len(known)}")
        networks.append(EicciNetwork(component.suffix, BANKS[operating_point], known[index]))
    return networks


def _used_components(choice: EicciTile) -> list[Component]:
    """The components whose network a tile uses; U and V share one."""
    planes = {Component.LUMA: choice.icci_use[:1], Component.CHROMA: choice.icci_use[1:]}
    return [component for component, used in planes.items() if any(used)]


def _filter_tile(
    samples: NDArray[np.float32],
    place: EicciTileGeometry,
    choice: EicciTile,
    networks: list[EicciNetwork],
    run: EicciRunner,
) -> None:
    """Replace the planes that are in use in the core of a tile of `samples` [row, column, (Y, U, V)]."""
    bands = haar(haar(_padded(samples[place.tile.slices])))
    core, kept = samples[place.core.slices], place.core.relative_to(place.tile).slices
    for network in networks:
        corrected = inverse_haar(inverse_haar(run(network, bands)))[kept]
        channels = (0,) if network.component == "y" else (1, 2)
        for source, channel in enumerate(channels):
            if choice.icci_use[channel]:
                core[..., channel] = corrected[..., source]


def _padded(tile: NDArray[np.float32]) -> NDArray[np.float32]:
    """A tile of whole Haar cells, its last row and column repeated."""
    rows, columns, _ = tile.shape
    return np.pad(tile, ((0, -rows % GRID), (0, -columns % GRID), (0, 0)), mode="edge")
