"""From a recipe to concrete numbers: which tensors of a network are int8, on which grids."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from jpegai_mobile.networks.evaluate import evaluate
from jpegai_mobile.networks.folding import fold
from jpegai_mobile.networks.graph import Concat, Conv2d, Graph, Multiply, PixelShuffle, Relu6, SliceChannels
from jpegai_mobile.networks.shapes import tensor_shapes

from ..errors import ConversionError
from ..masking import Mask, replace_crops_by_masks
from ..tflite.fusion import Step, fuse
from ..tflite.operators import Activation
from .affine import INTEGERS, RELU6, SAMPLES, Affine
from .equalisation import (
    equalised_latents,
    equalised_products,
    products,
    scales_channels,
)
from .ranges import RANGES, Values, min_max
from .recipe import Recipe
from .rounded_network import NetworkSample
from .rounding import round_weights
from .scheme import Scheme

Floats = NDArray[np.float32]

VALUES_PER_SAMPLE = 6_000
"""Values of a tensor that a sample contributes."""
SEED = 6048
INTEGER_INPUTS = ("z",)
"""Inputs that are integers of few bits: int8 holds them exactly."""
RAW_SAMPLES = ("plane", "planes")
"""Outputs that are pictures: saturation at the ends of the sample range is part of the decoder."""


def quantise(
    graph: Graph, parameters: Mapping[str, Floats], recipe: Recipe, samples: Sequence[NetworkSample]
) -> tuple[Graph, dict[str, Floats], Scheme]:
    """The network to emit, its parameters and how to store them. Raises ConversionError where that cannot be done.

    The same numbers whatever the number of threads: linear algebra runs on one, since sums depend on how they are cut.
    """
    graph, values = fold(graph, parameters)
    if not recipe.needs_samples:
        return graph, values, Scheme(recipe.weights)
    with _one_thread():
        return _calibrated(graph, values, recipe, samples)


def _one_thread() -> AbstractContextManager[object]:
    """Linear algebra on one thread; raises ConversionError when the package for that is not installed."""
    try:
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]
    except ModuleNotFoundError as error:
        raise ConversionError("calibration needs threadpoolctl: pip install 'jpegai-mobile[convert]'") from error
    limits: AbstractContextManager[object] = threadpool_limits(1, user_api="blas")
    return limits


def _calibrated(
    graph: Graph, values: dict[str, Floats], recipe: Recipe, samples: Sequence[NetworkSample]
) -> tuple[Graph, dict[str, Floats], Scheme]:
    if recipe.latents:
        (name,) = graph.inputs
        ranges = channel_ranges(graph, values, [name], samples)
        graph, values = equalised_latents(graph, values, ranges[name], recipe.latents)
    if recipe.products:
        ranges = channel_ranges(graph, values, [product.output for product in products(graph)], samples)
        graph, values = equalised_products(graph, values, ranges, recipe.products)
    grids = _grids(graph, values, recipe, samples)
    if recipe.rounding == "feedback":
        rounded = round_weights(graph, values, grids, samples)
        return rounded.graph, rounded.parameters, Scheme(recipe.weights, grids, rounded.scales)
    return graph, values, Scheme(recipe.weights, grids)


def _grids(
    graph: Graph, parameters: Mapping[str, Floats], recipe: Recipe, samples: Sequence[NetworkSample]
) -> dict[str, Affine]:
    """The grid of every int8 tensor; what is concatenated has that of the whole, so that nothing is rounded twice."""
    tensors = INT8_TENSORS[recipe.activations](graph)
    together = _concatenated(graph)
    found = tensor_values(graph, parameters, [name for name, grid in tensors.items() if grid is None], samples)
    coarse = _tensors_on_input_grid(graph)
    grids = {}
    for name, grid in tensors.items():
        # Clipping a latent harms a whole neighbourhood of samples, so latents keep all of their range.
        choose = min_max if name in coarse else RANGES[recipe.ranges]
        margin = 1.0 if name in coarse and recipe.ranges != "minmax" else recipe.margin
        values = [found[other] for other in together.get(name, [name]) if other in found]
        grids[name] = grid or choose(np.concatenate(values)).widened(margin)
    return grids


def _concatenated(graph: Graph) -> dict[str, list[str]]:
    """Tensor -> all tensors that concatenations join it with, directly or by way of others, itself among them."""
    joined: dict[str, list[str]] = {}
    for node in graph.nodes:
        if isinstance(node, Concat):
            group = [node.output, *node.inputs]
            everything = list(dict.fromkeys(name for each in group for name in joined.get(each, [each])))
            joined |= dict.fromkeys(everything, everything)
    return joined


def mask_branches(graph: Graph) -> dict[str, Affine | None]:
    """Tensors of the branches that multiply the trunk -> their grid where it is given by the network."""
    steps = {step.output: step for step in fuse(replace_crops_by_masks(graph))}
    tensors: dict[str, Affine | None] = {}
    for step in steps.values():
        if isinstance(step.node, Multiply):
            branch = [step.node.inputs[1]]
            while isinstance(steps[branch[-1]].node, Conv2d):
                branch.append(steps[branch[-1]].node.inputs[0])
            if _is_relu6(steps[branch[-1]]):
                tensors |= dict.fromkeys(branch, None) | {branch[-1]: RELU6}
    return tensors


def all_activations(graph: Graph) -> dict[str, Affine | None]:
    """Tensors of a network that computes in int8 -> their grid where it is given by the network.

    A network that begins with the equalisation of its input rounds after it, another one its inputs.
    """
    divided = {node.inputs[0] for node in graph.nodes if scales_channels(node)}
    tensors: dict[str, Affine | None] = {
        name: INTEGERS if name in INTEGER_INPUTS else None for name in graph.inputs if name not in divided
    }
    steps = {step.output: step for step in fuse(replace_crops_by_masks(graph))}
    for step in steps.values():
        if not _moves_samples(step):
            tensors[step.output] = RELU6 if _is_relu6(step) else None
    for output in graph.outputs:
        tensor = output
        while _moves_samples(steps[tensor]):
            tensor = steps[tensor].node.inputs[0]
        if output in RAW_SAMPLES:
            tensors[tensor] = SAMPLES
    return tensors


def inner_activations(graph: Graph) -> dict[str, Affine | None]:
    """As `all_activations`, but the convolution that makes the samples reads and writes float32.

    It has few operations, and what it reads, a product of trunk and mask, has the longest tails of the network.
    """
    made_by = {node.output: node for node in graph.nodes}
    tensors = all_activations(graph)
    for name in [name for name, grid in tensors.items() if grid == SAMPLES]:
        for tensor in (name, *made_by[name].inputs):
            del tensors[tensor]
    return tensors


INT8_TENSORS: dict[str, Callable[[Graph], dict[str, Affine | None]]] = {
    "none": lambda graph: {},
    "masks": mask_branches,
    "inner": inner_activations,
    "all": all_activations,
}
"""What computes in int8 in a recipe -> the tensors to keep so."""


def tensor_values(
    graph: Graph, parameters: Mapping[str, Floats], names: Sequence[str], samples: Sequence[NetworkSample]
) -> dict[str, Values]:
    """Some values of each tensor when the network runs on the samples, the smallest and the largest among them."""
    random = np.random.default_rng(SEED)
    values: dict[str, list[Values]] = {name: [] for name in names}
    for tensors in _evaluated(graph, parameters, names, samples):
        for name in names:
            everything = tensors[name].ravel()
            chosen = random.integers(0, everything.size, VALUES_PER_SAMPLE)
            values[name].append(np.append(everything[chosen], [everything.min(), everything.max()]))
    return {name: np.concatenate(parts) for name, parts in values.items()}


def channel_ranges(
    graph: Graph, parameters: Mapping[str, Floats], names: Sequence[str], samples: Sequence[NetworkSample]
) -> dict[str, Floats]:
    """The largest magnitude [C] in every channel of each tensor when the network runs on the samples."""
    every = [
        {name: np.abs(tensors[name]).max(axis=(1, 2)) for name in names}
        for tensors in _evaluated(graph, parameters, names, samples)
    ]
    return {name: np.max([ranges[name] for ranges in every], axis=0) for name in names}


def _evaluated(
    graph: Graph, parameters: Mapping[str, Floats], names: Sequence[str], samples: Sequence[NetworkSample]
) -> Iterator[Mapping[str, Values]]:
    """The tensors `names`, which may be inputs, of every sample."""
    giving = replace(graph, outputs=tuple(name for name in names if name not in graph.inputs), output_grid={})
    for inputs, extent in samples:
        yield {**inputs, **(evaluate(giving, parameters, inputs, extent) if giving.outputs else {})}


def _tensors_on_input_grid(graph: Graph) -> set[str]:
    shapes = tensor_shapes(graph, (256, 256))
    sizes = {shapes[name][1:] for name in graph.inputs}
    return {name for name, shape in shapes.items() if shape[1:] in sizes}


def _moves_samples(step: Step) -> bool:
    return isinstance(step.node, PixelShuffle | SliceChannels) or (
        isinstance(step.node, Mask) and not step.has_activation
    )


def _is_relu6(step: Step) -> bool:
    return isinstance(step.node, Relu6) or step.activation is Activation.RELU6
