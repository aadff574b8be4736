"""The command line as a user meets it: results, exit codes, one-line errors."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import jpegai_mobile
from jpegai_mobile.cli.main import main

from .encoding import own_decoder_bundle_path
from .vectors import DATA, ROOT, stream_folder

PHOTO = ROOT / "examples" / "kodim07.jai"


@pytest.fixture(scope="module")
def bundle() -> str:
    return str(own_decoder_bundle_path())


@pytest.mark.parametrize("point", ["bop", "sop"])
def test_a_photo_decodes_as_the_reference_decodes_it(bundle: str, tmp_path: Path, point: str) -> None:
    output = tmp_path / "photo.png"
    assert main(["decode", str(PHOTO), str(output), "--bundle", bundle, "--operating-point", point]) == 0
    ours = np.asarray(Image.open(output)).astype(int)
    reference = np.asarray(Image.open(DATA / "own_weights" / f"kodim07_{point}_crop.png")).astype(int)
    difference = np.abs(ours[128:384, 256:512] - reference)
    assert difference.max() <= 1
    assert (difference > 0).mean() <= 1 / 2000


def test_default_operating_point_is_the_streams_first(
    bundle: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen, default = tmp_path / "bop.npy", tmp_path / "default.npy"
    assert main(["decode", str(PHOTO), str(chosen), "--bundle", bundle, "--operating-point", "bop"]) == 0
    assert main(["decode", str(PHOTO), str(default), "--bundle", bundle, "--stats"]) == 0
    assert chosen.read_bytes() == default.read_bytes()
    assert "bop float32" in capsys.readouterr().err


def test_without_a_bundle_the_one_of_the_package_is_used(
    bundle: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JPEGAI_BUNDLE", raising=False)
    named, default, again = tmp_path / "named.npy", tmp_path / "default.npy", tmp_path / "again.jai"
    assert main(["decode", str(PHOTO), str(named), "--bundle", bundle]) == 0
    assert main(["decode", str(PHOTO), str(default)]) == 0
    assert named.read_bytes() == default.read_bytes()
    assert main(["encode", str(DATA / "own_weights" / "kodim07_bop_crop.png"), str(again)]) == 0
    assert main(["decode", str(again), str(default)]) == 0


def test_without_any_bundle_the_error_says_how_to_make_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JPEGAI_BUNDLE", raising=False)
    monkeypatch.setattr(jpegai_mobile, "__path__", [str(tmp_path)])
    assert main(["decode", str(PHOTO), str(tmp_path / "out.png")]) == 1
    assert "jpegai-convert" in capsys.readouterr().err


def test_info_as_json_names_every_field(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(stream_folder("threads16_200x136") / "stream.jai"), "--json"]) == 0
    description = json.loads(capsys.readouterr().out)
    names = [field["name"] for field in description["fields"]["picture_header"]]
    assert names[:2] == ["decoder_profile_id", "num_synthesis_transforms_minus1"]
    assert "log2_num_threads_r_minus1[1]" in names
    assert description["summary"]["threads"] == "16 z, 16 luma, 16 chroma"


def test_info_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(PHOTO)]) == 0
    text = capsys.readouterr().out
    assert "768 x 512" in text and "SORP" in text


@pytest.mark.parametrize("engine", ["native", "python"])
def test_trace_holds_the_contracted_arrays(bundle: str, tmp_path: Path, engine: str) -> None:
    output = tmp_path / "trace.npz"
    assert (
        main(["trace", str(PHOTO), str(output), "--bundle", bundle, "--engine", engine, "--latents", "--planes"]) == 0
    )
    with np.load(output) as trace:
        assert trace["residual_y"].dtype == np.int16 and trace["residual_y"].shape == (160, 32, 48)
        assert trace["skip_mask_uv"].dtype == np.bool_ and trace["z_uv"].shape == (96, 8, 12)
        assert trace["psi_y"].shape == (640, 16, 24) and trace["y_hat_uv"].dtype == np.float32
        assert trace["plane_Y"].shape == (512, 768)


def test_numpy_is_given_nothing_but_arrays(bundle: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before version 2 it stores every keyword as one."""
    stored: dict[str, object] = {}
    monkeypatch.setattr(np, "savez_compressed", lambda file, **arrays: stored.update(arrays))
    assert main(["trace", str(PHOTO), str(tmp_path / "trace.npz"), "--bundle", bundle]) == 0
    assert "residual_y" in stored and all(isinstance(each, np.ndarray) for each in stored.values())


def test_dash_is_stdin_and_stdout(bundle: str) -> None:
    command = [sys.executable, "-m", "jpegai_mobile", "decode", "-", "-", "--format", "ppm", "--bundle", bundle]
    result = subprocess.run(command, input=PHOTO.read_bytes(), capture_output=True, check=True, cwd=ROOT)
    assert result.stdout.startswith(b"P6\n768 512\n255\n")
    assert len(result.stdout) == len(b"P6\n768 512\n255\n") + 768 * 512 * 3


def _fails(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Exit code and stderr of a command that must fail with one line."""
    try:
        code = main(arguments)
    except SystemExit as stop:
        code = int(stop.code or 0)
    text = capsys.readouterr().err
    assert text.count("\n") == 1, text
    return code, text


def test_errors_are_one_line_with_the_right_exit_code(
    bundle: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    truncated = tmp_path / "truncated.jai"
    truncated.write_bytes(PHOTO.read_bytes()[:5000])
    output, yuv = (str(tmp_path / f"out.{name}") for name in ("png", "yuv"))
    photo = str(PHOTO)
    cases: list[tuple[list[str], int, str]] = [
        (["decode", "absent.jai", output, "--bundle", bundle], 1, "absent.jai: No such file"),
        (["decode", str(truncated), output, "--bundle", bundle], 1, "truncated.jai: truncated: SORP at byte 74"),
        (["decode", photo, output, "--bundle", str(tmp_path / "none")], 1, "no such model bundle"),
        (["decode", photo, output, "--bundle", bundle, "--operating-point", "hop"], 1, "operating point hop"),
        (
            ["decode", photo, output, "--bundle", bundle, "--precision", "int8"],
            1,
            "has no precision int8; it has float32",
        ),
        (["decode", photo, yuv, "--bundle", bundle], 2, "cannot be written as yuv"),
        (
            ["decode", photo, output, "--bundle", bundle, "--region", "668,0,101,60"],
            2,
            "--region reaches outside of the picture of 768 x 512",
        ),
        (["decode", photo, output, "--bundle", bundle, "--region", "0,500,8,13"], 2, "--region reaches outside"),
        (["decode", photo, yuv, "--bundle", bundle, "--scale", "1/2"], 2, "--scale gives RGB samples, not yuv"),
        *(
            ([command, photo, *outputs, "--bundle", bundle, "--max-samples", "393215"], 1, "393215 samples (--max-samp")
            for command, *outputs in (("decode", output), ("trace", output), ("bench",))
        ),
        (["decode", photo, str(tmp_path / "out.gif"), "--bundle", bundle], 2, "gif"),
        (["decode", photo, "-", "--bundle", bundle], 2, "--format"),
        (["decode", photo, output, "--bundle", bundle, "--max-channels", "7"], 2, "Y,UV"),
        (["decode", photo, output, "--bundle", bundle, "--max-channels", f"{10**20},1"], 2, "max_channels (1000000"),
        (["decode", photo, output, "--bundle", bundle, "--threads", "0"], 2, "not a whole number in 1..256"),
        (["trace", photo, output, "--engine", "fast"], 2, "invalid choice"),
        (["info", str(ROOT / "README.md")], 1, "SOC"),
        (["nonsense"], 2, "invalid choice"),
    ]
    for arguments, code, text in cases:
        got, message = _fails(arguments, capsys)
        assert got == code, arguments
        assert text in message, arguments
    assert list(tmp_path.iterdir()) == [truncated]


def test_the_python_api_decodes(bundle: str) -> None:
    import jpegai_mobile

    picture = jpegai_mobile.decode(PHOTO.read_bytes(), bundle=bundle)
    assert picture.shape == (512, 768, 3) and picture.dtype == np.uint8
    assert jpegai_mobile.info(PHOTO.read_bytes())["summary"]["profile"] == "main"
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = jpegai_mobile.nonsense
