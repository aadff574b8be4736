"""Checkpoints to the files of a model bundle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from jpegai_mobile.networks.catalogue import NetworkKey as Topology
from jpegai_mobile.networks.catalogue import build
from jpegai_mobile.networks.graph import Graph
from jpegai_mobile.runtime.manifest import NetworkKey

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


def convert(source: Checkpoints, selection: Selection, calibration: Path | None = None) -> BundleWriter:
    """The bundle, not written yet; `calibration` is a folder of pictures or code streams for what is calibrated.

    Raises BundleError or ConversionError, naming file and tensor.
    """
    writer = BundleWriter()
    for model in selection.models:
        _add_model(writer, source, selection, model, calibration)
    if "decoder" in selection.parts:
        for bank, index in eicci_networks(source, selection.operating_points):
            for component in COMPONENTS:
                topology = ("eicci", component, None)
                _add(writer, source.eicci(bank, index), topology, index, bank, selection, _Data())
    return writer


def _add_model(
    writer: BundleWriter, source: Checkpoints, selection: Selection, model: int, calibration: Path | None
) -> None:
    writer.add_entropy_model(model, entropy_model(source.common("y", model), source.common("uv", model)).to_bytes())
    data = _Data()
    if selection.is_calibrated:
        bundle = _calibration_bundle(
            source, model, with_pictures=calibration is not None and holds_pictures(calibration)
        )
        samples, origin = calibrate(bundle.in_memory(), model, calibration)
        writer.add_calibration(model, origin)
        data = _Data(samples, drawn=calibration is None)
    for topology in selection.topologies:
        file = source.read(checkpoint_name(topology, model))
        _add(writer, file, topology, model, topology[2], selection, data)


def _calibration_bundle(source: Checkpoints, model: int, with_pictures: bool) -> BundleWriter:
    """The networks that lead to the latents, in float32; for pictures those of the encoder, too, if all are there."""
    names = [checkpoint_name(topology, model) for topology in topologies(["encoder"], [])]
    parts = ["decoder", "encoder"] if with_pictures and all(map(source.holds, names)) else ["decoder"]
    writer = BundleWriter()
    _add_model(writer, source, Selection([model], [], ["float32"], parts), model, None)
    return writer


def _add(
    writer: BundleWriter,
    file: CheckpointFile,
    topology: Topology,
    index: int,
    point: str | None,
    selection: Selection,
    data: _Data,
) -> None:
    """A network in every precision, for every target."""
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
            writer.add_network(NetworkKey(network, component, index, point, precision, "tflite"), tflite, str(recipe))
        if "coreml" in selection.targets:
            rounded, values, scheme = made[recipe]
            files = emit_coreml(rounded, values, precision, scheme, selection.coreml_tiles)
            key = NetworkKey(network, component, index, point, precision, "coreml")
            writer.add_package(key, files, selection.coreml_tiles, str(recipe))
