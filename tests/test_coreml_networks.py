"""Every network as a Core ML package: what is saved equals the evaluator of the networks."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from converters.checkpoint import CheckpointTree, network_parameters
from converters.coreml import emit_coreml
from converters.quantisation.quantise import quantise
from converters.quantisation.recipe import recipe_of
from converters.quantisation.scheme import Scheme
from converters.source_networks import checkpoint_name
from jpegai_mobile.networks.catalogue import BUILDERS, NetworkKey
from jpegai_mobile.networks.graph import Conv2d, Graph, TransposedConv2d
from tests.converter_support import random_inputs, random_parameters
from tests.coreml_support import (
    expected,
    input_shapes,
    int8_scheme,
    largest_error,
    needs_coremltools,
    on_tile,
    saved,
    signal_to_noise,
)
from tests.vectors import CONFORMANCE, needs_conformance

pytestmark = needs_coremltools

Array = NDArray[Any]
CONVERTED = [key for key in BUILDERS if key[2] != "hop"]
every_network = pytest.mark.parametrize("key", CONVERTED, ids=lambda key: "-".join(filter(None, key)))

PLACEMENTS = [((128, 128), 128), ((65, 97), 128), ((64, 64), 64), ((33, 1), 64), ((17, 50), 64)]
"""Pictures and the tile that they lie in: whole tiles, and odd sizes that are cropped at every grid."""


def positive_variances(parameters: dict[str, Array]) -> dict[str, Array]:
    return {name: np.abs(x) + 0.5 if name.endswith("running_var") else x for name, x in parameters.items()}


def network(key: NetworkKey) -> tuple[Graph, dict[str, Array]]:
    graph = BUILDERS[key]()
    return graph, positive_variances(random_parameters(graph))


@every_network
def test_equals_the_evaluator_wherever_the_picture_ends(key: NetworkKey) -> None:
    graph, parameters = network(key)
    package = saved(emit_coreml(graph, parameters, "float32", tiles=(128, 64)))
    for extent, tile in PLACEMENTS:
        inputs = random_inputs(graph, extent)
        result = on_tile(package, graph, inputs, extent, tile)
        assert largest_error(result, expected(graph, parameters, inputs, extent)) < 5e-6, extent


@every_network
def test_inputs_and_outputs_are_those_of_the_network(key: NetworkKey) -> None:
    graph, parameters = network(key)
    package = saved(emit_coreml(graph, parameters, "float16", tiles=(256, 128, 64)))
    for name, channels in graph.inputs.items():
        sizes = [tile // graph.input_grid[name] for tile in (256, 128, 64)]
        assert input_shapes(package, name) == [(1, channels, size, size) for size in sizes]
    description = package.specification.description
    masks = [feature.name for feature in description.input if feature.name not in graph.inputs]
    assert masks and all(name.startswith("mask_") for name in masks)
    assert [feature.name for feature in description.output] == list(graph.outputs)


@every_network
def test_float16(key: NetworkKey) -> None:
    graph, parameters = network(key)
    package = saved(emit_coreml(graph, parameters, "float16", tiles=(64,)))
    extent = (49, 64)
    inputs = random_inputs(graph, extent)
    result = on_tile(package, graph, inputs, extent, 64)
    assert all(values.dtype == np.float16 for values in result.values())
    assert signal_to_noise(result, expected(graph, parameters, inputs, extent)) > 55


def number_of_convolutions(graph: Graph) -> int:
    return sum(isinstance(node, Conv2d | TransposedConv2d) for node in graph.nodes)


def rounded_weights(graph: Graph, parameters: dict[str, Array]) -> dict[str, Array]:
    """Weights of convolutions in 255 equal steps per output channel, the largest weight at either end."""
    rounded = dict(parameters)
    for node in graph.nodes:
        if isinstance(node, Conv2d | TransposedConv2d):
            weight = parameters[node.weight]
            channels_first = weight if isinstance(node, Conv2d) else weight.swapaxes(0, 1)
            steps = np.abs(channels_first).max(axis=(1, 2, 3), keepdims=True) / 127
            channels_first = np.round(channels_first / steps) * steps
            rounded[node.weight] = channels_first if isinstance(node, Conv2d) else channels_first.swapaxes(0, 1)
    return rounded


@pytest.mark.parametrize("key", [("synthesis", "y", "bop"), ("context_model", "y", None)], ids=str)
def test_int8_weights_change_nothing_but_the_weights(key: NetworkKey) -> None:
    graph, parameters = network(key)
    package = saved(emit_coreml(graph, parameters, "int8w", Scheme("int8"), tiles=(64,)))
    extent = (64, 50)
    inputs = random_inputs(graph, extent)
    result = on_tile(package, graph, inputs, extent, 64)
    with_rounded_weights = expected(graph, rounded_weights(graph, parameters), inputs, extent)
    to_rounded = signal_to_noise(result, with_rounded_weights)
    to_exact = signal_to_noise(result, expected(graph, parameters, inputs, extent))
    assert to_rounded > 44 and to_exact < to_rounded - 6
    kinds = [operation.kind for operation in package.operations()]
    assert kinds.count("constexpr_affine_dequantize") == number_of_convolutions(graph)


@every_network
def test_int8_convolutions_read_int8(key: NetworkKey) -> None:
    graph, parameters = network(key)
    extent = (64, 33)
    inputs = random_inputs(graph, extent)
    scheme = int8_scheme(graph, parameters, inputs, extent)
    package = saved(emit_coreml(graph, parameters, "int8", scheme, tiles=(64,)))
    operations = package.operations()
    convolutions = [operation for operation in operations if operation.kind in ("conv", "conv_transpose")]
    assert len(convolutions) == number_of_convolutions(graph)
    for operation in convolutions:
        assert operation.sources["x"] == "dequantize"
        assert operation.sources["weight"] == "constexpr_affine_dequantize"
    assert [operation.kind for operation in operations].count("quantize") == len(scheme.tensors)
    result = on_tile(package, graph, inputs, extent, 64)
    assert 20 < signal_to_noise(result, expected(graph, parameters, inputs, extent)) < 50


@cache
def tree() -> CheckpointTree:
    return CheckpointTree(CONFORMANCE / "checkpoints")


@needs_conformance
@pytest.mark.parametrize(("precision", "decibels"), [("float16", 80), ("int8w", 60), ("int8", 48)])
@pytest.mark.parametrize("component", ["y", "uv"])
def test_trained_weights_on_coded_latents(component: str, precision: str, decibels: float) -> None:
    """PSNR of the samples that a precision gives against float64, for a picture of odd size; calibrated on itself."""
    with np.load(CONFORMANCE / "streams" / "bop_187x133" / "oracle.npz") as arrays:
        latents = [arrays[f"{part}_yhat"] for part in (("y",) if component == "y" else ("y", "uv"))]
        extent = arrays["plane_Y"].shape
    key = ("synthesis", component, "bop")
    graph = BUILDERS[key]()
    parameters = network_parameters(tree().read(checkpoint_name(key, 1)), graph)
    inputs = {"latent": np.concatenate(latents)}
    rounded, values, scheme = quantise(graph, parameters, recipe_of(key, precision), [(inputs, extent)])
    package = saved(emit_coreml(rounded, values, precision, scheme, tiles=(192,)))
    (result,) = on_tile(package, graph, inputs, extent, 192).values()
    (reference,) = expected(graph, parameters, inputs, extent).values()
    difference = np.clip(128 * result.astype(np.float64), -127.5, 127.5) - np.clip(128 * reference, -127.5, 127.5)
    assert 20 * np.log10(255 / np.sqrt(np.mean(np.square(difference)))) > decibels


@pytest.mark.parametrize("component", ["y", "uv"])
def test_attention_sees_the_picture_and_not_the_tile(component: str) -> None:
    graph, parameters = network(("synthesis", component, "hop"))
    extent = (49, 64)
    inputs = random_inputs(graph, extent)
    reference = expected(graph, parameters, inputs, extent)
    enumerated = saved(emit_coreml(graph, parameters, "float32", tiles=(64, 128)))
    assert largest_error(on_tile(enumerated, graph, inputs, extent, 64), reference) < 2e-5
    fixed = saved(emit_coreml(graph, parameters, "float16", tiles=(64,)))
    assert signal_to_noise(on_tile(fixed, graph, inputs, extent, 64), reference) > 45
