"""The small graph description that every network of the standard is written in.

A `Graph` is data: a list of nodes in execution order. Tensors are named by strings and have the logical
layout [channels, rows, columns] (no batch). Weights are named by their key in a reference checkpoint, so
one description serves the NumPy evaluator, the TFLite and Core ML emitters, the MAC counter and the
receptive-field computation.
"""

from __future__ import annotations

from dataclasses import dataclass, field

Shape = tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Node:
    """One operation: reads `inputs`, writes the tensor `output`."""

    output: str
    inputs: tuple[str, ...]

    def parameter_shapes(self) -> dict[str, Shape]:
        """Checkpoint key -> shape of every parameter of this node."""
        return {}


@dataclass(frozen=True, kw_only=True)
class Conv2d(Node):
    """Convolution with zero padding; `weight` is [out, in / groups, rows, columns]."""

    weight: str
    bias: str | None = None
    in_channels: int
    out_channels: int
    kernel: tuple[int, int]
    stride: int = 1
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    """Zero rows/columns added at (top, left, bottom, right)."""
    groups: int = 1

    def parameter_shapes(self) -> dict[str, Shape]:
        weight = (self.out_channels, self.in_channels // self.groups, *self.kernel)
        return {self.weight: weight, **_bias_shape(self.bias, self.out_channels)}


@dataclass(frozen=True, kw_only=True)
class TransposedConv2d(Node):
    """Transposed convolution; `weight` is [in, out, rows, columns]."""

    weight: str
    bias: str | None = None
    in_channels: int
    out_channels: int
    kernel: tuple[int, int]
    stride: int
    padding: int
    output_padding: int = 0

    def parameter_shapes(self) -> dict[str, Shape]:
        weight = (self.in_channels, self.out_channels, *self.kernel)
        return {self.weight: weight, **_bias_shape(self.bias, self.out_channels)}


def _bias_shape(bias: str | None, channels: int) -> dict[str, Shape]:
    return {} if bias is None else {bias: (channels,)}


@dataclass(frozen=True, kw_only=True)
class BatchNorm(Node):
    """(x - mean) / sqrt(variance + epsilon) * weight + bias, all per channel; see `folding`."""

    weight: str
    bias: str
    mean: str
    variance: str
    channels: int
    epsilon: float = 1e-5

    def parameter_shapes(self) -> dict[str, Shape]:
        return dict.fromkeys((self.weight, self.bias, self.mean, self.variance), (self.channels,))


@dataclass(frozen=True, kw_only=True)
class Scale(Node):
    """Product with one learned number; see `folding`."""

    weight: str

    def parameter_shapes(self) -> dict[str, Shape]:
        return {self.weight: (1,)}


@dataclass(frozen=True, kw_only=True)
class LayerNorm(Node):
    """At every position, (x - mean) / sqrt(variance + epsilon) over the channels, times weight plus bias."""

    weight: str
    bias: str
    channels: int
    epsilon: float = 1e-5

    def parameter_shapes(self) -> dict[str, Shape]:
        return {self.weight: (self.channels,), self.bias: (self.channels,)}


@dataclass(frozen=True, kw_only=True)
class ChannelAttention(Node):
    """Attention between channels; `inputs` are q, k, v of one shape, the only node that sees the whole tile.

    In each of `heads` equal groups of channels: q and k are divided by their Euclidean norm over all
    positions of a channel (at least 1e-12), then softmax(temperature[head] * q k^T) v, the softmax over
    the channels of k.
    """

    temperature: str
    heads: int

    def parameter_shapes(self) -> dict[str, Shape]:
        return {self.temperature: (self.heads, 1, 1)}


@dataclass(frozen=True, kw_only=True)
class Relu(Node):
    """max(x, 0)."""


@dataclass(frozen=True, kw_only=True)
class Relu6(Node):
    """min(max(x, 0), 6)."""


@dataclass(frozen=True, kw_only=True)
class LeakyRelu(Node):
    """x where x > 0, else slope * x."""

    slope: float


@dataclass(frozen=True, kw_only=True)
class Abs(Node):
    """|x|."""


@dataclass(frozen=True, kw_only=True)
class Sigmoid(Node):
    """1 / (1 + exp(-x))."""


@dataclass(frozen=True, kw_only=True)
class Elu(Node):
    """x where x > 0, else exp(x) - 1."""


@dataclass(frozen=True, kw_only=True)
class Add(Node):
    """Sum of two tensors of one shape."""


@dataclass(frozen=True, kw_only=True)
class Multiply(Node):
    """Element-wise product of two tensors of one shape."""


@dataclass(frozen=True, kw_only=True)
class AddConstant(Node):
    """x + value; emitters fold it into the bias of the convolution before it."""

    value: float


@dataclass(frozen=True, kw_only=True)
class Concat(Node):
    """Concatenation along the channels, in the order of `inputs`."""


@dataclass(frozen=True, kw_only=True)
class SliceChannels(Node):
    """Channels start..stop-1."""

    start: int
    stop: int


@dataclass(frozen=True, kw_only=True)
class PixelShuffle(Node):
    """Channel f*f*c + f*dy + dx becomes channel c at sub-position (dy, dx)."""

    factor: int


@dataclass(frozen=True, kw_only=True)
class CropToGrid(Node):
    """Keep the first ceil(H / grid) rows and ceil(W / grid) columns of a picture of H x W luma samples.

    Transposed convolutions of odd-sized tensors overshoot the picture by one row or column; the standard
    drops it. Emitters with static shapes express it as a product with a 0/1 mask `mask_<grid>`.
    """

    grid: int


@dataclass(frozen=True, kw_only=True)
class PadToEven(Node):
    """Repeat the last row and the last column where their number is odd (encoder side only).

    A patch of even sizes at every scale needs none; at the end of an odd-sized picture the reference
    repeats the feature maps before every convolution of stride 2.
    """


@dataclass(frozen=True)
class Graph:
    """A network: named inputs with their channel counts and luma samples per element, nodes, outputs.

    An output may overshoot the picture by less than one element of the grid of the last crop: of the rows
    and columns that it has, the caller keeps the first ceil(H / output_grid) and ceil(W / output_grid).
    """

    name: str
    inputs: dict[str, int]
    """Input tensor name -> channels."""
    input_grid: dict[str, int]
    """Input tensor name -> luma samples per element in each direction (64 for z, 32 psi, 16 latents)."""
    nodes: tuple[Node, ...]
    outputs: tuple[str, ...]
    output_grid: dict[str, int] = field(default_factory=dict)

    def parameter_shapes(self) -> dict[str, Shape]:
        """Checkpoint key -> shape of all parameters, in order of first use."""
        return {key: shape for node in self.nodes for key, shape in node.parameter_shapes().items()}

    def parameter_names(self) -> tuple[str, ...]:
        """Checkpoint keys of all parameters, in order of first use."""
        return tuple(self.parameter_shapes())

    def last_uses(self) -> dict[str, int]:
        """Tensor -> index of the last node that reads it; `len(nodes)` for an output."""
        uses = {name: index for index, node in enumerate(self.nodes) for name in node.inputs}
        return uses | dict.fromkeys(self.outputs, len(self.nodes))
