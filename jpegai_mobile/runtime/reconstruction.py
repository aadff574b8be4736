"""The reconstruction stage of one picture: from its symbols to bands of finished rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..codestream.components import Component
from ..codestream.stream import CodeStream
from ..codestream.tiling import Rectangle
from ..filters.pipeline import apply_filters
from ..image.chroma import from_synthesis
from ..image.planes import Planes, cropped
from .dependent_regions import decode_psi
from .latent_source import LatentSource, latent_source
from .model_networks import NetworkPool
from .patches import plan_bands
from .symbols import Symbols
from .synthesis import synthesise_bands

Array = NDArray[np.float32]
ROWS_AT_ONCE = 64
"""Rows of a finished band that are handed on together: whoever converts them needs several times their size."""


@dataclass(eq=False)
class Reconstruction:
    """A picture on its way from symbols to samples; the entropy stage is done."""

    stream: CodeStream
    symbols: Symbols
    networks: NetworkPool
    patch: tuple[int, int] | None
    """Largest (rows, columns) of latents in one run; None takes whole tiles."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks about the stream: missing regions."""
        missing = {n for regions in self.stream.residuals for n, part in enumerate(regions) if part is None}
        return tuple(f"region {number} is missing and was left empty" for number in sorted(missing))

    @property
    def operating_point(self) -> str:
        """The synthesis transform in use."""
        return self.networks.shared.operating_point

    @property
    def streams_rows(self) -> bool:
        """Whether rows can be finished one band after the other: no step looks at the whole picture."""
        picture = self.stream.picture
        return picture.coded_subsampling == picture.source_subsampling and not self.stream.tools.filters

    def bands(self, filters: bool = True, region: Rectangle | None = None) -> Iterator[Planes]:
        """The displayed picture from top to bottom: planes 0..255 in the source's chroma format.

        With post-filters (or, `filters` false, without those of the stream), or where chroma is resampled, there is
        one band: the whole picture. `region` (displayed luma samples, where chroma is subsampled with even edges)
        leaves out everything else; only the patches that it touches are computed where rows can be streamed.
        """
        picture = self.stream.picture
        displayed = Rectangle(0, 0, *picture.display_size)
        region = region or displayed
        if not self.streams_rows:
            yield cropped(self.filtered(filters), region, picture.source_subsampling)
            return
        plan = plan_bands(picture, self.operating_point, self.patch, region)
        columns = range(region.left, region.right)
        for band, samples in synthesise_bands(plan, self.latents, self.networks.synthesis, columns):
            first, last = max(region.top, band.rows.start), min(region.bottom, band.rows.stop)
            rows = samples[first - band.rows.start : last - band.rows.start]
            for top in range(0, len(rows), ROWS_AT_ONCE):
                yield self._band_planes(rows[top : top + ROWS_AT_ONCE])

    def _band_planes(self, samples: Array) -> Planes:
        """Planes of rows [row, column, (Y, U, V)], chroma subsampled as it was coded."""
        vertical, horizontal = self.stream.picture.coded_subsampling
        u, v = (np.ascontiguousarray(samples[::vertical, ::horizontal, i]) for i in (1, 2))
        return Planes(np.ascontiguousarray(samples[..., 0]), u, v)

    @cached_property
    def latents(self) -> LatentSource:
        """Where synthesis gets its latents from."""
        return latent_source(self.symbols, self.stream.tools, self.networks.shared)

    @cached_property
    def planes(self) -> Planes:
        """The whole displayed picture before filters, in the source's chroma format."""
        picture = self.stream.picture
        samples = np.empty((3, picture.height, picture.width), np.float32)
        plan = plan_bands(picture, self.operating_point, self.patch)
        for band, rows in synthesise_bands(plan, self.latents, self.networks.synthesis, range(picture.width)):
            samples[:, band.rows.start : band.rows.stop] = rows.transpose(2, 0, 1)
        y, u, v = samples
        return from_synthesis(y, u, v, picture)

    def filtered(self, filters: bool) -> Planes:
        """The whole displayed picture after the post-filters, or without them."""
        return apply_filters(
            self.planes,
            self.stream.tools,
            self.stream.picture,
            self.symbols.decoded.lef_sigma,
            self.networks.shared.eicci,
            self.operating_point,
            filters,
        )

    def float_arrays(self, latents: bool, planes: bool) -> dict[str, Array]:
        """Trace arrays of this stage by name: `psi_*` and `y_hat_*` [channel, row, column], `plane_*`."""
        named: dict[str, Array] = {}
        if latents:
            psi = decode_psi(self.symbols, self.networks.shared)
            y_hat = self.latents.window(Rectangle(0, 0, *self.stream.picture.sizes.latent))
            for i in Component:
                named[f"psi_{i.suffix}"] = psi[i].transpose(2, 0, 1)
                named[f"y_hat_{i.suffix}"] = y_hat[i].transpose(2, 0, 1)
        if planes:
            named |= {"plane_Y": self.planes.y, "plane_U": self.planes.u, "plane_V": self.planes.v}
        return named
