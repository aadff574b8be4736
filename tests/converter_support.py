"""Helpers of the converter tests: small graphs, random parameters, and comparison with the evaluator."""

from __future__ import annotations

import io
import math
import re
import struct
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from converters.tflite.emitter import emit_tflite
from jpegai_mobile.networks.evaluate import evaluate
from jpegai_mobile.networks.graph import Graph, Node
from jpegai_mobile.networks.shapes import Extent, grid_size, input_shapes
from jpegai_mobile.runtime.manifest import MANIFEST_NAME, Manifest, NetworkKey
from jpegai_mobile.runtime.network_runner import NetworkRunner

Array = NDArray[np.float32]


def small_graph(*nodes: Node, channels: int = 4, grid: int = 16, inputs: Sequence[str] = ("x",)) -> Graph:
    """A graph with inputs of one size whose output is that of the last node."""
    return Graph(
        name="small",
        inputs=dict.fromkeys(inputs, channels),
        input_grid=dict.fromkeys(inputs, grid),
        nodes=nodes,
        outputs=(nodes[-1].output,),
    )


def random_parameters(graph: Graph, seed: int = 0) -> dict[str, Array]:
    """Parameters that keep the size of the numbers from layer to layer; with biases, variances positive."""
    rng = np.random.default_rng(seed)
    parameters = {}
    for name, shape in graph.parameter_shapes().items():
        values = rng.standard_normal(shape) / math.sqrt(max(math.prod(shape[1:]), 4))
        parameters[name] = (np.abs(values) + 0.5 if "running_var" in name else values).astype(np.float32)
    return parameters


def random_inputs(graph: Graph, extent: Extent, seed: int = 0) -> dict[str, Array]:
    """Inputs [channel, row, column] for a tile."""
    rng = np.random.default_rng(seed)
    shapes = input_shapes(graph, extent).items()
    return {name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes}


def last_channel(tensors: Mapping[str, Array]) -> dict[str, Array]:
    """[channel, row, column] to the runner's [row, column, channel]."""
    return {name: tensor.transpose(1, 2, 0) for name, tensor in tensors.items()}


def runner_of(graph: Graph) -> NetworkRunner:
    """The graph with random parameters, converted and loaded."""
    return NetworkRunner(emit_tflite(graph, random_parameters(graph)))


def largest_error(graph: Graph, runner: NetworkRunner, extent: Extent) -> float:
    """Largest difference between the converted graph and the evaluator (float64), relative to the outputs."""
    inputs = random_inputs(graph, extent)
    expected = evaluate(graph, random_parameters(graph), inputs, extent, np.float64)
    outputs = runner.run(last_channel(inputs), extent)
    assert outputs.keys() == expected.keys()
    errors = []
    for name, output in outputs.items():
        rows, columns = grid_size(extent, runner.outputs[name].grid)
        reference = expected[name][:, :rows, :columns].transpose(1, 2, 0)
        assert output.shape == reference.shape
        errors.append(np.max(np.abs(output - reference)) / max(1.0, np.max(np.abs(reference))))
    return float(max(errors))


def runs_as_one_delegate(runner: NetworkRunner) -> bool:
    """A single delegate reads nothing but the inputs and constants, and writes all outputs."""
    interpreter = runner._interpreter
    delegates = [op for op in interpreter._get_ops_details() if op["op_name"] == "DELEGATE"]
    if len(delegates) != 1:
        return False
    made_by_operators = {
        index for op in interpreter._get_ops_details() if op["op_name"] != "DELEGATE" for index in op["outputs"]
    }
    outputs = {detail["index"] for detail in interpreter.get_output_details()}
    return made_by_operators.isdisjoint(delegates[0]["inputs"]) and outputs == set(delegates[0]["outputs"])


def zip_of_far_entries(files: Mapping[str, bytes]) -> bytes:
    """A zip whose directory says that its entries begin 2^63 bytes into the file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            info = zipfile.ZipInfo(name)
            info.extra = struct.pack("<HHQ", 1, 8, 1 << 63)  # ZIP64: the place of an entry that says 2^32 - 1
            archive.writestr(info, data)
    forged = bytearray(buffer.getvalue())
    for record in re.finditer(b"PK\1\2", forged):
        forged[record.start() + 42 : record.start() + 46] = b"\xff" * 4
    return bytes(forged)


def part_of(bundle: Path, target: Path, keep: Callable[[NetworkKey], bool]) -> Path:
    """A copy of a bundle without the networks that are not kept."""
    manifest = Manifest.from_json((bundle / MANIFEST_NAME).read_bytes())
    networks = {key: name for key, name in manifest.networks.items() if keep(key)}
    names = {*networks.values(), *manifest.entropy.values()}
    part = replace(
        manifest,
        networks=networks,
        files={name: record for name, record in manifest.files.items() if name in names},
        recipes={name: recipe for name, recipe in manifest.recipes.items() if name in names},
    )
    target.mkdir()
    (target / MANIFEST_NAME).write_bytes(part.to_json())
    for name in names:
        (target / name).write_bytes((bundle / name).read_bytes())
    return target
