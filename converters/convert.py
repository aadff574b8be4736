"""Checkpoints to the files of a model bundle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from jpegai_mobile.networks.catalogue import NetworkKey as Topology
from jpegai_mobile.networks.catalogue import build
from jpegai_mobile.networks.graph import Graph
from jpegai_mobile.runtime.manifest import NetworkKey
from jpegai_mobile.runtime.progress import Advance, Listener, Progress, unheard

from .bundle_writer import BundleWriter
from .checkpoint import COMPONENTS, CheckpointFile, Checkpoints, network_parameters
from .coreml import DEFAULT_TILES, emit_coreml
from .entropy_model import entropy_model
from .quantisation.quantise import quantise
from .quantisation.recipe import Recipe, recipe_of
from .quantisation.samples import Sample, calibrate, holds_pictures
from .quantisation.scheme import Scheme
from .source_networks import checkpoint_name, eicci_networks, topologies
from .tflite.emitter import emit_tflite


@dataclass(frozen=True)
class Selection:
    """What of the checkpoints goes into the bundle."""

    models: Sequence[int]
    operating_points: Sequence[str]
    precisions: Sequence[str]
    parts: Sequence[str]
    targets: Sequence[str] = ("tflite",)
    coreml_tiles: Sequence[int] = DEFAULT_TILES
    """Tile sizes of Core ML packages in luma samples, the first being the default."""

    @property
    def topologies(self) -> list[Topology]:
        """The networks of each model."""
        return topologies(self.parts, self.operating_points)

    @property
    def is_calibrated(self) -> bool:
        """Some of it is fitted to data: int8 activations, or the rounding of int8 weights."""
        return any(
            recipe_of(each, precision).needs_samples for each in self.topologies for precision in self.precisions
        )


@dataclass(frozen=True)
class _Data:
    """What int8 activations and the rounding of weights are calibrated with."""

    samples: Sequence[Sample] = ()
    drawn: bool = False
    """The samples come from no picture."""


def convert(
    source: Checkpoints, selection: Selection, calibration: Path | None = None, listener: Listener | None = None
) -> BundleWriter:
    """The bundle, not written yet; `calibration` is a folder of pictures or code streams for what is calibrated.

    `listener` is told of every network that is there in a precision, and of every model whose samples are. Raises
    BundleError or ConversionError, naming file and tensor.
    """
    eicci = eicci_networks(source, selection.operating_points) if "decoder" in selection.parts else []
    networks = len(selection.models) * len(selection.topologies) + len(eicci) * len(COMPONENTS)
    total = networks * len(selection.precisions) + len(selection.models) * selection.is_calibrated
    conversion = _Conversion(source, selection, Progress(total, listener).advance)
    for model in selection.models:
        conversion.add_model(model, calibration)
    for bank, index in eicci:
        for component in COMPONENTS:
            conversion.add(source.eicci(bank, index), ("eicci", component, None), index, bank, _Data())
    return conversion.writer


@dataclass(frozen=True, eq=False)
class _Conversion:
    """A bundle in the making."""

    source: Checkpoints
    selection: Selection
    advance: Advance = unheard
    """Is told of every network in a precision, and of every model whose samples are there."""
    writer: BundleWriter = field(default_factory=BundleWriter)

    def add_model(self, model: int, calibration: Path | None) -> None:
        """The integer tables and the networks of a model."""
        source, selection, writer = self.source, self.selection, self.writer
        writer.add_entropy_model(model, entropy_model(source.common("y", model), source.common("uv", model)).to_bytes())
        data = _Data()
        if selection.is_calibrated:
            bundle = _calibration_bundle(
                source, model, with_pictures=calibration is not None and holds_pictures(calibration)
            )
            samples, origin = calibrate(bundle.in_memory(), model, calibration)
            writer.add_calibration(model, origin)
            data = _Data(samples, drawn=calibration is None)
            self.advance(1)
        for topology in selection.topologies:
            self.add(source.read(checkpoint_name(topology, model)), topology, model, topology[2], data)

    def add(self, file: CheckpointFile, topology: Topology, index: int, point: str | None, data: _Data) -> None:
        """A network in every precision, for every target."""
        selection, writer = self.selection, self.writer
        graph = build(*topology)
        parameters = network_parameters(file, graph)
        network, component, _ = topology
        inputs = [sample.of(network, component) for sample in data.samples if (network, component) in sample.inputs]
        made: dict[Recipe, tuple[Graph, dict[str, NDArray[np.float32]], Scheme]] = {}
        for precision in selection.precisions:
            recipe = recipe_of(topology, precision, data.drawn)
            if recipe not in made:
                made[recipe] = quantise(graph, parameters, recipe, inputs)
            if "tflite" in selection.targets:
                tflite = emit_tflite(*made[recipe])
                key = NetworkKey(network, component, index, point, precision, "tflite")
                writer.add_network(key, tflite, str(recipe))
            if "coreml" in selection.targets:
                rounded, values, scheme = made[recipe]
                files = emit_coreml(rounded, values, precision, scheme, selection.coreml_tiles)
                key = NetworkKey(network, component, index, point, precision, "coreml")
                writer.add_package(key, files, selection.coreml_tiles, str(recipe))
            self.advance(1)


def _calibration_bundle(source: Checkpoints, model: int, with_pictures: bool) -> BundleWriter:
    """The networks that lead to the latents, in float32; for pictures those of the encoder, too, if all are there."""
    names = [checkpoint_name(topology, model) for topology in topologies(["encoder"], [])]
    parts = ["decoder", "encoder"] if with_pictures and all(map(source.holds, names)) else ["decoder"]
    conversion = _Conversion(source, Selection([model], [], ["float32"], parts))
    conversion.add_model(model, None)
    return conversion.writer
