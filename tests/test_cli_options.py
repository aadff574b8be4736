"""Options of the command line reach what they are for."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
from PIL import Image

import jpegai_mobile
from jpegai_mobile import DecodeOptions, Decoder, EncodeOptions, Encoder, PictureError
from jpegai_mobile.cli import trace
from jpegai_mobile.cli.main import main
from jpegai_mobile.codestream.components import Component
from jpegai_mobile.codestream.stream import read_code_stream, write_code_stream
from jpegai_mobile.codestream.tool_header import EfeLinearHeader, EfeLinearPlane, EfeLinearSet
from jpegai_mobile.encoder.pictures import SourcePicture
from jpegai_mobile.runtime.entropy_engine import EntropyOptions

from .encoding import own_bundle_path, own_decoder, own_encoder, photo
from .vectors import ROOT

ROWS, COLUMNS = 96, 160


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a small photograph, with a filter that adds an eighth of luma to U."""
    picture = SourcePicture(photo().samples[:ROWS, :COLUMNS])
    coded = read_code_stream(own_encoder().encode(picture, EncodeOptions(effort=1)).data)
    tint = EfeLinearPlane(1, 1, [[0]], [[2048 // 8]])
    coded.tools.efe_linear = EfeLinearHeader(set_b=EfeLinearSet((tint, EfeLinearPlane()), 32767, 2048 // 8))
    path = tmp_path_factory.mktemp("streams") / "photo.jai"
    path.write_bytes(write_code_stream(coded))
    return path


@pytest.fixture(scope="module")
def whole(stream: Path) -> np.ndarray:
    return jpegai_mobile.decode(stream, own_bundle_path())


def decoded(stream: Path, folder: Path, *words: str) -> np.ndarray:
    output = folder / "picture.npy"
    assert main(["decode", str(stream), str(output), "--bundle", str(own_bundle_path()), *words]) == 0
    samples: np.ndarray = np.load(output)
    return samples


def test_a_region_is_a_part_of_the_picture(stream: Path, whole: np.ndarray, tmp_path: Path) -> None:
    assert np.array_equal(decoded(stream, tmp_path, "--region", "60,36,100,60"), whole[36:, 60:])


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_a_scale_reduces_the_picture(factor: int, stream: Path, whole: np.ndarray, tmp_path: Path) -> None:
    means = whole.reshape(ROWS // factor, factor, COLUMNS // factor, factor, 3).mean(axis=(1, 3))
    reduced = decoded(stream, tmp_path, "--scale", f"1/{factor}")
    assert reduced.shape == means.shape
    assert np.abs(reduced - means).mean() < 1  # these are the means of samples that are rounded and clipped


def test_filters_are_left_out_where_that_is_asked_for(stream: Path, whole: np.ndarray, tmp_path: Path) -> None:
    plain = decoded(stream, tmp_path, "--no-filters")
    assert np.array_equal(plain, jpegai_mobile.decode(stream, own_bundle_path(), DecodeOptions(filters=False)))
    assert not np.array_equal(plain, whole)


def test_a_trace_has_the_latents_and_the_planes_before_filters(stream: Path, tmp_path: Path) -> None:
    output = tmp_path / "trace.npz"
    command = ["trace", str(stream), str(output), "--bundle", str(own_bundle_path())]
    assert main([*command, "--latents", "--planes"]) == 0
    planes = own_decoder().decode(stream.read_bytes(), DecodeOptions(filters=False)).planes
    latents = jpegai_mobile.decode_latents(stream, own_bundle_path())
    with np.load(output) as trace:
        for name in "yuv":
            assert np.array_equal(trace[f"plane_{name.upper()}"], getattr(planes, name)), name
        for component in Component:
            expected = latents[component].transpose(2, 0, 1)
            assert np.array_equal(trace[f"y_hat_{component.suffix}"], expected), component


def test_a_mask_makes_the_quality_map(tmp_path: Path) -> None:
    samples, mask = photo().samples[:64, :96], np.zeros((64, 96), np.uint8)
    mask[:, :32] = 255
    for name, content in (("picture", samples), ("mask", mask)):
        Image.fromarray(content).save(tmp_path / f"{name}.png")
    source, white, target = (str(tmp_path / name) for name in ("picture.png", "mask.png", "a.jai"))
    words = ["--quality", "30", "--effort", "1", "--roi", white, "--roi-strength", "6"]
    assert main(["encode", source, target, "--bundle", str(own_bundle_path()), *words]) == 0
    options = EncodeOptions(quality=30, effort=1, roi_strength=6)
    data = Path(target).read_bytes()
    assert data == jpegai_mobile.encode(samples, own_bundle_path(), roi=mask, options=options)
    assert read_code_stream(data).quality_map is not None


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Options that a command calls the decoder or the encoder with, whose work is not done."""
    options: list[object] = []

    def record(codec: object, source: object, choices: object, *others: object) -> NoReturn:
        options.append(choices)
        raise PictureError("never mind")

    monkeypatch.setattr(Decoder, "reconstruct", record)
    monkeypatch.setattr(Encoder, "prepare", record)
    return options


@pytest.mark.parametrize(
    ("words", "options"),
    [
        ("", {}),
        ("--operating-point sop --threads 3", {"operating_point": "sop", "num_threads": 3}),
        ("--max-channels 48,16 --precision int8", {"max_channels": (48, 16), "precision": "int8"}),
        ("--no-filters --allow-partial", {"filters": False, "allow_partial": True}),
        ("--memory-limit 96MiB --patch 321", {"memory_limit": 96 << 20, "patch": (20, 20)}),
        ("--max-samples 398131200", {"max_samples": 398131200}),
    ],
)
def test_options_of_a_decode(words: str, options: dict[str, Any], asked: list[object], tmp_path: Path) -> None:
    command = ["decode", str(ROOT / "examples" / "kodim07.jai"), str(tmp_path / "a.png")]
    assert main([*command, "--bundle", str(own_bundle_path()), *words.split()]) == 1
    assert asked == [DecodeOptions(**options)]


def test_the_ceiling_on_samples_can_be_raised_for_benches_and_traces(
    asked: list[Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stream = read_code_stream((ROOT / "examples" / "kodim07.jai").read_bytes())
    stream.picture.img_width_minus64, stream.picture.img_height_minus64 = 19936, 9936
    large = tmp_path / "large.jai"
    large.write_bytes(write_code_stream(stream))
    raised = ["--max-samples", "200000000", "--bundle", str(own_bundle_path())]
    assert main(["bench", str(large), *raised]) == 1

    def record(data: bytes, model: bytes, options: EntropyOptions) -> NoReturn:
        asked.append(options)
        raise PictureError("never mind")

    monkeypatch.setattr(trace, "run_entropy_stage", record)
    assert main(["trace", str(large), str(tmp_path / "a.npz"), *raised]) == 1
    assert [options.max_samples for options in asked] == [200_000_000] * 2


@pytest.mark.parametrize(
    ("words", "options"),
    [
        ("", {}),
        ("--bpp 0.5", {"bpp": 0.5}),
        ("--quality 30 --effort 3", {"quality": 30, "effort": 3}),
        ("--target-psnr 33.5", {"target_psnr": 33.5}),
        ("--model 1 --beta-displacement -300", {"model": 1, "beta_displacement": -300}),
        ("--chroma-beta-displacement 70", {"chroma_beta_displacement": 70}),
        ("--operating-point hop --chroma 420", {"operating_point": "hop", "chroma": (2, 2)}),
        ("--regions 2x3 --region-overlap 1", {"regions": (2, 3), "region_overlap": 1}),
        ("--rvs --grfs --lsbs --post-filters", {"rvs": True, "grfs": True, "lsbs": True, "post_filters": True}),
        ("--no-rvs --no-post-filters", {"rvs": False, "post_filters": False}),
        ("--no-cube-flags --no-model-mark", {"cube_flags": False, "model_mark": False}),
        (
            "--coder-threads 4 --threads 3 --precision int8w",
            {"coder_threads": 4, "num_threads": 3, "precision": "int8w"},
        ),
    ],
)
def test_options_of_an_encode(words: str, options: dict[str, Any], asked: list[object], tmp_path: Path) -> None:
    command = ["encode", str(ROOT / "examples" / "kodim07.jpg"), str(tmp_path / "a.jai")]
    assert main([*command, "--bundle", str(own_bundle_path()), *words.split()]) == 1
    assert asked == [EncodeOptions(**options)]
