"""Weights stored in fewer bits: the graph computes in float32 with the rounded weights, in one delegate."""

from __future__ import annotations

import numpy as np
import pytest

from converters.errors import ConversionError
from converters.quantisation.affine import Affine, weight_scales, weight_steps
from converters.quantisation.scheme import Scheme
from converters.tflite.emitter import emit_tflite
from jpegai_mobile.networks.catalogue import BUILDERS, NetworkKey
from jpegai_mobile.networks.evaluate import evaluate
from jpegai_mobile.networks.folding import fold
from jpegai_mobile.networks.graph import Conv2d, Graph, TransposedConv2d
from jpegai_mobile.runtime.network_runner import NetworkRunner
from tests.converter_support import (
    Array,
    last_channel,
    random_inputs,
    random_parameters,
    runs_as_one_delegate,
    small_graph,
)

TILE = (65, 67)
STORED_BYTES = {"float16": 2, "int8": 1}
CONV = Conv2d(output="c", inputs=("x",), weight="c.weight", bias="c.bias", in_channels=4, out_channels=4, kernel=(1, 1))


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


def test_weights_that_float16_does_not_hold_are_refused_by_name() -> None:
    graph = small_graph(CONV)
    parameters = {"c.weight": np.full((4, 4, 1, 1), 70000, np.float32), "c.bias": np.full(4, 70000, np.float32)}
    emit_tflite(graph, parameters)
    with pytest.raises(ConversionError) as caught:
        emit_tflite(graph, parameters, Scheme("float16"))
    assert str(caught.value) == "small: parameter c.weight does not fit float16"


@pytest.mark.parametrize("scales", [None, np.full(4, 2**-24, np.float32)], ids=["nearest", "given"])
def test_a_dead_channel_keeps_its_bias_in_int8(scales: Array | None) -> None:
    """Its weights, next to nothing, would have a grid on which the bias has more steps than 32 bits hold."""
    graph = small_graph(CONV)
    weight = np.random.default_rng(0).standard_normal((4, 4, 1, 1)).astype(np.float32)
    weight[2] = 1e-7
    bias = np.array([0, 0.5, 3.5, -1], np.float32)
    given = {} if scales is None else {"c.weight": np.maximum(weight_scales(weight, 0), scales)}
    scheme = Scheme("int8", {"x": Affine(1 / 64, 0), "c": Affine(1 / 16, 0)}, given)
    runner = NetworkRunner(emit_tflite(graph, {"c.weight": weight, "c.bias": bias}, scheme))
    inputs = {"x": np.random.default_rng(1).uniform(-1, 1, (4, 4, 4)).astype(np.float32)}
    output = runner.run(last_channel(inputs))["c"]
    exact = np.einsum("oi,irc->rco", weight[:, :, 0, 0], inputs["x"]) + bias
    assert np.all(output[..., 2] == 3.5)
    assert np.abs(output - exact).max() < 1.5 / 16


def test_a_bias_that_no_int8_grid_holds_is_named() -> None:
    parameters = {"c.weight": np.ones((4, 4, 1, 1), np.float32), "c.bias": np.full(4, 1e38, np.float32)}
    scheme = Scheme("int8", {"x": Affine(1e-20, 0), "c": Affine(1.0, 0)})
    with pytest.raises(ConversionError, match="small: c_int8: a bias is too large for the int8 grids around it"):
        emit_tflite(small_graph(CONV), parameters, scheme)
