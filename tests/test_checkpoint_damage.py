"""Bad weights in either layout of the reference software: one line that names file and tensor, and no bundle."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from converters.checkpoint import Checkpoints, common_name, synthesis_name
from converters.cli import main
from converters.open_checkpoints import open_checkpoints
from tests.onnx_export_files import inside, network, scale_decoder, write_export
from tests.torch_archive import Archive, Global, Reduce, pickled, save
from tests.vectors import ROOT

Tensors = dict[str, NDArray[np.generic]]
COMMON = common_name("y", 1)
SYNTHESIS = synthesis_name("sop", "uv", 1)
MODULES = "common/model_1/primary/common_modules"


@pytest.fixture(scope="module")
def weights() -> Checkpoints:
    return open_checkpoints(ROOT / "weights/own_model1.zip", ROOT / "weights/own_model1_encoder.zip")


@pytest.fixture(scope="module")
def trees(weights: Checkpoints, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Layout -> a sound folder in it."""
    torch = tmp_path_factory.mktemp("torch")
    for component in ("y", "uv"):
        for name in (common_name(component, 1), synthesis_name("sop", component, 1)):
            save(torch / name, weights.read(name).tensors)
    return {"torch": torch, "onnx": write_export(tmp_path_factory.mktemp("onnx"), weights)}


def onnx_file(tensors: Tensors, start: str) -> bytes:
    part = inside(tensors, start)
    return scale_decoder(part) if start == "hyper_scale_decoder." else network(part)


def refused(tree: Path, root: Path, file: str, data: bytes, capsys: pytest.CaptureFixture[str]) -> str:
    """What the command says about a folder in which one file is another."""
    shutil.copytree(tree, root / "tree", copy_function=os.symlink)
    (root / "tree" / file).unlink()
    (root / "tree" / file).write_bytes(data)
    assert main([str(root / "tree"), "-o", str(root / "bundle"), "--operating-points", "sop"]) == 1
    output = capsys.readouterr()
    assert output.out == "" and output.err.count("\n") == 1 and len(output.err) < 400
    assert not (root / "bundle").exists()
    return output.err


def cut(array: NDArray[np.generic]) -> NDArray[np.generic]:
    return array[1:].copy()


def with_value(value: float) -> Callable[[NDArray[np.generic]], NDArray[np.generic]]:
    def change(array: NDArray[np.generic]) -> NDArray[np.generic]:
        changed = array.astype(np.float32)
        changed.flat[-1] = value
        return changed

    return change


EXPORTED = {
    "hyper_decoder.": f"{MODULES}/hyper_decoder.onnx",
    "context.MCM.2.": f"{MODULES}/MCM/stage2.onnx",
    "hyper_scale_decoder.": f"{MODULES}/hyper_scale_decoder.onnx",
    "": "enc_dec/model_1/secondary/synthesis_0.onnx",
}
"""Start of tensor names -> the exported file that holds them."""


@pytest.mark.parametrize("layout", ["torch", "onnx"])
@pytest.mark.parametrize(
    ("start", "name", "change", "reason"),
    [
        ("hyper_scale_decoder.", "pointwise.bias", None, "is missing"),
        ("hyper_scale_decoder.", "depthwise.weight", cut, "has shape (159, 160, 3, 3), not (160, 160, 3, 3)"),
        ("hyper_decoder.", "conv2.bias", with_value(np.nan), "holds a NaN or an infinity"),
        ("hyper_decoder.", "conv4.weight", None, "is missing (hyper_decoder_y needs it)"),
        ("context.MCM.2.", "conv.1.weight", cut, "has shape (159, 32, 3, 3), not (160, 32, 3, 3)"),
        ("", "conv3.weight", with_value(-np.inf), "holds a NaN or an infinity"),
        ("", "iact2.conv.weight", None, "is missing"),
    ],
)
def test_a_bad_tensor_is_named(
    weights: Checkpoints,
    trees: dict[str, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    layout: str,
    start: str,
    name: str,
    change: Callable[[NDArray[np.generic]], NDArray[np.generic]] | None,
    reason: str,
) -> None:
    checkpoint = COMMON if start else SYNTHESIS
    tensors = dict(weights.read(checkpoint).tensors)
    bad = tensors.pop(start + name)
    if change is not None:
        tensors[start + name] = change(bad)
    if layout == "torch":
        file, data, shown = checkpoint, bytes(Archive(tensors)), start + name
    else:
        file, data, shown = EXPORTED[start], onnx_file(tensors, start), name
    message = refused(trees[layout], tmp_path, file, data, capsys)
    assert f"{file}: tensor {shown!r}" in message and reason in message


@pytest.mark.parametrize(("layout", "file"), [("torch", COMMON), ("onnx", f"{MODULES}/MCM/stage0.onnx")])
@pytest.mark.parametrize("share", [0, 0.2, 0.999])
def test_a_truncated_file_is_named(
    trees: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], layout: str, file: str, share: float
) -> None:
    data = (trees[layout] / file).read_bytes()
    message = refused(trees[layout], tmp_path, file, data[: int(share * len(data))], capsys)
    assert f"{file}: not a" in message


@pytest.mark.parametrize(("layout", "file"), [("torch", COMMON), ("onnx", f"{MODULES}/MCM/stage0.onnx")])
def test_a_foreign_pickle_runs_nothing(
    trees: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], layout: str, file: str
) -> None:
    call = Reduce(Global("posix system"), (f"touch {tmp_path / 'run'}",))
    data = (
        pickled(call) if layout == "onnx" else bytes(Archive({}, pickle=pickled({"hyper_decoder.conv1.weight": call})))
    )
    message = refused(trees[layout], tmp_path, file, data, capsys)
    assert not (tmp_path / "run").exists()
    assert file in message and (layout == "onnx" or "tensor 'hyper_decoder.conv1.weight': would call" in message)
