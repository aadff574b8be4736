"""Folds what only scales and shifts a convolution's output into that convolution."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .graph import BatchNorm, Conv2d, Graph, Node, Scale

Parameters = Mapping[str, NDArray[np.generic]]
Doubles = NDArray[np.float64]


def fold(graph: Graph, parameters: Parameters) -> tuple[Graph, dict[str, NDArray[np.float32]]]:
    """The same function without `BatchNorm` and `Scale` nodes, and its parameters (computed in float64).

    Raises ValueError for such a node that does not follow a convolution which feeds it alone.
    """
    readers = Counter(name for node in graph.nodes for name in node.inputs)
    readers.update(graph.outputs)
    values = {name: parameters[name].astype(np.float64) for name in graph.parameter_names()}
    nodes: dict[str, Node] = {}
    for node in graph.nodes:
        if isinstance(node, BatchNorm | Scale):
            source = node.inputs[0]
            conv = nodes.pop(source, None)
            if not isinstance(conv, Conv2d) or readers[source] != 1:
                raise ValueError(f"{graph.name}: {node.output!r} cannot be folded into a convolution")
            factor, shift = _factor_and_shift(node, values)
            node = _scaled(replace(conv, output=node.output), factor, shift, values)
        nodes[node.output] = node
    folded = replace(graph, nodes=tuple(nodes.values()))
    return folded, {name: values[name].astype(np.float32) for name in folded.parameter_names()}


def _factor_and_shift(node: BatchNorm | Scale, values: Mapping[str, Doubles]) -> tuple[Doubles, Doubles]:
    if isinstance(node, Scale):
        return values[node.weight], np.zeros(1)
    factor = values[node.weight] / np.sqrt(values[node.variance] + node.epsilon)
    return factor, values[node.bias] - factor * values[node.mean]


def _scaled(conv: Conv2d, factor: Doubles, shift: Doubles, values: dict[str, Doubles]) -> Conv2d:
    bias = conv.bias or f"{conv.weight}:bias"
    values[conv.weight] = values[conv.weight] * factor.reshape(-1, 1, 1, 1)
    values[bias] = values.get(bias, np.zeros(conv.out_channels)) * factor + shift
    return replace(conv, bias=bias)
