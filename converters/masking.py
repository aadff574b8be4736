"""Crops as products with 0/1 masks, so that one graph of plain operators serves every picture size.

In the standard a tensor of an odd-sized picture is cropped to ceil(H / grid) rows before the next
convolution, which then reads zeros from there on. Here the tensor keeps its rows, and those outside the crop
are set to zero instead. They stay zero only until an operation fills them again (a bias, the spread of a
convolution); where a later spatial operation would read such samples they are set to zero once more.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
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
    PixelShuffle,
    PixelUnshuffle,
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
class _Extent:
    """Which samples of a tensor belong to the picture, and what the others hold."""

    grid: int
    """Luma samples per element."""
    crop: int
    """The tensor is valid for the first ceil(H / crop) * crop luma rows."""
    zero_outside: bool
    """The samples outside are known to be zero (true also when there are none)."""


def replace_crops_by_masks(graph: Graph) -> Graph:
    """The same network with `Mask` for `CropToGrid`: equal inside the picture.

    Raises ConversionError when a crop is not at the grid of its input, or inputs do not fit together.
    """
    refilled: set[str] = set()
    while (tensor := _next_tensor_to_mask(graph, refilled)) is not None:
        refilled.add(tensor)
    extents = _extents(graph, refilled)
    nodes: list[Node] = []
    for node in graph.nodes:
        extent = extents[node.output]
        if isinstance(node, CropToGrid):
            node = Mask(output=node.output, inputs=node.inputs, grid=node.grid, crop=node.grid)
        if node.output in refilled:
            unmasked = f"{node.output}_unmasked"
            nodes.append(replace(node, output=unmasked))
            node = Mask(output=node.output, inputs=(unmasked,), grid=extent.grid, crop=extent.crop)
        nodes.append(node)
    return replace(graph, nodes=tuple(nodes))


def _next_tensor_to_mask(graph: Graph, refilled: AbstractSet[str]) -> str | None:
    """The first tensor that must be masked so that a spatial operation reads zeros outside the picture."""
    extents = _extents(graph, refilled)
    for node in graph.nodes:
        for tensor in _read_across_the_border(node):
            if not extents[tensor].zero_outside:
                return tensor
    return None


def _read_across_the_border(node: Node) -> tuple[str, ...]:
    """The inputs whose samples outside the picture reach outputs inside."""
    if isinstance(node, ChannelAttention):
        return node.inputs[:2]
    return node.inputs if _is_spatial(node) else ()


def _is_spatial(node: Node) -> bool:
    """An output sample depends on neighbours."""
    if isinstance(node, Conv2d):
        return node.kernel != (1, 1)
    return isinstance(node, TransposedConv2d) and max(node.kernel) > node.stride


def _extents(graph: Graph, refilled: AbstractSet[str]) -> dict[str, _Extent]:
    """The extent of every tensor when those named in `refilled` are masked."""
    if len(set(graph.input_grid.values())) != 1:
        raise ConversionError(f"{graph.name}: inputs of several grids, {graph.input_grid}")
    whole = next(iter(graph.input_grid.values()))
    extents = {name: _Extent(whole, whole, zero_outside=True) for name in graph.inputs}
    for node in graph.nodes:
        extent = _extent(graph, node, [extents[name] for name in node.inputs])
        if node.output in refilled or extent.crop >= whole:
            extent = replace(extent, zero_outside=True)
        extents[node.output] = extent
    return extents


def _extent(graph: Graph, node: Node, inputs: list[_Extent]) -> _Extent:
    first = inputs[0]
    if any((other.grid, other.crop) != (first.grid, first.crop) for other in inputs):
        raise ConversionError(f"{graph.name}: inputs of {node.output} differ in grid or crop")
    match node:
        case CropToGrid(grid=grid):
            if grid != first.grid:
                raise ConversionError(
                    f"{graph.name}: {node.output} crops to grid {grid}, its input has grid {first.grid}"
                )
            return _Extent(grid, grid, zero_outside=True)
        case Conv2d(bias=bias, stride=stride):
            return _scaled(first, stride, keeps_zero=bias is None and not _is_spatial(node))
        case TransposedConv2d(stride=stride):
            return _Extent(_divide(graph, node, first.grid, stride), first.crop, zero_outside=False)
        case PixelShuffle(factor=factor):
            return replace(first, grid=_divide(graph, node, first.grid, factor))
        case PixelUnshuffle(factor=factor):
            return _scaled(first, factor, keeps_zero=True)
        case Multiply():
            return replace(first, zero_outside=any(extent.zero_outside for extent in inputs))
        case Add() | Concat() | SliceChannels() | Relu() | Relu6() | LeakyRelu() | Elu() | Abs():
            return replace(first, zero_outside=all(extent.zero_outside for extent in inputs))
        case _:
            return replace(first, zero_outside=False)


def _scaled(extent: _Extent, stride: int, *, keeps_zero: bool) -> _Extent:
    grid = extent.grid * stride
    return _Extent(grid, max(extent.crop, grid), zero_outside=extent.zero_outside and keeps_zero)


def _divide(graph: Graph, node: Node, grid: int, factor: int) -> int:
    if grid % factor:
        raise ConversionError(f"{graph.name}: {node.output} would be finer than the luma samples")
    return grid // factor
