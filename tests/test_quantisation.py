"""Int8 activations: recipes, grids, equalisation, calibration, and the decodes that come of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from converters.checkpoint import CheckpointFile, network_parameters
from converters.cli import main
from converters.convert import Selection, convert
from converters.errors import ConversionError
from converters.open_checkpoints import open_checkpoints
from converters.quantisation import samples as calibration_samples
from converters.quantisation.affine import RELU6, SAMPLES, Affine, weight_scales, weight_steps
from converters.quantisation.equalisation import equalised_latents, equalised_products, products
from converters.quantisation.quantise import channel_ranges, mask_branches, quantise
from converters.quantisation.ranges import least_squares, min_max
from converters.quantisation.recipe import Recipe, recipe_of
from converters.quantisation.samples import FROM_FILES, FROM_MODEL
from converters.tflite.emitter import emit_tflite
from jpegai_mobile import DecodeOptions, Decoder
from jpegai_mobile.codestream.stream import read_code_stream, write_code_stream
from jpegai_mobile.errors import BundleError
from jpegai_mobile.networks.catalogue import NetworkKey, build
from jpegai_mobile.networks.evaluate import evaluate
from jpegai_mobile.networks.graph import Graph
from jpegai_mobile.runtime.bundle import Bundle
from jpegai_mobile.runtime.manifest import Manifest
from jpegai_mobile.runtime.network_runner import NetworkRunner
from tests.converter_support import Array, last_channel, random_inputs, random_parameters, runs_as_one_delegate
from tests.coreml_support import needs_coremltools
from tests.vectors import CONFORMANCE, ROOT, needs_conformance

WEIGHTS = ROOT / "weights" / "own_model1.zip"
STREAM = ROOT / "examples" / "kodim07.jai"
CALIBRATION = ROOT / "weights" / "calibration"
SYNTHESIS: list[NetworkKey] = [("synthesis", component, point) for point in ("sop", "bop") for component in ("y", "uv")]
TILE = (128, 96)
LEAST_DB = {"float16": 100, "int8w": 50, "int8mixed": 49, "int8": 40}
"""Of the decode against float32; int8 is calibrated on the model's own statistics here."""


def samples_of(graph: Graph, count: int = 3) -> list[tuple[dict[str, Array], tuple[int, int]]]:
    return [(random_inputs(graph, TILE, seed), TILE) for seed in range(count)]


def signal_to_noise(exact: Array, ours: Array) -> float:
    return float(10 * np.log10(np.mean(np.square(exact)) / np.mean(np.square(ours - exact))))


@pytest.mark.parametrize(
    "text",
    [
        "weights=float32",
        "weights=int8 activations=masks ranges=mse",
        "weights=int8 activations=all latents=0.75 products=0.5",
        "weights=int8 activations=inner margin=1.25 rounding=feedback",
    ],
)
def test_a_recipe_is_a_text(text: str) -> None:
    assert str(Recipe.parse(text)) == text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("weights=int4", "'int4' is none of float32, float16, int8"),
        ("weights=int8 weights=int8", "'weights=int8' is unknown or there twice"),
        ("bits=8", "'bits=8' is unknown"),
        ("ranges=best", "'best' is none of minmax, mse"),
        ("latents=much", "'much' is no number"),
        ("products=1.5", "1.5 is not in 0..1"),
        ("margin=0.9", "0.9 is not in 1..4"),
        ("rounding=up", "'up' is none of nearest, feedback"),
    ],
)
def test_a_recipe_that_is_none(text: str, reason: str) -> None:
    with pytest.raises(ConversionError, match=reason):
        Recipe.parse(text)


def test_grids_hold_zero_and_the_ends() -> None:
    for low, high in ((-3.0, 5.0), (0.0, 6.0), (0.5, 2.0), (-4.0, -1.0), (0.0, 0.0)):
        grid = Affine.of_range(low, high)
        assert grid.rounded(np.zeros(1))[0] == 0
        assert np.abs(grid.rounded(np.array([low, high])) - [low, high]).max() <= grid.scale * 0.51
    assert np.allclose(RELU6.rounded(np.array([-1.0, 0.0, 6.0, 7.0])), [0, 0, 6, 6])
    samples = SAMPLES.rounded(np.array([-2.0, -127.5 / 128, 0, 127.5 / 128, 2.0])) * 128 + 127.5
    assert np.allclose(np.clip(samples, 0, 255), [0, 0, 127.5, 255, 255], atol=1e-4)
    with pytest.raises(ConversionError, match="no range"):
        Affine.of_range(0, float("inf"))


def test_least_squares_beats_the_whole_range() -> None:
    values = np.random.default_rng(0).standard_normal(200_000)
    values[:2] = -30, 30
    errors = [np.mean(np.square(choose(values).rounded(values) - values)) for choose in (least_squares, min_max)]
    assert errors[0] < 0.7 * errors[1]


def test_weights_are_symmetric_and_per_channel() -> None:
    weight = np.random.default_rng(0).standard_normal((4, 3, 2, 2)).astype(np.float32)
    weight[1] *= 100
    weight[2] = 0
    scales = weight_scales(weight, 0)
    steps = weight_steps(weight, scales, 0)
    assert [np.abs(row).max() for row in steps.astype(int)] == [127, 127, 0, 127]
    errors = np.abs(steps * scales[:, None, None, None] - weight).max(axis=(1, 2, 3))
    assert np.all(errors <= scales * 0.5001)


@pytest.mark.parametrize("key", SYNTHESIS, ids="-".join)
def test_equalisation_does_not_change_the_function(key: NetworkKey) -> None:
    graph, parameters = build(*key), random_parameters(build(*key))
    inputs, extent = samples_of(graph)[0]
    expected = evaluate(graph, parameters, inputs, extent, np.float64)
    names = [product.output for product in products(graph)]
    ranges = channel_ranges(graph, parameters, names, samples_of(graph))
    other, changed = equalised_products(graph, parameters, ranges, 1.0)
    assert not np.array_equal(changed["conv4.weight"], parameters["conv4.weight"])
    if key[1] == "y":
        channels = np.random.default_rng(0).uniform(0.01, 3, 160).astype(np.float32)
        other, changed = equalised_latents(other, changed, channels, 0.75)
    else:
        with pytest.raises(ConversionError, match="cannot take up the factors"):
            equalised_latents(other, changed, np.ones(256, np.float32), 0.75)
    ours = evaluate(other, changed, inputs, extent, np.float64)
    for name, output in expected.items():
        assert np.abs(ours[name] - output).max() < 1e-5 * np.abs(output).max()


@pytest.mark.parametrize("precision", ["int8mixed", "int8"])
@pytest.mark.parametrize("key", SYNTHESIS, ids="-".join)
def test_int8_synthesis_is_one_delegate_and_near_the_exact_one(key: NetworkKey, precision: str) -> None:
    graph, parameters = build(*key), random_parameters(build(*key))
    parameters["conv4.weight"] *= np.float32(0.2)  # raw samples within their range, which the int8 output is pinned to
    recipe = replace(recipe_of(key, precision), rounding="nearest")
    runner = NetworkRunner(emit_tflite(*quantise(graph, parameters, recipe, samples_of(graph))))
    assert any("int8" in str(detail["dtype"]) for detail in runner._interpreter.get_tensor_details())
    for extent in (TILE, (65, 67), (33, 97)):
        inputs = random_inputs(graph, extent, seed=9)
        expected = evaluate(graph, parameters, inputs, extent)
        for name, output in runner.run(last_channel(inputs), extent).items():
            exact = expected[name][:, : extent[0], : extent[1]].transpose(1, 2, 0)
            least = 25 if precision == "int8mixed" else 17
            assert signal_to_noise(np.clip(exact, -1, 1), np.clip(output, -1, 1)) > least
        assert runs_as_one_delegate(runner)


def test_mask_branches_begin_with_relu6() -> None:
    branches = mask_branches(build("synthesis", "y", "bop"))
    assert [name for name, grid in branches.items() if grid == RELU6] == [
        "first_stage.1:relu6", "conv2_t:crop:relu6", "conv3:relu6",
    ]  # fmt: skip
    assert len(branches) == 9


def test_which_networks_have_int8_activations() -> None:
    assert recipe_of(("hyper_decoder", "y", None), "int8").activations == "all"
    assert str(recipe_of(("hyper_decoder", "y", None), "int8mixed")) == "weights=int8 rounding=feedback"
    assert str(recipe_of(("context_model", "y", None), "int8")) == "weights=int8 rounding=feedback"
    assert str(recipe_of(("synthesis", "y", "hop"), "int8mixed")) == "weights=int8"
    assert str(recipe_of(("analysis", "y", None), "int8")) == "weights=int8"
    assert recipe_of(("synthesis", "uv", "bop"), "int8").activations == "all"
    assert recipe_of(("synthesis", "uv", "bop"), "int8", drawn=True).margin > 1


@pytest.fixture(scope="module")
def bundle(quantised_bundle: Path) -> Bundle:
    return Bundle.open(quantised_bundle)


def decoded(bundle: Bundle, precision: str, patch: tuple[int, int] | None = None) -> Array:
    options = DecodeOptions(operating_point="bop", precision=precision, patch=patch)
    planes = Decoder(bundle).decode(STREAM.read_bytes(), options).planes
    return np.stack([planes.y, planes.u, planes.v])


def test_decodes_keep_their_quality(bundle: Bundle) -> None:
    exact = decoded(bundle, "float32")
    for precision, least in LEAST_DB.items():
        error = np.mean(np.square(decoded(bundle, precision) - exact, dtype=np.float64))
        assert 10 * np.log10(255**2 / (error + 1e-12)) > least, precision


@pytest.mark.parametrize("precision", ["int8w", "int8mixed", "int8"])
@pytest.mark.parametrize("patch", [(12, 20), (17, 13)])
def test_patches_equal_the_whole(bundle: Bundle, precision: str, patch: tuple[int, int]) -> None:
    assert np.array_equal(decoded(bundle, precision, patch), decoded(bundle, precision))


@pytest.fixture
def nearest_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """Conversions round weights to the nearest steps, which takes little time: for tests of anything but quality."""

    def nearest(topology: NetworkKey, precision: str, drawn: bool = False) -> Recipe:
        return replace(recipe_of(topology, precision, drawn), rounding="nearest")

    monkeypatch.setattr("converters.convert.recipe_of", nearest)


@needs_conformance
@pytest.mark.usefixtures("nearest_weights")
def test_patches_of_odd_pictures_equal_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration_samples, "DRAWN_SAMPLES", 2)
    options = ["--models", "1", "--operating-points", "sop,bop", "--precision", "int8mixed,int8"]
    assert main([str(CONFORMANCE / "checkpoints"), "-o", str(tmp_path / "b.zip"), *options]) == 0
    with Bundle.open(tmp_path / "b.zip") as bundle:
        decoder = Decoder(bundle)
        for name in ("bop_187x133", "sop_187x133", "wide_900x65", "tiles320_ov32_sop_700x300"):
            data = (CONFORMANCE / "streams" / name / "stream.jai").read_bytes()
            for precision in bundle.precisions():
                whole = decoder.decode(data, DecodeOptions(precision=precision)).planes
                for patch in [(1, 1), (12, 20)]:
                    parts = decoder.decode(data, DecodeOptions(precision=precision, patch=patch)).planes
                    assert all(np.array_equal(getattr(parts, name), getattr(whole, name)) for name in "yuv")


def test_sizes(bundle: Bundle) -> None:
    manifest = bundle.manifest
    for precision, most in (
        ("float16", 9_000_000),
        ("int8w", 5_000_000),
        ("int8mixed", 5_000_000),
        ("int8", 5_000_000),
    ):
        networks = manifest.networks.items()
        names = {name for key, name in networks if key.precision == precision and key.operating_point != "sop"}
        names |= set(manifest.entropy.values())
        assert sum(manifest.files[name].bytes for name in names) <= most - 30_000  # room for the manifest


def test_the_manifest_says_how_it_was_made(bundle: Bundle) -> None:
    manifest = bundle.manifest
    assert manifest.calibration[1].kind == FROM_MODEL
    assert manifest.calibration[1].files == {}
    for key, name in manifest.networks.items():
        recipe = Recipe.parse(manifest.recipes[name])
        assert recipe == recipe_of((key.network, key.component, key.operating_point), key.precision, drawn=True)


_BYTES_OF_A_NETWORK = """
import hashlib
from converters.coreml import emit_coreml
from converters.quantisation.quantise import quantise
from converters.quantisation.recipe import recipe_of
from converters.tflite.emitter import emit_tflite
from jpegai_mobile.networks.catalogue import build
from tests.converter_support import random_inputs, random_parameters
key = ("synthesis", "uv", "sop")
graph = build(*key)
samples = [(random_inputs(graph, (128, 128), seed), (128, 128)) for seed in range(2)]
network = quantise(graph, random_parameters(graph), recipe_of(key, "int8"), samples)
files = emit_coreml(*network[:2], "int8", network[2], (256,))
print(hashlib.sha256(emit_tflite(*network) + repr(sorted(files.items())).encode()).hexdigest())
"""


@needs_coremltools
def test_calibrated_networks_are_equal_byte_for_byte_whatever_the_number_of_threads() -> None:
    printed = []
    for threads in ("1", "2", "2"):
        variables = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), threads)
        command = [sys.executable, "-c", _BYTES_OF_A_NETWORK]
        printed.append(subprocess.check_output(command, env=os.environ | variables, cwd=ROOT, text=True).split()[-1])
    assert printed[0] == printed[1] == printed[2]


def stream_of_model(model: int, data: bytes) -> bytes:
    """A code stream that says it was made with another model; it cannot be decoded."""
    stream = read_code_stream(data)
    return write_code_stream(replace(stream, picture=replace(stream.picture, model_id=model)))


@pytest.mark.usefixtures("nearest_weights")
def test_streams_that_calibrate_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By their path in the folder; those of other models are passed over, before the folder is thinned out."""
    monkeypatch.setattr(calibration_samples, "MAX_FILES", 2)
    data = (CALIBRATION / "07.jai").read_bytes()
    for name, model in {"a.jai": 2, "b/07.jai": 1, "c.jai": 0, "d/07.jai": 1}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data if model == 1 else stream_of_model(model, data))
    selection, heard = Selection([1], [], ["int8"], ["decoder"]), list[tuple[int, int]]()
    networks = convert(open_checkpoints(WEIGHTS), selection, tmp_path, lambda *told: heard.append(told))
    calibration = networks.in_memory().manifest.calibration[1]
    assert (calibration.kind, list(calibration.files)) == (FROM_FILES, ["b/07.jai", "d/07.jai"])
    assert heard == [(done, 4) for done in (1, 2, 3, 4)]  # the samples and three networks


@pytest.mark.parametrize(
    ("file", "lacking", "has_encoder"),
    [
        (None, "", False),
        ("a.jai", "", False),
        ("a.png", "", True),
        ("a.TIF", "", True),
        ("a.bmp", "", True),
        ("a.txt", "", False),
        ("a.png", "VM_bop/encoder_UV_0.012.pth", False),
    ],
)
def test_calibration_takes_the_encoder_only_for_pictures(
    file: str | None, lacking: str, has_encoder: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = open_checkpoints(WEIGHTS, WEIGHTS.with_name("own_model1_encoder.zip"))
    held = source.holds
    monkeypatch.setattr(source, "holds", lambda name: name != lacking and held(name))
    taken: set[str] = set()

    def calibrate(bundle: Bundle, model: int, folder: Path | None) -> None:
        taken.update(key.network for key in bundle.manifest.networks)
        raise KeyboardInterrupt

    monkeypatch.setattr("converters.convert.calibrate", calibrate)
    if file is not None:
        (tmp_path / file).write_bytes(b"")
    with pytest.raises(KeyboardInterrupt):
        convert(source, Selection([1], [], ["int8w"], ["decoder"]), None if file is None else tmp_path)
    assert taken >= {"hyper_decoder", "context_model"}
    assert taken.issuperset({"analysis", "hyper_encoder"}) is has_encoder


def test_calibration_data_that_cannot_be_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def failure(*more: Path) -> str:
        options = ["--precision", "int8", "--operating-points", "sop", "--calibration", str(tmp_path)]
        assert main([str(WEIGHTS), *map(str, more), "-o", str(tmp_path / "bundle"), *options]) == 1
        return capsys.readouterr().err

    (tmp_path / "notes.txt").write_text("passed over")
    assert f"{tmp_path}: no folder with code streams (.jai) or pictures" in failure()
    stream, picture = tmp_path / "a.jai", tmp_path / "a.png"
    for size in (10, 1000):  # of the headers, of the sub-streams
        stream.write_bytes(STREAM.read_bytes()[:size])
        assert failure().startswith(f"jpegai-convert: {stream}: ")
    stream.write_bytes(stream_of_model(2, STREAM.read_bytes()))
    assert f"{tmp_path}: holds no picture, and no code stream that was made with model 1" in failure()
    picture.write_bytes(b"no picture")
    needs = f"jpegai-convert: {picture}: a picture needs the encoder's networks, which the checkpoints do not have\n"
    assert failure() == needs
    assert failure(WEIGHTS.with_name("own_model1_encoder.zip")) == (
        f"jpegai-convert: {picture}: not a picture that Pillow reads\n"
    )
    picture.unlink()
    picture.mkdir()
    assert failure() == f"jpegai-convert: {picture}: no regular file\n"
    assert not (tmp_path / "bundle").exists()


def test_without_threadpoolctl_the_extra_to_install_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    graph = build("synthesis", "y", "sop")
    with pytest.raises(
        ConversionError, match=r"calibration needs threadpoolctl: pip install 'jpegai-mobile\[convert\]'"
    ):
        quantise(graph, random_parameters(graph), Recipe("int8", rounding="feedback"), samples_of(graph))
    script = "import sys, converters.cli; print('threadpoolctl' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_broken_weight_is_named() -> None:
    graph = build("synthesis", "y", "sop")
    tree = open_checkpoints(WEIGHTS)
    file = tree.read("VM_sop/decoder_Y_0.012.pth")
    tensors = dict(file.tensors) | {"conv3.weight": np.full_like(file.tensors["conv3.weight"], np.nan)}
    with pytest.raises(BundleError, match=r"tensor 'conv3.weight'"):
        network_parameters(CheckpointFile(file.name, file.sha256, tensors), graph)


def test_manifest_fields_are_checked(bundle: Bundle) -> None:
    document = json.loads(bundle.manifest.to_json())
    document["calibration"]["1"]["kind"] = 7
    with pytest.raises(BundleError, match="7 is not a text"):
        Manifest.from_json(json.dumps(document).encode())
    del document["calibration"], document["recipes"]
    assert Manifest.from_json(json.dumps(document).encode()).recipes == {}
