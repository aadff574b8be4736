"""`ModelNetworks` whose graphs run in another runtime, so that everything around the networks stays the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from converters.checkpoint import network_parameters
from converters.open_checkpoints import open_checkpoints
from converters.source_networks import checkpoint_name
from jpegai_mobile.networks.catalogue import build
from jpegai_mobile.networks.folding import fold
from jpegai_mobile.networks.graph import Graph
from jpegai_mobile.runtime.manifest import NetworkKey
from jpegai_mobile.runtime.model_networks import ModelNetworks, Size

Array = NDArray[np.float32]
Parameters = Mapping[str, Array]


class Session(Protocol):
    """A network prepared for tiles of one size; arrays are [row, column, channel]."""

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Outputs by name; they may overshoot the tile."""


MakeSession = Callable[[Graph, Parameters, Size, int], Session]
"""Prepares a graph with folded parameters for a tile of an extent and a number of threads."""


@dataclass(eq=False)
class RivalRunner:
    """Takes the place of a `NetworkRunner`: one session for each size of tile that turns up."""

    graph: Graph
    parameters: Parameters
    make: MakeSession
    num_threads: int

    def __post_init__(self) -> None:
        self._sessions: dict[Size, Session] = {}

    def run(self, inputs: Mapping[str, Array], extent: Size) -> dict[str, Array]:
        """As `NetworkRunner.run`."""
        if extent not in self._sessions:
            self._sessions[extent] = self.make(self.graph, self.parameters, extent, self.num_threads)
        return self._sessions[extent].run(inputs)

    def run_in_place(self, inputs: Mapping[str, tuple[Array, ...]], extent: Size) -> dict[str, Array]:
        """As `NetworkRunner.run_in_place`."""
        return self.run({name: np.concatenate(parts, axis=2) for name, parts in inputs.items()}, extent)


class RivalNetworks(ModelNetworks):
    """Networks of a packed checkpoint in another runtime, float32."""

    def __init__(self, like: ModelNetworks, checkpoints: Any, make: MakeSession, num_threads: int) -> None:
        super().__init__(like.bundle, like.model_id, like.operating_point, "float32", num_threads)
        self._checkpoints, self._make = open_checkpoints(checkpoints), make

    def _prepare(self, key: NetworkKey) -> Any:
        graph = build(key.network, key.component, key.operating_point)
        name = checkpoint_name((key.network, key.component, key.operating_point), self.model_id)
        file = self._checkpoints.read(name)
        folded, parameters = fold(graph, network_parameters(file, graph))
        return RivalRunner(folded, parameters, self._make, self.num_threads)
