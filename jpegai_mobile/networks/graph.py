"""The small graph description that every network of the standard is written in.

A `Graph` is data: a list of nodes in execution order. Tensors are named by strings and have the logical
layout [channels, rows, columns] (no batch). Weights are named by their key in a reference checkpoint, so
one description serves the NumPy evaluator, the TFLite and Core ML emitters, the MAC counter and the
receptive-field computation.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Node:
    """One operation: reads `inputs`, writes the tensor `output`."""

    output: str
    inputs: tuple[str, ...]


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


@dataclass(frozen=True, kw_only=True)
class Relu(Node):
    """max(x, 0)."""


@dataclass(frozen=True, kw_only=True)
class Relu6(Node):
    """min(max(x, 0), 6)."""


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
class PixelUnshuffle(Node):
    """The inverse of `PixelShuffle`."""

    factor: int


@dataclass(frozen=True, kw_only=True)
class CropToGrid(Node):
    """Keep the first ceil(H / grid) rows and ceil(W / grid) columns of a picture of H x W luma samples.

    Transposed convolutions of odd-sized tensors overshoot the picture by one row or column; the standard
    drops it. Emitters with static shapes express it as a product with a 0/1 mask `mask_<grid>`.
    """

    grid: int


@dataclass(frozen=True)
class Graph:
    """A network: named inputs with their channel counts and luma samples per element, nodes, outputs."""

    name: str
    inputs: dict[str, int]
    """Input tensor name -> channels."""
    input_grid: dict[str, int]
    """Input tensor name -> luma samples per element in each direction (64 for z, 32 psi, 16 latents)."""
    nodes: tuple[Node, ...]
    outputs: tuple[str, ...]
    output_grid: dict[str, int] = field(default_factory=dict)

    def parameter_names(self) -> tuple[str, ...]:
        """Checkpoint keys of all parameters, in order of first use."""
        names: dict[str, None] = {}
        for node in self.nodes:
            for attribute in ("weight", "bias"):
                key = getattr(node, attribute, None)
                if key is not None:
                    names.setdefault(key)
        return tuple(names)
