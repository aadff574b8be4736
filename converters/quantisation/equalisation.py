"""Equalisation: channels of small range are spread over the int8 grid that all channels of a tensor share.

Channels differ in range, those of the latents by a factor of several hundred. Each is divided by a number before it
is rounded, and what reads it is multiplied by that number: the network is the same function as before. Latents are
divided in float32; products of a trunk and a mask by way of the convolution that makes the mask, at no cost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from jpegai_mobile.networks.graph import (
    Add,
    AddConstant,
    Conv2d,
    CropToGrid,
    Graph,
    Multiply,
    Node,
    Relu,
    TransposedConv2d,
)

from ..errors import ConversionError

Floats = NDArray[np.float32]

SMALLEST_RANGE = 0.1
"""Ranges below this part of the largest one count as this large: what is rare in calibration may be larger."""


def equalised_latents(
    graph: Graph, parameters: Mapping[str, Floats], ranges: Floats, power: float
) -> tuple[Graph, dict[str, Floats]]:
    """The same network with a division of its one input by (range / largest range) ** power.

    `ranges` are the largest magnitudes [C] of the input. Raises ConversionError where the first block of the
    network is not one that takes up the factors: convolutions, and sums of the input and a relu of a convolution.
    """
    (name,) = graph.inputs
    factors = _factors(ranges, power)
    scaled, key = f"{name}:equalised", f"{name}:equalised.weight"
    channels = graph.inputs[name]
    division = Conv2d(
        output=scaled, inputs=(name,), weight=key,
        in_channels=channels, out_channels=channels, kernel=(1, 1), groups=channels,
    )  # fmt: skip
    values = {**parameters, key: (1 / factors).astype(np.float32).reshape(-1, 1, 1, 1)}
    nodes: dict[str, Node] = {scaled: division}
    divided = {scaled}
    for node in graph.nodes:
        node = replace(node, inputs=tuple(scaled if source == name else source for source in node.inputs))
        if divided.intersection(node.inputs):
            match node:
                case Conv2d(groups=1):
                    values[node.weight] = _times(values[node.weight], factors, 1)
                case TransposedConv2d():
                    values[node.weight] = _times(values[node.weight], factors, 0)
                case Add():
                    _divide_output(graph, nodes, values, node, divided, factors)
                    divided.add(node.output)
                case _:
                    raise ConversionError(f"{graph.name}: {node.output} cannot take up the factors of an equalisation")
        nodes[node.output] = node
    return replace(graph, nodes=tuple(nodes.values())), values


def _factors(ranges: Floats, power: float) -> NDArray[np.float64]:
    relative = ranges.astype(np.float64) / max(float(ranges.max()), 1e-9)
    factors: NDArray[np.float64] = np.maximum(relative, SMALLEST_RANGE) ** power
    return factors


def _divide_output(
    graph: Graph,
    nodes: Mapping[str, Node],
    values: dict[str, Floats],
    node: Node,
    divided: set[str],
    factors: NDArray[np.float64],
) -> None:
    """Divide the summand that is not divided yet: relu of a convolution."""
    other = next((source for source in node.inputs if source not in divided), None)
    relu = nodes.get(other or "")
    conv = nodes.get(relu.inputs[0]) if isinstance(relu, Relu) else None
    if not isinstance(conv, Conv2d):
        raise ConversionError(f"{graph.name}: {node.output} adds no relu of a convolution to the input")
    values[conv.weight] = _times(values[conv.weight], 1 / factors, 0)
    if conv.bias is not None:
        values[conv.bias] = _times(values[conv.bias], 1 / factors, 0)


def _times(values: Floats, factors: NDArray[np.float64], axis: int) -> Floats:
    shape = [1] * values.ndim
    shape[axis] = -1
    return (values * factors.reshape(shape)).astype(np.float32)


def equalised_products(
    graph: Graph, parameters: Mapping[str, Floats], ranges: Mapping[str, Floats], power: float
) -> tuple[Graph, dict[str, Floats]]:
    """The same network with every product of trunk and mask divided by (range / largest range) ** power.

    The mask is `1 + convolution`, which takes up the division; the convolution that reads the product takes up
    the multiplication. `ranges` are the largest magnitudes [C] of every product. Products with other
    surroundings stay as they are.
    """
    nodes = {node.output: node for node in graph.nodes}
    values = dict(parameters)
    for product in products(graph):
        reader, mask = _reader(graph, product), nodes[product.inputs[1]]
        one_plus = nodes.get(mask.inputs[0]) if isinstance(mask, AddConstant) else None
        if reader is None or not isinstance(mask, AddConstant) or not isinstance(one_plus, Conv2d):
            continue
        factors = _factors(ranges[product.output], power)
        bias = f"{one_plus.weight}:bias" if one_plus.bias is None else one_plus.bias
        offset = values.get(bias, np.zeros(one_plus.out_channels, np.float32)) + np.float32(mask.value)
        values[bias] = _times(offset, 1 / factors, 0)
        values[one_plus.weight] = _times(values[one_plus.weight], 1 / factors, 0)
        current = nodes[reader.output]
        assert isinstance(current, Conv2d | TransposedConv2d)
        axis = 1 if isinstance(current, Conv2d) else 0
        values[current.weight] = _times(values[current.weight], factors, axis)
        nodes[mask.output] = replace(one_plus, output=mask.output, bias=bias)
        del nodes[one_plus.output]
    return replace(graph, nodes=tuple(nodes.values())), values


def scales_channels(node: Node) -> bool:
    """A factor per channel, kept in float32: a 1x1 convolution that mixes nothing."""
    return isinstance(node, Conv2d) and node.kernel == (1, 1) and node.groups == node.in_channels == node.out_channels


def products(graph: Graph) -> list[Multiply]:
    """The products of a network."""
    return [node for node in graph.nodes if isinstance(node, Multiply)]


def _reader(graph: Graph, node: Node) -> Conv2d | TransposedConv2d | None:
    """The one convolution of all channels that reads a tensor, maybe cropped; None when there is another reader."""
    readers = [other for other in graph.nodes if node.output in other.inputs]
    if len(readers) == 1 and isinstance(readers[0], CropToGrid):
        return _reader(graph, readers[0])
    if len(readers) != 1 or node.output in graph.outputs:
        return None
    (reader,) = readers
    if isinstance(reader, TransposedConv2d) or (isinstance(reader, Conv2d) and reader.groups == 1):
        return reader
    return None
