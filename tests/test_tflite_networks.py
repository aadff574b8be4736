"""Every network as TFLite: one delegate, and equal to the evaluator at any size."""

from __future__ import annotations

from functools import partial

import pytest
from ai_edge_litert.interpreter import (  # type: ignore[import-untyped]
    Interpreter,
    OpResolverType,
)

from converters.tflite.emitter import emit_tflite
from jpegai_mobile.networks.catalogue import BUILDERS, NetworkKey
from jpegai_mobile.runtime import network_runner
from tests.converter_support import largest_error, random_parameters, runner_of, runs_as_one_delegate

TILES = [(64, 64), (65, 67), (33, 130), (97, 17), (1, 1), (64, 64)]
"""Whole tiles, odd sizes that are cropped at every grid, a single sample, and back."""


@pytest.mark.parametrize("key", BUILDERS, ids=lambda key: "-".join(filter(None, key)))
def test_equals_the_evaluator_in_one_delegate(key: NetworkKey) -> None:
    graph = BUILDERS[key]()
    runner = runner_of(graph)
    for tile in TILES:
        assert largest_error(graph, runner, tile) < 1e-5, tile
        assert runs_as_one_delegate(runner), tile


@pytest.mark.parametrize("key", BUILDERS, ids=lambda key: "-".join(filter(None, key)))
def test_equals_the_evaluator_without_a_delegate(key: NetworkKey, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = partial(Interpreter, experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
    monkeypatch.setattr(network_runner, "Interpreter", plain)
    graph = BUILDERS[key]()
    runner = runner_of(graph)
    for tile in TILES[1:3]:
        assert largest_error(graph, runner, tile) < 1e-5, tile
    assert not runs_as_one_delegate(runner)


@pytest.mark.parametrize("key", BUILDERS, ids=lambda key: "-".join(filter(None, key)))
def test_grids_follow_the_network(key: NetworkKey) -> None:
    graph = BUILDERS[key]()
    runner = runner_of(graph)
    assert {name: info.grid for name, info in runner.inputs.items()} == graph.input_grid
    assert {name: info.channels for name, info in runner.inputs.items()} == graph.inputs
    assert {name: info.grid for name, info in runner.outputs.items()} == graph.output_grid


def test_the_same_parameters_give_the_same_bytes() -> None:
    graph = BUILDERS["synthesis", "y", "bop"]()
    first, second = (emit_tflite(graph, random_parameters(graph)) for _ in range(2))
    assert first == second
    assert first != emit_tflite(graph, random_parameters(graph, seed=1))
