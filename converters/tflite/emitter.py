"""A network and its parameters as a TFLite file that runs as one XNNPACK delegate.

Inputs and outputs are float32 [1, rows, columns, channels] under their names in the network, plus one 0/1
input `mask_<grid>` [1, rows, columns, 1] for every grid at which the network crops. The file is authored at
the shapes of a tile of AUTHORED_EXTENT luma samples in each direction, from which a reader learns the grid
of every input and output; the inputs may be resized to any tile.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jpegai_mobile.networks.folding import fold
from jpegai_mobile.networks.graph import (
    Abs,
    Add,
    ChannelAttention,
    Concat,
    Conv2d,
    Elu,
    Graph,
    LayerNorm,
    LeakyRelu,
    Multiply,
    PixelShuffle,
    Relu,
    Relu6,
    Sigmoid,
    SliceChannels,
    TransposedConv2d,
)
from jpegai_mobile.runtime.network_runner import AUTHORED_EXTENT, mask_name

from ..errors import ConversionError
from ..masking import Mask, replace_crops_by_masks
from .attention import channel_attention, layer_norm
from .filters import (
    convolution_filter,
    depth_to_space_order,
    depthwise_filter,
    sub_pixel_filter,
    sub_pixel_taps,
)
from .fusion import Step, fuse
from .model_builder import ModelBuilder
from .operators import Border, Operators, Tensor
from .precision import WEIGHT_STORES


def emit_tflite(graph: Graph, parameters: Mapping[str, NDArray[Any]], precision: str) -> bytes:
    """The TFLite file of `graph` with `parameters` in checkpoint layout, weights stored in `precision`.

    Raises ConversionError for a missing or misshapen parameter, and for a construct with no TFLite form.
    """
    return _Emitter(graph, parameters, precision).emit()


class _Emitter:
    def __init__(self, graph: Graph, parameters: Mapping[str, NDArray[Any]], precision: str) -> None:
        try:
            graph, self.parameters = fold(graph, _checked(graph, parameters))
        except ValueError as error:
            raise ConversionError(str(error)) from error
        self.graph = replace_crops_by_masks(graph)
        self.store_weights = WEIGHT_STORES[precision]
        self.builder = ModelBuilder(graph.name)
        self.operators = Operators(self.builder)
        self.inputs: dict[str, Tensor] = {}
        self.tensors: dict[str, Tensor] = {}

    def emit(self) -> bytes:
        for name, channels in self.graph.inputs.items():
            self.tensors[name] = self.input(name, self.graph.input_grid[name], channels)
        for step in fuse(self.graph):
            self.tensors[step.output] = self.emit_step(step)
        return self.builder.finish(
            {name: tensor.index for name, tensor in self.inputs.items()},
            {name: self.tensors[name].index for name in self.graph.outputs},
        )

    def input(self, name: str, grid: int, channels: int) -> Tensor:
        """The model input `name`, made when it is first asked for."""
        if name not in self.inputs:
            size = AUTHORED_EXTENT // grid
            self.inputs[name] = self.operators.activation(name, size, size, channels)
        return self.inputs[name]

    def emit_step(self, step: Step) -> Tensor:
        """Append the operators of one step; gives its output tensor."""
        sources = [self.tensors[name] for name in step.node.inputs]
        source = sources[0]
        match step.node:
            case Conv2d() as node:
                return self.emit_convolution(step, node, source)
            case TransposedConv2d() as node:
                return self.emit_transposed_convolution(step, node, source)
            case Mask(grid=grid, crop=crop):
                mask = self.input(mask_name(grid, crop), grid, 1)
                return self.operators.multiply(step.output, source, mask, step.activation)
            case Multiply():
                return self.operators.multiply(step.output, source, sources[1], step.activation)
            case Add():
                return self.operators.add(step.output, source, sources[1], step.activation)
            case Concat():
                return self.operators.concatenation(step.output, sources)
            case SliceChannels(start=start, stop=stop):
                return self.operators.slice_channels(step.output, source, start, stop)
            case PixelShuffle(factor=factor):
                return self.operators.depth_to_space(step.output, source, factor)
            case LeakyRelu(slope=slope):
                return self.operators.leaky_relu(step.output, source, slope)
            case Relu() | Relu6() | Elu() | Abs() as node:
                return self.operators.unary(type(node).__name__.upper(), step.output, source)
            case LayerNorm() as node:
                weight, bias = self.parameters[node.weight], self.parameters[node.bias]
                return layer_norm(self.operators, step.output, source, weight, bias, node.epsilon)
            case ChannelAttention() as node:
                temperature = self.parameters[node.temperature]
                q, k, v = sources
                return channel_attention(self.operators, step.output, q, k, v, temperature)
            case Sigmoid():
                return self.operators.unary("LOGISTIC", step.output, source)
            case node:
                raise ConversionError(f"{self.graph.name}: {step.output}: no TFLite form of {type(node).__name__}")

    def emit_convolution(self, step: Step, node: Conv2d, source: Tensor) -> Tensor:
        """CONV_2D, after an explicit PAD when the padding is not what TFLite calls SAME or VALID."""
        weight = convolution_filter(self.parameters[node.weight])
        bias = self.bias(node, step)
        order = depth_to_space_order(node.out_channels, step.shuffle_factor)
        border = Border(*node.padding)
        if step.pads_to_even:
            source, border = self.pad_to_even(step, node, source)
        same = node.stride == 1 and border == _same_border(node.kernel)
        if same and node.groups == node.in_channels == node.out_channels:
            return self.operators.depthwise_convolution(
                step.output, source,
                self.store_weights(self.builder, node.weight, depthwise_filter(self.parameters[node.weight])),
                self.builder.constant(f"{step.output}_bias", bias),
                step.activation,
            )  # fmt: skip
        if border and not same:
            source = self.operators.pad(f"{step.output}_padded", source, border)
        return self.operators.convolution(
            step.output, source,
            self.store_weights(self.builder, node.weight, weight[order]),
            self.builder.constant(f"{step.output}_bias", bias[order]),
            kernel=node.kernel, channels=node.out_channels, stride=node.stride, same=same,
            activation=step.activation,
        )  # fmt: skip

    def pad_to_even(self, step: Step, node: Conv2d, source: Tensor) -> tuple[Tensor, Border]:
        """The padded input of a 3x3 convolution of stride 2, and the zero border that is left to add.

        One row and column is added always: where the size was even the convolution does not reach it.
        """
        if (node.kernel, node.stride, node.padding) != ((3, 3), 2, (1, 1, 1, 1)):
            raise ConversionError(f"{self.graph.name}: {step.output}: padding to even size suits no such convolution")
        return self.operators.repeat_last(f"{step.output}_even", source), Border(1, 1, 0, 0)

    def emit_transposed_convolution(self, step: Step, node: TransposedConv2d, source: Tensor) -> Tensor:
        """PAD, CONV_2D to the sub-positions of a block, DEPTH_TO_SPACE, STRIDED_SLICE; see filters.py."""
        phases = node.stride * node.stride
        taps = (sub_pixel_taps(node.kernel[0], node.stride), sub_pixel_taps(node.kernel[1], node.stride))
        order = depth_to_space_order(node.out_channels, step.shuffle_factor)
        weight = sub_pixel_filter(self.parameters[node.weight][:, order], node.stride)
        surround = Border(taps[0] - 1, taps[1] - 1, taps[0] - 1, taps[1] - 1)
        surplus = [taps[axis] * node.stride - node.kernel[axis] + node.padding - node.output_padding for axis in (0, 1)]
        if min(surplus) < 0:
            raise ConversionError(f"{self.graph.name}: {step.output}: output padding beyond the kernel's reach")
        padded = self.operators.pad(f"{step.output}_padded", source, surround)
        blocks = self.operators.convolution(
            f"{step.output}_blocks", padded,
            self.store_weights(self.builder, node.weight, weight),
            self.builder.constant(f"{step.output}_bias", np.tile(self.bias(node, step)[order], phases)),
            kernel=taps, channels=phases * node.out_channels, stride=1, same=False,
            activation=step.activation,
        )  # fmt: skip
        whole = self.operators.depth_to_space(f"{step.output}_whole", blocks, node.stride)
        return self.operators.trim(step.output, whole, Border(node.padding, node.padding, *surplus))

    def bias(self, node: Conv2d | TransposedConv2d, step: Step) -> NDArray[np.float32]:
        """Bias [out] with the constants folded in; TFLite insists on one, so zeros where there is none."""
        offset = np.float32(step.bias_offset)
        if node.bias is None:
            return np.full(node.out_channels, offset)
        return self.parameters[node.bias] + offset


def _checked(graph: Graph, parameters: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float32]]:
    """The parameters that the graph names, in the shapes that it states."""
    checked = {}
    for name, shape in graph.parameter_shapes().items():
        if name not in parameters:
            raise ConversionError(f"{graph.name}: there is no parameter {name}")
        if parameters[name].shape != shape:
            raise ConversionError(f"{graph.name}: parameter {name} is {parameters[name].shape}, expected {shape}")
        checked[name] = parameters[name].astype(np.float32)
    return checked


def _same_border(kernel: tuple[int, int]) -> Border:
    """The zero border of TFLite's SAME padding at stride 1: even kernels get the odd row at the bottom."""
    rows, columns = kernel[0] - 1, kernel[1] - 1
    return Border(rows // 2, columns // 2, rows - rows // 2, columns - columns // 2)
