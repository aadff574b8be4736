"""Costs against hand counts and published figures; halos proven by probing what an output depends on."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from jpegai_mobile.networks import catalogue
from jpegai_mobile.networks.builder import GraphBuilder
from jpegai_mobile.networks.evaluate import evaluate
from jpegai_mobile.networks.graph import Graph, TransposedConv2d
from jpegai_mobile.networks.measure import (
    Halo,
    activation_bytes,
    halo,
    kmac_per_sample,
    macs,
    parameter_count,
)
from jpegai_mobile.networks.shapes import input_shapes, tensor_shapes

Array = NDArray[np.float64]
LOCAL = [key for key in catalogue.BUILDERS if key[2] != "hop"]


def random_parameters(graph: Graph, seed: int = 0) -> dict[str, Array]:
    """Weights that keep the size of activations; variances are positive."""
    rng = np.random.default_rng(seed)
    parameters = {}
    for name, shape in graph.parameter_shapes().items():
        values = rng.normal(size=shape) / np.sqrt(max(1, np.prod(shape[1:], dtype=int)))
        parameters[name] = np.abs(values) + 0.5 if name.endswith("running_var") else values
    return parameters


def random_inputs(graph: Graph, extent: tuple[int, int]) -> dict[str, Array]:
    rng = np.random.default_rng(1)
    return {name: rng.normal(size=shape) for name, shape in input_shapes(graph, extent).items()}


def test_counts_of_a_small_graph() -> None:
    g = GraphBuilder("small")
    x = g.input("x", 4, 2)
    wide = g.conv(x, "conv", 8, 3, stride=2, groups=2)
    up = g.transposed_conv(wide, "up", 4, 4)
    graph = g.finish({"y": g.add(x, g.relu(up))}, grid=2)
    assert parameter_count(graph) == 8 * 2 * 9 + 8 + 8 * 4 * 16 + 4
    conv, transposed = (8 * 2 * 9) * (4 * 6), (8 * 4 * 16) * (4 * 6)
    assert macs(graph, (16, 24)) == conv + transposed
    small, large = 8 * 4 * 6, 4 * 8 * 12
    alive = [large, large + small, large + small + large, large + large + large, large + large + large]
    assert activation_bytes(graph, (16, 24), element_bytes=2) == 2 * max(alive)


@pytest.mark.parametrize(
    ("point", "component", "parameters", "gmac_per_megapixel"),
    [("bop", "y", 0.567e6, 9.0), ("sop", "y", 0.46e6, 0.235 * 16)],
)
def test_costs_that_were_measured_elsewhere(
    point: str, component: str, parameters: float, gmac_per_megapixel: float
) -> None:
    graph = catalogue.build("synthesis", component, point)
    assert parameter_count(graph) == pytest.approx(parameters, rel=0.01)
    assert macs(graph, (1024, 1024)) / 1e9 == pytest.approx(gmac_per_megapixel, rel=0.01)


@pytest.mark.parametrize(("point", "published"), [("sop", 8), ("bop", 22), ("hop", 214)])
def test_decoders_cost_what_the_standard_says(point: str, published: float) -> None:
    """The published figures count a transposed convolution at its output's size, four times what it needs."""
    total = (160 * 160 * (1 + 9 + 16) + 96 * 96 * (1 + 9 + 16)) / 64**2 / 1000
    for key in catalogue.BUILDERS:
        if key[0] in ("hyper_decoder", "context_model") or key[2] == point:
            graph = catalogue.build(*key)
            shapes = tensor_shapes(graph, (256, 256))
            wasted = sum(
                3 * np.prod(shapes[node.inputs[0]]) * node.out_channels * np.prod(node.kernel)
                for node in graph.nodes
                if isinstance(node, TransposedConv2d)
            )
            total += kmac_per_sample(graph) + wasted / 256**2 / 1000
    assert total == pytest.approx(published, rel=0.09)


def test_halos_of_the_synthesis_transforms() -> None:
    for component in ("y", "uv"):
        assert halo(catalogue.build("synthesis", component, "bop")) == {"latent": Halo(3, 3, 3, 3)}
        assert halo(catalogue.build("synthesis", component, "sop")) == {"latent": Halo(3, 3, 4, 4)}
        assert halo(catalogue.build("synthesis", component, "hop")) is None


def test_halo_of_unequal_sides() -> None:
    g = GraphBuilder("unequal")
    x = g.conv_padded(g.input("x", 1, 4), "conv", 1, (2, 4), (0, 3, 1, 0))
    assert halo(g.finish({"y": x}, grid=4)) == {"x": Halo(top=0, left=3, bottom=1, right=0)}


@pytest.mark.parametrize("key", LOCAL, ids=str)
def test_an_output_depends_on_the_halo_and_on_nothing_beyond(key: catalogue.NetworkKey) -> None:
    """One patch in the middle of a picture; a NaN in the input reaches all that depends on it."""
    graph = catalogue.build(*key)
    halos = halo(graph)
    assert halos is not None
    patch = max(*graph.input_grid.values(), *graph.output_grid.values())
    margin = max(-(-side * graph.input_grid[name] // patch) for name, sides in halos.items() for side in sides) + 1
    extent = ((2 * margin + 1) * patch,) * 2
    parameters = random_parameters(graph)
    inputs = random_inputs(graph, extent)

    def poisoned(name: str, rows: slice, columns: slice) -> bool:
        """Whether NaN in that part of the input reaches the patch."""
        probe = inputs[name].copy()
        probe[:, rows, columns] = np.nan
        outputs = evaluate(graph, parameters, inputs | {name: probe}, extent, np.float64)
        for output, grid in graph.output_grid.items():
            part = slice(margin * patch // grid, (margin + 1) * patch // grid)
            if np.isnan(outputs[output][:, part, part]).any():
                return True
        return False

    everything = slice(None)
    for name, (top, left, bottom, right) in halos.items():
        start, stop = (cell * patch // graph.input_grid[name] for cell in (margin, margin + 1))
        for before, after, axis in ((top, bottom, 0), (left, right, 1)):
            inside = slice(start - before, stop + after)
            for beyond in (slice(0, inside.start), slice(inside.stop, None)):
                assert not poisoned(name, *((beyond, everything) if axis == 0 else (everything, beyond)))
            for outermost in (inside.start, inside.stop - 1):
                line = slice(outermost, outermost + 1)
                assert poisoned(name, *((line, everything) if axis == 0 else (everything, line)))


@pytest.mark.parametrize("key", LOCAL, ids=str)
def test_patches_with_their_halo_equal_the_whole_picture(key: catalogue.NetworkKey) -> None:
    """An odd-sized picture in two by two patches, each extended by the halo up to the picture's border."""
    graph = catalogue.build(*key)
    halos = halo(graph)
    assert halos is not None
    patch = max(*graph.input_grid.values(), *graph.output_grid.values())
    reach = [max(-(-sides[s] * graph.input_grid[n] // patch) * patch for n, sides in halos.items()) for s in range(4)]
    cut = max(reach) + patch
    extent = (2 * cut + patch // 2 + 1, 2 * cut + 3)
    parameters = random_parameters(graph)
    inputs = random_inputs(graph, extent)
    whole = evaluate(graph, parameters, inputs, extent, np.float64)
    for rows, columns in itertools.product(((0, cut), (cut, extent[0])), ((0, cut), (cut, extent[1]))):
        above, left = max(0, rows[0] - reach[0]), max(0, columns[0] - reach[1])
        below, right = min(extent[0], rows[1] + reach[2]), min(extent[1], columns[1] + reach[3])
        assert (below - above) * (right - left) < extent[0] * extent[1]
        part = {
            name: x[:, _span(above, below, graph.input_grid[name]), _span(left, right, graph.input_grid[name])]
            for name, x in inputs.items()
        }
        outputs = evaluate(graph, parameters, part, (below - above, right - left), np.float64)
        for name, grid in graph.output_grid.items():
            expected = whole[name][:, _span(*rows, grid), _span(*columns, grid)]
            inner = (
                _span(rows[0] - above, rows[1] - above, grid),
                _span(columns[0] - left, columns[1] - left, grid),
            )
            np.testing.assert_allclose(outputs[name][:, *inner], expected, atol=1e-9)


def _span(start: int, stop: int, grid: int) -> slice:
    """The elements on a grid that cover luma samples start..stop-1; `start` is on the grid."""
    return slice(start // grid, -(-stop // grid))
