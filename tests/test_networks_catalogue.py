"""All networks: their contract, consistent shapes at any size, and the builder's own checks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jpegai_mobile.networks import catalogue
from jpegai_mobile.networks.builder import GraphBuilder
from jpegai_mobile.networks.graph import Conv2d, Graph
from jpegai_mobile.networks.shapes import grid_size, tensor_shapes

STAGES = range(4)
Tensors = dict[str, tuple[int, int]]
"""Name -> (channels, luma samples per element)."""

CONTRACT: dict[catalogue.NetworkKey, tuple[Tensors, Tensors]] = {
    ("hyper_decoder", "y", None): ({"z": (160, 64)}, {"psi": (640, 32)}),
    ("hyper_decoder", "uv", None): ({"z": (96, 64)}, {"psi": (384, 32)}),
    ("context_model", "y", None): (
        {f"{name}_{k}": (160, 32) for name in ("residual", "psi") for k in STAGES},
        {f"latent_{k}": (160, 32) for k in STAGES},
    ),
    ("analysis", "y", None): ({"plane": (1, 1)}, {"latent": (160, 16)}),
    ("analysis", "uv", None): ({"planes": (12, 2)}, {"latent": (96, 16)}),
    ("hyper_encoder", "y", None): ({"latent": (160, 16)}, {"z": (160, 64)}),
    ("hyper_encoder", "uv", None): ({"latent": (96, 16)}, {"z": (96, 64)}),
    ("eicci", "y", None): ({"bands": (48, 4)}, {"filtered": (16, 4)}),
    ("eicci", "uv", None): ({"bands": (48, 4)}, {"filtered": (32, 4)}),
} | {
    ("synthesis", component, point): ({"latent": (channels, 16)}, output)
    for point in ("sop", "bop", "hop")
    for component, channels, output in (("y", 160, {"plane": (1, 1)}), ("uv", 256, {"planes": (2, 1)}))
}


def test_every_network_has_a_contract() -> None:
    assert set(catalogue.BUILDERS) == set(CONTRACT)
    with pytest.raises(KeyError):
        catalogue.build("synthesis", "y")


@pytest.mark.parametrize("key", CONTRACT, ids=str)
@given(extent=st.tuples(st.integers(64, 400), st.integers(64, 400)))
def test_names_channels_and_grids(key: catalogue.NetworkKey, extent: tuple[int, int]) -> None:
    graph = catalogue.build(*key)
    inputs, outputs = CONTRACT[key]
    assert {name: (channels, graph.input_grid[name]) for name, channels in graph.inputs.items()} == inputs
    assert list(graph.outputs) == list(outputs)
    shapes = tensor_shapes(graph, extent)
    for name, (channels, grid) in outputs.items():
        assert graph.output_grid[name] == grid
        rows, columns = grid_size(extent, grid)
        assert shapes[name][0] == channels
        assert rows <= shapes[name][1] < rows + 8 and columns <= shapes[name][2] < columns + 8


@pytest.mark.parametrize("key", CONTRACT, ids=str)
def test_parameters_are_used_once(key: catalogue.NetworkKey) -> None:
    graph = catalogue.build(*key)
    used = [name for node in graph.nodes for name in node.parameter_shapes()]
    assert len(used) == len(set(used))
    assert tuple(used) == graph.parameter_names()


def test_a_grouped_convolution_holds_a_share_of_the_inputs() -> None:
    g = GraphBuilder("grouped")
    graph = g.finish({"y": g.conv(g.input("x", 32, 1), "layer", 64, 3, groups=4)}, grid=1)
    assert graph.parameter_shapes() == {"layer.weight": (64, 8, 3, 3), "layer.bias": (64,)}


def test_outputs_take_their_contract_names_wherever_they_are_read() -> None:
    g = GraphBuilder("renamed")
    first = g.conv(g.input("x", 2, 1), "layer", 2, 3)
    graph = g.finish({"early": first, "late": g.relu(first)}, grid=1)
    assert [(node.inputs, node.output) for node in graph.nodes] == [(("x",), "early"), (("early",), "late")]
    assert graph.last_uses() == {"x": 0, "early": 2, "late": 2}


def test_the_builder_refuses_what_does_not_fit() -> None:
    g = GraphBuilder("clumsy")
    x = g.input("x", 2, 1)
    wide = g.conv(x, "layer", 4, 1)
    with pytest.raises(ValueError, match="different channel counts"):
        g.add(x, wide)
    with pytest.raises(ValueError, match="two tensors called layer"):
        g.conv(x, "layer", 4, 1)


def test_shapes_refuse_a_node_that_does_not_fit() -> None:
    node = Conv2d(output="y", inputs=("x",), weight="w", in_channels=3, out_channels=1, kernel=(1, 1))
    graph = Graph(name="bad", inputs={"x": 2}, input_grid={"x": 1}, nodes=(node,), outputs=("y",))
    with pytest.raises(ValueError, match="Conv2d 'y' does not fit"):
        tensor_shapes(graph, (4, 4))
