"""The constructs that networks are made of, one small graph each, against the evaluator."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import pytest

from converters.errors import ConversionError
from converters.masking import Mask, replace_crops_by_masks
from converters.tflite.emitter import emit_tflite
from converters.tflite.filters import depth_to_space_order
from converters.tflite.fusion import fuse
from converters.tflite.operators import Activation
from jpegai_mobile.networks.graph import (
    Abs,
    Add,
    AddConstant,
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
from tests.converter_support import (
    largest_error,
    random_parameters,
    runner_of,
    runs_as_one_delegate,
    small_graph,
)

CONV = Conv2d(
    output="c", inputs=("x",), weight="c.weight", bias="c.bias", in_channels=4, out_channels=8,
    kernel=(3, 3), padding=(1, 1, 1, 1),
)  # fmt: skip
TRANSPOSED = TransposedConv2d(
    output="t", inputs=("x",), weight="t.weight", bias="t.bias", in_channels=4, out_channels=6,
    kernel=(4, 4), stride=2, padding=1,
)  # fmt: skip
TO_FOUR = replace(CONV, output="d", inputs=("c",), weight="d.weight", bias=None, in_channels=8, out_channels=4)
AnyNode = TypeVar("AnyNode", bound=Node)

TILES = [(64, 64), (80, 16), (33, 49)]
"""Luma samples; on a grid of 16 these are 4x4, 5x1 and 3x4 elements."""


def assert_equals_evaluator(*nodes: Node, grid: int = 16, inputs: tuple[str, ...] = ("x",)) -> Graph:
    """Build, convert, and compare at several sizes; gives the graph."""
    graph = small_graph(*nodes, grid=grid, inputs=inputs)
    runner = runner_of(graph)
    for tile in TILES:
        assert largest_error(graph, runner, tile) < 2e-6, tile
        assert runs_as_one_delegate(runner)
    return graph


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"bias": None},
        {"kernel": (1, 1), "padding": (0, 0, 0, 0)},
        {"kernel": (2, 2), "padding": (0, 0, 1, 1)},
        {"kernel": (2, 2), "padding": (1, 1, 0, 0)},
        {"padding": (2, 0, 0, 2)},
        {"groups": 4},
        {"groups": 2, "bias": None},
        {"stride": 2},
    ],
    ids=str,
)
def test_convolution(changes: dict[str, object]) -> None:
    assert_equals_evaluator(replace(CONV, **changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"bias": None},
        {"kernel": (3, 3), "output_padding": 1},
        {"kernel": (2, 2), "padding": 0},
        {"kernel": (8, 8), "stride": 4, "padding": 2},
    ],
    ids=str,
)
def test_transposed_convolution(changes: dict[str, object]) -> None:
    assert_equals_evaluator(replace(TRANSPOSED, **changes))  # type: ignore[arg-type]


def test_pixel_shuffle_of_several_channels() -> None:
    assert_equals_evaluator(CONV, PixelShuffle(output="p", inputs=("c",), factor=2))


def test_depth_to_space_order() -> None:
    # Pixel shuffle by 2 of 2 channels reads c0(00 01 10 11) c1(00 01 10 11).
    assert depth_to_space_order(8, 2).tolist() == [0, 4, 1, 5, 2, 6, 3, 7]


@pytest.mark.parametrize("size", [(64, 64), (65, 96), (80, 81), (1, 17)], ids=str)
def test_padding_to_even_size(size: tuple[int, int]) -> None:
    node = replace(CONV, inputs=("even",), stride=2)
    graph = small_graph(PadToEven(output="even", inputs=("x",)), node)
    assert largest_error(graph, runner_of(graph), size) < 2e-6


@pytest.mark.parametrize(
    "node",
    [
        Relu(output="a", inputs=("c",)),
        Relu6(output="a", inputs=("c",)),
        LeakyRelu(output="a", inputs=("c",), slope=0.01),
        Elu(output="a", inputs=("c",)),
        Abs(output="a", inputs=("c",)),
        Sigmoid(output="a", inputs=("c",)),
        AddConstant(output="a", inputs=("c",), value=1.5),
        SliceChannels(output="a", inputs=("c",), start=2, stop=7),
        SliceChannels(output="a", inputs=("c",), start=3, stop=8),
        Concat(output="a", inputs=("c", "x", "c")),
        Add(output="a", inputs=("c", "c")),
        Multiply(output="a", inputs=("c", "c")),
    ],
    ids=lambda node: type(node).__name__,
)
def test_operation_after_a_convolution(node: Node) -> None:
    assert_equals_evaluator(CONV, node)


def test_several_inputs() -> None:
    assert_equals_evaluator(Multiply(output="m", inputs=("x", "y")), Relu(output="r", inputs=("m",)), inputs=("x", "y"))


@pytest.mark.parametrize(
    ("nodes", "steps"),
    [
        ((CONV, Relu(output="r", inputs=("c",))), 1),
        ((TRANSPOSED, Relu6(output="r", inputs=("t",))), 1),
        ((CONV, AddConstant(output="p", inputs=("c",), value=1.0), Relu(output="r", inputs=("p",))), 1),
        ((CONV, Relu(output="r", inputs=("c",)), Relu6(output="s", inputs=("r",))), 2),
        ((CONV, Relu(output="r", inputs=("c",)), Add(output="s", inputs=("c", "r"))), 3),
    ],
    ids=["relu", "relu6", "constant then relu", "two activations", "convolution with two readers"],
)
def test_folding_keeps_the_result(nodes: tuple[Node, ...], steps: int) -> None:
    assert len(fuse(assert_equals_evaluator(*nodes))) == steps


def test_an_activation_that_is_read_elsewhere_stays() -> None:
    graph = small_graph(CONV, Relu(output="r", inputs=("c",)))
    graph = replace(graph, outputs=("c", "r"))
    assert len(fuse(graph)) == 2
    assert largest_error(graph, runner_of(graph), (64, 48)) < 2e-6


def crop(tensor: str, grid: int) -> CropToGrid:
    return CropToGrid(output=f"{tensor}:crop", inputs=(tensor,), grid=grid)


def after(node: AnyNode, tensor: str, **changes: Any) -> AnyNode:
    return replace(node, inputs=(tensor,), **changes)


UPSAMPLED = replace(TRANSPOSED, out_channels=4)
POINTWISE = replace(CONV, kernel=(1, 1), padding=(0, 0, 0, 0))


@pytest.mark.parametrize(
    ("nodes", "masks"),
    [
        # The transposed convolution reaches over the end of the picture.
        ((UPSAMPLED, crop("t", 8), after(CONV, "t:crop")), 1),
        # A bias fills the outside again, so the next 3x3 convolution needs zeros there.
        ((UPSAMPLED, crop("t", 8), after(POINTWISE, "t:crop"), TO_FOUR), 2),
        # Without a bias a 1x1 convolution keeps the zeros.
        ((UPSAMPLED, crop("t", 8), after(POINTWISE, "t:crop", bias=None), TO_FOUR), 1),
        # A 3x3 convolution spreads the inside over the border even without a bias.
        ((UPSAMPLED, crop("t", 8), after(CONV, "t:crop", bias=None), TO_FOUR), 2),
        # Nobody looks across the border after the last convolution.
        (
            (
                UPSAMPLED,
                crop("t", 8),
                after(CONV, "t:crop"),
                replace(TO_FOUR, kernel=(1, 1), padding=(0,) * 4),
            ),
            1,
        ),
        # A product is zero wherever one factor is, and not where none is.
        (
            (
                UPSAMPLED,
                crop("t", 8),
                after(CONV, "t:crop", out_channels=4),
                Multiply(output="m", inputs=("c", "c")),
                replace(TO_FOUR, inputs=("m",), in_channels=4),
            ),
            2,
        ),
        (
            (
                UPSAMPLED,
                crop("t", 8),
                after(CONV, "t:crop", out_channels=4),
                Multiply(output="m", inputs=("c", "t:crop")),
                replace(TO_FOUR, inputs=("m",), in_channels=4),
            ),
            1,
        ),
    ],
    ids=["crop", "bias", "no bias", "spatial", "pointwise reader", "square", "product"],
)
def test_crops_become_masks_where_zeros_are_read(nodes: tuple[Node, ...], masks: int) -> None:
    graph = assert_equals_evaluator(*nodes)
    assert sum(isinstance(node, Mask) for node in replace_crops_by_masks(graph).nodes) == masks


def test_a_tensor_up_sampled_after_its_crop_has_a_mask_of_its_own() -> None:
    graph = assert_equals_evaluator(
        UPSAMPLED, crop("t", 8), replace(UPSAMPLED, output="u", inputs=("t:crop",)), after(CONV, "u")
    )
    nodes = replace_crops_by_masks(graph).nodes
    assert [(node.grid, node.crop) for node in nodes if isinstance(node, Mask)] == [(8, 8), (4, 8)]


LAYER_NORM = LayerNorm(output="n", inputs=("x",), weight="n.w", bias="n.b", channels=8, epsilon=1e-3)
ATTENTION = ChannelAttention(output="a", inputs=("q", "k", "v"), temperature="a.t", heads=2)


def test_layer_norm() -> None:
    assert_equals_evaluator(CONV, after(LAYER_NORM, "c"))


def test_channel_attention() -> None:
    assert_equals_evaluator(ATTENTION, inputs=("q", "k", "v"))


def test_attention_counts_only_what_is_inside() -> None:
    parts = [after(CONV, "t:crop", output=name, weight=f"{name}.w") for name in "qkv"]
    assert_equals_evaluator(UPSAMPLED, crop("t", 8), *parts, ATTENTION)


@pytest.mark.parametrize("kernel", [(3, 3), (1, 5)], ids=str)
def test_depthwise_convolution(kernel: tuple[int, int]) -> None:
    padding = (kernel[0] // 2, kernel[1] // 2) * 2
    node = replace(CONV, out_channels=4, groups=4, kernel=kernel, padding=padding)
    runner = runner_of(assert_equals_evaluator(node, Relu(output="r", inputs=("c",))))
    runner.run({"x": np.zeros((4, 4, 4), np.float32)})
    names = [op["op_name"] for op in runner._interpreter._get_ops_details()]
    assert names == ["DEPTHWISE_CONV_2D", "DELEGATE"]


def test_pixel_shuffle_of_a_transposed_convolution() -> None:
    node = replace(TRANSPOSED, out_channels=8)
    assert_equals_evaluator(node, PixelShuffle(output="p", inputs=("t",), factor=2))


def test_an_activation_before_a_mask_fuses_into_it() -> None:
    graph = assert_equals_evaluator(
        UPSAMPLED,
        crop("t", 8),
        after(CONV, "t:crop", out_channels=4),
        Relu6(output="r", inputs=("c",)),
        replace(TO_FOUR, inputs=("r",), in_channels=4),
        Multiply(output="m", inputs=("c", "d")),
    )
    steps = fuse(replace_crops_by_masks(graph))
    kinds = [(type(step.node).__name__, step.activation) for step in steps]
    none = Activation.NONE
    assert kinds == [
        ("TransposedConv2d", none),
        ("Mask", none),
        ("Conv2d", none),
        ("Mask", Activation.RELU6),
        ("Conv2d", none),
        ("Multiply", none),
    ]


def refusal(*nodes: Node) -> str:
    graph = small_graph(*nodes)
    with pytest.raises(ConversionError) as caught:
        emit_tflite(graph, random_parameters(graph))
    return str(caught.value)


def test_constructs_without_a_form_are_refused_by_name() -> None:
    shuffle = PixelShuffle(output="p", inputs=("c",), factor=2)
    assert refusal(replace(CONV, groups=2), shuffle) == "small: p shuffles no plain convolution"
    assert refusal(AddConstant(output="a", inputs=("x",), value=1.0)) == "small: a adds a constant to no convolution"
    assert "cannot be folded" in refusal(Scale(output="s", inputs=("x",), weight="s"))
    assert refusal(PadToEven(output="e", inputs=("x",)), after(CONV, "e")) == (
        "small: c: padding to even size suits no such convolution"
    )
    assert refusal(PadToEven(output="e", inputs=("x",))) == "small: e: no TFLite form of PadToEven"
    assert refusal(replace(TRANSPOSED, padding=0, output_padding=1)) == (
        "small: t: output padding beyond the kernel's reach"
    )


def test_crops_that_no_mask_describes_are_refused() -> None:
    assert refusal(UPSAMPLED, crop("t", 4)) == "small: t:crop crops to grid 4, its input has grid 8"
    too_fine = small_graph(TRANSPOSED, grid=1)
    with pytest.raises(ConversionError, match="small: t would be finer than the luma samples"):
        emit_tflite(too_fine, random_parameters(too_fine))
    two_grids = replace(small_graph(CONV, inputs=("x", "y")), input_grid={"x": 16, "y": 32})
    with pytest.raises(ConversionError, match="small: inputs of several grids"):
        emit_tflite(two_grids, random_parameters(two_grids))
