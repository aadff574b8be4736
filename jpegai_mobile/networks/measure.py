"""What a graph costs: parameters, multiplications, activation memory; and how far its outputs see."""

from __future__ import annotations

import math
from typing import NamedTuple

from .graph import (
    ChannelAttention,
    Conv2d,
    Graph,
    Node,
    PixelShuffle,
    TransposedConv2d,
)
from .shapes import Extent, Shape3, tensor_shapes


class Halo(NamedTuple):
    """Elements of an input that a patch needs beyond its own on each side."""

    top: int
    left: int
    bottom: int
    right: int


def parameter_count(graph: Graph) -> int:
    """Numbers in all parameters."""
    return sum(math.prod(shape) for shape in graph.parameter_shapes().values())


def macs(graph: Graph, extent: Extent) -> int:
    """Multiply-accumulate operations of convolutions and attention for a tile of `extent` luma samples.

    Element-wise operations are not counted, zero padding is counted as data.
    """
    shapes = tensor_shapes(graph, extent)
    return sum(_node_macs(node, shapes[node.inputs[0]], shapes[node.output]) for node in graph.nodes)


def kmac_per_sample(graph: Graph) -> float:
    """Thousand multiply-accumulate operations per luma sample of a tile without odd sizes."""
    extent = (256, 256)
    return macs(graph, extent) / math.prod(extent) / 1000


def activation_bytes(graph: Graph, extent: Extent, element_bytes: int = 4) -> int:
    """Largest total size of the tensors alive at once, when nodes run in order, each into a new tensor."""
    sizes = {name: math.prod(shape) * element_bytes for name, shape in tensor_shapes(graph, extent).items()}
    last_uses = graph.last_uses()
    alive = sum(sizes[name] for name in graph.inputs)
    peak = alive
    for index, node in enumerate(graph.nodes):
        alive += sizes[node.output]
        peak = max(peak, alive)
        finished = {name for name in (*node.inputs, node.output) if last_uses.get(name, index) == index}
        alive -= sum(sizes[name] for name in finished)
    return peak


def halo(graph: Graph) -> dict[str, Halo] | None:
    """Input name -> the halo with which a patch equals the whole picture; None if that is the whole tile.

    Patches start and end on the coarsest grid among inputs and outputs. At a picture border the patch ends
    with the picture instead, as the zero padding there is part of the network.
    """
    if any(isinstance(node, ChannelAttention) for node in graph.nodes):
        return None
    rows, columns = (_reach(graph, axis) for axis in (0, 1))
    sides = {name: (*rows[name], *columns[name]) for name in graph.inputs}
    return {name: Halo(top, left, bottom, right) for name, (top, bottom, left, right) in sides.items()}


def _node_macs(node: Node, input_shape: Shape3, output_shape: Shape3) -> int:
    match node:
        case Conv2d():
            return math.prod(output_shape) * node.in_channels // node.groups * math.prod(node.kernel)
        case TransposedConv2d():
            return math.prod(input_shape) * node.out_channels * math.prod(node.kernel)
        case ChannelAttention():
            return 2 * math.prod(input_shape) * input_shape[0] // node.heads
        case _:
            return 0


_Span = tuple[int, int]
"""Elements start..stop-1 of one axis of a tensor; may begin before 0."""


def _reach(graph: Graph, axis: int) -> dict[str, _Span]:
    """Input name -> elements needed (before, after) the part that a patch covers, along one axis.

    Walks back from one coarsest element of every output to what it needs of every input.
    """
    patch = max(*graph.input_grid.values(), *graph.output_grid.values())
    needed: dict[str, _Span] = {name: (0, patch // graph.output_grid[name]) for name in graph.outputs}
    for node in reversed(graph.nodes):
        if node.output in needed:
            span = _needed_span(node, axis, needed[node.output])
            for name in node.inputs:
                needed[name] = _union(needed.get(name, span), span)
    reach = {}
    for name, grid in graph.input_grid.items():
        start, stop = needed[name]
        reach[name] = (max(0, -start), max(0, stop - patch // grid))
    return reach


def _needed_span(node: Node, axis: int, span: _Span) -> _Span:
    """The part of the inputs that the part `span` of the output depends on."""
    start, stop = span
    match node:
        case Conv2d():
            before = node.padding[axis]
            return start * node.stride - before, (stop - 1) * node.stride - before + node.kernel[axis]
        case TransposedConv2d():
            first = start + node.padding - (node.kernel[axis] - 1)
            return -(-first // node.stride), (stop - 1 + node.padding) // node.stride + 1
        case PixelShuffle():
            return start // node.factor, -(-stop // node.factor)
        case _:
            return span


def _union(a: _Span, b: _Span) -> _Span:
    return min(a[0], b[0]), max(a[1], b[1])
