"""Rounding of weights by the error of layers: matrix forms, rounded networks, and the gain over nearest integers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from converters.errors import ConversionError
from converters.quantisation.linear import LinearForm
from converters.quantisation.quantise import quantise
from converters.quantisation.recipe import Recipe, recipe_of
from converters.quantisation.rounded_network import PairedRun
from converters.quantisation.rounding import round_weights
from converters.quantisation.samples import WINDOW
from converters.report.facts import _all_tensors
from converters.tflite.emitter import emit_tflite
from jpegai_mobile.networks.catalogue import NetworkKey, build
from jpegai_mobile.networks.evaluate import apply_node, evaluate
from jpegai_mobile.networks.graph import Conv2d, Graph, PixelShuffle, Relu, TransposedConv2d
from jpegai_mobile.runtime.network_runner import NetworkRunner
from tests.converter_support import (
    Array,
    last_channel,
    random_inputs,
    random_parameters,
    runs_as_one_delegate,
    small_graph,
)

EXTENT = (128, 96)
CONVOLUTIONS = [
    Conv2d(output="y", inputs=("x",), weight="w", in_channels=4, out_channels=6, kernel=(3, 3), padding=(1, 1, 1, 1)),
    Conv2d(output="y", inputs=("x",), weight="w", in_channels=4, out_channels=6, kernel=(1, 1), groups=2),
    Conv2d(output="y", inputs=("x",), weight="w", in_channels=4, out_channels=8, kernel=(2, 2), padding=(0, 0, 1, 1)),
    Conv2d(
        output="y", inputs=("x",), weight="w", in_channels=4, out_channels=5, kernel=(3, 3), stride=2,
        padding=(1, 1, 1, 1),
    ),
    TransposedConv2d(
        output="y", inputs=("x",), weight="w", in_channels=4, out_channels=6, kernel=(4, 4), stride=2, padding=1
    ),
]  # fmt: skip


def correlated(count: int = 6) -> list[tuple[dict[str, Array], tuple[int, int]]]:
    """Inputs as those of real layers are: smooth, channels alike, never below zero."""
    samples = []
    for seed in range(count):
        noise = np.random.default_rng(seed).standard_normal((1, 24, 20)).cumsum(axis=1).cumsum(axis=2)
        channels = noise * np.array([1, 0.9, -0.5, 0.1])[:, None, None]
        samples.append(({"x": np.maximum(channels, 0).astype(np.float32)}, (24 * 16, 20 * 16)))
    return samples


@pytest.mark.parametrize("node", CONVOLUTIONS, ids=lambda node: f"{type(node).__name__}{node.kernel}")
def test_a_convolution_is_a_matrix_times_windows(node: Conv2d | TransposedConv2d) -> None:
    form = LinearForm(node)
    x = np.random.default_rng(0).standard_normal((4, 8, 6)).astype(np.float32)
    weight = np.random.default_rng(1).standard_normal(node.parameter_shapes()["w"]).astype(np.float32)
    assert np.array_equal(form.weight(form.matrix(weight)), weight)
    products = form.matrix(weight) @ form.windows(x, np.arange(form.positions(x)))
    expected = apply_node(node, [x], {"w": weight}, (128, 96))
    assert form.channels().shape == products.shape[:2]
    if isinstance(node, Conv2d):
        assert np.allclose(products.reshape(expected.shape), expected, atol=1e-5)
    else:  # sub-positions of blocks, of which the first row and column are surplus
        blocks = products.reshape(2, 2, 6, 9, 7).transpose(2, 3, 0, 4, 1).reshape(6, 18, 14)
        assert np.allclose(blocks[:, 1:-1, 1:-1], expected, atol=1e-5)


def chain() -> Graph:
    first, second = CONVOLUTIONS[0], CONVOLUTIONS[4]
    return small_graph(
        replace(first, output="a", weight="first.weight", out_channels=4, bias="first.bias"),
        Relu(output="b", inputs=("a",)),
        replace(second, output="c", inputs=("b",), weight="second.weight"),
    )


def test_feedback_beats_the_nearest_integers() -> None:
    graph, parameters = chain(), random_parameters(chain())
    rounded = round_weights(graph, parameters, {}, correlated())
    assert [node.bias for node in rounded.graph.nodes if isinstance(node, Conv2d | TransposedConv2d)] == [
        "first.bias", "second.weight:bias",
    ]  # fmt: skip
    for key, axis in (("first.weight", 0), ("second.weight", 1)):
        scale = rounded.scales[key]
        assert np.array_equal(scale, scale.astype(np.float16))
        steps = np.moveaxis(rounded.parameters[key], axis, -1) / scale
        assert np.abs(steps).max() <= 127
        assert np.allclose(steps, np.rint(steps), atol=1e-3)
    (unseen,) = correlated(9)[8:]
    exact = evaluate(graph, parameters, *unseen, np.float64)["c"]
    ours = evaluate(rounded.graph, rounded.parameters, *unseen, np.float64)["c"]
    nearest = NetworkRunner(emit_tflite(*quantise(graph, parameters, Recipe("int8"), [])))
    plain = nearest.run(last_channel(unseen[0]), unseen[1])["c"].transpose(2, 0, 1)
    rows, columns = plain.shape[1:]
    errors = [float(np.mean(np.square(each - exact[:, :rows, :columns]))) for each in (ours[:, :rows, :columns], plain)]
    assert errors[0] < 0.5 * errors[1]


def test_inputs_that_are_always_zero() -> None:
    graph, parameters = chain(), random_parameters(chain())
    dead = [({"x": np.zeros((4, 24, 20), np.float32)}, (24 * 16, 20 * 16))]
    rounded = round_weights(graph, parameters, {}, dead)
    assert all(np.isfinite(values).all() for values in rounded.parameters.values())
    assert np.abs(rounded.parameters["first.weight"] - parameters["first.weight"]).max() < 0.01


@pytest.mark.parametrize("factor", [1e30, np.inf])
def test_scales_that_float16_does_not_hold_are_refused_by_name(factor: float) -> None:
    graph, parameters = chain(), random_parameters(chain())
    with np.errstate(invalid="ignore"):
        parameters["second.weight"] *= np.float32(factor)
        with pytest.raises(ConversionError) as caught:
            round_weights(graph, parameters, {}, correlated(1))
    assert str(caught.value) == "small: the scale of parameter second.weight does not fit float16"


@pytest.mark.parametrize(
    ("key", "precision"),
    [
        (("hyper_decoder", "uv", None), "int8"),
        (("synthesis", "y", "sop"), "int8"),
    ],
)
def test_what_is_emitted_is_what_was_rounded(key: NetworkKey, precision: str) -> None:
    graph, parameters = build(*key), random_parameters(build(*key))
    parameters |= {name: values * np.float32(0.2) for name, values in parameters.items() if name == "conv4.weight"}
    samples = [(random_inputs(graph, EXTENT, seed), EXTENT) for seed in range(2)]
    if key[0] == "hyper_decoder":
        samples = [({"z": np.rint(2 * inputs["z"])}, extent) for inputs, extent in samples]
    tflite = emit_tflite(*quantise(graph, parameters, recipe_of(key, precision), samples))
    runner = NetworkRunner(tflite)
    for inputs, extent in samples:
        expected = evaluate(graph, parameters, inputs, extent)
        for name, output in runner.run(last_channel(inputs), extent).items():
            exact = expected[name][:, : output.shape[0], : output.shape[1]].transpose(1, 2, 0)
            noise = np.mean(np.square(np.clip(output, -1, 1) - np.clip(exact, -1, 1)))
            assert 10 * np.log10(np.mean(np.square(np.clip(exact, -1, 1))) / noise) > 18
    assert runs_as_one_delegate(runner)


@pytest.mark.parametrize(
    "key",
    [
        ("hyper_decoder", "uv", None),
        ("synthesis", "uv", "bop"),
        ("synthesis", "y", "sop"),
    ],
)
def test_weights_are_rounded_on_what_the_emitted_graph_computes(key: NetworkKey) -> None:
    """The first int8 tensors; later ones differ more, as single steps that fall the other way add up."""
    graph, parameters = build(*key), random_parameters(build(*key))
    inputs, extent = random_inputs(graph, (WINDOW, WINDOW)), (WINDOW, WINDOW)
    network = graph, values, scheme = quantise(graph, parameters, recipe_of(key, "int8"), [(inputs, extent)])
    emitted = _all_tensors(emit_tflite(*network), inputs)
    run = PairedRun(graph, values, scheme.tensors, [(inputs, extent)])
    shuffled = {node.inputs[0] for node in graph.nodes if isinstance(node, PixelShuffle)}
    compared = 0
    for node in graph.nodes:
        run.advance(node, node, values)
        if node.output in scheme.tensors and node.output not in shuffled and compared < 3:
            ours, exact = (tensors[0][node.output].transpose(1, 2, 0) for tensors in (run._ours, run._exact))
            errors = [float(np.mean(np.square(each - emitted[node.output][0]))) for each in (ours, exact)]
            assert errors[0] < 0.1 * errors[1], node.output
            compared += 1
    assert compared == 3
