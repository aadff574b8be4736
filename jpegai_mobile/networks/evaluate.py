"""Evaluates a graph with NumPy: the oracle that converted networks are compared with."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import DTypeLike, NDArray

from .graph import (
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
from .shapes import Extent, grid_size, input_shapes

Array = NDArray[np.floating]
Parameters = Mapping[str, NDArray[np.generic]]
"""Checkpoint key -> array."""


def evaluate(
    graph: Graph,
    parameters: Parameters,
    inputs: Mapping[str, NDArray[np.generic]],
    extent: Extent,
    dtype: DTypeLike = np.float32,
) -> dict[str, Array]:
    """The outputs of `graph`, [channels, rows, columns] of `dtype`, from inputs of the same layout.

    `extent` is the luma size of the tile, which fixes the sizes of the inputs. Raises ValueError when an
    input has another shape and KeyError when an input or a parameter is missing.
    """
    tensors: dict[str, Array] = {}
    for name, shape in input_shapes(graph, extent).items():
        if inputs[name].shape != shape:
            raise ValueError(f"{graph.name}: input {name!r} has shape {inputs[name].shape}, not {shape}")
        tensors[name] = inputs[name].astype(dtype)
    weights = {name: parameters[name].astype(dtype) for name in graph.parameter_names()}
    last_uses = graph.last_uses()
    for index, node in enumerate(graph.nodes):
        tensors[node.output] = apply_node(node, [tensors[name] for name in node.inputs], weights, extent)
        for name in set(node.inputs):
            if last_uses[name] == index:
                del tensors[name]
    return {name: tensors[name] for name in graph.outputs}


def apply_node(node: Node, inputs: list[Array], weights: Mapping[str, Array], extent: Extent) -> Array:
    """The output [channels, rows, columns] of one node; `extent` is the luma size of the tile."""
    x = inputs[0]
    match node:
        case Conv2d():
            return _with_bias(_convolution(node, x, weights[node.weight]), node.bias, weights)
        case TransposedConv2d():
            return _with_bias(_transposed_convolution(node, x, weights[node.weight]), node.bias, weights)
        case Relu():
            return np.maximum(x, 0)
        case Relu6():
            return np.clip(x, 0, 6)
        case LeakyRelu():
            return np.where(x > 0, x, x * node.slope)
        case Elu():
            return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))
        case Sigmoid():
            return np.exp(-np.logaddexp(0, -x, dtype=x.dtype))
        case Abs():
            return np.abs(x)
        case Add():
            return x + inputs[1]
        case Multiply():
            return x * inputs[1]
        case AddConstant():
            return x + node.value
        case Scale():
            return x * weights[node.weight]
        case Concat():
            return np.concatenate(inputs)
        case SliceChannels():
            return x[node.start : node.stop]
        case PixelShuffle():
            return _pixel_shuffle(x, node.factor)
        case CropToGrid():
            rows, columns = grid_size(extent, node.grid)
            return x[:, :rows, :columns]
        case PadToEven():
            return np.pad(x, ((0, 0), (0, x.shape[1] % 2), (0, x.shape[2] % 2)), mode="edge")
        case BatchNorm():
            factor = weights[node.weight] / np.sqrt(weights[node.variance] + node.epsilon)
            deviation = x - _per_channel(weights[node.mean])
            return deviation * _per_channel(factor) + _per_channel(weights[node.bias])
        case LayerNorm():
            scaled = _normalised(x, node.epsilon)
            return scaled * _per_channel(weights[node.weight]) + _per_channel(weights[node.bias])
        case ChannelAttention():
            return _channel_attention(node, inputs, weights[node.temperature])
        case _:
            raise NotImplementedError(type(node).__name__)


def _per_channel(values: Array) -> Array:
    return values[:, None, None]


def _with_bias(x: Array, bias: str | None, weights: Mapping[str, Array]) -> Array:
    return x if bias is None else x + _per_channel(weights[bias])


def _convolution(node: Conv2d, x: Array, weight: Array) -> Array:
    top, left, bottom, right = node.padding
    padded = np.pad(x, ((0, 0), (top, bottom), (left, right)))
    windows = sliding_window_view(padded, node.kernel, axis=(1, 2))[:, :: node.stride, :: node.stride]
    _, rows, columns, *_ = windows.shape
    taps = windows.transpose(0, 3, 4, 1, 2).reshape(node.groups, -1, rows * columns)
    kernels = weight.reshape(node.groups, node.out_channels // node.groups, -1)
    return (kernels @ taps).reshape(node.out_channels, rows, columns)


def _transposed_convolution(node: TransposedConv2d, x: Array, weight: Array) -> Array:
    _, rows, columns = x.shape
    stride, (height, width) = node.stride, node.kernel
    contributions = weight.reshape(node.in_channels, -1).T @ x.reshape(node.in_channels, -1)
    contributions = contributions.reshape(node.out_channels, height, width, rows, columns)
    reach = ((rows - 1) * stride, (columns - 1) * stride)
    extra = node.output_padding
    total = np.zeros((node.out_channels, reach[0] + height + extra, reach[1] + width + extra), x.dtype)
    for dy, dx in np.ndindex(height, width):
        total[:, dy : dy + reach[0] + 1 : stride, dx : dx + reach[1] + 1 : stride] += contributions[:, dy, dx]
    around = node.padding
    return total[:, around : total.shape[1] - around, around : total.shape[2] - around]


def _pixel_shuffle(x: Array, factor: int) -> Array:
    channels, rows, columns = x.shape
    cells = x.reshape(channels // factor**2, factor, factor, rows, columns)
    return cells.transpose(0, 3, 1, 4, 2).reshape(-1, rows * factor, columns * factor)


def _normalised(x: Array, epsilon: float) -> Array:
    """Zero mean and unit variance over the channels of every position."""
    deviation: Array = x - x.mean(axis=0)
    deviation /= np.sqrt(np.square(deviation).mean(axis=0) + epsilon)
    return deviation


def _channel_attention(node: ChannelAttention, inputs: list[Array], temperature: Array) -> Array:
    shape = inputs[0].shape
    q, k, v = (x.reshape(node.heads, shape[0] // node.heads, -1) for x in inputs)
    scores: Array = _unit_rows(q) @ _unit_rows(k).transpose(0, 2, 1) * temperature
    exponentials = np.exp(scores - scores.max(axis=2, keepdims=True))
    attention: Array = exponentials / exponentials.sum(axis=2, keepdims=True)
    return (attention @ v).reshape(shape)


def _unit_rows(x: Array) -> Array:
    squares: Array = np.square(x).sum(axis=2, keepdims=True)
    return x / np.maximum(np.sqrt(squares), 1e-12)
