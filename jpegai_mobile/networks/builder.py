"""Builds a `Graph` layer by layer: keeps track of channels, names tensors after the layers that make them."""

from __future__ import annotations

from dataclasses import replace

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


class GraphBuilder:
    """Every method adds one node and returns the name of its tensor.

    A layer's tensor is called as the layer in the checkpoint; the tensor of an operation without parameters
    is called `INPUT:operation`. `layer` is the prefix of the layer's checkpoint keys.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._inputs: dict[str, int] = {}
        self._input_grid: dict[str, int] = {}
        self._nodes: list[Node] = []
        self._channels: dict[str, int] = {}

    def input(self, name: str, channels: int, grid: int) -> str:
        """A graph input; `grid` is its luma samples per element in each direction."""
        self._inputs[name] = channels
        self._input_grid[name] = grid
        self._channels[name] = channels
        return name

    def conv(
        self,
        x: str,
        layer: str,
        channels: int,
        kernel: int,
        *,
        stride: int = 1,
        groups: int = 1,
        bias: bool = True,
    ) -> str:
        """Square convolution of odd size, zero padded so that stride 1 keeps the size."""
        around = kernel // 2
        return self.conv_padded(
            x, layer, channels, (kernel, kernel), (around,) * 4, stride=stride, groups=groups, bias=bias
        )

    def conv_padded(
        self,
        x: str,
        layer: str,
        channels: int,
        kernel: tuple[int, int],
        padding: tuple[int, int, int, int],
        *,
        stride: int = 1,
        groups: int = 1,
        bias: bool = True,
    ) -> str:
        """Convolution with `padding` zero rows/columns at (top, left, bottom, right)."""
        node = Conv2d(
            output=layer,
            inputs=(x,),
            weight=f"{layer}.weight",
            bias=f"{layer}.bias" if bias else None,
            in_channels=self._channels[x],
            out_channels=channels,
            kernel=kernel,
            stride=stride,
            padding=padding,
            groups=groups,
        )
        return self._add(node, channels)

    def transposed_conv(self, x: str, layer: str, channels: int, kernel: int) -> str:
        """Transposed convolution that doubles the size: kernel 4, or 3 with output padding."""
        node = TransposedConv2d(
            output=layer,
            inputs=(x,),
            weight=f"{layer}.weight",
            bias=f"{layer}.bias",
            in_channels=self._channels[x],
            out_channels=channels,
            kernel=(kernel, kernel),
            stride=2,
            padding=1,
            output_padding=4 - kernel,
        )
        return self._add(node, channels)

    def batch_norm(self, x: str, layer: str) -> str:
        node = BatchNorm(
            output=layer,
            inputs=(x,),
            weight=f"{layer}.weight",
            bias=f"{layer}.bias",
            mean=f"{layer}.running_mean",
            variance=f"{layer}.running_var",
            channels=self._channels[x],
        )
        return self._add(node, node.channels)

    def scale(self, x: str, key: str) -> str:
        """Product with the one number that the checkpoint holds as `key`."""
        return self._add(Scale(output=key, inputs=(x,), weight=key), self._channels[x])

    def layer_norm(self, x: str, layer: str) -> str:
        channels = self._channels[x]
        weight, bias = f"{layer}.weight", f"{layer}.bias"
        return self._add(LayerNorm(output=layer, inputs=(x,), weight=weight, bias=bias, channels=channels), channels)

    def channel_attention(self, q: str, k: str, v: str, layer: str, heads: int) -> str:
        key = f"{layer}.temperature"
        return self._add(
            ChannelAttention(output=layer, inputs=(q, k, v), temperature=key, heads=heads), self._channels[v]
        )

    def relu(self, x: str) -> str:
        return self._add(Relu(output=f"{x}:relu", inputs=(x,)), self._channels[x])

    def relu6(self, x: str) -> str:
        return self._add(Relu6(output=f"{x}:relu6", inputs=(x,)), self._channels[x])

    def leaky_relu(self, x: str, slope: float) -> str:
        return self._add(LeakyRelu(output=f"{x}:leaky_relu", inputs=(x,), slope=slope), self._channels[x])

    def elu(self, x: str) -> str:
        return self._add(Elu(output=f"{x}:elu", inputs=(x,)), self._channels[x])

    def sigmoid(self, x: str) -> str:
        return self._add(Sigmoid(output=f"{x}:sigmoid", inputs=(x,)), self._channels[x])

    def abs(self, x: str) -> str:
        return self._add(Abs(output=f"{x}:abs", inputs=(x,)), self._channels[x])

    def add(self, x: str, y: str) -> str:
        return self._add(Add(output=f"{y}:add", inputs=(x, y)), self._same_channels(x, y))

    def multiply(self, x: str, y: str) -> str:
        return self._add(Multiply(output=f"{y}:multiply", inputs=(x, y)), self._same_channels(x, y))

    def add_constant(self, x: str, value: float) -> str:
        return self._add(AddConstant(output=f"{x}:add_constant", inputs=(x,), value=value), self._channels[x])

    def concat(self, *tensors: str) -> str:
        """Concatenation along the channels."""
        node = Concat(output=f"{tensors[-1]}:concat", inputs=tensors)
        return self._add(node, sum(self._channels[x] for x in tensors))

    def slice(self, x: str, start: int, stop: int) -> str:
        """Channels start..stop-1."""
        node = SliceChannels(output=f"{x}:{start}..{stop}", inputs=(x,), start=start, stop=stop)
        return self._add(node, stop - start)

    def pixel_shuffle(self, x: str, factor: int) -> str:
        node = PixelShuffle(output=f"{x}:pixel_shuffle", inputs=(x,), factor=factor)
        return self._add(node, self._channels[x] // factor**2)

    def crop(self, x: str, grid: int) -> str:
        """Crop to ceil(H / grid) x ceil(W / grid) of a picture of H x W luma samples."""
        return self._add(CropToGrid(output=f"{x}:crop", inputs=(x,), grid=grid), self._channels[x])

    def pad_to_even(self, x: str) -> str:
        return self._add(PadToEven(output=f"{x}:pad", inputs=(x,)), self._channels[x])

    def channels(self, x: str) -> int:
        """Channels of the tensor `x`."""
        return self._channels[x]

    def finish(self, outputs: dict[str, str], grid: int) -> Graph:
        """The graph whose output named by each key is the tensor named by its value, on one grid."""
        names = {tensor: output for output, tensor in outputs.items()}
        nodes = tuple(
            replace(
                node,
                output=names.get(node.output, node.output),
                inputs=tuple(names.get(name, name) for name in node.inputs),
            )
            for node in self._nodes
        )
        return Graph(
            name=self._name,
            inputs=self._inputs,
            input_grid=self._input_grid,
            nodes=nodes,
            outputs=tuple(outputs),
            output_grid=dict.fromkeys(outputs, grid),
        )

    def _same_channels(self, x: str, y: str) -> int:
        if self._channels[x] != self._channels[y]:
            raise ValueError(f"{self._name}: {x} and {y} have different channel counts")
        return self._channels[x]

    def _add(self, node: Node, channels: int) -> str:
        if node.output in self._channels:
            raise ValueError(f"{self._name}: two tensors called {node.output}")
        self._nodes.append(node)
        self._channels[node.output] = channels
        return node.output
