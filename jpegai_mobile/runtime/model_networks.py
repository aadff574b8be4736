"""The prepared networks of one model, operating point and precision, as functions on arrays."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..codestream.components import Component
from ..filters.eicci import EicciNetwork
from .bundle import Bundle
from .heap import give_back_freed_memory
from .manifest import NetworkKey
from .network_runner import NetworkRunner
from .phases import merge_phases, split_phases

Size = tuple[int, int]


LATENTS, SYNTHESIS, FILTERS = range(3)
"""Stages whose networks work together; a band goes through them one after the other."""


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
    one_stage_at_a_time: bool = False
    """Whether the networks of a stage are dropped when another stage begins: half the memory, for some milliseconds."""
    _prepared: dict[NetworkKey, NetworkRunner] = field(default_factory=dict)
    _stage: int = LATENTS

    def hyper_decoder(self, component: Component, z: NDArray[np.float32], extent: Size) -> NDArray[np.float32]:
        """psi [ceil(H/32), ceil(W/32), 4C] from z [ceil(H/64), ceil(W/64), C]."""
        with self.dropped_on_error():
            return self._network(LATENTS, "hyper_decoder", component).run({"z": z}, extent)["psi"]

    def context_model(
        self, residual: NDArray[np.float32], psi: NDArray[np.float32], extent: Size
    ) -> NDArray[np.float32]:
        """Luma latent [h, w, 160] from its residual and psi."""
        inputs = {f"residual_{k}": (phase,) for k, phase in enumerate(split_phases(residual))}
        inputs |= {f"psi_{k}": (part,) for k, part in enumerate(np.split(psi, 4, axis=2))}
        with self.dropped_on_error():
            outputs = self._network(LATENTS, "context_model", Component.LUMA).run_in_place(inputs, extent)
            return merge_phases([outputs[f"latent_{k}"] for k in range(4)], (residual.shape[0], residual.shape[1]))

    def synthesis_luma(self, latent: NDArray[np.float32], extent: Size) -> NDArray[np.float32]:
        """Raw luma [H, W] from the luma latent: a view, to be let go of before the next run."""
        runner = self._network(SYNTHESIS, "synthesis", Component.LUMA)
        return runner.run_in_place({"latent": (latent,)}, extent)["plane"][..., 0]

    def synthesis_chroma(
        self, luma: NDArray[np.float32], chroma: NDArray[np.float32], extent: Size
    ) -> NDArray[np.float32]:
        """Raw chroma [H, W, 2] from luma and chroma latents: a view, to be let go of before the next run."""
        runner = self._network(SYNTHESIS, "synthesis", Component.CHROMA)
        return runner.run_in_place({"latent": (luma, chroma)}, extent)["planes"]

    def eicci(self, network: EicciNetwork, bands: NDArray[np.float32]) -> NDArray[np.float32]:
        """Corrected Haar bands of eICCI [row, column, 16 or 32] from those of a tile [row, column, 48]."""
        key = NetworkKey("eicci", network.component, network.index, network.bank, self.precision, "tflite")
        with self.dropped_on_error():
            return self._runner(FILTERS, key).run({"bands": bands})["filtered"]

    @contextmanager
    def dropped_on_error(self) -> Iterator[None]:
        """A block that holds views of the memory of networks.

        Where it is left by an exception, Ctrl-C say, the traceback may hold them for long, and networks with views
        cannot run again. So all are dropped, to be prepared anew.
        """
        try:
            yield
        except BaseException:
            self.release()
            raise

    def _network(self, stage: int, network: str, component: Component) -> NetworkRunner:
        point = self.operating_point if stage == SYNTHESIS else None
        return self._runner(
            stage, NetworkKey(network, component.suffix, self.model_id, point, self.precision, "tflite")
        )

    def _runner(self, stage: int, key: NetworkKey) -> NetworkRunner:
        if self.one_stage_at_a_time and stage != self._stage:
            self.release()
        self._stage = stage
        if key not in self._prepared:
            self._prepared[key] = self._prepare(key)
        return self._prepared[key]

    def _prepare(self, key: NetworkKey) -> NetworkRunner:
        return NetworkRunner(self.bundle.graph_file(key) or self.bundle.graph_of(key), self.num_threads)

    def prepared(self) -> tuple[str, ...]:
        """Kinds of networks that are in memory."""
        return tuple(dict.fromkeys(key.network for key in self._prepared))

    def release(self) -> None:
        """Drop all networks; those that are used again are prepared again."""
        for runner in self._prepared.values():
            runner.close()
        self._prepared.clear()
        give_back_freed_memory()


@dataclass(eq=False)
class LastNetworks:
    """The networks of the last picture, for the next one of the same kind; others would not be counted in a limit."""

    bundle: Bundle
    _last: ModelNetworks | None = None
    _kind: tuple[int, str, str, int, bool] | None = None

    def of(
        self, model_id: int, operating_point: str, precision: str, num_threads: int, one_stage_at_a_time: bool
    ) -> ModelNetworks:
        """Networks as `ModelNetworks` takes them; those of another kind are dropped before."""
        kind = (model_id, operating_point, precision, num_threads, one_stage_at_a_time)
        if self._last is None or kind != self._kind:
            if self._last is not None:
                self._last.release()
            self._last, self._kind = ModelNetworks(self.bundle, *kind), kind
        return self._last
