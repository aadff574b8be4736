"""Time of the stages of a decode, from outside: the pipeline is handed objects that look at a clock.

Nothing in the decoder knows about it. Observed objects give on what they are asked to the real ones.
"""

from __future__ import annotations

import os
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..codestream.components import Component
from ..codestream.tiling import Rectangle
from ..filters.eicci import EicciNetwork
from ..image.colour import Samples
from ..image.output import RowWriter, open_writer
from ..image.planes import Planes
from ..runtime.decoder import DecodeOptions, Decoder
from ..runtime.latent_source import Latents, LatentSource
from ..runtime.model_networks import ModelNetworks, Size
from ..runtime.progress import Listener
from ..runtime.reconstruction import Reconstruction
from ..runtime.view import View

Array = NDArray[np.float32]

ENTROPY = "entropy stage"
LATENTS = "latents"
"""Dequantisation, interleaving, LSBS: what is between the networks."""
HYPER_DECODER = "hyper decoder"
CONTEXT_MODEL = "context model"
LUMA = "luma synthesis"
CHROMA = "chroma synthesis"
FILTERS = "filters"
"""With their networks."""
OUTPUT = "output conversion"
REST = "everything else"
"""Mostly putting patches together; with several threads also waiting for them."""
STAGES = (ENTROPY, LATENTS, HYPER_DECODER, CONTEXT_MODEL, LUMA, CHROMA, FILTERS, OUTPUT, REST)
NETWORKS = (HYPER_DECODER, CONTEXT_MODEL, LUMA, CHROMA)
"""Stages in which networks run; copying their inputs and outputs is part of them."""


class StageClock:
    """Adds up seconds by stage. A stage inside another one is not counted in the outer; threads add up."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.whole = 0.0
        """Seconds of the longest stage with all that was inside."""
        self._lock = threading.Lock()
        self._thread = threading.local()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the time of the block, but for the stages in it."""
        taken_before = getattr(self._thread, "taken", 0.0)
        self._thread.taken = 0.0
        start = time.perf_counter()
        try:
            yield
        finally:
            elapsed = time.perf_counter() - start
            with self._lock:
                self.seconds[name] += elapsed - self._thread.taken
                self.whole = max(self.whole, elapsed)
            self._thread.taken = taken_before + elapsed


def decode_to_nowhere(
    decoder: Decoder, data: bytes, options: DecodeOptions, region: Rectangle | None = None
) -> StageClock:
    """Decode, convert to RGB and throw away a picture, or a region of it; gives where the time went."""
    clock = StageClock()
    with clock.stage(REST):
        with clock.stage(ENTROPY):
            reconstruction = decoder.reconstruct(data, options, region)
        reconstruct_to_nowhere(reconstruction, options, clock, region)
    return clock


def reconstruct_to_nowhere(
    reconstruction: Reconstruction, options: DecodeOptions, clock: StageClock, region: Rectangle | None = None
) -> None:
    """What of a decode follows the entropy stage."""
    observed = ObservedReconstruction.of(reconstruction, clock)
    view = View(region)
    layout = view.layout(reconstruction.stream.picture)
    with open(os.devnull, "wb") as nowhere, open_writer(nowhere, layout, "ppm") as writer:
        view.write(observed, ObservedWriter(writer, clock), options.filters)


@dataclass(eq=False)
class ObservedReconstruction(Reconstruction):
    """A reconstruction whose parts are timed."""

    clock: StageClock = field(default_factory=StageClock)

    @classmethod
    def of(cls, real: Reconstruction, clock: StageClock) -> ObservedReconstruction:
        """The same reconstruction, observed."""
        networks = ObservedNetworks(real.networks, clock)
        return cls(real.stream, real.symbols, networks, real.patch, real.parts, real.only, real.skipped, clock)

    @cached_property
    def latents(self) -> LatentSource:
        """As in `Reconstruction`."""
        with self.clock.stage(LATENTS):
            return ObservedLatents(super().latents, self.clock)

    def filtered(self, filters: bool, listener: Listener | None = None) -> Planes:
        """As in `Reconstruction`."""
        with self.clock.stage(FILTERS):
            return super().filtered(filters, listener)

    def planes(self, listener: Listener | None = None) -> Planes:
        """As in `Reconstruction`."""
        with self.clock.stage(REST):
            return super().planes(listener)

    def _rgb(self, planes: Planes) -> Samples:
        with self.clock.stage(OUTPUT):
            return super()._rgb(planes)


@dataclass(frozen=True, eq=False)
class ObservedWriter:
    """A writer that is timed."""

    real: RowWriter
    clock: StageClock

    @property
    def takes_rgb(self) -> bool:
        """As in `RowTarget`."""
        return self.real.takes_rgb

    def write_rgb(self, rgb: Samples) -> None:
        """As in `RowTarget`."""
        with self.clock.stage(OUTPUT):
            self.real.write_rgb(rgb)

    def write_rows(self, rows: Planes) -> None:
        """As in `RowTarget`."""
        with self.clock.stage(OUTPUT):
            self.real.write_rows(rows)


@dataclass(frozen=True, eq=False)
class ObservedLatents:
    """A latent source that is timed."""

    real: LatentSource
    clock: StageClock

    def window(self, window: Rectangle) -> Latents:
        """As in `LatentSource`."""
        with self.clock.stage(LATENTS):
            return self.real.window(window)


class ObservedNetworks(ModelNetworks):
    """Networks that are timed."""

    def __init__(self, real: ModelNetworks, clock: StageClock) -> None:
        model = (real.bundle, real.model_id, real.operating_point, real.precision)
        super().__init__(*model, real.num_threads, real.one_stage_at_a_time)
        self._real, self._clock = real, clock

    def hyper_decoder(self, component: Component, z: Array, extent: Size) -> Array:
        """As in `ModelNetworks`."""
        with self._clock.stage(HYPER_DECODER):
            return self._real.hyper_decoder(component, z, extent)

    def context_model(self, residual: Array, psi: Array, extent: Size) -> Array:
        """As in `ModelNetworks`."""
        with self._clock.stage(CONTEXT_MODEL):
            return self._real.context_model(residual, psi, extent)

    def synthesis_luma(self, latent: Array, extent: Size) -> Array:
        """As in `ModelNetworks`."""
        with self._clock.stage(LUMA):
            return self._real.synthesis_luma(latent, extent)

    def synthesis_chroma(self, luma: Array, chroma: Array, extent: Size) -> Array:
        """As in `ModelNetworks`."""
        with self._clock.stage(CHROMA):
            return self._real.synthesis_chroma(luma, chroma, extent)

    def eicci(self, network: EicciNetwork, bands: Array) -> Array:
        """As in `ModelNetworks`; the time is that of the filters."""
        return self._real.eicci(network, bands)

    @contextmanager
    def dropped_on_error(self) -> Iterator[None]:
        """As in `ModelNetworks`."""
        with self._real.dropped_on_error():
            yield
