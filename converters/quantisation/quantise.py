"""From a recipe to concrete numbers: which tensors of a network are int8, on which grids."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from jpegai_mobile.networks.evaluate import evaluate
from jpegai_mobile.networks.folding import fold
from jpegai_mobile.networks.graph import Conv2d, Graph, Multiply, PixelShuffle, Relu6, SliceChannels
from jpegai_mobile.networks.shapes import Extent, tensor_shapes

from ..masking import Mask, replace_crops_by_masks
from ..tflite.fusion import Step, fuse
from ..tflite.operators import Activation
from ..tflite.precision import Scheme
from .affine import RELU6, SAMPLES, Affine
from .equalisation import equalised_latents, equalised_products, products
from .ranges import RANGES, Values, min_max
from .recipe import Recipe

Floats = NDArray[np.float32]
NetworkSample = tuple[Mapping[str, Floats], Extent]
"""Inputs [channel, row, column] by name, and the luma samples that they stand for."""

VALUES_PER_SAMPLE = 6_000
"""Values of a tensor that a sample contributes."""
SEED = 6048
RAW_SAMPLES = ("plane", "planes")
"""Outputs that are pictures: saturation at the ends of the sample range is part of the decoder."""


def quantise(
    graph: Graph, parameters: Mapping[str, Floats], recipe: Recipe, samples: Sequence[NetworkSample]
) -> tuple[Graph, dict[str, Floats], Scheme]:
    """The network to emit, its parameters and how to store them. Raises ConversionError where that cannot be done."""
    graph, values = fold(graph, parameters)
    if not recipe.needs_samples:
        return graph, values, Scheme(recipe.weights)
    if recipe.latents:
        (name,) = graph.inputs
        ranges = channel_ranges(graph, values, [name], samples)
        graph, values = equalised_latents(graph, values, ranges[name], recipe.latents)
    if recipe.products:
        ranges = channel_ranges(graph, values, [product.output for product in products(graph)], samples)
        graph, values = equalised_products(graph, values, ranges, recipe.products)
    tensors = mask_branches(graph) if recipe.activations == "masks" else all_activations(graph)
    found = tensor_values(graph, values, [name for name, grid in tensors.items() if grid is None], samples)
    coarse = _tensors_on_input_grid(graph)
    grids = {}
    for name, grid in tensors.items():
        # Clipping a latent harms a whole neighbourhood of samples, so latents keep all of their range.
        choose = min_max if name in coarse else RANGES[recipe.ranges]
        margin = 1.0 if name in coarse else recipe.margin
        grids[name] = grid or choose(found[name]).widened(margin)
    return graph, values, Scheme(recipe.weights, grids)


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
    tensors: dict[str, Affine | None] = {}
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
    divided = {node.inputs[0] for node in graph.nodes if isinstance(node, Conv2d) and _scales_channels(node)}
    return {name: None for name in graph.inputs if name not in divided} | tensors


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


def _scales_channels(node: Conv2d) -> bool:
    return node.kernel == (1, 1) and node.groups == node.in_channels == node.out_channels
