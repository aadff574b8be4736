"""The networks that only an encoder needs, as functions on arrays."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..codestream.components import Component
from ..errors import BundleError
from ..runtime.bundle import Bundle
from ..runtime.network_runner import NetworkRunner

Array = NDArray[np.float32]
Size = tuple[int, int]

_INPUT = ("plane", "planes")
_NETWORKS = ("analysis", "hyper_encoder")


def encodable_models(bundle: Bundle) -> tuple[int, ...]:
    """Models of a bundle that have all networks of an encoder."""
    present = {(key.network, key.component, key.model) for key in bundle.manifest.networks}
    wanted = [(network, component.suffix) for network in _NETWORKS for component in Component]
    return tuple(model for model in bundle.models() if all((*each, model) in present for each in wanted))


def check_encodable(bundle: Bundle, model: int | None = None) -> None:
    """Raise BundleError when the bundle cannot encode at all, or not with the given model."""
    models = encodable_models(bundle)
    if not models:
        raise BundleError(
            "the model bundle has no encoder networks; make one with: "
            "jpegai-convert CHECKPOINTS -o BUNDLE --parts decoder,encoder"
        )
    if model is not None and model not in models:
        raise BundleError(
            f"the model bundle cannot encode with model {model}; it can with {', '.join(map(str, models))}"
        )


@dataclass(eq=False)
class EncoderNetworks:
    """Encoder networks of one model, each prepared when it is first used; arrays as for `ModelNetworks`."""

    bundle: Bundle
    model_id: int
    precision: str
    num_threads: int

    def analysis(self, component: Component, planes: Array, extent: Size) -> Array:
        """Latent [h, w, C] from normalised luma [H, W, 1], or from the phases [H/2, W/2, 12] of all planes."""
        return self._analysis[component].run({_INPUT[component]: planes}, extent)["latent"]

    def hyper_encoder(self, component: Component, latent: Array, extent: Size) -> Array:
        """z [ceil(H/64), ceil(W/64), C] before rounding, from the latent of `extent` luma samples."""
        return self._hyper_encoders[component].run({"latent": latent}, extent)["z"]

    @cached_property
    def _analysis(self) -> tuple[NetworkRunner, NetworkRunner]:
        return self._both_components("analysis")

    @cached_property
    def _hyper_encoders(self) -> tuple[NetworkRunner, NetworkRunner]:
        return self._both_components("hyper_encoder")

    def _both_components(self, network: str) -> tuple[NetworkRunner, NetworkRunner]:
        luma, chroma = (
            NetworkRunner(
                self.bundle.graph(network, component.suffix, self.model_id, None, self.precision), self.num_threads
            )
            for component in Component
        )
        return luma, chroma
