"""The prepared networks of one model, operating point and precision, as functions on arrays."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..codestream.components import Component
from ..filters.eicci import EicciNetwork
from .bundle import Bundle
from .network_runner import NetworkRunner
from .phases import merge_phases, split_phases

Size = tuple[int, int]


@dataclass(eq=False)
class ModelNetworks:
    """Networks of a bundle, each prepared when it is first used.

    Arrays are float32 [row, column, channel]; `extent` is the size of the tile in luma samples (height, width).
    """

    bundle: Bundle
    model_id: int
    operating_point: str
    precision: str
    num_threads: int
    _eicci: dict[EicciNetwork, NetworkRunner] = field(default_factory=dict)

    def hyper_decoder(self, component: Component, z: NDArray[np.float32], extent: Size) -> NDArray[np.float32]:
        """psi [ceil(H/32), ceil(W/32), 4C] from z [ceil(H/64), ceil(W/64), C]."""
        return self._hyper_decoders[component].run({"z": z}, extent)["psi"]

    def context_model(
        self, residual: NDArray[np.float32], psi: NDArray[np.float32], extent: Size
    ) -> NDArray[np.float32]:
        """Luma latent [h, w, 160] from its residual and psi."""
        inputs = {f"residual_{k}": (phase,) for k, phase in enumerate(split_phases(residual))}
        inputs |= {f"psi_{k}": (part,) for k, part in enumerate(np.split(psi, 4, axis=2))}
        outputs = self._context_model.run_in_place(inputs, extent)
        return merge_phases([outputs[f"latent_{k}"] for k in range(4)], (residual.shape[0], residual.shape[1]))

    def synthesis_luma(self, latent: NDArray[np.float32], extent: Size) -> NDArray[np.float32]:
        """Raw luma [H, W] from the luma latent: a view, to be let go of before the next run."""
        return self._synthesis[Component.LUMA].run_in_place({"latent": (latent,)}, extent)["plane"][..., 0]

    def synthesis_chroma(
        self, luma: NDArray[np.float32], chroma: NDArray[np.float32], extent: Size
    ) -> NDArray[np.float32]:
        """Raw chroma [H, W, 2] from luma and chroma latents: a view, to be let go of before the next run."""
        return self._synthesis[Component.CHROMA].run_in_place({"latent": (luma, chroma)}, extent)["planes"]

    def eicci(self, network: EicciNetwork, bands: NDArray[np.float32]) -> NDArray[np.float32]:
        """Corrected Haar bands of eICCI [row, column, 16 or 32] from those of a tile [row, column, 48]."""
        if network not in self._eicci:
            graph = self.bundle.graph("eicci", network.component, network.index, network.bank, self.precision)
            self._eicci[network] = NetworkRunner(graph, self.num_threads)
        return self._eicci[network].run({"bands": bands})["filtered"]

    @cached_property
    def _hyper_decoders(self) -> tuple[NetworkRunner, NetworkRunner]:
        return self._both_components("hyper_decoder", None)

    @cached_property
    def _context_model(self) -> NetworkRunner:
        return self._runner("context_model", Component.LUMA, None)

    @cached_property
    def _synthesis(self) -> tuple[NetworkRunner, NetworkRunner]:
        return self._both_components("synthesis", self.operating_point)

    def _both_components(self, network: str, operating_point: str | None) -> tuple[NetworkRunner, NetworkRunner]:
        luma, chroma = (self._runner(network, component, operating_point) for component in Component)
        return luma, chroma

    def _runner(self, network: str, component: Component, operating_point: str | None) -> NetworkRunner:
        graph = self.bundle.graph(network, component.suffix, self.model_id, operating_point, self.precision)
        return NetworkRunner(graph, self.num_threads)


@dataclass(frozen=True, eq=False)
class NetworkPool:
    """The networks of a decode, prepared as often as patches are computed at a time."""

    shared: ModelNetworks
    """For latents and filters: one run at a time, with all threads."""
    synthesis: tuple[ModelNetworks, ...]
    """One per patch that is computed at a time; the shared ones where that is one."""
