"""Models in the ONNX and CSV layout of the reference software: the same bundle as from its checkpoints."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from converters.checkpoint import COMPONENTS, CheckpointFile, Checkpoints, common_name, network_parameters
from converters.cli import main
from converters.convert import Selection, convert
from converters.entropy_model import entropy_model
from converters.onnx_eicci import eicci_tensors
from converters.onnx_export import OnnxExport
from converters.onnx_model import OnnxModel
from converters.open_checkpoints import open_checkpoints
from converters.source_networks import eicci_networks
from jpegai_mobile.errors import BundleError
from jpegai_mobile.networks.catalogue import build
from jpegai_mobile.networks.evaluate import evaluate
from jpegai_mobile.networks.folding import fold
from jpegai_mobile.runtime.manifest import NetworkKey
from tests.converter_support import random_inputs, random_parameters
from tests.onnx_export_files import (
    DATA_TYPES,
    eicci_network,
    field,
    floats,
    inside,
    model,
    node,
    scale_decoder,
    tensor,
    varint,
    write,
    write_export,
)
from tests.vectors import ROOT

COMMON = "common/model_1/primary/common_modules"
WEIGHT = np.arange(24, dtype=np.float32).reshape(2, 3, 4)


@pytest.fixture(scope="module")
def weights() -> Checkpoints:
    return open_checkpoints(ROOT / "weights/own_model1.zip", ROOT / "weights/own_model1_encoder.zip")


@pytest.fixture(scope="module")
def export(weights: Checkpoints, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_export(tmp_path_factory.mktemp("export"), weights)


def changed(export: Path, root: Path, file: str, data: bytes) -> Path:
    """The export with one file that is another."""
    shutil.copytree(export, root, copy_function=os.symlink, dirs_exist_ok=True)
    (root / file).unlink()
    (root / file).write_bytes(data)
    return root


def bundle(source: Checkpoints, selection: Selection, path: Path) -> dict[Path, bytes]:
    """The files of a bundle, its manifest without sources among them."""
    convert(source, selection).write(path, {}, "")
    return {file.relative_to(path): file.read_bytes() for file in path.iterdir()}


def refusal(data: bytes) -> str:
    with pytest.raises(ValueError) as caught:
        OnnxModel(data)
    return str(caught.value)


def test_the_bundle_equals_that_of_the_checkpoints(weights: Checkpoints, export: Path, tmp_path: Path) -> None:
    selection = Selection([1], ["sop", "bop"], ["float32"], ["decoder", "encoder"])
    source = open_checkpoints(export)
    assert isinstance(source, OnnxExport) and source.models == (1,)
    assert bundle(source, selection, tmp_path / "export") == bundle(weights, selection, tmp_path / "checkpoints")


def test_z_may_be_given_by_frequencies(weights: Checkpoints, tmp_path: Path) -> None:
    source = OnnxExport(write_export(tmp_path, weights, frequencies=True))
    tables = [
        entropy_model(*(files.common(component, 1) for component in COMPONENTS)).to_bytes()
        for files in (source, weights)
    ]
    assert tables[0] == tables[1]


def test_sources_are_the_exported_files(export: Path) -> None:
    source = OnnxExport(export)
    assert source.sources == {}
    source.common("uv", 1)
    files = [file for file in export.rglob("*") if file.is_file()]
    hashes = {str(file.relative_to(export)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
    assert source.sources.items() <= hashes.items()
    assert len(source.sources) == 3 + 2 + 3


def test_what_an_export_lacks(export: Path) -> None:
    source = OnnxExport(export)
    assert not source.holds(common_name("y", 0)) and not source.holds("VM_hop/decoder_Y_0.012.pth")
    with pytest.raises(BundleError, match=r"synthesis_2\.onnx: No such file"):
        source.read("VM_hop/decoder_Y_0.012.pth")
    with pytest.raises(BundleError, match=r"holds nothing of some\.pth"):
        source.read("some.pth")


def test_an_export_needs_no_encoder_for_a_decoder(export: Path, tmp_path: Path) -> None:
    shutil.copytree(export, tmp_path / "lean", copy_function=os.symlink)
    for file in (tmp_path / "lean").rglob("hyper_encoder.onnx"):
        file.unlink()
    source = OnnxExport(tmp_path / "lean")
    decoder, encoder = (Selection([1], ["sop"], ["float32"], [part]) for part in ("decoder", "encoder"))
    assert bundle(source, decoder, tmp_path / "a") == bundle(OnnxExport(export), decoder, tmp_path / "b")
    assert not any("hyper_encoder" in file for file in source.sources)
    with pytest.raises(BundleError, match=rf"{COMMON}/hyper_encoder\.onnx: tensor 'conv1\.weight' is missing"):
        convert(source, encoder)


@pytest.mark.parametrize("name", DATA_TYPES)
@pytest.mark.parametrize("shape", [(), (0,), (5,), (2, 3, 4, 1)])
def test_every_type_and_shape_comes_back(name: str, shape: tuple[int, ...]) -> None:
    array = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(name)
    read = OnnxModel(model({"w": array})).tensors["w"]
    assert read.dtype == array.dtype and read.shape == shape
    assert np.array_equal(read, array)


@pytest.mark.parametrize(
    ("data_type", "elements", "expected"),
    [
        (1, floats(4, [1.5, -2.0]), np.array([1.5, -2.0], np.float32)),
        (6, field(5, varint(7) + varint(-8)), np.array([7, -8], np.int32)),
        (3, field(5, 7) + field(5, -8), np.array([7, -8], np.int8)),
        (7, field(7, varint(1 << 40) + varint(-1)), np.array([1 << 40, -1])),
        (10, field(5, varint(0x3C00) + varint(0xC000)), np.array([1, -2], np.float16)),
    ],
)
def test_elements_may_stand_in_the_field_of_their_type(data_type: int, elements: bytes, expected: np.ndarray) -> None:
    data = field(1, 2) + field(2, data_type) + field(8, "w") + elements
    read = OnnxModel(field(7, field(5, data))).tensors["w"]
    assert read.dtype == expected.dtype and np.array_equal(read, expected)


def tensor_of(**fields: bytes) -> bytes:
    """An ONNX file with a tensor w of two floats, fields of which are replaced."""
    parts = {"shape": field(1, 2), "type": field(2, 1), "name": field(8, "w"), "data": floats(4, [1, 2])} | fields
    return field(7, field(5, b"".join(parts.values())))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (tensor_of(shape=field(1, 3)), "tensor 'w': has 2 elements, not those of its shape (3,)"),
        (tensor_of(shape=field(1, -2)), "tensor 'w': has an impossible shape"),
        (tensor_of(shape=field(1, 1) * 9), "tensor 'w': has an impossible shape"),
        (tensor_of(shape=field(1, 1 << 40)), "tensor 'w': has 2 elements"),
        (tensor_of(type=field(2, 8)), "tensor 'w': has elements of unknown type 8"),
        (tensor_of(data=field(9, b"12345")), "tensor 'w': has 5 bytes"),
        (tensor_of(data=floats(4, [1, float("nan")])), "tensor 'w': holds a NaN"),
        (tensor_of(data=floats(4, [1, -float("inf")])), "tensor 'w': holds a NaN or an infinity"),
        (tensor_of(type=field(2, 9), data=field(9, b"\1\2")), "tensor 'w': holds truth values"),
        (tensor_of(type=field(2, 3), data=field(5, 1) + field(5, 200)), "tensor 'w': holds a number that does not fit"),
        (tensor_of(data=field(14, 1)), "tensor 'w': keeps its numbers in another file"),
        (field(7, field(5, tensor("w", WEIGHT)) * 2), "tensor 'w' appears twice"),
        (b"", "not an ONNX model"),
        (b"\x80\x02}q\x00.", "not an ONNX model, or a damaged one: truncated"),
        (field(7, field(1, field(4, "Cast"))), "damaged: operator 'Cast'"),
        (field(7, 1), "not an ONNX model, or a damaged one: an integer where bytes belong"),
        (field(7, b"\x08" + b"\xff" * 11), "truncated: the integer at byte 1 does not end"),
    ],
)
def test_a_forged_file_is_refused(data: bytes, reason: str) -> None:
    assert refusal(data).startswith(reason)


def test_a_file_of_many_fields_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("converters.protobuf.MAX_ITEMS", 100)
    assert refusal(field(7, b"\x10\0" * 100)) == "more than 100 fields"
    assert refusal(tensor_of(type=field(2, 6), data=field(5, b"\0" * 100))) == "tensor 'w': more than 100 fields"


def test_a_circle_of_casts_ends() -> None:
    circle = OnnxModel(model({}, [node("Cast", ["a"], "b"), node("Cast", ["b"], "a")]))
    assert circle.constant("a") is None


def test_every_truncation_is_refused() -> None:
    data = field(7, field(1, node("Identity", ["w"], "v")) + field(5, tensor("w", WEIGHT)))
    OnnxModel(data)
    for size in range(len(data)):
        refusal(data[:size])


@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=4))
def test_damage_gives_numbers_or_a_value_error(changes: list[tuple[int, int]]) -> None:
    data = bytearray(model({"w": WEIGHT, "b": WEIGHT[0, 0]}, [node("Constant", [], "c", WEIGHT)]))
    for place, value in changes:
        data[place % len(data)] = value
    try:
        OnnxModel(bytes(data))
    except ValueError as error:
        assert "\n" not in str(error)


def no_division(tensors: dict[str, np.ndarray]) -> bytes:
    return model({name: array for name, array in tensors.items() if "shift" not in name})


def odd_divisor(tensors: dict[str, np.ndarray]) -> bytes:
    nodes = [node("Conv", ["x", f"{layer}.weight"], layer) for layer in ("conv1", "depthwise", "pointwise")]
    nodes += [node("Div", [layer, "three"], f"{layer}_out") for layer in ("conv1", "depthwise", "pointwise")]
    return model({**tensors, "three": np.full(1, 3, np.int32)}, nodes)


@pytest.mark.parametrize(
    ("file", "make", "reason"),
    [
        ("hyper_scale_decoder.onnx", no_division, "has 0 convolutions and 0 divisions, not three of each"),
        ("hyper_scale_decoder.onnx", odd_divisor, "the divisor of layer 'conv1' is no power of two"),
        (
            "hyper_scale_decoder.onnx",
            lambda t: scale_decoder({**t, "conv1.weight": t["conv1.weight"].astype(np.int32) + 300}),
            "tensor 'conv1.weight' has a value outside -128..127",
        ),
        (
            "hyper_scale_decoder.onnx",
            lambda t: scale_decoder({**t, "depthwise.per_channel_shifts": t["depthwise.per_channel_shifts"] + 0.5}),
            "tensor 'depthwise.per_channel_shifts' holds no integers",
        ),
        (
            "hyper_scale_decoder.onnx",
            lambda t: scale_decoder({**t, "pointwise.per_channel_shifts": t["pointwise.per_channel_shifts"] + 99}),
            "tensor 'pointwise.per_channel_shifts' has a value outside 0..31",
        ),
        ("quantizer/gain_unit_mlog.csv", lambda _: b"1\n2\n", "its table has shape (2, 1), not (160, 'any')"),
        ("quantizer/gain_unit_mlog.csv", lambda _: b"1\nx\n", "line 2: 'x' is no integer"),
        ("quantizer/gain_unit_mlog.csv", lambda _: b"1\n2,3\n", "line 2 does not have the 1 columns of the first"),
        ("quantizer/gain_unit_mlog.csv", lambda _: b"9" * 30, "holds an integer of more than 64 bits"),
        ("quantizer/gain_unit_mlog.csv", lambda _: b"\n", "is empty"),
        ("quantizer/gain_unit_mlog.csv", lambda _: b"0," * (2 << 20) + b"1", "larger than 4194304 bytes"),
    ],
)
def test_what_breaks_the_rules_of_the_integer_tables_is_named(
    weights: Checkpoints,
    export: Path,
    tmp_path: Path,
    file: str,
    make: Callable[[dict[str, np.ndarray]], bytes],
    reason: str,
) -> None:
    data = make(inside(weights.common("y", 1).tensors, "hyper_scale_decoder."))
    source = OnnxExport(changed(export, tmp_path, f"{COMMON}/{file}", data))
    with pytest.raises(BundleError) as caught:
        entropy_model(source.common("y", 1), source.common("uv", 1))
    assert f"{COMMON}/{file}: {reason}" in str(caught.value)


@pytest.mark.parametrize(
    ("file", "line", "text", "reason"),
    [
        ("enc_dec/model_1/primary/z_map_table.csv", 3, "5000", "names a distribution outside 0.."),
        ("enc_dec/model_1/primary/z_map_table.csv", 3, "-1", "names a distribution outside 0.."),
        ("me-tANS/transition_table_z_symbol.csv", 0, ",".join(["0"] * 256), "line 1 is no coding table of z"),
        ("me-tANS/transition_table_z_symbol.csv", 0, ",".join(["-7"] * 256), "line 1 is no coding table of z"),
        ("me-tANS/transition_table_z_nBits.csv", 1, ",".join(["8"] * 256), "line 2 is no coding table of z"),
        ("me-tANS/transition_table_z_stateNext.csv", 0, ",".join(["0"] * 256), "line 1 is no coding table of z"),
    ],
)
def test_tables_of_z_are_checked(export: Path, tmp_path: Path, file: str, line: int, text: str, reason: str) -> None:
    lines = (export / file).read_text().splitlines()
    lines[line] = text
    source = OnnxExport(changed(export, tmp_path, file, "\n".join(lines).encode()))
    with pytest.raises(BundleError, match=reason):
        source.common("y", 1)


def test_an_export_packs_as_its_checkpoints_do(export: Path, tmp_path: Path) -> None:
    packed = tmp_path / "packed.zip"
    assert main(["pack", str(export), "-o", str(packed), "--operating-points", "sop"]) == 0
    selection = Selection([1], ["sop"], ["float32"], ["decoder"])
    sources = (open_checkpoints(packed), OnnxExport(export))
    first, second = (bundle(source, selection, tmp_path / str(number)) for number, source in enumerate(sources))
    assert first == second


@pytest.fixture(scope="module")
def filters() -> dict[str, np.ndarray]:
    """The tensors of an eICCI network with random numbers."""
    return {name: array for c in COMPONENTS for name, array in random_parameters(build("eicci", c, None)).items()}


def test_eicci_is_the_function_that_was_exported(filters: dict[str, np.ndarray], tmp_path: Path) -> None:
    for number in (3, 15):
        write(tmp_path / f"ICCI/model_{number}.onnx", eicci_network(filters))
    source = OnnxExport(tmp_path)
    assert eicci_networks(source, ["sop", "bop", "hop"]) == [("bop", 3), ("hop", 5)]
    for component in COMPONENTS:
        graph = build("eicci", component, None)
        read = network_parameters(source.eicci("bop", 3), graph)
        inputs = random_inputs(graph, (64, 48))
        expected = evaluate(graph, filters, inputs, (64, 48), np.float64)["filtered"]
        ours = evaluate(graph, read, inputs, (64, 48), np.float64)["filtered"]
        assert np.abs(ours - expected).max() < 1e-5 * np.abs(expected).max()
    assert source.sources.keys() == {"ICCI/model_3.onnx"}
    heard: list[tuple[int, int]] = []
    selection = Selection([], ["sop"], ["float32"], ["decoder"])
    bundle = convert(source, selection, listener=lambda *told: heard.append(told)).in_memory()
    assert bundle.manifest.networks.keys() == {
        NetworkKey("eicci", component, 3, "bop", "float32", "tflite") for component in COMPONENTS
    }
    assert heard == [(1, 2), (2, 2)]


def test_a_normalisation_that_was_folded_away_changes_nothing(filters: dict[str, np.ndarray]) -> None:
    graph = build("eicci", "y", None)
    tensors = eicci_tensors(eicci_network(filters))
    folded = fold(graph, network_parameters(CheckpointFile("", "", tensors), graph))[1]
    for name in ("conv_first_Y.weight", "conv_first_Y.bias", "hidden_layer_Y.1.conv1.weight"):
        assert np.array_equal(folded[name], tensors[name])


@pytest.mark.parametrize(
    ("output", "changed_node", "reason"),
    [
        ("lastY", node("Conv", ["x", "other"], "lastY"), "0 operators Conv read 'conv_last_Y.weight', not one"),
        ("featuresY", node("Elu", ["x"], "featuresY"), "Elu makes 'featuresY' on the way to conv_last_Y, where Relu"),
        ("featuresY", node("Relu", ["x"], "featuresY"), "nothing makes 'x' on the way to conv_last_Y, where Conv"),
        (
            "hidden_layer_Y.0.addY",
            node("Add", ["bands", "hidden_layer_Y.0.mulY"], "hidden_layer_Y.0.addY"),
            "hidden_layer_Y.0 adds something else than it reads",
        ),
        (
            "hidden_layer_Y.0.addY",
            node("Add", ["hidden_layer_Y.0.addY", "hidden_layer_Y.0.mulY"], "hidden_layer_Y.0.addY"),
            "the way to conv_last_Y goes round in a circle",
        ),
        ("hidden_layer_UV.1.addU", node("Add", ["a", "b"], "hidden_layer_UV.1.addU"), "has no product in it"),
        (
            "hidden_layer_UV.1.mulV",
            node("Mul", ["hidden_layer_UV.1.conv2V", "b"], "hidden_layer_UV.1.mulV"),
            "a product on the way to conv_last_v has no constant factor",
        ),
        (
            "hidden_layer_UV.2.conv1V",
            node(
                "Conv",
                [
                    "hidden_layer_UV.1.addV",
                    "onnx::Conv_hidden_layer_UV.0.conv1V_w",
                    "onnx::Conv_hidden_layer_UV.2.conv1V_b",
                ],
                "hidden_layer_UV.2.conv1V",
            ),
            "tensor 'hidden_layer_UV.2.conv1.weight' is another one on the way to U than on that to V",
        ),
        (
            "conv_firstUV",
            node("Conv", ["bands", "conv_firstUV.weight"], "conv_firstUV"),
            "Conv on the way to conv_last_u lacks the constant ''",
        ),
    ],
)
def test_a_network_that_is_no_eicci_is_refused(
    filters: dict[str, np.ndarray], output: str, changed_node: bytes, reason: str
) -> None:
    data = eicci_network(filters, {output: changed_node})
    with pytest.raises(ValueError, match=re.escape(reason)):
        eicci_tensors(data)


def test_a_damaged_eicci_file_is_named(filters: dict[str, np.ndarray], tmp_path: Path) -> None:
    write(tmp_path / "ICCI/model_0.onnx", model({}))
    with pytest.raises(BundleError, match=r"ICCI/model_0\.onnx: 0 operators Conv read 'conv_last_Y\.weight'"):
        OnnxExport(tmp_path).eicci("sop", 0)
