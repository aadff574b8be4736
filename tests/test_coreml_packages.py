"""Core ML packages: the constructs of networks, what the files say, equal bytes, and what is refused."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from converters.coreml import DEFAULT_TILES, emit_coreml
from converters.coreml.precision import quantised_weight
from converters.coreml.tiles import fit_to_tiles, tile_masks
from converters.errors import ConversionError
from converters.masking import replace_crops_by_masks
from converters.quantisation.affine import Affine
from converters.quantisation.scheme import Scheme
from jpegai_mobile.networks.catalogue import BUILDERS, NetworkKey, build
from jpegai_mobile.networks.folding import fold
from jpegai_mobile.networks.graph import (
    Abs,
    Add,
    AddConstant,
    Concat,
    Conv2d,
    CropToGrid,
    Graph,
    LeakyRelu,
    Multiply,
    Node,
    PadToEven,
    PixelShuffle,
    Relu,
    Relu6,
    SliceChannels,
    TransposedConv2d,
)
from tests.converter_support import random_inputs, random_parameters, small_graph
from tests.coreml_support import (
    expected,
    input_shapes,
    int8_scheme,
    largest_error,
    needs_coremltools,
    on_tile,
    saved,
    signal_to_noise,
)
from tests.vectors import ROOT

Array = NDArray[Any]
CONV = Conv2d(
    output="c", inputs=("x",), weight="c.weight", bias="c.bias", in_channels=4, out_channels=8,
    kernel=(3, 3), padding=(1, 1, 1, 1),
)  # fmt: skip
TRANSPOSED = TransposedConv2d(
    output="t", inputs=("x",), weight="t.weight", bias="t.bias", in_channels=4, out_channels=6,
    kernel=(4, 4), stride=2, padding=1,
)  # fmt: skip


def graph_of(*nodes: Node, grid: int = 16, output_grid: int = 16) -> Graph:
    return replace(small_graph(*nodes, grid=grid), output_grid={nodes[-1].output: output_grid})


def error_of(graph: Graph, precision: str = "float32") -> float:
    """Largest error over pictures that fill a tile and that do not."""
    parameters = random_parameters(graph)
    package = saved(emit_coreml(graph, parameters, precision, tiles=(64,)))
    errors = []
    for extent in ((64, 64), (33, 49)):
        inputs = random_inputs(graph, extent)
        result = on_tile(package, graph, inputs, extent, 64)
        errors.append(largest_error(result, expected(graph, parameters, inputs, extent)))
    return max(errors)


@needs_coremltools
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"bias": None},
        {"kernel": (1, 1), "padding": (0, 0, 0, 0)},
        {"kernel": (2, 2), "padding": (0, 0, 1, 1)},
        {"kernel": (1, 3), "padding": (0, 1, 0, 1)},
        {"groups": 4},
        {"groups": 2, "bias": None},
    ],
    ids=str,
)
def test_convolution(changes: dict[str, Any]) -> None:
    assert error_of(graph_of(replace(CONV, **changes))) < 1e-6


@needs_coremltools
@pytest.mark.parametrize("changes", [{}, {"bias": None}, {"kernel": (2, 2), "padding": 0}], ids=str)
def test_transposed_convolution(changes: dict[str, Any]) -> None:
    assert error_of(graph_of(replace(TRANSPOSED, **changes), output_grid=8)) < 1e-6


@needs_coremltools
@pytest.mark.parametrize(
    "node",
    [
        Relu(output="a", inputs=("c",)),
        Relu6(output="a", inputs=("c",)),
        LeakyRelu(output="a", inputs=("c",), slope=0.01),
        Abs(output="a", inputs=("c",)),
        AddConstant(output="a", inputs=("c",), value=1.5),
        SliceChannels(output="a", inputs=("c",), start=2, stop=7),
        Concat(output="a", inputs=("c", "x", "c")),
        Add(output="a", inputs=("c", "c")),
        Multiply(output="a", inputs=("c", "c")),
    ],
    ids=lambda node: type(node).__name__,
)
@pytest.mark.parametrize("bias", ["c.bias", None])
def test_operation_after_a_convolution(node: Node, bias: str | None) -> None:
    next_convolution = replace(CONV, output="d", inputs=("a",), weight="d.weight", in_channels=channels_of(node))
    assert error_of(graph_of(replace(CONV, bias=bias), node, next_convolution)) < 2e-6


def channels_of(node: Node) -> int:
    return {SliceChannels: 5, Concat: 20}.get(type(node), 8)


@needs_coremltools
def test_pixel_shuffle_and_crop() -> None:
    nodes = (
        CONV,
        PixelShuffle(output="p", inputs=("c",), factor=2),
        CropToGrid(output="q", inputs=("p",), grid=8),
        replace(CONV, output="d", inputs=("q",), weight="d.weight", in_channels=2),
    )
    assert error_of(graph_of(*nodes, output_grid=8)) < 2e-6


HALVING = replace(CONV, inputs=("even",), stride=2)


@needs_coremltools
def test_the_border_is_repeated_where_the_picture_ends() -> None:
    graph = graph_of(PadToEven(output="even", inputs=("x",)), HALVING, output_grid=32)
    parameters = random_parameters(graph)
    package = saved(emit_coreml(graph, parameters, "float32", tiles=(192,)))
    for extent in ((192, 192), (160, 176), (1, 1), (16, 33), (145, 97)):
        inputs = random_inputs(graph, extent)
        result = on_tile(package, graph, inputs, extent, 192)
        assert largest_error(result, expected(graph, parameters, inputs, extent)) < 1e-6, extent


def test_masks_stand_where_samples_outside_would_be_read() -> None:
    grown = replace(TRANSPOSED, out_channels=4)
    chain = (CONV, replace(grown, inputs=("c",), in_channels=8), CropToGrid(output="k", inputs=("t",), grid=8))
    assert tile_masks(fit_to_tiles(graph_of(CONV))) == {}
    assert tile_masks(fit_to_tiles(graph_of(*chain))) == {"mask_16": 16, "mask_8": 8}
    late = (*chain[:2], replace(CONV, output="d", inputs=("t",)))
    assert tile_masks(fit_to_tiles(graph_of(*late))) == {"mask_16": 16, "mask_16_at_8": 8}


@pytest.mark.parametrize("key", BUILDERS, ids=lambda key: "-".join(filter(None, key)))
def test_the_documented_masks_are_those_of_the_networks(key: NetworkKey) -> None:
    network, component, point = key
    graph, _ = fold(build(*key), random_parameters(build(*key)))
    name = f"`{network}`" + (f" {component}" if network in ("synthesis", "analysis") else "")
    name += {None: "", "hop": ", HOP"}.get(point, ", SOP and BOP")
    masks = (tile_masks(form(graph)) for form in (replace_crops_by_masks, fit_to_tiles))
    tflite, coreml = (", ".join(f"`{mask}`" for mask in each) or "\N{EN DASH}" for each in masks)
    assert f"| {name} | {tflite} | {coreml} |" in (ROOT / "docs" / "bundle-format.md").read_text()


def scheme_of(precision: str, graph: Graph) -> Scheme:
    """What is int8 in a precision; activations on one grid."""
    if precision == "int8":
        return Scheme("int8", dict.fromkeys([node.inputs[0] for node in graph.nodes], Affine.of_range(-3, 4)))
    return Scheme("int8" if precision == "int8w" else precision)


@needs_coremltools
@pytest.mark.parametrize(
    ("precision", "tiles", "version", "numbers"),
    [
        ("float32", (64,), 7, "float32"),
        ("float16", (64,), 7, "float16"),
        ("int8w", (64,), 7, "float16 with int8 weights"),
        ("int8", (64,), 8, "float16 with int8 weights"),
        ("int8w", (64, 128), 9, "float16 with int8 weights"),
        ("int8", (64, 128), 9, "float16 with int8 weights"),
    ],
)
def test_the_oldest_system_is_iOS_16_17_or_18(
    precision: str, tiles: tuple[int, ...], version: int, numbers: str
) -> None:
    """Specification versions 7, 8 and 9."""
    graph = build("synthesis", "uv", "sop")
    package = saved(emit_coreml(graph, random_parameters(graph), precision, scheme_of(precision, graph), tiles))
    assert package.specification.specificationVersion == version
    description = package.specification.description
    for feature in (*description.input, *description.output):
        array = feature.type.multiArrayType
        assert array.ArrayDataType.Name(array.dataType) == numbers.split()[0].upper()
    assert bool(input_shapes(package, "latent")) == (len(tiles) > 1)
    assert [tuple(f.type.multiArrayType.shape) for f in description.input if f.name == "latent"] == [(1, 256, 4, 4)]
    assert description.metadata.shortDescription.startswith(f"JPEG AI synthesis_uv_sop, {numbers}, tiles of 64")


@needs_coremltools
def test_the_default_tile() -> None:
    graph = graph_of(CONV)
    package = saved(emit_coreml(graph, random_parameters(graph), "float16"))
    assert DEFAULT_TILES == (512,)
    assert [tuple(f.type.multiArrayType.shape) for f in package.specification.description.input] == [(1, 4, 32, 32)]


@needs_coremltools
def test_a_package_takes_no_other_inputs() -> None:
    graph = graph_of(CONV, replace(CONV, output="d", inputs=("c",), weight="d.weight", in_channels=8))
    package = saved(emit_coreml(graph, random_parameters(graph), "float32", tiles=(64, 128)))
    x, mask = np.zeros((1, 4, 4, 4)), np.zeros((1, 1, 4, 4))
    package.evaluate({"x": x, "mask_16": mask})
    with pytest.raises(ValueError, match=r"inputs are \['x'\], the package has \['mask_16', 'x'\]"):
        package.evaluate({"x": x})
    with pytest.raises(ValueError, match="input x is"):
        package.evaluate({"x": np.zeros((1, 4, 5, 4)), "mask_16": mask})
    with pytest.raises(ValueError, match="different tile sizes"):
        package.evaluate({"x": x, "mask_16": np.zeros((1, 1, 8, 8))})


ONE_CONVOLUTION = replace(CONV, kernel=(1, 1), padding=(0, 0, 0, 0), bias=None, in_channels=1, out_channels=16)


@needs_coremltools
def test_int8_arithmetic_by_hand() -> None:
    """Steps of 2/127 and 1/127 for the weights, of 1/64 from zero point -128 + 64 for the input."""
    graph = replace(graph_of(ONE_CONVOLUTION), inputs={"x": 1})
    parameters = {"c.weight": np.tile(np.array([2.0, -1.0], np.float32), 8).reshape(16, 1, 1, 1)}
    scheme = Scheme("int8", {"x": Affine(1 / 64, -64)})
    package = saved(emit_coreml(graph, parameters, "int8", scheme, tiles=(64,)))
    values = np.array([0, 1 / 64, 0.4 / 64, -0.6 / 64, 1.5 / 64, 2.5 / 64, -1, -9, 2.984375, 9, 0.25, 0.5, 0, 0, 0, 0])
    read = np.array([0, 1 / 64, 0, -1 / 64, 2 / 64, 2 / 64, -1, -1, 2.984375, 2.984375, 0.25, 0.5, 0, 0, 0, 0])
    result = package.evaluate({"x": values.reshape(1, 1, 4, 4)})["c"][0]
    np.testing.assert_allclose(result[0].ravel(), 2 * read, rtol=1e-3, atol=0)
    np.testing.assert_allclose(result[1].ravel(), -read, rtol=1e-3, atol=0)


def test_weights_keep_zero_and_their_largest_value() -> None:
    weight = np.random.default_rng(1).normal(size=(5, 3, 2, 2)).astype(np.float32)
    weight[2] = 0
    weight[3] *= 1e-6
    weight[4] = 1e-9
    steps, scale = quantised_weight(weight, 0, np.float16, None)
    assert steps.dtype == np.int8 and scale.dtype == np.float16
    assert np.all(steps[2] == 0) and np.all(scale > 0)
    assert np.abs(steps[:2]).max() == 127 and np.abs(steps.astype(int)).max() <= 127
    error = np.abs(steps * scale.astype(np.float64)[:, None, None, None] - weight)
    assert np.all(error.max(axis=(1, 2, 3)) <= scale.astype(np.float64) / 2 + 1e-12)
    transposed, per_output = quantised_weight(weight.swapaxes(0, 1), 1, np.float16, None)
    assert np.array_equal(transposed.swapaxes(0, 1), steps) and np.array_equal(per_output, scale)


@needs_coremltools
def test_float16_and_int8_of_a_small_network_are_close() -> None:
    graph = graph_of(
        CONV, Relu(output="r", inputs=("c",)), replace(TRANSPOSED, inputs=("r",), in_channels=8), output_grid=8
    )
    parameters, extent = random_parameters(graph), (48, 64)
    inputs = random_inputs(graph, extent)
    whole = int8_scheme(graph, parameters, inputs, extent)
    reference = expected(graph, parameters, inputs, extent)
    ratios = []
    for precision in ("float32", "float16", "int8w", "int8"):
        scheme = whole if precision == "int8" else scheme_of(precision, graph)
        package = saved(emit_coreml(graph, parameters, precision, scheme, tiles=(64,)))
        ratios.append(signal_to_noise(on_tile(package, graph, inputs, extent, 64), reference))
    assert ratios[0] > 120 and 60 < ratios[1] < 90 and 38 < ratios[2] < 55 and 35 < ratios[3] < ratios[2]


@needs_coremltools
def test_equal_arguments_give_equal_bytes_in_every_process() -> None:
    """Hashes of strings, earlier conversions, even unfinished ones, and the time differ between the processes."""
    script = (
        "import hashlib\n"
        "from tests.test_coreml_packages import ConversionError, package_of_equal_bytes\n"
        "package_of_equal_bytes('float16', seed=1)\n"
        "try: package_of_equal_bytes('int8', broken='iact3.conv.weight')\n"
        "except ConversionError: pass\n"
        "print(hashlib.sha256(repr(package_of_equal_bytes('int8')).encode()).hexdigest())\n"
    )
    environment = os.environ | {"PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo", "SOURCE_DATE_EPOCH": "0"}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    files = package_of_equal_bytes("int8")
    assert done.stdout.split() == [hashlib.sha256(repr(files).encode()).hexdigest()]
    assert done.stderr == ""
    assert files != package_of_equal_bytes("int8", seed=1)


def package_of_equal_bytes(precision: str, seed: int = 0, broken: str = "") -> dict[str, bytes]:
    graph = build("synthesis", "uv", "sop")
    factors = {broken: np.float32(1e9)}
    parameters = {name: values * factors.get(name, 1) for name, values in random_parameters(graph, seed).items()}
    return emit_coreml(graph, parameters, precision, scheme_of(precision, graph), tiles=(128, 64))


@needs_coremltools
def test_the_files_of_a_package() -> None:
    files = package_of_equal_bytes("float16")
    manifest = json.loads(files["Manifest.json"])
    paths = {entry["path"] for entry in manifest["itemInfoEntries"].values()}
    assert paths == {"com.apple.CoreML/model.mlmodel", "com.apple.CoreML/weights"}
    assert manifest["itemInfoEntries"][manifest["rootModelIdentifier"]]["name"] == "model.mlmodel"
    assert sorted(files) == [
        "Data/com.apple.CoreML/model.mlmodel",
        "Data/com.apple.CoreML/weights/weight.bin",
        "Manifest.json",
    ]
    metadata = saved(files).specification.description.metadata
    assert "com.github.apple.coremltools.conversion_date" not in metadata.userDefined


def refusal(graph: Graph, precision: str = "float32", **arguments: Any) -> str:
    arguments.setdefault("parameters", random_parameters(graph))
    with pytest.raises(ConversionError) as caught:
        emit_coreml(graph, precision=precision, **arguments)
    return str(caught.value)


@needs_coremltools
def test_what_does_not_fit_is_refused_by_name() -> None:
    graph = graph_of(CONV)
    parameters = random_parameters(graph)
    for value in (np.inf, np.nan, 70000):
        broken = parameters | {"c.weight": np.full((8, 4, 3, 3), value, np.float32)}
        for precision in ("float16", "int8w"):
            assert refusal(graph, precision, parameters=broken) == "small: parameter c.weight does not fit float16"
    for tiles in ((), (100,), (0,), (-64,), (64, 64)):
        assert "are not different multiples of 64" in refusal(graph, tiles=tiles)


@needs_coremltools
def test_constructs_without_a_form_are_refused_by_name() -> None:
    assert refusal(graph_of(AddConstant(output="a", inputs=("x",), value=1.0))) == (
        "small: a: no Core ML form of AddConstant"
    )
    padded = replace(TRANSPOSED, output_padding=TRANSPOSED.padding + 1)
    assert refusal(graph_of(padded)) == "small: t: output padding beyond the kernel's reach"
    late = (replace(TRANSPOSED, out_channels=4), PadToEven(output="even", inputs=("t",)), HALVING)
    assert refusal(graph_of(*late)) == "small: even pads what does not end with the picture"
    padding = PadToEven(output="even", inputs=("x",))
    for reader in (
        replace(HALVING, stride=1),
        replace(HALVING, padding=(0, 0, 0, 0)),
        Relu(output="r", inputs=("even",)),
    ):
        assert "padding to even size suits no such operation" in refusal(graph_of(padding, reader))


def test_an_unknown_precision_is_refused() -> None:
    assert refusal(graph_of(CONV), "int4") == (
        "no Core ML packages in precision int4; there is float32, float16, int8w, int8mixed, int8"
    )


def test_without_coremltools_the_extra_to_install_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("emitter", "package"):
        monkeypatch.delitem(sys.modules, f"converters.coreml.{module}", raising=False)
    monkeypatch.setitem(sys.modules, "coremltools", None)
    assert refusal(graph_of(CONV)) == "Core ML packages need coremltools: pip install 'jpegai-mobile[convert]'"


def test_coremltools_is_imported_only_when_core_ml_is_asked_for() -> None:
    script = "import sys, converters.cli, converters.coreml; print('coremltools' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
