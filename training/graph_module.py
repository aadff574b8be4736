"""Networks as PyTorch modules, built from the graphs of `jpegai_mobile.networks`.

The topology is not repeated here: a `GraphModule` owns the parameters that a graph names and an
`Evaluation` computes the graph's tensors, [batch, channels, rows, columns], when they are asked for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from jpegai_mobile.networks.graph import (
    Abs,
    Add,
    AddConstant,
    Concat,
    Conv2d,
    CropToGrid,
    Graph,
    LeakyRelu,
    Multiply,
    Node,
    PadToEven,
    PixelShuffle,
    Relu,
    Relu6,
    SliceChannels,
    TransposedConv2d,
)
from jpegai_mobile.networks.shapes import Extent, grid_size

MASK_SCALE = 1e-3
"""Initial gain of the masks of ResAU, which so starts as the identity; larger ones make training diverge."""


class GraphModule(nn.Module):
    """A network with trainable parameters, named as in a reference checkpoint.

    Parameters are registered with `.` written as `/`, as PyTorch reserves the dot.
    """

    def __init__(self, graph: Graph, generator: torch.Generator) -> None:
        super().__init__()
        self.graph = graph
        self.producers = {node.output: node for node in graph.nodes}
        self.last_convolution = next(node for node in reversed(graph.nodes) if isinstance(node, Conv2d))
        masks = {node.inputs[0] for node in graph.nodes if isinstance(node, AddConstant)}
        for node in graph.nodes:
            scale = MASK_SCALE if node.output in masks else 1.0
            for key, shape in node.parameter_shapes().items():
                values = scale * _initial_values(node, key, shape, generator)
                self.register_parameter(_registered(key), nn.Parameter(values))

    def forward(self, *inputs: Tensor, extent: Extent, evaluation: type[Evaluation] | None = None) -> Tensor:
        """The first output; `inputs` in the order of the graph, `extent` the luma size of the picture."""
        named = dict(zip(self.graph.inputs, inputs, strict=True))
        return (evaluation or Evaluation)(self, named, extent)[self.graph.outputs[0]]

    def evaluation(self, inputs: Mapping[str, Tensor], extent: Extent) -> Evaluation:
        """Tensors of the graph on demand; inputs may also be added later."""
        return Evaluation(self, inputs, extent)

    def parameter(self, key: str) -> Tensor:
        """The parameter of a checkpoint key."""
        return self.get_parameter(_registered(key))

    def load_arrays(self, arrays: Mapping[str, Tensor]) -> None:
        """Take the parameters from checkpoint key -> tensor. Raises KeyError when one is missing."""
        with torch.no_grad():
            for key in self.graph.parameter_names():
                self.parameter(key).copy_(arrays[key])

    def arrays(self) -> dict[str, Tensor]:
        """Checkpoint key -> parameter."""
        return {key: self.parameter(key).detach() for key in self.graph.parameter_names()}


class Evaluation:
    """Lazy evaluation of a graph: a tensor is computed when first read, and kept.

    This lets an encoder interleave its own work with a network: read a prediction, quantise against it,
    set the quantised residual as an input, read on.
    """

    def __init__(self, module: GraphModule, inputs: Mapping[str, Tensor], extent: Extent) -> None:
        self._module = module
        self._extent = extent
        self._tensors = dict(inputs)

    def __getitem__(self, name: str) -> Tensor:
        """Raises KeyError for an input that was not set."""
        if name not in self._tensors:
            node = self._module.producers[name]
            self._tensors[name] = self._apply(node, [self[source] for source in node.inputs])
        return self._tensors[name]

    def __setitem__(self, name: str, value: Tensor) -> None:
        self._tensors[name] = value

    def _apply(self, node: Node, inputs: list[Tensor]) -> Tensor:
        x = inputs[0]
        match node:
            case Conv2d() if node is self._module.last_convolution:
                # What is coded or shown is not rounded to bfloat16.
                with torch.autocast(x.device.type, enabled=False):
                    return self._convolution(node, x.float())
            case Conv2d():
                return self._convolution(node, x)
            case TransposedConv2d():
                weight, bias = self._weight_and_bias(node)
                return functional.conv_transpose2d(x, weight, bias, node.stride, node.padding, node.output_padding)
            case Relu():
                return functional.relu(x)
            case Relu6():
                return functional.relu6(x)
            case LeakyRelu():
                return functional.leaky_relu(x, node.slope)
            case Abs():
                return x.abs()
            case Add():
                return x + inputs[1]
            case Multiply():
                return x * inputs[1]
            case AddConstant():
                return x + node.value
            case Concat():
                return torch.cat(inputs, 1)
            case SliceChannels():
                return x[:, node.start : node.stop]
            case PixelShuffle():
                return functional.pixel_shuffle(x, node.factor)
            case CropToGrid():
                rows, columns = grid_size(self._extent, node.grid)
                return x[:, :, :rows, :columns]
            case PadToEven():
                return functional.pad(x, (0, x.shape[3] % 2, 0, x.shape[2] % 2), mode="replicate")
            case _:
                raise NotImplementedError(f"{self._module.graph.name}: {type(node).__name__}")

    def _convolution(self, node: Conv2d, x: Tensor) -> Tensor:
        weight, bias = self._weight_and_bias(node)
        top, left, bottom, right = node.padding
        if (top, left) != (bottom, right):
            x = functional.pad(x, (left, right, top, bottom))
            top = left = 0
        # Each group by itself: on a CPU the gradients of grouped convolutions are slow (20 % of a training step).
        biases = (None,) * node.groups if bias is None else bias.chunk(node.groups)
        groups = zip(x.chunk(node.groups, 1), weight.chunk(node.groups), biases, strict=True)
        outputs = [functional.conv2d(part, w, b, node.stride, (top, left)) for part, w, b in groups]
        return outputs[0] if node.groups == 1 else torch.cat(outputs, 1)

    def _weight_and_bias(self, node: Conv2d | TransposedConv2d) -> tuple[Tensor, Tensor | None]:
        bias = None if node.bias is None else self._module.parameter(node.bias)
        return self._module.parameter(node.weight), bias


def _registered(key: str) -> str:
    return key.replace(".", "/")


def _initial_values(node: Node, key: str, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Uniform weights that keep the variance of a signal; biases are zero."""
    match node:
        case Conv2d(weight=weight) if key == weight:
            fan_in = math.prod(shape[1:])
        case TransposedConv2d(weight=weight, in_channels=channels, kernel=kernel, stride=stride) if key == weight:
            fan_in = channels * math.prod(kernel) // stride**2
        case _:
            return torch.zeros(shape)
    return (torch.rand(shape, generator=generator) * 2 - 1) * math.sqrt(3 / fan_in)
