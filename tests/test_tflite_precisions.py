"""Weights stored in fewer bits: the graph computes in float32 with the rounded weights, in one delegate."""

from __future__ import annotations

import numpy as np
import pytest

from converters.quantisation.affine import weight_scales, weight_steps
from converters.quantisation.scheme import Scheme
from converters.tflite.emitter import emit_tflite
from jpegai_mobile.networks.catalogue import BUILDERS, NetworkKey
from jpegai_mobile.networks.evaluate import evaluate
from jpegai_mobile.networks.folding import fold
from jpegai_mobile.networks.graph import Conv2d, Graph, TransposedConv2d
from jpegai_mobile.runtime.network_runner import NetworkRunner
from tests.converter_support import Array, last_channel, random_inputs, random_parameters, runs_as_one_delegate

TILE = (65, 67)
STORED_BYTES = {"float16": 2, "int8": 1}


def rounded(graph: Graph, parameters: dict[str, Array], store: str) -> dict[str, Array]:
    """The parameters with the weights of convolutions as `store` keeps them."""
    result = dict(parameters)
    for node in graph.nodes:
        if isinstance(node, Conv2d | TransposedConv2d):
            result[node.weight] = rounded_weight(node, parameters[node.weight], store)
    return result


def rounded_weight(node: Conv2d | TransposedConv2d, weight: Array, store: str) -> Array:
    if store == "float16":
        return weight.astype(np.float16).astype(np.float32)
    if isinstance(node, Conv2d):
        scales = weight_scales(weight, 0)
        return (weight_steps(weight, scales, 0) * scales[:, None, None, None]).astype(np.float32)
    result = np.empty_like(weight)
    for phase in np.ndindex(node.stride, node.stride):
        taps = (slice(None), slice(None), slice(phase[0], None, node.stride), slice(phase[1], None, node.stride))
        scales = weight_scales(weight[taps], 1)
        result[taps] = weight_steps(weight[taps], scales, 1) * scales[None, :, None, None]
    return result


@pytest.mark.parametrize("store", STORED_BYTES)
@pytest.mark.parametrize("key", BUILDERS, ids=lambda key: "-".join(filter(None, key)))
def test_equals_the_evaluator_with_rounded_weights(key: NetworkKey, store: str) -> None:
    graph, parameters = fold(BUILDERS[key](), random_parameters(BUILDERS[key]()))
    inputs = random_inputs(graph, TILE)
    expected = evaluate(graph, rounded(graph, parameters, store), inputs, TILE, np.float64)
    tflite = emit_tflite(graph, parameters, Scheme(store))
    runner = NetworkRunner(tflite)
    outputs = runner.run(last_channel(inputs), TILE)
    for name, output in outputs.items():
        reference = expected[name][:, : output.shape[0], : output.shape[1]].transpose(1, 2, 0)
        assert np.abs(output - reference).max() < 5e-5 * max(1, np.abs(reference).max())
    assert runs_as_one_delegate(runner)
    as_float32 = len(emit_tflite(graph, parameters))
    assert len(tflite) < 1.05 * as_float32 * STORED_BYTES[store] / 4 + 120_000
