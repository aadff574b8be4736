"""Crops as products with 0/1 masks, so that one graph of plain operators serves every picture size.

In the standard a tensor of an odd-sized picture is cropped to ceil(H / grid) rows before the next
convolution, which then reads zeros from there on. Here the tensor keeps its rows, and those outside the crop
are set to zero instead. They stay zero only until an operation fills them again (a bias, the spread of a
convolution); where a later spatial operation would read such samples they are set to zero once more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from jpegai_mobile.networks.graph import (
    Abs,
    Add,
    ChannelAttention,
    Concat,
    Conv2d,
    CropToGrid,
    Elu,
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

from .errors import ConversionError


@dataclass(frozen=True, kw_only=True)
class Mask(Node):
    """Product with an input that is one inside the picture and zero outside.

    A tensor of `grid` luma samples per element, last cropped at grid `crop`, has ceil(H / crop) * crop / grid
    rows inside.
    """

    grid: int
    crop: int


@dataclass(frozen=True)
class TensorExtent:
    """Which samples of a tensor belong to the picture, and what the others hold."""

    grid: int
    """Luma samples per element."""
    crop: int
    """The tensor is valid for the first ceil(H / crop) * crop luma rows."""
    zero_outside: bool
    """The samples outside are known to be zero (true also when there are none)."""


def replace_crops_by_masks(graph: Graph) -> Graph:
    """The same network with `Mask` for `CropToGrid`: equal inside the picture, which its inputs end with.

    Raises ConversionError when a crop is not at the grid of its input, or inputs do not fit together.
    """
    if len(set(graph.input_grid.values())) != 1:
        raise ConversionError(f"{graph.name}: inputs of several grids, {graph.input_grid}")
    whole, *_ = graph.input_grid.values()
    return mask_outside(graph, whole)


def mask_outside(graph: Graph, whole: int | None = None) -> Graph:
    """`graph` with a `Mask` for every `CropToGrid`, and one wherever samples outside would be read as they are.

    A tensor that is last cropped at grid `whole` or a coarser one has no samples outside; None where every tensor may
    have some. A tensor that is masked keeps its name. Raises ConversionError as `tensor_extents` does.
    """
    crops = (
        Mask(output=node.output, inputs=node.inputs, grid=node.grid, crop=node.grid)
        if isinstance(node, CropToGrid)
        else node
        for node in graph.nodes
    )
    graph = replace(graph, nodes=tuple(crops))
    while (tensor := _next_tensor_to_mask(graph, extents := tensor_extents(graph, whole))) is not None:
        graph = _masked(graph, tensor, extents[tensor])
    return graph


def tensor_extents(graph: Graph, whole: int | None = None) -> dict[str, TensorExtent]:
    """The extent of every tensor of a network with masks; `whole` as for `mask_outside`.

    Raises ConversionError when a crop is not at the grid of its input, or inputs do not fit together.
    """
    extents = {name: TensorExtent(grid, grid, zero_outside=True) for name, grid in graph.input_grid.items()}
    for node in graph.nodes:
        extent = _extent(graph, node, [extents[name] for name in node.inputs])
        if whole is not None and extent.crop >= whole:
            extent = replace(extent, zero_outside=True)
        extents[node.output] = extent
    return extents


def _next_tensor_to_mask(graph: Graph, extents: Mapping[str, TensorExtent]) -> str | None:
    """The first tensor that a node reads across the picture's border while it is not zero outside.

    What `PadToEven` makes is to be read there as it is.
    """
    padded = {node.output for node in graph.nodes if isinstance(node, PadToEven)}
    for node in graph.nodes:
        for tensor in _read_across_the_border(node):
            if tensor not in padded and not extents[tensor].zero_outside:
                return tensor
    return None


def _masked(graph: Graph, tensor: str, extent: TensorExtent) -> Graph:
    """`graph` with a mask on `tensor`, which keeps its name."""
    nodes: list[Node] = []
    for node in graph.nodes:
        if node.output == tensor:
            unmasked = f"{tensor}_unmasked"
            nodes.append(replace(node, output=unmasked))
            node = Mask(output=tensor, inputs=(unmasked,), grid=extent.grid, crop=extent.crop)
        nodes.append(node)
    return replace(graph, nodes=tuple(nodes))


def _read_across_the_border(node: Node) -> tuple[str, ...]:
    """The inputs whose samples outside the picture reach outputs inside."""
    if isinstance(node, ChannelAttention):
        return node.inputs[:2]
    return node.inputs if _is_spatial(node) or isinstance(node, PadToEven) else ()


def _is_spatial(node: Node) -> bool:
    """An output sample depends on neighbours."""
    if isinstance(node, Conv2d):
        return node.kernel != (1, 1)
    return isinstance(node, TransposedConv2d) and max(node.kernel) > node.stride


def _extent(graph: Graph, node: Node, inputs: list[TensorExtent]) -> TensorExtent:
    first = inputs[0]
    if any((other.grid, other.crop) != (first.grid, first.crop) for other in inputs):
        raise ConversionError(f"{graph.name}: inputs of {node.output} differ in grid or crop")
    match node:
        case Mask(grid=grid, crop=crop):
            if grid != first.grid:
                raise ConversionError(
                    f"{graph.name}: {node.output} crops to grid {grid}, its input has grid {first.grid}"
                )
            return TensorExtent(grid, crop, zero_outside=True)
        case Conv2d(bias=bias, stride=stride):
            grid = first.grid * stride
            keeps_zero = first.zero_outside and bias is None and not _is_spatial(node)
            return TensorExtent(grid, max(first.crop, grid), keeps_zero)
        case TransposedConv2d(stride=stride):
            return TensorExtent(_divide(graph, node, first.grid, stride), first.crop, zero_outside=False)
        case PixelShuffle(factor=factor):
            return replace(first, grid=_divide(graph, node, first.grid, factor))
        case Multiply():
            return replace(first, zero_outside=any(extent.zero_outside for extent in inputs))
        case Add() | Concat() | SliceChannels() | Relu() | Relu6() | LeakyRelu() | Elu() | Abs():
            return replace(first, zero_outside=all(extent.zero_outside for extent in inputs))
        case _:
            return replace(first, zero_outside=False)


def _divide(graph: Graph, node: Node, grid: int, factor: int) -> int:
    if grid % factor:
        raise ConversionError(f"{graph.name}: {node.output} would be finer than the luma samples")
    return grid // factor
