"""A network and its parameters as a TFLite file that runs as one XNNPACK delegate.

Inputs and outputs are float32 [1, rows, columns, channels], also where the network computes in int8, under
their names in the network, plus one 0/1 input `mask_<grid>` [1, rows, columns, 1] for every grid at which the
network crops. The file is authored at the shapes of a tile of AUTHORED_EXTENT luma samples in each direction,
from which a reader learns the grid of every input and output; the inputs may be resized to any tile.
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
from ..quantisation.affine import INTEGERS, Affine, weight_scales
from ..quantisation.scheme import FLOAT32, Scheme
from .attention import channel_attention, layer_norm
from .filters import (
    convolution_filter,
    depth_to_space_order,
    depthwise_filter,
    sub_pixel_filter,
    sub_pixel_taps,
)
from .fusion import Step, fuse
from .model_builder import ModelBuilder, Quantisation
from .operators import Border, Operators, Tensor
from .precision import WEIGHT_STORES, int8_weight

_MOVES_SAMPLES = (PixelShuffle, SliceChannels)
_LARGEST_BIAS = 1 << 30
"""Steps of the bias of an int8 convolution: as many again are left for what is summed in 32 bits."""


def emit_tflite(graph: Graph, parameters: Mapping[str, NDArray[Any]], scheme: Scheme = FLOAT32) -> bytes:
    """The TFLite file of `graph`, numbers stored as `scheme` says.

    `parameters` are all that the graph names, in checkpoint layout and shape. Raises ConversionError for a parameter
    that is too large, and for a construct with no TFLite form.
    """
    return _Emitter(graph, parameters, scheme).emit()


class _Emitter:
    def __init__(self, graph: Graph, parameters: Mapping[str, NDArray[Any]], scheme: Scheme) -> None:
        try:
            graph, self.parameters = fold(graph, parameters)
        except ValueError as error:
            raise ConversionError(str(error)) from error
        self.graph = replace_crops_by_masks(graph)
        self.scheme = scheme
        self.builder = ModelBuilder(graph.name)
        self.operators = Operators(self.builder)
        self.inputs: dict[str, Tensor] = {}
        self.tensors: dict[str, Tensor] = {}
        self.converted: dict[tuple[str, Affine | None], Tensor] = {}

    def emit(self) -> bytes:
        for name, channels in self.graph.inputs.items():
            tensor = self.input(name, self.graph.input_grid[name], channels)
            affine = self.scheme.tensors.get(name)
            self.tensors[name] = tensor if affine is None else self.rounded(name, f"{name}_int8", tensor, affine)
        for step in fuse(self.graph):
            self.tensors[step.output] = self.emit_step(step)
        return self.builder.finish(
            {name: tensor.index for name, tensor in self.inputs.items()},
            {name: self.as_float(name).index for name in self.graph.outputs},
        )

    def input(self, name: str, grid: int, channels: int) -> Tensor:
        """The model input `name`, made when it is first asked for."""
        if name not in self.inputs:
            size = AUTHORED_EXTENT // grid
            self.inputs[name] = self.operators.activation(name, size, size, channels)
        return self.inputs[name]

    def emit_step(self, step: Step) -> Tensor:
        """Append the operators of one step; gives its output tensor."""
        affine = self.affine(step)
        if affine is None:
            return self.emit_float(step, self.name(step, is_int8=False))
        if isinstance(step.node, Relu | Relu6):
            return self.operators.quantise(self.name(step), self.tensors[step.node.inputs[0]], affine)
        if isinstance(step.node, Mask):
            return self.emit_int8_mask(step, step.node, affine)
        if self.computes_in_int8(step):
            return self.emit_int8(step, affine)
        float_name = step.output if step.output in self.graph.outputs else f"{step.output}_float"
        return self.rounded(step.output, self.name(step), self.emit_float(step, float_name), affine)

    def computes_in_int8(self, step: Step) -> bool:
        """All inputs are there in int8, and but for convolutions none of them is there before rounding, too."""
        sources = step.node.inputs
        before_rounding = any((name, None) in self.converted for name in sources)
        return all(self.tensors[name].affine for name in sources) and (step.is_convolution or not before_rounding)

    def rounded(self, name: str, int8_name: str, tensor: Tensor, affine: Affine) -> Tensor:
        """A float32 tensor in int8; who reads it in float32 reads it before rounding."""
        self.converted[name, None] = tensor
        return self.operators.quantise(int8_name, tensor, affine)

    def affine(self, step: Step) -> Affine | None:
        """The grid of a step's output, None where it is kept in float32."""
        source = step.node.inputs[0]
        if isinstance(step.node, _MOVES_SAMPLES) or (isinstance(step.node, Mask) and not step.has_activation):
            return None if (source, None) in self.converted else self.tensors[source].affine
        return self.scheme.tensors.get(step.output)

    def name(self, step: Step, is_int8: bool = True) -> str:
        """The name of a step's tensor; outputs of the network are named as such in float32 only."""
        return f"{step.output}_int8" if is_int8 and step.output in self.graph.outputs else step.output

    def as_float(self, name: str) -> Tensor:
        """A tensor in float32."""
        tensor = self.tensors[name]
        if tensor.affine is None:
            return tensor
        if (name, None) not in self.converted:
            float_name = name if name in self.graph.outputs else f"{name}_float"
            self.converted[name, None] = self.operators.dequantise(float_name, tensor)
        return self.converted[name, None]

    def emit_float(self, step: Step, name: str) -> Tensor:
        """The operators of a step that computes in float32."""
        sources = [self.as_float(source) for source in step.node.inputs]
        source = sources[0]
        match step.node:
            case Conv2d() as node:
                return self.emit_convolution(step, node, name, source)
            case TransposedConv2d() as node:
                return self.emit_transposed_convolution(step, node, name, source)
            case Mask(grid=grid, crop=crop):
                mask = self.input(mask_name(grid, crop), grid, 1)
                return self.operators.multiply(name, source, mask, step.activation)
            case Multiply():
                return self.operators.multiply(name, source, sources[1], step.activation)
            case Add():
                return self.operators.add(name, source, sources[1], step.activation)
            case Concat():
                return self.operators.concatenation(name, sources)
            case SliceChannels(start=start, stop=stop):
                return self.operators.slice_channels(name, source, start, stop)
            case PixelShuffle(factor=factor):
                return self.operators.depth_to_space(name, source, factor)
            case LeakyRelu(slope=slope):
                return self.operators.leaky_relu(name, source, slope)
            case Relu() | Relu6() | Elu() | Abs() as node:
                return self.operators.unary(type(node).__name__.upper(), name, source)
            case LayerNorm() as node:
                weight, bias = self.parameters[node.weight], self.parameters[node.bias]
                return layer_norm(self.operators, name, source, weight, bias, node.epsilon)
            case ChannelAttention() as node:
                temperature = self.parameters[node.temperature]
                q, k, v = sources
                return channel_attention(self.operators, name, q, k, v, temperature)
            case Sigmoid():
                return self.operators.unary("LOGISTIC", name, source)
            case node:
                raise ConversionError(f"{self.graph.name}: {step.output}: no TFLite form of {type(node).__name__}")

    def emit_int8(self, step: Step, affine: Affine) -> Tensor:
        """The operators of a step that computes in int8."""
        name = self.name(step)
        sources = [self.tensors[source] for source in step.node.inputs]
        source = sources[0]
        match step.node:
            case Conv2d() as node:
                return self.emit_convolution(step, node, name, source, affine)
            case TransposedConv2d() as node:
                return self.emit_transposed_convolution(step, node, name, source, affine)
            case Multiply():
                return self.operators.multiply(name, source, sources[1], step.activation, affine)
            case Add():
                return self.operators.add(name, source, sources[1], step.activation, affine)
            case Concat():
                return self.operators.concatenation(name, [self.on_grid(x, affine) for x in step.node.inputs])
            case SliceChannels(start=start, stop=stop):
                return self.operators.slice_channels(name, source, start, stop)
            case PixelShuffle(factor=factor):
                return self.operators.depth_to_space(name, source, factor)
            case node:
                raise ConversionError(f"{self.graph.name}: {step.output}: no int8 form of {type(node).__name__}")

    def emit_int8_mask(self, step: Step, node: Mask, affine: Affine) -> Tensor:
        """The product with a mask; exact where no activation moves its input to another grid."""
        mask = self.int8_mask(node)
        source = self.tensors[node.inputs[0]]
        if source.affine is None:
            source = self.operators.quantise(f"{self.name(step)}_unmasked", source, affine)
        return self.operators.multiply(self.name(step), source, mask, step.activation, affine)

    def int8_mask(self, node: Mask) -> Tensor:
        name = mask_name(node.grid, node.crop)
        if (name, INTEGERS) not in self.converted:
            mask = self.input(name, node.grid, 1)
            self.converted[name, INTEGERS] = self.operators.quantise(f"{name}_int8", mask, INTEGERS)
        return self.converted[name, INTEGERS]

    def on_grid(self, name: str, affine: Affine) -> Tensor:
        """An int8 tensor on the grid `affine`."""
        tensor = self.tensors[name]
        if tensor.affine == affine:
            return tensor
        if (name, affine) not in self.converted:
            self.converted[name, affine] = self.operators.quantise(f"{name}_moved", tensor, affine)
        return self.converted[name, affine]

    def emit_convolution(
        self, step: Step, node: Conv2d, name: str, source: Tensor, affine: Affine | None = None
    ) -> Tensor:
        """CONV_2D, after an explicit PAD when the padding is not what TFLite calls SAME or VALID."""
        order = depth_to_space_order(node.out_channels, step.shuffle_factor)
        border = Border(*node.padding)
        if step.pads_to_even:
            source, border = self.pad_to_even(step, node, source)
        same = node.stride == 1 and border == _same_border(node.kernel)
        if same and node.groups == node.in_channels == node.out_channels:
            filters = depthwise_filter(self.parameters[node.weight])
            scales = self.scheme.weight_scales.get(node.weight)
            weight, bias = self.weight_and_bias(node, name, filters, 3, self.bias(node, step), source, scales)
            return self.operators.depthwise_convolution(name, source, weight, bias, step.activation, affine)
        if border and not same:
            source = self.operators.pad(f"{name}_padded", source, border)
        filters = convolution_filter(self.parameters[node.weight])[order]
        scales = self.weight_scales(node, order)
        weight, bias = self.weight_and_bias(node, name, filters, 0, self.bias(node, step)[order], source, scales)
        return self.operators.convolution(
            name, source, weight, bias,
            kernel=node.kernel, channels=node.out_channels, stride=node.stride, same=same,
            activation=step.activation, affine=affine,
        )  # fmt: skip

    def weight_and_bias(
        self, node: Conv2d | TransposedConv2d, name: str, filters: NDArray[np.float32], axis: int,
        bias: NDArray[np.float32], source: Tensor, scales: NDArray[np.float32] | None,
    ) -> tuple[int, int]:  # fmt: skip
        """The tensors of a convolution's filters, output channels along `axis`, and bias, as its input wants them."""
        if source.affine is None:
            store = WEIGHT_STORES[self.scheme.weights]
            weight = store(self.operators, node.weight, filters, axis, scales)
            return weight, self.builder.constant(f"{name}_bias", bias)
        source_scale = np.float32(source.affine.scale)
        with np.errstate(over="ignore"):
            # Where a bias has more steps, the weights beside it are next to nothing: coarser ones change no output.
            least = np.abs(bias) / (source_scale * _LARGEST_BIAS)
            scales = np.maximum(weight_scales(filters, axis) if scales is None else scales, least)
            bias_scales = scales * source_scale
        if not np.all((bias_scales > 0) & np.isfinite(bias_scales)):
            raise ConversionError(f"{self.graph.name}: {name}: a bias is too large for the int8 grids around it")
        weight = int8_weight(self.builder, node.weight, filters, axis, scales)
        steps = np.rint(bias / bias_scales.astype(np.float64))
        quantised = self.builder.constant(f"{name}_bias", steps.astype(np.int32), Quantisation(bias_scales))
        return weight, quantised

    def pad_to_even(self, step: Step, node: Conv2d, source: Tensor) -> tuple[Tensor, Border]:
        """The padded input of a 3x3 convolution of stride 2, and the zero border that is left to add.

        One row and column is added always: where the size was even the convolution does not reach it.
        """
        if (node.kernel, node.stride, node.padding) != ((3, 3), 2, (1, 1, 1, 1)):
            raise ConversionError(f"{self.graph.name}: {step.output}: padding to even size suits no such convolution")
        return self.operators.repeat_last(f"{step.output}_even", source), Border(1, 1, 0, 0)

    def emit_transposed_convolution(
        self, step: Step, node: TransposedConv2d, name: str, source: Tensor, affine: Affine | None = None
    ) -> Tensor:
        """PAD, CONV_2D to the sub-positions of a block, DEPTH_TO_SPACE, STRIDED_SLICE; see filters.py."""
        phases = node.stride * node.stride
        taps = (sub_pixel_taps(node.kernel[0], node.stride), sub_pixel_taps(node.kernel[1], node.stride))
        order = depth_to_space_order(node.out_channels, step.shuffle_factor)
        filters = sub_pixel_filter(self.parameters[node.weight][:, order], node.stride)
        surround = Border(taps[0] - 1, taps[1] - 1, taps[0] - 1, taps[1] - 1)
        surplus = [taps[axis] * node.stride - node.kernel[axis] + node.padding - node.output_padding for axis in (0, 1)]
        if min(surplus) < 0:
            raise ConversionError(f"{self.graph.name}: {step.output}: output padding beyond the kernel's reach")
        padded = self.operators.pad(f"{name}_padded", source, surround)
        biases = np.tile(self.bias(node, step)[order], phases)
        scales = self.weight_scales(node, np.tile(order, phases))
        weight, bias = self.weight_and_bias(node, f"{name}_blocks", filters, 0, biases, padded, scales)
        blocks = self.operators.convolution(
            f"{name}_blocks", padded, weight, bias,
            kernel=taps, channels=phases * node.out_channels, stride=1, same=False,
            activation=step.activation, affine=affine,
        )  # fmt: skip
        whole = self.operators.depth_to_space(f"{name}_whole", blocks, node.stride)
        return self.operators.trim(name, whole, Border(node.padding, node.padding, *surplus))

    def weight_scales(self, node: Conv2d | TransposedConv2d, channels: NDArray[np.intp]) -> NDArray[np.float32] | None:
        """The int8 scales of a weight's output channels in this order, None where any will do."""
        scales = self.scheme.weight_scales.get(node.weight)
        return None if scales is None else scales[channels]

    def bias(self, node: Conv2d | TransposedConv2d, step: Step) -> NDArray[np.float32]:
        """Bias [out] with the constants folded in; TFLite insists on one, so zeros where there is none."""
        offset = np.float32(step.bias_offset)
        if node.bias is None:
            return np.full(node.out_channels, offset)
        return self.parameters[node.bias] + offset


def _same_border(kernel: tuple[int, int]) -> Border:
    """The zero border of TFLite's SAME padding at stride 1: even kernels get the odd row at the bottom."""
    rows, columns = kernel[0] - 1, kernel[1] - 1
    return Border(rows // 2, columns // 2, rows - rows // 2, columns - columns // 2)
