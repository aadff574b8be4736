"""The LiteRT runner: sizes, masks, bad graphs, quiet stderr."""

from __future__ import annotations

import subprocess
import sys
import threading
import weakref
from pathlib import Path

import numpy as np
import pytest

from converters.tflite.emitter import emit_tflite
from jpegai_mobile.errors import BundleError
from jpegai_mobile.networks.catalogue import build
from jpegai_mobile.networks.graph import CropToGrid, Graph, TransposedConv2d
from jpegai_mobile.runtime.network_runner import NetworkRunner
from tests.converter_support import (
    last_channel,
    random_inputs,
    random_parameters,
    runner_of,
    small_graph,
)
from tests.vectors import ROOT


@pytest.fixture(scope="module")
def graph() -> Graph:
    return small_graph(
        TransposedConv2d(
            output="t", inputs=("x",), weight="t.weight", bias="t.bias", in_channels=4, out_channels=4,
            kernel=(4, 4), stride=2, padding=1,
        ),
        CropToGrid(output="t:crop", inputs=("t",), grid=8),
    )  # fmt: skip


@pytest.fixture(scope="module")
def tflite(graph: Graph) -> bytes:
    return emit_tflite(graph, random_parameters(graph))


def test_without_an_extent_the_whole_input_counts(graph: Graph) -> None:
    inputs = last_channel(random_inputs(graph, (48, 80)))
    whole = runner_of(graph).run(inputs)["t:crop"]
    assert whole.shape == (6, 10, 4)
    assert np.array_equal(whole, runner_of(graph).run(inputs, (48, 80))["t:crop"])
    assert np.array_equal(whole[:5, :9], runner_of(graph).run(inputs, (40, 65))["t:crop"])


def test_tensors_are_allocated_again_only_for_another_size(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    runner = runner_of(graph)
    allocations = []
    allocate = runner._interpreter.allocate_tensors

    def count() -> None:
        allocations.append(1)
        allocate()

    monkeypatch.setattr(runner._interpreter, "allocate_tensors", count)
    for tile in [(64, 64), (64, 64), (63, 50), (64, 80), (64, 80), (64, 64)]:
        runner.run(last_channel(random_inputs(graph, tile)), tile)
    assert len(allocations) == 3


def test_a_smaller_tile_after_a_larger_one_leaves_nothing_behind(graph: Graph) -> None:
    used, fresh = runner_of(graph), runner_of(graph)
    used.run(last_channel(random_inputs(graph, (160, 160), seed=5)), (160, 160))
    inputs = last_channel(random_inputs(graph, (39, 72)))
    assert np.array_equal(used.run(inputs, (39, 72))["t:crop"], fresh.run(inputs, (39, 72))["t:crop"])


def test_outputs_are_the_callers_own(graph: Graph) -> None:
    runner = runner_of(graph)
    first = runner.run(last_channel(random_inputs(graph, (64, 64))))["t:crop"]
    copy = first.copy()
    runner.run(last_channel(random_inputs(graph, (64, 64), seed=1)))
    assert np.array_equal(first, copy)


def test_running_in_place_gives_views_and_takes_inputs_in_parts(graph: Graph) -> None:
    runner = runner_of(graph)
    (x,) = last_channel(random_inputs(graph, (64, 80))).values()
    expected = runner.run({"x": x})["t:crop"]
    upside_down = np.ascontiguousarray(x[::-1])[::-1]
    outputs = runner.run_in_place({"x": (upside_down[..., :1], upside_down[..., 1:])})
    assert np.array_equal(outputs["t:crop"], expected)
    with pytest.raises(BundleError, match="reference to internal data"):
        runner.run({"x": x})
    del outputs
    assert np.array_equal(runner.run({"x": x})["t:crop"], expected)
    with pytest.raises(ValueError, match=r"input x is \(4, 5, 5\)"):
        runner.run_in_place({"x": (x, x[..., :1])})


def test_inputs_that_do_not_fit_are_refused(graph: Graph) -> None:
    runner = runner_of(graph)
    x = np.zeros((4, 4, 4), np.float32)
    with pytest.raises(ValueError, match="inputs are \\['y'\\], the network has \\['x'\\]"):
        runner.run({"y": x})
    with pytest.raises(ValueError, match="the network has"):
        runner.run({"x": x, "mask_8": x})
    with pytest.raises(ValueError, match=r"input x is \(4, 4, 4\); 65x64 samples need \(5, 4, 4\)"):
        runner.run({"x": x}, (65, 64))
    with pytest.raises(ValueError, match=r"input x is \(4, 4, 5\)"):
        runner.run({"x": np.zeros((4, 4, 5), np.float32)})


def test_several_inputs_must_agree_in_size() -> None:
    runner = runner_of(build("context_model", "y"))
    inputs = {name: np.zeros((2, 2, 160), np.float32) for name in runner.inputs}
    assert runner.run(inputs).keys() == {f"latent_{k}" for k in range(4)}
    inputs["psi_2"] = np.zeros((2, 3, 160), np.float32)
    with pytest.raises(ValueError, match="input psi_2"):
        runner.run(inputs)


def test_a_closed_runner_holds_no_interpreter(graph: Graph) -> None:
    with runner_of(graph) as runner:
        interpreter = weakref.ref(runner._interpreter)
    assert interpreter() is None
    with pytest.raises(ValueError, match="closed"):
        runner.run({})


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: b"not a graph at all, but a text",
        lambda data: data[: len(data) // 2],
        lambda data: data[:8] + b"\xff" * 64 + data[72:],
        lambda data: data[4:],
    ],
    ids=["empty", "text", "half", "overwritten", "shifted"],
)
def test_a_damaged_graph_is_a_bundle_error(tflite: bytes, damage: object) -> None:
    assert callable(damage)
    with pytest.raises(BundleError, match="network graph"):
        NetworkRunner(damage(tflite))


def test_a_graph_of_another_kind_is_a_bundle_error(graph: Graph) -> None:
    tensors = b"\x01\x00\x00\x00\x04\x00\x00\x00\x04\x00\x00\x00\x04\x00\x00\x00"
    tflite = emit_tflite(graph, random_parameters(graph))
    assert tensors in tflite
    with pytest.raises(BundleError, match="is not a float32 tile"):
        NetworkRunner(tflite.replace(tensors, tensors.replace(b"\x04", b"\x05", 1)))


def test_random_damage_never_does_more_than_raise(tflite: bytes, graph: Graph) -> None:
    rng = np.random.default_rng(1)
    inputs = last_channel(random_inputs(graph, (64, 64)))
    refused = 0
    for _ in range(300):
        damaged = bytearray(tflite)
        for position in rng.integers(0, len(damaged), rng.integers(1, 5)):
            damaged[position] = rng.integers(256)
        try:
            NetworkRunner(bytes(damaged)).run(inputs)
        except (BundleError, ValueError):
            refused += 1
    assert refused > 20


def in_a_new_process(script: str, tmp_path: Path, tflite: bytes) -> subprocess.CompletedProcess[str]:
    (tmp_path / "graph.tflite").write_bytes(tflite)
    preamble = (
        "import os, sys, pathlib, numpy as np\n"
        "from jpegai_mobile.runtime.network_runner import NetworkRunner, Interpreter\n"
        "graph = pathlib.Path(sys.argv[1]).read_bytes()\n"
        "x = {'x': np.ones((4, 4, 4), np.float32)}\n"
    )
    command = [sys.executable, "-c", preamble + script, str(tmp_path / "graph.tflite")]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=300)


def test_nothing_is_printed(tmp_path: Path, tflite: bytes) -> None:
    script = "for _ in range(2): print(NetworkRunner(graph).run(x)['t:crop'].shape)\nos.write(2, b'after\\n')"
    done = in_a_new_process(script, tmp_path, tflite)
    assert done.stdout == "(8, 8, 4)\n" * 2
    assert done.stderr == "after\n"


def test_without_a_place_for_temporary_files_networks_run(tmp_path: Path, tflite: bytes) -> None:
    script = (
        "import tempfile\n"
        "def refused(): raise FileNotFoundError\n"
        "tempfile.TemporaryFile = refused\n"
        "print(NetworkRunner(graph).run(x)['t:crop'].shape)\n"
    )
    assert in_a_new_process(script, tmp_path, tflite).stdout == "(8, 8, 4)\n"


def test_what_else_goes_to_stderr_is_kept(tmp_path: Path, tflite: bytes) -> None:
    script = (
        "allocate = Interpreter.allocate_tensors\n"
        "def noisy(self):\n"
        "    os.write(2, b'ERROR: real\\n')\n"
        "    allocate(self)\n"
        "    os.write(2, b'INFO: also real')\n"
        "Interpreter.allocate_tensors = noisy\n"
        "NetworkRunner(graph).run(x)\n"
    )
    assert in_a_new_process(script, tmp_path, tflite).stderr == "ERROR: real\nINFO: also real"


def test_stderr_survives_first_runs_in_several_threads(tmp_path: Path, tflite: bytes) -> None:
    script = (
        "import threading, time\n"
        "allocate = Interpreter.allocate_tensors\n"
        "def slow(self):\n"
        "    time.sleep(0.05)\n"
        "    allocate(self)\n"
        "Interpreter.allocate_tensors = slow\n"
        "threads = [threading.Thread(target=lambda: NetworkRunner(graph).run(x)) for _ in range(4)]\n"
        "for thread in threads: thread.start()\n"
        "for thread in threads: thread.join()\n"
        "os.write(2, b'after')\n"
    )
    assert in_a_new_process(script, tmp_path, tflite).stderr == "after"


def test_a_process_without_stderr_runs(tmp_path: Path, tflite: bytes) -> None:
    done = in_a_new_process("os.close(2)\nprint(NetworkRunner(graph).run(x)['t:crop'].shape)", tmp_path, tflite)
    assert done.stdout == "(8, 8, 4)\n"


def test_runners_in_several_threads(graph: Graph) -> None:
    inputs = last_channel(random_inputs(graph, (64, 64)))
    expected = runner_of(graph).run(inputs)["t:crop"]
    results: list[bool] = []

    def work() -> None:
        runner = runner_of(graph)
        results.extend(np.array_equal(runner.run(inputs)["t:crop"], expected) for _ in range(20))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 60
