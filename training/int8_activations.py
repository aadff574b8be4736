"""A synthesis transform as its int8 form computes it, near enough to train for it: activations on grids of 256 values.

Grids follow the tensors of the batch, whereas the converter's are fixed by calibration; its other means
(`converters.quantisation`) are left to it. The step of a grid is part of the computation, so training learns to keep
the few largest values of a tensor from making it coarse.
"""

from __future__ import annotations

from torch import Tensor

from jpegai_mobile.networks.graph import Add, Concat, Conv2d, Multiply, Node, TransposedConv2d
from training.graph_module import Evaluation

EQUALISED = 0.75
"""Channels of latents and of products are divided by their range to this power, as the recipes of the converter do."""


class Int8Evaluation(Evaluation):
    """Evaluation with rounded activations."""

    def _apply(self, node: Node, inputs: list[Tensor]) -> Tensor:
        match node:
            case Conv2d(inputs=(name,)) if name in self._module.graph.inputs:
                return _grid(super()._apply(node, [_equalised_grid(inputs[0])]))
            case Conv2d() | TransposedConv2d():
                return _grid(super()._apply(node, inputs))
            case Add() | Multiply() | Concat():
                return _equalised_grid(super()._apply(node, inputs))
            case _:
                return super()._apply(node, inputs)


def _grid(x: Tensor) -> Tensor:
    """`x` on one grid over the range of its values."""
    return _rounded(x, (x.amax() - x.amin()) / 255)


def _equalised_grid(x: Tensor) -> Tensor:
    """`x` [batch, C, rows, columns] on grids around 0, finer in channels of small range."""
    ranges = x.abs().amax((0, 2, 3), keepdim=True).clamp(min=1e-6)
    return _rounded(x, ranges**EQUALISED * ranges.amax() ** (1 - EQUALISED) / 127)


def _rounded(x: Tensor, step: Tensor) -> Tensor:
    """Multiples of `step`; of the rounding error, counted in steps, there is no gradient."""
    scaled = (x / step).detach()
    return x + (scaled.round() - scaled) * step
