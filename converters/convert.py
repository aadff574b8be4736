"""Checkpoints to the files of a model bundle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jpegai_mobile.networks.catalogue import NetworkKey as Topology
from jpegai_mobile.networks.catalogue import build
from jpegai_mobile.runtime.manifest import NetworkKey

from .bundle_writer import BundleWriter
from .checkpoint import COMPONENTS, CheckpointFile, CheckpointTree, network_parameters
from .entropy_model import entropy_model
from .source_networks import checkpoint_name, eicci_networks, topologies
from .tflite.emitter import emit_tflite
from .tflite.precision import Scheme

SCHEMES = {"float32": Scheme("float32"), "float16": Scheme("float16"), "int8w": Scheme("int8")}
"""Precisions that only store weights differently."""


@dataclass(frozen=True)
class Selection:
    """What of the checkpoints goes into the bundle."""

    models: Sequence[int]
    operating_points: Sequence[str]
    precisions: Sequence[str]
    parts: Sequence[str]


def convert(source: CheckpointTree, selection: Selection) -> BundleWriter:
    """The bundle, not written yet. Raises BundleError or ConversionError, naming file and tensor."""
    writer = BundleWriter()

    def add(topology: Topology, index: int, point: str | None, file: CheckpointFile) -> None:
        graph = build(*topology)
        parameters = network_parameters(file, graph)
        network, component, _ = topology
        for precision in selection.precisions:
            key = NetworkKey(network, component, index, point, precision, "tflite")
            writer.add_network(key, emit_tflite(graph, parameters, SCHEMES[precision]))

    for model in selection.models:
        tables = entropy_model(source.common("y", model), source.common("uv", model))
        writer.add_entropy_model(model, tables.to_bytes())
        for topology in topologies(selection.parts, selection.operating_points):
            add(topology, model, topology[2], source.read(checkpoint_name(topology, model)))
    if "decoder" in selection.parts:
        for bank, index in eicci_networks(source, selection.operating_points):
            for component in COMPONENTS:
                add(("eicci", component, None), index, bank, source.eicci(bank, index))
    return writer
