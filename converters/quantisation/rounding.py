"""Rounds weights so that what a layer computes, not each weight, stays near to the exact network.

Layer by layer in the order of the network, on the windows that calibration samples give it: first the weights
that come nearest to the exact layer's output when the input is the rounded network's (least squares), then
rounding one input after the other with the error so far passed on to the inputs that are still to be rounded,
as far as they vary together (optimal brain surgery in the order of falling variance). The bias takes up the
mean of what is left. Everything is a fixed sequence of NumPy operations on fixed samples.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from jpegai_mobile.networks.graph import Conv2d, Graph, Node, TransposedConv2d

from ..float_types import fitting, not_below
from .affine import LARGEST_WEIGHT, Affine
from .equalisation import scales_channels
from .linear import Convolution, LinearForm
from .rounded_network import NetworkSample, PairedRun

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

POSITIONS_PER_SAMPLE = 256
"""Windows of a layer that a sample contributes."""
SEED = 6048
DAMPING = 0.03
"""Added to the variance of every input, as a part of the mean variance: what calibration has not seen."""
_FLOOR = 1e-4
"""Variance of every input at least, as a part of the mean square: above what sums in float32 cancel to."""
_BLOCK = 64
"""Inputs whose error is passed on together; a matter of speed."""


@dataclass(frozen=True)
class RoundedWeights:
    """A network whose weights lie on int8 grids."""

    graph: Graph
    parameters: dict[str, Floats]
    scales: dict[str, Floats]
    """Weight -> scale of every output channel; all float16 numbers."""


def round_weights(
    graph: Graph, parameters: Mapping[str, Floats], grids: Mapping[str, Affine], samples: Sequence[NetworkSample]
) -> RoundedWeights:
    """The network with the weights of its convolutions rounded; `grids` are those of its int8 activations.

    Every convolution has a bias afterwards. Factors per channel (equalisations) are left as they are. Raises
    ConversionError, naming the weight, where its scales are no float16 numbers.
    """
    values = dict(parameters)
    scales: dict[str, Floats] = {}
    nodes: list[Node] = []
    run = PairedRun(graph, parameters, grids, samples)
    for node in graph.nodes:
        rounded: Node = node
        if isinstance(node, Conv2d | TransposedConv2d) and not scales_channels(node):
            statistics = _statistics(node, run.inputs_of(node))
            key = node.bias or f"{node.weight}:bias"
            bias = values.get(key, np.zeros(node.out_channels, np.float32))
            values[node.weight], values[key], scales[node.weight] = _rounded(
                node, values[node.weight], bias, statistics, f"{graph.name}: the scale of parameter {node.weight}"
            )
            rounded = replace(node, bias=key)
        run.advance(node, rounded, values)
        nodes.append(rounded)
    return RoundedWeights(replace(graph, nodes=tuple(nodes)), values, scales)


@dataclass(frozen=True)
class _Statistics:
    """Of the windows [d] that a group of a layer reads, exact (x) and as the rounded network has them (ours)."""

    mean: Doubles
    """[groups, d] of x."""
    our_mean: Doubles
    cross: Doubles
    """[groups, d, d]: covariance of x and ours."""
    own: Doubles
    """[groups, d, d]: covariance of ours."""


def _statistics(node: Convolution, inputs: Iterable[tuple[Floats, Floats]]) -> _Statistics:
    form = LinearForm(node)
    random = np.random.default_rng(SEED)
    count = 0
    sums: list[Doubles] = []
    for exact, ours in inputs:
        positions = form.positions(exact)
        chosen = np.arange(positions)
        if positions > POSITIONS_PER_SAMPLE:
            chosen = np.sort(random.choice(positions, POSITIONS_PER_SAMPLE, replace=False))
        x_ours = form.windows(ours, chosen)
        transposed = x_ours.transpose(0, 2, 1)
        own = x_ours @ transposed
        is_exact = exact is ours
        x = x_ours if is_exact else form.windows(exact, chosen)
        parts = [x.sum(axis=2), x_ours.sum(axis=2), own if is_exact else x @ transposed, own]
        if not sums:
            sums = [np.zeros(part.shape) for part in parts]
        for total, part in zip(sums, parts, strict=True):
            total += part
        count += chosen.size
    mean, our_mean, cross, own = (total / count for total in sums)
    return _Statistics(
        mean, our_mean,
        cross - mean[:, :, None] * our_mean[:, None, :],
        own - our_mean[:, :, None] * our_mean[:, None, :] + _FLOOR * np.mean(np.square(x_ours)) * np.eye(own.shape[1]),
    )  # fmt: skip


def _rounded(
    node: Convolution, weight: Floats, bias: Floats, statistics: _Statistics, what: str
) -> tuple[Floats, Floats, Floats]:
    """Weight and bias in checkpoint layout, and the scale [out] of every output channel, `what` in errors."""
    form = LinearForm(node)
    exact = form.matrix(weight).astype(np.float64)
    channels = form.channels()
    targets = np.stack([_nearest(*each) for each in zip(exact, statistics.cross, statistics.own, strict=True)])
    largest = np.zeros(node.out_channels)
    np.maximum.at(largest, channels.ravel(), np.abs(targets).max(axis=2).ravel())
    # Every target can store float16.
    scales = fitting(not_below(largest / LARGEST_WEIGHT, np.float16), np.float16, what).astype(np.float64)
    rounded = np.empty_like(exact)
    shift = np.zeros(node.out_channels)
    rows_per_channel = channels.size // node.out_channels
    for group in range(form.groups):
        rows = channels[group]
        rounded[group] = _with_feedback(targets[group], scales[rows][:, None], statistics.own[group])
        left = exact[group] @ statistics.mean[group] - rounded[group] @ statistics.our_mean[group]
        np.add.at(shift, rows, left / rows_per_channel)
    return form.weight(rounded.astype(np.float32)), (bias + shift).astype(np.float32), scales.astype(np.float32)


def _nearest(exact: Doubles, cross: Doubles, own: Doubles) -> Doubles:
    """The matrix that makes of our windows what comes nearest to `exact` times the exact ones."""
    variance = own + np.eye(len(own)) * _damping(own)
    correction = np.linalg.solve(variance, (cross - own).T @ exact.T).T.astype(np.float64)
    nearest: Doubles = exact + correction
    return nearest


def _with_feedback(target: Doubles, scale: Doubles, own: Doubles) -> Doubles:
    """`target` [rows, d] on the grids `scale` [rows, 1], with the least error for inputs of covariance `own`."""
    order = np.argsort(-np.diag(own), kind="stable")
    variance = own[order][:, order] + np.eye(len(own)) * _damping(own)
    factor = np.linalg.cholesky(np.linalg.inv(variance)).T
    left = target[:, order].copy()
    rounded = np.empty_like(left)
    for start in range(0, len(own), _BLOCK):
        stop = min(start + _BLOCK, len(own))
        errors = np.empty((len(left), stop - start))
        for i in range(start, stop):
            steps = np.clip(np.rint(left[:, i : i + 1] / scale), -LARGEST_WEIGHT, LARGEST_WEIGHT)
            rounded[:, i : i + 1] = steps * scale
            error = (left[:, i] - rounded[:, i]) / factor[i, i]
            left[:, i:stop] -= np.outer(error, factor[i, i:stop])
            errors[:, i - start] = error
        left[:, stop:] -= errors @ factor[start:stop, stop:]
    result = np.empty_like(rounded)
    result[:, order] = rounded
    return result


def _damping(own: Doubles) -> float:
    return DAMPING * float(np.mean(np.diag(own))) or 1.0
