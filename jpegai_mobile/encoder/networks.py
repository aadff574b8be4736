"""The networks that only an encoder needs, as functions on arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..codestream.components import Component
from ..errors import BundleError
from ..runtime.bundle import Bundle
from ..runtime.heap import give_back_freed_memory
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


Run = Callable[[Array, Size], Array]
"""A network on a tile of so many luma samples."""


@dataclass(frozen=True)
class EncoderNetworks:
    """Encoder networks of one model; their memory is given back after each use, as it grows with the tiles."""

    bundle: Bundle
    model_id: int
    precision: str
    num_threads: int

    @contextmanager
    def analysis(self, component: Component) -> Iterator[Run]:
        """Latent [h, w, C] from normalised luma [H, W, 1], or from the phases [H/2, W/2, 12] of all planes."""
        with self._runner("analysis", component) as runner:
            yield lambda planes, extent: runner.run({_INPUT[component]: planes}, extent)["latent"]
        give_back_freed_memory()

    @contextmanager
    def hyper_encoder(self, component: Component) -> Iterator[Run]:
        """z [ceil(H/64), ceil(W/64), C] before rounding, from a latent."""
        with self._runner("hyper_encoder", component) as runner:
            yield lambda latent, extent: runner.run({"latent": latent}, extent)["z"]
        give_back_freed_memory()

    def _runner(self, network: str, component: Component) -> NetworkRunner:
        graph = self.bundle.graph(network, component.suffix, self.model_id, None, self.precision)
        return NetworkRunner(graph, self.num_threads)
