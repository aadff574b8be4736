"""The NumPy evaluator against definitions written with plain loops."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from jpegai_mobile.networks.evaluate import evaluate
from jpegai_mobile.networks.folding import fold
from jpegai_mobile.networks.graph import (
    Abs,
    Add,
    AddConstant,
    BatchNorm,
    ChannelAttention,
    Concat,
    Conv2d,
    CropToGrid,
    Elu,
    Graph,
    LayerNorm,
    LeakyRelu,
    Multiply,
    Node,
    PadToEven,
    PixelShuffle,
    Relu,
    Relu6,
    Scale,
    Sigmoid,
    SliceChannels,
    TransposedConv2d,
)
from jpegai_mobile.networks.shapes import tensor_shapes

Array = NDArray[np.float64]
SIZES = st.integers(1, 6)


def normal(seed: int, *shape: int) -> Array:
    return np.random.default_rng(seed).normal(size=shape)


def run(
    node: Node,
    *inputs: Array,
    parameters: dict[str, Array] | None = None,
    extent: tuple[int, int] | None = None,
) -> Array:
    """The output of one node, whose shape must also be the inferred one."""
    names = node.inputs
    graph = Graph(
        name="test",
        inputs={name: len(x) for name, x in zip(names, inputs, strict=True)},
        input_grid=dict.fromkeys(names, 1),
        nodes=(node,),
        outputs=("y",),
    )
    if extent is None:
        extent = (inputs[0].shape[1], inputs[0].shape[2])
    result = evaluate(graph, parameters or {}, dict(zip(names, inputs, strict=True)), extent, np.float64)["y"]
    assert result.dtype == np.float64
    assert result.shape == tensor_shapes(graph, extent)["y"]
    return np.asarray(result, np.float64)


@given(
    size=st.tuples(SIZES, SIZES),
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    stride=st.integers(1, 3),
    padding=st.tuples(*[st.integers(0, 2)] * 4),
    groups=st.integers(1, 3),
    bias=st.booleans(),
)
def test_convolution(
    size: tuple[int, int],
    kernel: tuple[int, int],
    stride: int,
    padding: tuple[int, int, int, int],
    groups: int,
    bias: bool,
) -> None:
    top, left, bottom, right = padding
    rows = (size[0] + top + bottom - kernel[0]) // stride + 1
    columns = (size[1] + left + right - kernel[1]) // stride + 1
    if rows < 1 or columns < 1:
        return
    node = Conv2d(
        output="y",
        inputs=("x",),
        weight="w",
        bias="b" if bias else None,
        in_channels=2 * groups,
        out_channels=3 * groups,
        kernel=kernel,
        stride=stride,
        padding=padding,
        groups=groups,
    )
    x, w, b = normal(1, 2 * groups, *size), normal(2, 3 * groups, 2, *kernel), normal(3, 3 * groups)
    expected = np.zeros((3 * groups, rows, columns))
    for o, r, c in np.ndindex(expected.shape):
        for i, dy, dx in np.ndindex(2, *kernel):
            row, column = r * stride + dy - top, c * stride + dx - left
            if 0 <= row < size[0] and 0 <= column < size[1]:
                expected[o, r, c] += w[o, i, dy, dx] * x[o // 3 * 2 + i, row, column]
        expected[o, r, c] += b[o] if bias else 0
    np.testing.assert_allclose(run(node, x, parameters={"w": w, "b": b}), expected, atol=1e-12)


@given(
    size=st.tuples(SIZES, SIZES),
    kernel=st.tuples(st.integers(2, 4), st.integers(2, 4)),
    stride=st.integers(1, 3),
    padding=st.integers(0, 1),
    output_padding=st.integers(0, 1),
    bias=st.booleans(),
)
def test_transposed_convolution(
    size: tuple[int, int], kernel: tuple[int, int], stride: int, padding: int, output_padding: int, bias: bool
) -> None:
    rows, columns = ((n - 1) * stride - 2 * padding + k + output_padding for n, k in zip(size, kernel, strict=True))
    if rows < 1 or columns < 1:
        return
    node = TransposedConv2d(
        output="y",
        inputs=("x",),
        weight="w",
        bias="b" if bias else None,
        in_channels=2,
        out_channels=3,
        kernel=kernel,
        stride=stride,
        padding=padding,
        output_padding=output_padding,
    )
    x, w, b = normal(1, 2, *size), normal(2, 2, 3, *kernel), normal(3, 3)
    expected = np.zeros((3, rows, columns)) + (b[:, None, None] if bias else 0)
    for i, r, c, o, dy, dx in np.ndindex(2, *size, 3, *kernel):
        row, column = r * stride + dy - padding, c * stride + dx - padding
        if 0 <= row < rows and 0 <= column < columns:
            expected[o, row, column] += x[i, r, c] * w[i, o, dy, dx]
    np.testing.assert_allclose(run(node, x, parameters={"w": w, "b": b}), expected, atol=1e-12)


@given(channels=st.integers(1, 3), size=st.tuples(SIZES, SIZES), factor=st.integers(1, 4))
def test_pixel_shuffle(channels: int, size: tuple[int, int], factor: int) -> None:
    x = normal(1, channels * factor**2, *size)
    shuffled = run(PixelShuffle(output="y", inputs=("x",), factor=factor), x)
    for c, row, column in np.ndindex(shuffled.shape):
        source = factor * factor * c + factor * (row % factor) + column % factor
        assert shuffled[c, row, column] == x[source, row // factor, column // factor]


SCALARS: dict[Node, Callable[[float], float]] = {
    Relu(output="y", inputs=("x",)): lambda v: v if v > 0 else 0.0,
    Relu6(output="y", inputs=("x",)): lambda v: min(max(v, 0.0), 6.0),
    LeakyRelu(output="y", inputs=("x",), slope=0.25): lambda v: v if v > 0 else 0.25 * v,
    Elu(output="y", inputs=("x",)): lambda v: v if v > 0 else math.exp(v) - 1,
    Sigmoid(output="y", inputs=("x",)): lambda v: 1 / (1 + math.exp(-v)),
    Abs(output="y", inputs=("x",)): lambda v: abs(v),
    AddConstant(output="y", inputs=("x",), value=1.5): lambda v: v + 1.5,
}


@pytest.mark.parametrize("node", SCALARS, ids=lambda node: type(node).__name__)
def test_functions_of_one_number(node: Node) -> None:
    x = np.concatenate([8 * normal(1, 1, 5, 7), np.zeros((1, 5, 7))])
    expected = [SCALARS[node](float(v)) for v in x.ravel()]
    np.testing.assert_allclose(run(node, x).ravel(), expected, rtol=1e-12, atol=1e-15)


def test_sigmoid_and_elu_of_large_numbers_do_not_overflow() -> None:
    x = np.array([-1e4, -80.0, 80.0, 1e4]).reshape(1, 1, 4)
    with np.errstate(over="raise"):
        assert run(Sigmoid(output="y", inputs=("x",)), x).ravel()[[0, 3]].tolist() == [0, 1]
        assert run(Elu(output="y", inputs=("x",)), x).ravel()[[0, 3]].tolist() == [-1, 1e4]


def test_nodes_that_join_and_select() -> None:
    a, b, c = normal(1, 3, 4, 5), normal(2, 3, 4, 5), normal(3, 2, 4, 5)
    assert np.array_equal(run(Add(output="y", inputs=("a", "b")), a, b), a + b)
    assert np.array_equal(run(Multiply(output="y", inputs=("a", "b")), a, b), a * b)
    joined = run(Concat(output="y", inputs=("c", "a", "b")), c, a, b)
    assert np.array_equal(joined[:2], c) and np.array_equal(joined[2:5], a) and np.array_equal(joined[5:], b)
    assert np.array_equal(run(SliceChannels(output="y", inputs=("a",), start=1, stop=3), a), a[1:3])


@given(size=st.tuples(SIZES, SIZES))
def test_pad_to_even_repeats_the_last_row_and_column(size: tuple[int, int]) -> None:
    x = normal(1, 2, *size)
    padded = run(PadToEven(output="y", inputs=("x",)), x)
    assert padded.shape[1] % 2 == padded.shape[2] % 2 == 0 and padded.shape[1] - size[0] in (0, 1)
    for c, row, column in np.ndindex(padded.shape):
        assert padded[c, row, column] == x[c, min(row, size[0] - 1), min(column, size[1] - 1)]


def test_crop_keeps_what_covers_the_picture() -> None:
    x = normal(1, 2, 9, 9)
    graph = Graph(
        name="crop",
        inputs={"x": 2},
        input_grid={"x": 4},
        nodes=(CropToGrid(output="y", inputs=("x",), grid=8),),
        outputs=("y",),
    )
    assert np.array_equal(evaluate(graph, {}, {"x": x}, (33, 36), np.float64)["y"], x[:, :5, :5])


def test_layer_norm() -> None:
    x, w, b = normal(1, 6, 3, 4), normal(2, 6), normal(3, 6)
    node = LayerNorm(output="y", inputs=("x",), weight="w", bias="b", channels=6)
    result = run(node, x, parameters={"w": w, "b": b})
    for row, column in np.ndindex(3, 4):
        v = x[:, row, column]
        mean = sum(v) / 6
        variance = sum((v - mean) ** 2) / 6
        expected = (v - mean) / math.sqrt(variance + 1e-5) * w + b
        np.testing.assert_allclose(result[:, row, column], expected, atol=1e-12)


def test_channel_attention() -> None:
    heads, size, positions = 2, 3, 10
    q, k, v = (normal(seed, heads * size, 2, 5) for seed in (1, 2, 3))
    q[0] = 0
    temperature = np.array([0.5, 3.0]).reshape(heads, 1, 1)
    node = ChannelAttention(output="y", inputs=("q", "k", "v"), temperature="t", heads=heads)
    result = run(node, q, k, v, parameters={"t": temperature}).reshape(heads, size, positions)
    parts = [x.reshape(heads, size, positions) for x in (q, k, v)]
    for head, i in itertools.product(range(heads), range(size)):
        row_q = parts[0][head, i] / max(math.sqrt(sum(parts[0][head, i] ** 2)), 1e-12)
        scores = []
        for j in range(size):
            row_k = parts[1][head, j] / max(math.sqrt(sum(parts[1][head, j] ** 2)), 1e-12)
            scores.append(math.exp(temperature[head, 0, 0] * float(row_q @ row_k)))
        expected = sum(score / sum(scores) * parts[2][head, j] for j, score in enumerate(scores))
        np.testing.assert_allclose(result[head, i], expected, atol=1e-12)


def scaled_convolution() -> tuple[Graph, dict[str, Array]]:
    """A convolution without bias, batch norm and scale, then a second reader of the result."""
    nodes: tuple[Node, ...] = (
        Conv2d(output="c", inputs=("x",), weight="w", in_channels=2, out_channels=3, kernel=(3, 2)),
        BatchNorm(output="n", inputs=("c",), weight="g", bias="b", mean="m", variance="v", channels=3),
        Scale(output="s", inputs=("n",), weight="k"),
        Add(output="y", inputs=("s", "s")),
    )
    graph = Graph(name="scaled", inputs={"x": 2}, input_grid={"x": 1}, nodes=nodes, outputs=("y",))
    parameters = {name: normal(5, *shape) for name, shape in graph.parameter_shapes().items()}
    return graph, parameters | {"v": np.array([0.1, 1.0, 4.0])}


def test_batch_norm_and_scale() -> None:
    graph, p = scaled_convolution()
    x = normal(6, 2, 5, 6)
    conv = run(
        Conv2d(output="y", inputs=("x",), weight="w", in_channels=2, out_channels=3, kernel=(3, 2)),
        x,
        parameters=p,
    )
    expected = np.zeros_like(conv)
    for c in range(3):
        expected[c] = 2 * p["k"][0] * ((conv[c] - p["m"][c]) / math.sqrt(p["v"][c] + 1e-5) * p["g"][c] + p["b"][c])
    np.testing.assert_allclose(evaluate(graph, p, {"x": x}, (5, 6), np.float64)["y"], expected, atol=1e-12)


def test_folding_keeps_the_function_and_leaves_convolutions_only() -> None:
    graph, parameters = scaled_convolution()
    folded, folded_parameters = fold(graph, parameters)
    assert [type(node) for node in folded.nodes] == [Conv2d, Add]
    assert tuple(folded_parameters) == folded.parameter_names()
    x = normal(6, 2, 5, 6)
    before, after = (
        evaluate(g, p, {"x": x}, (5, 6), np.float64)["y"] for g, p in ((graph, parameters), (folded, folded_parameters))
    )
    np.testing.assert_allclose(after, before, atol=1e-5)


def test_folding_refuses_a_convolution_with_other_readers() -> None:
    graph, parameters = scaled_convolution()
    shared = Graph(**{**vars(graph), "outputs": ("y", "c")})
    with pytest.raises(ValueError, match="'n' cannot be folded"):
        fold(shared, parameters)


def test_float32_is_float32_throughout_and_close_to_float64() -> None:
    graph, parameters = scaled_convolution()
    x = normal(6, 2, 5, 6)
    single = evaluate(graph, parameters, {"x": x}, (5, 6))["y"]
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, evaluate(graph, parameters, {"x": x}, (5, 6), np.float64)["y"], rtol=1e-3)


def test_an_input_of_another_size_is_refused() -> None:
    graph, parameters = scaled_convolution()
    with pytest.raises(ValueError, match=r"scaled: input 'x' has shape \(2, 5, 5\), not \(2, 5, 6\)"):
        evaluate(graph, parameters, {"x": normal(1, 2, 5, 5)}, (5, 6))
