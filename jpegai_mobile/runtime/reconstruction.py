"""The reconstruction stage of one picture: from its symbols to bands of finished rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..codestream.components import LATENT_GRID, Component
from ..codestream.stream import CodeStream
from ..codestream.tiling import Rectangle
from ..filters.eicci import EicciNetwork
from ..filters.pipeline import apply_filters
from ..image.chroma import FORMAT_444, from_synthesis
from ..image.colour import Samples, sample_type
from ..image.planes import Planes, cropped
from ..native.samples import yuv_to_rgb
from ..networks.catalogue import build
from ..networks.measure import halo
from .dependent_regions import decode_psi
from .latent_source import AS_ASKED_FOR, LatentParts, LatentSource, latent_source
from .model_networks import ModelNetworks
from .patches import last_latent_row, plan_bands
from .progress import Listener, Progress
from .symbols import Symbols
from .synthesis import ROWS_AT_ONCE, Finish, interleaved, synthesise_bands
from .windows import equal_windows

Array = NDArray[np.float32]
EICCI_WINDOW = 128
"""Rows and columns of Haar bands that a network of eICCI sees at a time, those of its margin among them."""


def streams_rows(stream: CodeStream, filters: bool) -> bool:
    """Whether the rows of a picture can be finished one band after the other."""
    picture = stream.picture
    return picture.coded_subsampling == picture.source_subsampling and not (filters and stream.tools.filters)


def samples_are_independent(stream: CodeStream, filters: bool) -> bool:
    """Whether a part of a picture can be decoded by itself: no step looks at all of it, chroma is not subsampled."""
    return streams_rows(stream, filters) and stream.picture.source_subsampling == FORMAT_444


def skipped_regions(
    stream: CodeStream, operating_point: str, patch: tuple[int, int] | None, region: Rectangle | None
) -> frozenset[int]:
    """Independent regions whose residuals a region of the displayed picture (None: all of it) does not need."""
    picture = stream.picture
    if region is None or not picture.independent_regions:
        return frozenset()
    skipped = {number: place.on_grid(LATENT_GRID) for number, place in enumerate(picture.regions)}
    for band in plan_bands(picture, operating_point, patch, region):
        skipped = {number: latents for number, latents in skipped.items() if not band.needs(latents)}
    return frozenset(skipped)


@cache
def _eicci_margin(component: str) -> int:
    """Rows and columns of Haar bands that a network of eICCI sees around its own."""
    sides = halo(build("eicci", component))
    assert sides is not None
    return max(sides["bands"])


@dataclass(eq=False)
class Reconstruction:
    """A picture on its way from symbols to samples; the entropy stage is done."""

    stream: CodeStream
    symbols: Symbols
    networks: ModelNetworks
    patch: tuple[int, int] | None
    """Largest (rows, columns) of latents in one run; None takes whole tiles."""
    parts: LatentParts = AS_ASKED_FOR
    """In which latents are decoded."""
    only: Rectangle | None = None
    """What may be asked for, in displayed luma samples; None is all."""
    skipped: frozenset[int] = frozenset()
    """Independent regions whose residuals were not decoded, since nothing of them may be asked for."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks about the stream: missing regions."""
        missing = {n for regions in self.stream.residuals for n, part in enumerate(regions) if part is None}
        return tuple(f"region {number} is missing and was left empty" for number in sorted(missing))

    @property
    def operating_point(self) -> str:
        """The synthesis transform in use."""
        return self.networks.operating_point

    def streams_rows(self, filters: bool = True) -> bool:
        """Whether rows can be finished one band after the other: no step looks at the whole picture."""
        return streams_rows(self.stream, filters)

    def streams_rgb(self, filters: bool = True) -> bool:
        """Whether rows are streamed and every sample becomes a pixel by itself: chroma is not subsampled."""
        return samples_are_independent(self.stream, filters)

    def bands(
        self, filters: bool = True, region: Rectangle | None = None, listener: Listener | None = None
    ) -> Iterator[Planes]:
        """The displayed picture from top to bottom: planes 0..255 in the source's chroma format.

        With post-filters (none of the stream's when `filters` is false), or where chroma is resampled, there is one
        band: the whole picture. `region` (displayed luma samples, where chroma is subsampled with even edges)
        leaves out everything else; only the patches that it touches are computed where rows can be streamed. Raises
        Cancelled when `listener` asks to stop.
        """
        picture = self.stream.picture
        region = region or Rectangle(0, 0, *picture.display_size)
        if not self.streams_rows(filters):
            yield cropped(self.filtered(filters, listener), region, picture.source_subsampling)
            return
        for rows in self._synthesised_rows(region, listener):
            yield self._band_planes(rows)

    def rgb_bands(self, region: Rectangle | None = None, listener: Listener | None = None) -> Iterator[Samples]:
        """The displayed picture, or a region of it, from top to bottom as RGB samples [row, column, 3].

        Only where `streams_rgb`: the rows equal `yuv_to_rgb` of `bands` and take a quarter of the memory.
        Raises Cancelled when `listener` asks to stop.
        """
        picture = self.stream.picture
        region = region or Rectangle(0, 0, *picture.display_size)
        return self._synthesised_rows(region, listener, self._rgb, sample_type(picture.bit_depth))

    def _rgb(self, planes: Planes) -> Samples:
        return yuv_to_rgb(planes, self.stream.picture.bit_depth)

    def _synthesised_rows(
        self,
        region: Rectangle,
        listener: Listener | None,
        finish: Finish = interleaved,
        dtype: DTypeLike = np.float32,
    ) -> Iterator[NDArray[Any]]:
        """The rows of a region a few at a time; raises ValueError where not all of it may be asked for."""
        if self.only is not None and region.intersection(self.only) != region:
            raise ValueError(f"{region} is not inside of {self.only}, the region that was decoded")
        plan = plan_bands(self.stream.picture, self.operating_point, self.patch, region)
        columns = range(region.left, region.right)
        progress = Progress(region.height * region.width, listener)
        bands = synthesise_bands(plan, self.latents, self.networks, columns, finish, dtype, progress.advance)
        for _, samples in bands:
            for top in range(0, len(samples), ROWS_AT_ONCE):
                # A copy, for nobody to hold the whole band while the next one is computed.
                yield samples[top : top + ROWS_AT_ONCE].copy()
            del samples

    def _band_planes(self, samples: Array) -> Planes:
        """Planes of rows [row, column, (Y, U, V)], chroma subsampled as it was coded."""
        vertical, horizontal = self.stream.picture.coded_subsampling
        u, v = (np.ascontiguousarray(samples[::vertical, ::horizontal, i]) for i in (1, 2))
        return Planes(np.ascontiguousarray(samples[..., 0]), u, v)

    @cached_property
    def latents(self) -> LatentSource:
        """Where synthesis gets its latents from."""
        picture = self.stream.picture
        wanted = self.only or Rectangle(0, 0, picture.height, picture.width)
        return latent_source(
            self.symbols,
            self.stream.tools,
            self.networks,
            self.parts,
            last_latent_row(picture, self.operating_point, wanted),
        )

    def planes(self, listener: Listener | None = None) -> Planes:
        """The whole displayed picture before filters, in the source's chroma format; may raise Cancelled."""
        picture = self.stream.picture
        samples = np.empty((3, picture.height, picture.width), np.float32)
        top = 0
        for rows in self._synthesised_rows(Rectangle(0, 0, picture.height, picture.width), listener):
            samples[:, top : top + len(rows)] = rows.transpose(2, 0, 1)
            top += len(rows)
        y, u, v = samples
        return from_synthesis(y, u, v, picture)

    def filtered(self, filters: bool, listener: Listener | None = None) -> Planes:
        """The whole displayed picture after the post-filters, or without them; may raise Cancelled."""
        return apply_filters(
            self.planes(listener),
            self.stream.tools,
            self.stream.picture,
            self.symbols.decoded.lef_sigma,
            self._eicci,
            self.operating_point,
            filters,
        )

    def _eicci(self, network: EicciNetwork, bands: Array) -> Array:
        """As `ModelNetworks.eicci`, a window at a time: equal to the whole tile, in less memory."""
        margin = _eicci_margin(network.component)
        rows, columns = (equal_windows(length, EICCI_WINDOW, margin, margin) for length in bands.shape[:2])
        strips = []
        for row in rows:
            windows = [
                self.networks.eicci(network, bands[row.all, column.all])[row.core, column.core] for column in columns
            ]
            strips.append(np.concatenate(windows, axis=1))
        return np.concatenate(strips)

    def float_arrays(self, latents: bool, planes: bool) -> dict[str, Array]:
        """Trace arrays of this stage by name: `psi_*` and `y_hat_*` [channel, row, column], `plane_*`."""
        named: dict[str, Array] = {}
        if latents:
            psi = decode_psi(self.symbols, self.networks)
            y_hat = self.latents.window(Rectangle(0, 0, *self.stream.picture.sizes.latent))
            for i in Component:
                named[f"psi_{i.suffix}"] = psi[i].transpose(2, 0, 1)
                named[f"y_hat_{i.suffix}"] = y_hat[i].transpose(2, 0, 1)
        if planes:
            before_filters = self.planes()
            named |= {"plane_Y": before_filters.y, "plane_U": before_filters.u, "plane_V": before_filters.v}
        return named
