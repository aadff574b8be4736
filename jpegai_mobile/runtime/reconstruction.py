"""The reconstruction stage of one picture: symbols to residuals, latents, planes and filtered planes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..codestream.components import Component
from ..codestream.stream import CodeStream
from ..filters.pipeline import apply_filters
from ..image.chroma import from_synthesis
from ..image.planes import Planes
from ..latent.entropy_stage import EntropyArrays
from ..latent.model_tables import EntropyModel
from .dequantise import dequantise
from .latents import Latents, reconstruct_latents
from .lsbs import lsbs
from .model_networks import ModelNetworks
from .synthesis import synthesise

Array = NDArray[np.float32]


@dataclass(eq=False)
class Reconstruction:
    """A picture on its way from symbols to samples; every stage is computed when it is first asked for."""

    stream: CodeStream
    model: EntropyModel
    arrays: EntropyArrays
    networks: ModelNetworks

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks about the stream: missing regions."""
        missing = {n for regions in self.stream.residuals for n, part in enumerate(regions) if part is None}
        return tuple(f"region {number} is missing and was left empty" for number in sorted(missing))

    @cached_property
    def residuals(self) -> tuple[Array, Array]:
        """Dequantised residuals [row, column, channel] of luma and chroma."""
        luma, chroma = (
            dequantise(
                self.arrays.components[i],
                self.model.components[i].gain,
                self.stream.picture,
                i,
                self.arrays.quality_map,
            )
            for i in Component
        )
        return luma, chroma

    @cached_property
    def latents(self) -> Latents:
        """psi, and the latents that enter the synthesis transforms."""
        luma_z, chroma_z = (
            np.ascontiguousarray(component.z.transpose(1, 2, 0), np.float32) for component in self.arrays.components
        )
        latents = reconstruct_latents(self.stream.picture, self.networks, (luma_z, chroma_z), self.residuals)
        luma, chroma = (self._scaled(i, latents.y_hat[i]) for i in Component)
        return Latents(latents.psi, (luma, chroma))

    def _scaled(self, component: Component, latent: Array) -> Array:
        """LSBS, where it is on."""
        if not self.stream.tools.lsbs_enable_flag[component]:
            return latent
        scale_index = self.arrays.components[component].scale_index
        return lsbs(latent, self.residuals[component], scale_index, self.stream.picture.model_id)

    @cached_property
    def planes(self) -> Planes:
        """Planes before filters, of the displayed size in the source's chroma format."""
        picture = self.stream.picture
        samples = np.empty((3, picture.height, picture.width), np.float32)
        for core, tile in synthesise(picture, self.networks, self.latents):
            samples[:, *core.slices] = tile.transpose(2, 0, 1)
        return from_synthesis(*samples, picture)

    def picture_planes(self, filters: bool) -> Planes:
        """Planes of the displayed picture, with its post-filters or (`filters` false) without."""
        sigma = self.arrays.components[Component.LUMA].sigma
        return apply_filters(
            self.planes,
            self.stream.tools,
            self.stream.picture,
            sigma,
            self.networks.eicci,
            self.networks.operating_point,
            filters,
        )

    def float_arrays(self, latents: bool, planes: bool) -> dict[str, Array]:
        """Trace arrays of this stage by name: `psi_*` and `y_hat_*` [channel, row, column], `plane_*`."""
        named: dict[str, Array] = {}
        if latents:
            for i in Component:
                named[f"psi_{i.suffix}"] = self.latents.psi[i].transpose(2, 0, 1)
                named[f"y_hat_{i.suffix}"] = self.latents.y_hat[i].transpose(2, 0, 1)
        if planes:
            named |= {"plane_Y": self.planes.y, "plane_U": self.planes.u, "plane_V": self.planes.v}
        return named
