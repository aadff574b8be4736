"""Networks for tiles of a fixed size, which the picture may fill only in part.

The inputs are zero outside the picture, and the outputs hold something arbitrary there. Inside they equal
those of a tensor that ends where the picture ends: whenever an operation looks at its neighbours, the samples
outside are first set to the zeros that it would read, by a product with a 0/1 mask, and a border that the
network repeats is repeated where the picture ends.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from jpegai_mobile.networks.graph import Conv2d, Graph, Node, PadToEven
from jpegai_mobile.runtime.network_runner import mask_name

from ..errors import ConversionError
from ..masking import Mask, TensorExtent, mask_outside, tensor_extents


@dataclass(frozen=True, kw_only=True)
class RepeatBorder(Node):
    """The row after the first ceil(H / grid) repeats the last of them, then likewise the column after."""

    grid: int


def fit_to_tiles(graph: Graph) -> Graph:
    """The same network for tiles: `Mask` and `RepeatBorder` instead of `CropToGrid` and `PadToEven`.

    Raises ConversionError for a padding whose reader looks further than the repeated border, and for one of a
    tensor that does not end where the picture ends.
    """
    _check_paddings(graph)
    graph = mask_outside(graph)
    extents = tensor_extents(graph)
    return replace(graph, nodes=tuple(_tile_node(graph, node, extents[node.inputs[0]]) for node in graph.nodes))


def tile_masks(graph: Graph) -> dict[str, int]:
    """The mask inputs of a network for tiles, coarsest first: name -> grid."""
    masks = {(node.grid, node.crop) for node in graph.nodes if isinstance(node, Mask)}
    borders = {(node.grid, node.grid) for node in graph.nodes if isinstance(node, RepeatBorder)}
    return {mask_name(grid, crop): grid for grid, crop in sorted(masks | borders, reverse=True)}


def _check_paddings(graph: Graph) -> None:
    """A convolution of stride 2 reads one repeated row at most, and what it makes of more is outside."""
    padded = {node.output for node in graph.nodes if isinstance(node, PadToEven)}
    for node in graph.nodes:
        suits = (
            isinstance(node, Conv2d)
            and node.stride == 2
            and all(node.kernel[axis] - node.padding[axis] <= 2 for axis in (0, 1))
        )
        if not suits and not padded.isdisjoint(node.inputs):
            raise ConversionError(f"{graph.name}: {node.output}: padding to even size suits no such operation")


def _tile_node(graph: Graph, node: Node, extent: TensorExtent) -> Node:
    """What stands on a tile for `node`, whose input is of `extent`."""
    if not isinstance(node, PadToEven):
        return node
    if extent.crop != extent.grid:
        raise ConversionError(f"{graph.name}: {node.output} pads what does not end with the picture")
    return RepeatBorder(output=node.output, inputs=node.inputs, grid=extent.grid)
