"""A network and its rounded form, run side by side on calibration samples, node by node."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from jpegai_mobile.networks.evaluate import apply_node
from jpegai_mobile.networks.graph import (
    AddConstant,
    Conv2d,
    CropToGrid,
    Graph,
    Node,
    PixelShuffle,
    Relu,
    Relu6,
    SliceChannels,
    TransposedConv2d,
)
from jpegai_mobile.networks.shapes import Extent

from .affine import Affine

Floats = NDArray[np.float32]
NetworkSample = tuple[Mapping[str, Floats], Extent]
"""Inputs [channel, row, column] by name, and the luma samples that they stand for."""
Tensors = dict[str, Floats]

_MOVES_SAMPLES = (CropToGrid, PixelShuffle, SliceChannels)
_FUSED = (AddConstant, Relu, Relu6)


class PairedRun:
    """All tensors that later nodes read, of every sample: exact, and as a network with int8 tensors has them.

    What the emitted graph computes from tensors before they were rounded is computed so here, too.
    """

    def __init__(
        self, graph: Graph, parameters: Mapping[str, Floats], grids: Mapping[str, Affine],
        samples: Sequence[NetworkSample],
    ) -> None:  # fmt: skip
        self._graph = graph
        self._parameters = parameters
        self._grids = grids
        self._extents = [extent for _, extent in samples]
        self._exact: list[Tensors] = [dict(inputs) for inputs, _ in samples]
        self._ours: list[Tensors] = [dict(inputs) for inputs, _ in samples]
        self._before_rounding: list[Tensors] = [{} for _ in samples]
        self._int8: set[str] = set()
        self._unfinished: set[str] = set()
        """Outputs of int8 nodes that are rounded only after what is fused into these."""
        self._step = 0
        self._last_uses = graph.last_uses()
        for name in graph.inputs:
            self._round(name, is_float=True)

    def inputs_of(self, node: Conv2d | TransposedConv2d) -> Iterator[tuple[Floats, Floats]]:
        """What a convolution reads in every sample: exact, ours."""
        (name,) = node.inputs
        for number, exact in enumerate(self._exact):
            yield exact[name], self._read(number, name, self._computes_in_int8(node))

    def advance(self, node: Node, rounded: Node, values: Mapping[str, Floats]) -> None:
        """Compute the next node: `node` with the exact parameters, `rounded` with `values`."""
        in_int8 = self._computes_in_int8(node)
        for number, extent in enumerate(self._extents):
            exact, ours = self._exact[number], self._ours[number]
            exact[node.output] = _applied(node, [exact[name] for name in node.inputs], self._parameters, extent)
            sources = [self._read(number, name, in_int8) for name in node.inputs]
            ours[node.output] = _applied(rounded, sources, values, extent)
        if isinstance(node, _MOVES_SAMPLES) and in_int8:
            self._int8.add(node.output)
        elif node.output in self._grids:
            self._round(node.output, is_float=not in_int8)
        elif in_int8:
            self._unfinished.add(node.output)
        self._forget(node)

    def _computes_in_int8(self, node: Node) -> bool:
        """As the emitter decides it: all inputs are int8, and but for convolutions none is there in float32, too."""
        if self._unfinished.issuperset(node.inputs):
            return True
        if not self._int8.issuperset(node.inputs):
            return False
        if isinstance(node, Conv2d | TransposedConv2d):
            return self._is_rounded(node)
        if isinstance(node, Relu | Relu6):
            return True
        return not any(name in self._before_rounding[0] for name in node.inputs)

    def _is_rounded(self, node: Node) -> bool:
        """Whether a node's output is on a grid, maybe after what is fused into it."""
        if node.output in self._grids:
            return True
        readers = [other for other in self._graph.nodes if node.output in other.inputs]
        return len(readers) == 1 and isinstance(readers[0], _FUSED) and self._is_rounded(readers[0])

    def _read(self, number: int, name: str, in_int8: bool) -> Floats:
        ours = self._ours[number][name]
        return ours if in_int8 else self._before_rounding[number].get(name, ours)

    def _round(self, name: str, is_float: bool) -> None:
        """Put a tensor on its grid if it has one."""
        grid = self._grids.get(name)
        if grid is None:
            return
        for ours, before in zip(self._ours, self._before_rounding, strict=True):
            if is_float:
                before[name] = ours[name]
            ours[name] = grid.rounded(ours[name]).astype(np.float32)
        self._int8.add(name)

    def _forget(self, node: Node) -> None:
        """Drop what no later node reads."""
        for name in {*node.inputs, node.output}:
            if self._last_uses.get(name, self._step) <= self._step:
                for tensors in (*self._exact, *self._ours, *self._before_rounding):
                    tensors.pop(name, None)
        self._step += 1


def _applied(node: Node, inputs: list[Floats], parameters: Mapping[str, Floats], extent: Extent) -> Floats:
    weights = {name: parameters[name] for name in node.parameter_shapes()}
    return apply_node(node, inputs, weights, extent).astype(np.float32)
