"""The checkpoint tree: which file is read for what, aliases, and what is said about unsound ones."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from converters.checkpoint import (
    EICCI_BANK,
    CheckpointTree,
    analysis_name,
    common_name,
    network_parameters,
    synthesis_name,
)
from converters.source_networks import checkpoint_name
from jpegai_mobile.errors import BundleError
from jpegai_mobile.networks import catalogue
from jpegai_mobile.networks.builder import GraphBuilder
from jpegai_mobile.networks.graph import Graph
from tests.torch_archive import save
from tests.vectors import CONFORMANCE, needs_conformance

ONE = {"w": np.ones(3, np.float32)}


def small_tree(root: Path, aliases: object = None) -> CheckpointTree:
    save(root / "VM_common_int" / "Y_0.012.pth", ONE)
    save(root / "VM_common_int" / "UV_0.012.pth", ONE)
    if aliases is not None:
        (root / "aliases.json").write_text(aliases if isinstance(aliases, str) else json.dumps(aliases))
    return CheckpointTree(root)


def small_graph() -> Graph:
    g = GraphBuilder("small")
    x = g.conv(g.input("x", 2, 1), "layer", 4, 3)
    return g.finish({"y": x}, grid=1)


def test_a_model_is_present_when_both_components_are(tmp_path: Path) -> None:
    tree = small_tree(tmp_path)
    save(tmp_path / "VM_common_int" / "Y_0.5.pth", ONE)
    assert tree.models == (1,)
    assert not tree.holds(synthesis_name("hop", "y", 1))


def test_aliases_stand_for_stored_files_only(tmp_path: Path) -> None:
    aliases = {
        "VM_common_int/Y_0.002.pth": "VM_common_int/Y_0.012.pth",
        "VM_common_int/UV_0.002.pth": "VM_common_int/UV_0.012.pth",
        "VM_common_int/UV_0.012.pth": "VM_common_int/Y_0.012.pth",
        "VM_common_int/Y_0.5.pth": "VM_common_int/Y_0.075.pth",
    }
    tree = small_tree(tmp_path, aliases)
    assert tree.models == (0, 1)
    assert tree.common("y", 0) is tree.common("y", 1)
    assert tree.common("uv", 1).name == "VM_common_int/UV_0.012.pth"
    with pytest.raises(BundleError, match=r"Y_0\.075\.pth: no such file.*Y_0\.5\.pth"):
        tree.common("y", 3)


def test_sources_are_the_hashes_of_what_was_read(tmp_path: Path) -> None:
    tree = small_tree(tmp_path)
    assert tree.sources == {}
    tree.common("y", 1)
    digest = hashlib.sha256((tmp_path / common_name("y", 1)).read_bytes()).hexdigest()
    assert tree.sources == {"VM_common_int/Y_0.012.pth": digest}


@pytest.mark.parametrize(
    "aliases",
    [
        "[]",
        "{",
        '{"a": 1}',
        '{"a": "../secret.pth"}',
        '{"a": "/etc/passwd"}',
        '{"/a": "b"}',
        "\0",
        "[" * 100_000,
    ],
)
def test_unsound_aliases_are_refused(aliases: str, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"aliases\.json"):
        small_tree(tmp_path, aliases)


def test_what_is_absent_is_named(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no such folder"):
        CheckpointTree(tmp_path / "absent")
    tree = small_tree(tmp_path)
    with pytest.raises(BundleError, match=r"VM_hop/decoder_UV_0\.075\.pth: No such file"):
        tree.read(synthesis_name("hop", "uv", 2))
    with pytest.raises(BundleError, match=r"VM_bop/encoder_Y_0\.002\.pth: No such file"):
        tree.read(analysis_name("y", 0))
    with pytest.raises(BundleError, match="no eICCI_"):
        tree.eicci("sop", 0)


@pytest.mark.parametrize(
    ("operating_point", "index", "name"),
    [
        ("sop", 0, "eicci_bop_mse012"),
        ("bop", 4, "eicci_bop_mse100"),
        ("hop", 5, "eicci_hop_mss012"),
        ("bop", 8, "eicci_bop_mss075"),
    ],
)
def test_the_bank_follows_operating_point_and_order(
    operating_point: str, index: int, name: str, tmp_path: Path
) -> None:
    for bank in ("bop", "hop"):
        for network in EICCI_BANK:
            save(tmp_path / "eICCI_of_some_day" / f"eicci_{bank}_{network}_300k.pth", ONE)
    file = CheckpointTree(tmp_path).eicci(operating_point, index)
    assert file.name == f"eICCI_of_some_day/{name}_300k.pth"


def test_parameters_are_checked_against_the_graph(tmp_path: Path) -> None:
    weight = np.arange(72, dtype=np.float16).reshape(4, 2, 3, 3)
    bias = np.ones(4)
    good: dict[str, NDArray[Any]] = {"layer.weight": weight, "layer.bias": bias, "other": np.ones(1)}
    forged: dict[str, dict[str, NDArray[Any]]] = {
        "is missing": {"layer.weight": weight},
        "has shape": {"layer.weight": weight[:3], "layer.bias": bias},
        "has type int8": {"layer.weight": weight.astype(np.int8), "layer.bias": bias},
        "holds a NaN, or a number that does not fit float32": {"layer.weight": weight, "layer.bias": bias * 1e300},
    }
    for reason, tensors in forged.items():
        save(tmp_path / "forged.pth", tensors)
        with pytest.raises(BundleError, match=rf"^forged\.pth: tensor 'layer\.(weight|bias)' {reason}"):
            network_parameters(CheckpointTree(tmp_path).read("forged.pth"), small_graph())
    save(tmp_path / "good.pth", good)
    parameters = network_parameters(CheckpointTree(tmp_path).read("good.pth"), small_graph())
    assert list(parameters) == ["layer.weight", "layer.bias"]
    assert all(array.dtype == np.float32 for array in parameters.values())
    assert np.array_equal(parameters["layer.weight"], weight)


@needs_conformance
def test_the_conformance_tree_reads_whole() -> None:
    root = CONFORMANCE / "checkpoints"
    tree = CheckpointTree(root)
    assert tree.models == (0, 1, 2, 3)
    stored = json.loads((root / "files.json").read_text())
    for name in stored:
        assert tree.read(name).tensors
    assert tree.sources == {name: entry["sha256"] for name, entry in stored.items()}
    for network, component, operating_point in catalogue.BUILDERS:
        key = (network, component, operating_point)
        file = tree.eicci("hop", 9) if network == "eicci" else tree.read(checkpoint_name(key, 3))
        graph = catalogue.build(*key)
        assert tuple(network_parameters(file, graph)) == graph.parameter_names()


@needs_conformance
@pytest.mark.parametrize("operating_point", ["sop", "bop", "hop"])
@pytest.mark.parametrize("component", ["y", "uv"])
def test_a_synthesis_graph_uses_every_tensor_of_its_file(operating_point: str, component: str) -> None:
    file = CheckpointTree(CONFORMANCE / "checkpoints").read(synthesis_name(operating_point, component, 1))
    graph = catalogue.build("synthesis", component, operating_point)
    assert set(graph.parameter_names()) == set(file.tensors)
