"""Helpers of the Core ML tests: convert, save, read back, and compare with the evaluator of the networks."""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray

from converters.quantisation.affine import Affine
from converters.quantisation.scheme import Scheme
from jpegai_mobile.networks.evaluate import evaluate
from jpegai_mobile.networks.graph import Conv2d, Graph, TransposedConv2d
from jpegai_mobile.networks.shapes import Extent, grid_size

if TYPE_CHECKING:
    from .mil_evaluator import MilEvaluator

Array = NDArray[Any]

needs_coremltools = pytest.mark.skipif(
    importlib.util.find_spec("coremltools") is None,
    reason="coremltools is not installed: NO CORE ML PACKAGE IS TESTED; pip install 'jpegai-mobile[convert]'",
)


def saved(files: Mapping[str, bytes]) -> MilEvaluator:
    """The package, written to a folder and read back from there."""
    from .mil_evaluator import MilEvaluator

    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder) / "network.mlpackage"
        for name, data in files.items():
            path = package / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return MilEvaluator(package)


def on_tile(
    package: MilEvaluator, graph: Graph, inputs: Mapping[str, Array], extent: Extent, tile: int
) -> dict[str, Array]:
    """Outputs [channel, row, column] inside a picture of `extent` luma samples that lies in a tile of `tile`."""
    features = package.specification.description.input
    arrays = {feature.name: _tile_input(feature.name, graph, inputs, extent, tile) for feature in features}
    outputs = package.evaluate(arrays)
    assert list(outputs) == list(graph.outputs)
    return {name: inside(values[0], extent, graph.output_grid[name]) for name, values in outputs.items()}


def inside(values: Array, extent: Extent, grid: int) -> Array:
    """What of a tensor [channel, row, column] covers the picture."""
    rows, columns = grid_size(extent, grid)
    return values[:, :rows, :columns]


def expected(
    graph: Graph, parameters: Mapping[str, Array], inputs: Mapping[str, Array], extent: Extent
) -> dict[str, Array]:
    """What the network gives inside the picture, in float64."""
    outputs = evaluate(graph, parameters, inputs, extent, np.float64)
    return {name: inside(values, extent, graph.output_grid[name]) for name, values in outputs.items()}


def int8_scheme(graph: Graph, parameters: Mapping[str, Array], inputs: Mapping[str, Array], extent: Extent) -> Scheme:
    """Int8 weights, and every tensor that convolutions read in int8 over its whole range."""
    read = tuple(dict.fromkeys(n.inputs[0] for n in graph.nodes if isinstance(n, Conv2d | TransposedConv2d)))
    inner = tuple(name for name in read if name not in graph.inputs)
    tensors = evaluate(replace(graph, outputs=inner), parameters, inputs, extent, np.float64) | dict(inputs)
    return Scheme("int8", {name: Affine.of_range(tensors[name].min(), tensors[name].max()) for name in read})


def signal_to_noise(result: Mapping[str, Array], reference: Mapping[str, Array]) -> float:
    """Decibels, the least of all outputs."""
    assert result.keys() == reference.keys()
    return min(
        float(10 * np.log10(np.square(values).sum() / np.square(result[name] - values).sum()))
        for name, values in reference.items()
    )


def largest_error(result: Mapping[str, Array], reference: Mapping[str, Array]) -> float:
    """Largest difference relative to the largest value of an output (at least 1)."""
    assert result.keys() == reference.keys()
    return max(
        float(np.max(np.abs(result[name] - values)) / max(1.0, np.max(np.abs(values))))
        for name, values in reference.items()
    )


def input_shapes(package: MilEvaluator, name: str) -> Sequence[tuple[int, ...]]:
    """The enumerated shapes of an input; none when it has a fixed shape."""
    (feature,) = (feature for feature in package.specification.description.input if feature.name == name)
    return [tuple(shape.shape) for shape in feature.type.multiArrayType.enumeratedShapes.shapes]


def _tile_input(name: str, graph: Graph, inputs: Mapping[str, Array], extent: Extent, tile: int) -> Array:
    if name in graph.inputs:
        channels, rows, columns = inputs[name].shape
        size = tile // graph.input_grid[name]
        padded = np.zeros((1, channels, size, size))
        padded[0, :, :rows, :columns] = inputs[name]
        return padded
    crop, grid = (int(name.split("_")[part]) for part in (1, -1))
    rows, columns = (samples * crop // grid for samples in grid_size(extent, crop))
    mask = np.zeros((1, 1, tile // grid, tile // grid))
    mask[..., :rows, :columns] = 1
    return mask
