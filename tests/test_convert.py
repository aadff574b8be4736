"""Conversion of the project's own weights: the command, the packed checkpoint, reproducibility."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from converters.checkpoint import CheckpointTree
from converters.cli import main
from converters.convert import Selection, convert
from converters.open_checkpoints import open_checkpoints
from converters.packed_checkpoint import INDEX_NAME, WANTED, PackedCheckpoint, pack
from jpegai_mobile.errors import BundleError
from jpegai_mobile.latent.model_tables import EntropyModel
from jpegai_mobile.runtime.bundle import Bundle
from jpegai_mobile.runtime.network_runner import NetworkRunner
from tests.converter_support import zip_of_far_entries
from tests.torch_archive import save
from tests.vectors import CONFORMANCE, ROOT, needs_conformance

WEIGHTS = ROOT / "weights" / "own_model1.zip"
COMMON = ("VM_common_int/Y_0.012.pth", "VM_common_int/UV_0.012.pth")
FILES_OF_MODEL_1 = {
    "manifest.json",
    "entropy_1.bin",
    "hyper_decoder_y_1.float32.tflite",
    "hyper_decoder_uv_1.float32.tflite",
    "context_model_y_1.float32.tflite",
    "synthesis_y_1_sop.float32.tflite",
    "synthesis_uv_1_sop.float32.tflite",
    "synthesis_y_1_bop.float32.tflite",
    "synthesis_uv_1_bop.float32.tflite",
}


def converted(tmp_path: Path, *options: str, source: Path = WEIGHTS, name: str = "bundle") -> Path:
    """The bundle that the command writes."""
    assert main([str(source), "-o", str(tmp_path / name), *options]) == 0
    return tmp_path / name


def failure(capsys: pytest.CaptureFixture[str], status: int, *arguments: object) -> str:
    """The one line that the command writes to stderr when it fails with `status`."""
    capsys.readouterr()
    try:
        found: Any = main([str(argument) for argument in arguments])
    except SystemExit as stop:
        found = stop.code
    assert found == status
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.count("\n") == 1
    return output.err.strip()


def test_the_weights_of_the_repository_are_small_enough() -> None:
    assert WEIGHTS.stat().st_size <= 9_000_000


def test_defaults(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = converted(tmp_path)
    assert {file.name for file in path.iterdir()} == FILES_OF_MODEL_1
    printed = capsys.readouterr().out
    assert all(f"{file.stat().st_size:,}  {file.name}\n" in printed for file in path.iterdir())
    bundle = Bundle.open(path)
    assert (bundle.models(), bundle.operating_points(), bundle.precisions()) == (
        (1,),
        ("sop", "bop"),
        ("float32",),
    )
    assert "CC BY 4.0" in bundle.manifest.licence
    assert bundle.manifest.source.keys() == {WEIGHTS.name}
    EntropyModel.from_bytes(bundle.entropy_model_bytes(1))
    for key in bundle.manifest.networks:
        graph = bundle.graph(key.network, key.component, key.model, key.operating_point, key.precision)
        runner = NetworkRunner(graph)
        # The coarsest grid is 64, so every input of this tile is a whole number of elements.
        sizes = {name: 128 // info.grid for name, info in runner.inputs.items()}
        inputs = {
            name: np.ones((sizes[name], sizes[name], info.channels), np.float32) for name, info in runner.inputs.items()
        }
        assert all(np.isfinite(output).all() for output in runner.run(inputs).values())


def test_a_selection(tmp_path: Path) -> None:
    path = converted(tmp_path, "--operating-points", "sop", "--models", "1")
    assert {file.name for file in path.iterdir()} == {name for name in FILES_OF_MODEL_1 if "bop" not in name}


@pytest.mark.parametrize("name", ["bundle", "bundle.zip"])
def test_two_conversions_are_equal_byte_for_byte(tmp_path: Path, name: str) -> None:
    first, second = (converted(tmp_path / run, name=name) for run in ("1", "2"))
    for file in [first] if first.is_file() else first.iterdir():
        assert file.read_bytes() == (second / file.relative_to(first)).read_bytes()


def test_a_zip_holds_what_the_folder_holds(tmp_path: Path) -> None:
    folder = converted(tmp_path)
    with zipfile.ZipFile(converted(tmp_path, name="bundle.zip")) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == {
            file.name: file.read_bytes() for file in folder.iterdir()
        }


def test_the_licence_note_can_be_given(tmp_path: Path) -> None:
    with Bundle.open(converted(tmp_path, "--licence", "mine alone")) as bundle:
        assert bundle.manifest.licence == "mine alone"


def test_what_is_not_there_is_an_error_that_names_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "bundle"
    text = failure(capsys, 1, WEIGHTS, "-o", output, "--models", "1,3")
    assert text.startswith(f"jpegai-convert: {WEIGHTS}: holds nothing of VM_common_int/Y_0.5.pth; it has ")
    text = failure(capsys, 1, WEIGHTS, "-o", output, "--parts", "encoder")
    assert "VM_bop/encoder_Y_0.012.pth" in text
    text = failure(capsys, 1, WEIGHTS, "-o", output, "--operating-points", "hop")
    assert "holds nothing of VM_hop/decoder_Y_0.012.pth" in text
    text = failure(capsys, 1, tmp_path / "absent", "-o", output)
    assert text == f"jpegai-convert: {tmp_path / 'absent'}: no such folder of checkpoints"
    (tmp_path / "empty").mkdir()
    text = failure(capsys, 1, tmp_path / "empty", "-o", output)
    assert text.startswith(f"jpegai-convert: {tmp_path / 'empty'}: holds no model, ")
    text = failure(capsys, 1, tmp_path / "empty", "-o", output, "--models", "2")
    assert f"{tmp_path / 'empty' / 'VM_common_int' / 'Y_0.075.pth'}" in text
    assert not output.exists()


def test_a_listener_hears_of_every_network_in_every_precision() -> None:
    heard: list[tuple[int, int]] = []
    selection = Selection([1], ["sop"], ["float32", "float16"], ["decoder"])
    bundle = convert(open_checkpoints(WEIGHTS), selection, listener=lambda *told: heard.append(told)).in_memory()
    assert heard == [(done, 10) for done in range(1, 11)] and len(bundle.manifest.networks) == 10


def test_an_existing_file_of_the_user_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    text = failure(capsys, 1, WEIGHTS, "-o", tmp_path / "notes.txt")
    assert "exists and is no model bundle" in text
    assert (tmp_path / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--coreml-tiles", "512"], "--coreml-tiles: only Core ML packages have tile sizes (--targets coreml)"),
        *(
            (
                ["--calibration", ".", *options],
                "--calibration: nothing of this is fitted to data, as int8w, int8mixed and int8 decoders are",
            )
            for options in ([], ["--precision", "int8", "--parts", "encoder"])
        ),
        (["--coreml-tiles", "512,100"], "argument --coreml-tiles: '512,100' is no list of multiples of 64 up to 4096"),
        (["--targets", "onnx"], "argument --targets: 'onnx' is none of tflite, coreml"),
        (
            ["--precision", "float32,int4"],
            "argument --precision: 'int4' is none of float32, float16, int8w, int8mixed, int8",
        ),
        (["--precision", ""], "argument --precision: '' is none of float32, float16, int8w, int8mixed, int8"),
        (["--operating-points", "top"], "argument --operating-points: 'top' is none of sop, bop, hop"),
        (["--models", "4"], "argument --models: '4' is none of 0, 1, 2, 3"),
        (["--models", "one"], "argument --models: 'one' is none of 0, 1, 2, 3"),
        (["--parts", "filters"], "argument --parts: 'filters' is none of decoder, encoder"),
    ],
)
def test_usage_errors(capsys: pytest.CaptureFixture[str], arguments: Sequence[str], text: str) -> None:
    assert failure(capsys, 2, WEIGHTS, "-o", "never-written", *arguments) == f"jpegai-convert: {text}"


def test_a_missing_output_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert "-o/--output" in failure(capsys, 2, WEIGHTS)
    assert "BUNDLE" in failure(capsys, 2, "report")


@pytest.mark.parametrize("words", [["--help"], ["pack", "--help"], ["report", "--help"]])
def test_help_has_examples(words: list[str]) -> None:
    command = [sys.executable, "-m", "converters.cli", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "example" in done.stdout
    assert done.stderr == ""


def own_tree(root: Path) -> CheckpointTree:
    """The repository's weights as a checkpoint tree."""
    packed = PackedCheckpoint(WEIGHTS)
    for name, description in packed_index(WEIGHTS)["files"].items():
        file = packed.read(name)
        assert file.tensors.keys() == description["tensors"].keys()
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        save(root / name, file.tensors)
    return CheckpointTree(root)


def packed_index(path: Path) -> dict[str, Any]:
    with zipfile.ZipFile(path) as archive:
        index: dict[str, Any] = json.loads(archive.read(INDEX_NAME))
    return index


def test_tree_and_packed_file_give_the_same_networks(tmp_path: Path) -> None:
    own_tree(tmp_path / "tree")
    from_tree, from_pack = (
        converted(tmp_path, source=tmp_path / "tree", name="1"),
        converted(tmp_path, name="2"),
    )
    manifests = [Bundle.open(path).manifest for path in (from_tree, from_pack)]
    assert manifests[0].files == manifests[1].files
    assert manifests[0].source.keys() >= set(COMMON)
    assert "not stated" in manifests[0].licence


def test_models_that_are_aliases_share_their_files(tmp_path: Path) -> None:
    tree = own_tree(tmp_path / "tree")
    aliases = {name.replace("0.012", "0.5"): name for name in packed_index(WEIGHTS)["files"]}
    (tree.root / "aliases.json").write_text(json.dumps(aliases))
    path = converted(tmp_path, source=tree.root)
    with Bundle.open(path) as bundle:
        assert bundle.models() == (1, 3)
        assert bundle.entropy_model_bytes(1) == bundle.entropy_model_bytes(3)
        assert len(bundle.manifest.networks) == 14
    assert {file.name for file in path.iterdir()} == FILES_OF_MODEL_1


def test_packing_again_gives_the_same_tensors(tmp_path: Path) -> None:
    tree = own_tree(tmp_path / "tree")
    output = tmp_path / "packed"
    assert main(["pack", str(tree.root), "-o", str(output), "--licence", "mine"]) == 0
    again, original = packed_index(output), packed_index(WEIGHTS)
    assert again["licence"] == "mine"
    assert again["files"].keys() == original["files"].keys()
    for name, file in again["files"].items():
        assert file["tensors"] == original["files"][name]["tensors"]
        assert file["sha256"] == tree.read(name).sha256
        for tensor, values in PackedCheckpoint(output).read(name).tensors.items():
            expected = tree.read(name).tensors[tensor]
            assert values.dtype == expected.dtype
            assert np.array_equal(values, expected)
    assert output.read_bytes() == pack(tree, [1], ["sop", "bop"], "mine")


def test_floats_that_do_not_fit_float16_are_kept(tmp_path: Path) -> None:
    tree, name, packed = own_tree(tmp_path / "tree"), "quantizer.gain_unit.c", tmp_path / "packed.zip"
    tensors = tree.read(COMMON[0]).tensors
    tensors[name] = tensors[name] + np.float32(1 + 1e-5)
    save(tree.root / COMMON[0], tensors)
    assert main(["pack", str(tree.root), "-o", str(packed)]) == 0
    assert packed_index(packed)["files"][COMMON[0]]["tensors"][name]["type"] == "float32"
    assert np.array_equal(PackedCheckpoint(packed).read(COMMON[0]).tensors[name], tensors[name])
    types = {tensor["type"] for file in packed_index(WEIGHTS)["files"].values() for tensor in file["tensors"].values()}
    assert types == {"float16", "int8", "int32", "bool"}


def test_numbers_of_other_types_are_packed_where_that_loses_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tree, packed = own_tree(tmp_path / "tree"), tmp_path / "packed.zip"
    tensors = tree.read(COMMON[0]).tensors
    gain, shifts = "quantizer.gain_unit.c", "hyper_scale_decoder.conv1.per_channel_shifts"
    wide = {gain: tensors[gain].astype(np.float64), shifts: tensors[shifts].astype(np.int64)}
    save(tree.root / COMMON[0], tensors | wide)
    assert main(["pack", str(tree.root), "-o", str(packed)]) == 0
    for name, values in PackedCheckpoint(packed).read(COMMON[0]).tensors.items():
        assert values.dtype == (np.int32 if name == shifts else tensors[name].dtype)
        assert np.array_equal(values, tensors[name])
    packed.unlink()
    for name, beyond, reason in (
        (gain, wide[gain] + 1e-12, "float64 numbers that float32"),
        (shifts, wide[shifts] + (1 << 31), "int64 numbers that int32"),
    ):
        save(tree.root / COMMON[0], tensors | {name: beyond})
        text = failure(capsys, 1, "pack", tree.root, "-o", packed)
        assert text == f"jpegai-convert: {COMMON[0]}: tensor {name!r} holds {reason} does not hold"
    assert not packed.exists()


def test_packing_says_that_eicci_is_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tree = own_tree(tmp_path / "tree")
    for parts, said in (("decoder", False), ("decoder", True)):
        assert main(["pack", str(tree.root), "-o", str(tmp_path / "packed"), "--parts", parts]) == 0
        assert ("the eICCI networks are not packed\n" in capsys.readouterr().out) is said
        (tree.root / "eICCI_x").mkdir(exist_ok=True)
        (tree.root / "eICCI_x" / "eicci_bop_mse012_300k.pth").write_bytes(b"")


def test_packing_what_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    assert "holds no model" in failure(capsys, 1, "pack", tmp_path / "empty", "-o", tmp_path / "packed")
    tree = own_tree(tmp_path / "tree")
    name = "VM_sop/decoder_Y_0.012.pth"
    tensors = tree.read(name).tensors
    del tensors["conv4.weight"]
    save(tree.root / name, tensors)
    text = failure(capsys, 1, "pack", tree.root, "-o", tmp_path / "packed")
    assert text == f"jpegai-convert: {name}: tensor 'conv4.weight' is missing"
    assert not (tmp_path / "packed").exists()
    assert "No such file" in failure(
        capsys, 1, "pack", tree.root, "--operating-points", "bop", "-o", tmp_path / "no" / "packed"
    )


def edited(path: Path, entry: str, data: bytes | None) -> Path:
    """A copy of the repository's weights at `path` with one entry replaced or left out."""
    with zipfile.ZipFile(WEIGHTS) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            content = data if name == entry else source.read(name)
            if content is not None:
                target.writestr(name, content)
    return path


TENSOR = f"{COMMON[0]}/hyper_decoder.conv1.weight"


@pytest.mark.parametrize(
    ("entry", "data", "reason"),
    [
        (TENSOR, None, f"'{TENSOR}' is missing"),
        (TENSOR, b"\0" * 10, f"'{TENSOR}' does not have the 51200 bytes of its shape"),
        (TENSOR, b"\0" * 60_000, f"'{TENSOR}' does not have the 51200 bytes of its shape"),
        (INDEX_NAME, None, f"not a packed checkpoint: index.json is missing; {WANTED}"),
        (INDEX_NAME, b"[]", "index.json is not that of a jpegai-mobile packed checkpoint"),
        (INDEX_NAME, b"[" * 100_000, "index.json is nested too deeply"),
    ],
)
def test_a_damaged_packed_file(tmp_path: Path, entry: str, data: bytes | None, reason: str) -> None:
    path = edited(tmp_path / "bad", entry, data)
    with pytest.raises(BundleError) as caught:
        open_checkpoints(path)
    assert str(caught.value) == f"{path}: {reason}"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda d: d.update(version=2), "this release reads version 1"),
        (lambda d: d.update(format="other"), "is a 'other' of version 1; this release reads version 1"),
        (lambda d: d.pop("licence"), "index.json is not that of"),
        (lambda d: d["files"].update({COMMON[0]: 1}), f"index.json: the entry of '{COMMON[0]}' is unsound"),
        (
            lambda d: d["files"][COMMON[0]]["tensors"].update({"x": 1}),
            f"the entry of tensor '{COMMON[0]}/x' is uns",
        ),
        (
            lambda d: d["files"][COMMON[0]]["tensors"]["hyper_decoder.conv1.weight"].update(shape=[1 << 28, 2]),
            "its tensors take more than 268435456 bytes",
        ),
        (
            lambda d: d["files"][COMMON[0]]["tensors"]["hyper_decoder.conv1.weight"].update(shape=[-1, 2]),
            "the entry of tensor",
        ),
        (
            lambda d: d["files"][COMMON[0]]["tensors"]["hyper_decoder.conv1.weight"].update(type="object"),
            "the entry of tensor",
        ),
    ],
)
def test_an_unsound_index(tmp_path: Path, change: Any, reason: str) -> None:
    index = packed_index(WEIGHTS)
    change(index)
    path = edited(tmp_path / "bad", INDEX_NAME, json.dumps(index).encode())
    with pytest.raises(BundleError) as caught:
        open_checkpoints(path)
    assert reason in str(caught.value)


def test_a_packed_file_that_says_its_entries_lie_beyond_every_file(tmp_path: Path) -> None:
    (tmp_path / "far").write_bytes(zip_of_far_entries({INDEX_NAME: b"{}"}))
    with pytest.raises(BundleError, match=r"far: 'index\.json' is damaged"):
        open_checkpoints(tmp_path / "far")


def test_packed_files_of_one_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    paths = [tmp_path / part / "own.zip" for part in ("decoder", "encoder")]
    for path, weights in zip(paths, (WEIGHTS, WEIGHTS.with_name("own_model1_encoder.zip")), strict=True):
        path.parent.mkdir()
        shutil.copyfile(weights, path)
    assert open_checkpoints(*paths).sources.keys() == {"decoder/own.zip", "encoder/own.zip"}


def test_a_single_checkpoint_is_not_what_is_wanted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "Y_0.012.pth"
    save(file, {"weight": np.ones(2, np.float32)})
    text = failure(capsys, 1, file, "-o", tmp_path / "bundle")
    assert text.endswith(": not a packed checkpoint: index.json is missing; " + WANTED)
    file.write_bytes(b"\x80\x02}q\x00.")  # as PyTorch wrote them before it wrote zips
    assert failure(capsys, 1, file, "-o", tmp_path / "bundle").endswith(WANTED)


def test_a_truncated_packed_file(tmp_path: Path) -> None:
    whole = WEIGHTS.read_bytes()
    for size in (0, 3, 1000, len(whole) // 2, len(whole) - 1):
        (tmp_path / "cut").write_bytes(whole[:size])
        with pytest.raises(BundleError, match="cut: not a packed checkpoint, or a truncated one"):
            open_checkpoints(tmp_path / "cut")


def test_damage_inside_a_packed_file(tmp_path: Path) -> None:
    whole = bytearray(WEIGHTS.read_bytes())
    whole[5_000_000] ^= 0xFF
    (tmp_path / "bad").write_bytes(whole)
    with pytest.raises(BundleError, match="is damaged"):
        open_checkpoints(tmp_path / "bad")


@needs_conformance
def test_the_whole_conformance_tree(tmp_path: Path) -> None:
    checkpoints = CONFORMANCE / "checkpoints"
    options = ("--parts", "decoder,encoder", "--operating-points", "sop,bop,hop")
    path = converted(tmp_path, *options, source=checkpoints)
    with Bundle.open(path) as bundle:
        assert bundle.models() == (0, 1, 2, 3)
        kinds = [(key.network, key.component) for key in bundle.manifest.networks]
        assert kinds.count(("synthesis", "y")) == 12
        assert kinds.count(("analysis", "uv")) == 4
        assert kinds.count(("eicci", "uv")) == 20
        # All models stand for the same files, as do the twenty eICCI networks for five.
        assert len(bundle.manifest.files) == 1 + 9 + 4 + 10
        for name in bundle.manifest.files:
            shutil.copy(path / name, tmp_path)  # every file that the manifest names is there
