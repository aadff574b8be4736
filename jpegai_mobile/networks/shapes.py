"""Shapes of all tensors of a graph for a tile of given size."""

from __future__ import annotations

from collections.abc import Mapping

from .graph import (
    Add,
    Concat,
    Conv2d,
    CropToGrid,
    Graph,
    Multiply,
    Node,
    PadToEven,
    PixelShuffle,
    SliceChannels,
    TransposedConv2d,
)

Shape3 = tuple[int, int, int]
"""(channels, rows, columns)."""
Extent = tuple[int, int]
"""(rows, columns) of luma samples."""


def input_shapes(graph: Graph, extent: Extent) -> dict[str, Shape3]:
    """Shape of every graph input for a tile of `extent` luma samples."""
    sizes = {name: grid_size(extent, grid) for name, grid in graph.input_grid.items()}
    return {name: (channels, *sizes[name]) for name, channels in graph.inputs.items()}


def grid_size(extent: Extent, grid: int) -> Extent:
    """Rows and columns of a grid of `grid` luma samples per element that covers `extent`."""
    return -(-extent[0] // grid), -(-extent[1] // grid)


def tensor_shapes(graph: Graph, extent: Extent) -> dict[str, Shape3]:
    """Shape of every tensor, inputs first. Raises ValueError where a node does not fit its inputs."""
    shapes = input_shapes(graph, extent)
    for node in graph.nodes:
        shapes[node.output] = output_shape(node, shapes, extent)
    return shapes


def output_shape(node: Node, shapes: Mapping[str, Shape3], extent: Extent) -> Shape3:
    """Shape of `node`'s output given those of its inputs. Raises ValueError when they do not fit."""
    first, *others = (shapes[name] for name in node.inputs)
    channels, rows, columns = first
    match node:
        case Conv2d():
            _check(node, channels == node.in_channels)
            top, left, bottom, right = node.padding
            return (
                node.out_channels,
                (rows + top + bottom - node.kernel[0]) // node.stride + 1,
                (columns + left + right - node.kernel[1]) // node.stride + 1,
            )
        case TransposedConv2d():
            _check(node, channels == node.in_channels)
            grown = [
                (n - 1) * node.stride - 2 * node.padding + k + node.output_padding
                for n, k in zip((rows, columns), node.kernel, strict=True)
            ]
            return node.out_channels, grown[0], grown[1]
        case Add() | Multiply():
            _check(node, all(other == first for other in others))
            return first
        case Concat():
            _check(node, all(other[1:] == first[1:] for other in others))
            return channels + sum(other[0] for other in others), rows, columns
        case SliceChannels():
            _check(node, 0 <= node.start < node.stop <= channels)
            return node.stop - node.start, rows, columns
        case PixelShuffle():
            _check(node, channels % node.factor**2 == 0)
            return channels // node.factor**2, rows * node.factor, columns * node.factor
        case CropToGrid():
            kept = grid_size(extent, node.grid)
            _check(node, kept[0] <= rows and kept[1] <= columns)
            return channels, *kept
        case PadToEven():
            return channels, rows + rows % 2, columns + columns % 2
        case _:
            return first


def _check(node: Node, fits: bool) -> None:
    if not fits:
        raise ValueError(f"{type(node).__name__} {node.output!r} does not fit its inputs {node.inputs}")
