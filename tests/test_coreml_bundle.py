"""Core ML packages in a bundle: made by the command, hashed file by file, read back, the same bytes every time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from converters.cli import main as convert
from jpegai_mobile import BundleError, Decoder, open_bundle
from jpegai_mobile.runtime.manifest import MANIFEST_NAME, NetworkKey

from .coreml_support import needs_coremltools
from .vectors import ROOT

SOURCE = str(ROOT / "weights" / "own_model1.zip")
SYNTHESIS = NetworkKey("synthesis", "uv", 1, "sop", "float16", "coreml")


def _bundle(path: Path, targets: str) -> Path:
    words = [SOURCE, "-o", str(path), "--operating-points", "sop", "--targets", targets, "--precision", "float16"]
    assert convert(words) == 0
    return path


@needs_coremltools
@pytest.mark.parametrize("name", ["apple.bundle", "apple.zip"])
def test_packages_are_read_back(tmp_path: Path, name: str) -> None:
    with open_bundle(_bundle(tmp_path / name, "tflite,coreml")) as bundle:
        files = bundle.package(SYNTHESIS)
        assert {Path(file).name for file in files} == {"Manifest.json", "model.mlmodel", "weight.bin"}
        assert bundle.manifest.targets == ("tflite", "coreml")
        assert bundle.manifest.tile_sizes["coreml"] == (512,)
        photo = (ROOT / "examples" / "kodim07.jai").read_bytes()
        assert Decoder(bundle).decode(photo).planes.size == (512, 768)


@needs_coremltools
def test_packages_of_equal_numbers_are_stored_once(tmp_path: Path) -> None:
    words = [SOURCE, str(ROOT / "weights" / "own_model1_encoder.zip"), "-o", str(tmp_path / "b"), "--parts", "encoder"]
    assert convert([*words, "--targets", "coreml", "--precision", "float16,int8w,int8mixed,int8"]) == 0
    with open_bundle(tmp_path / "b") as bundle:
        names = {key.precision: name for key, name in bundle.manifest.networks.items() if str(key)[:10] == "analysis y"}
    assert names["int8w"] == names["int8mixed"] == names["int8"] == "analysis_y_1.int8w.mlpackage"
    assert names["float16"] == "analysis_y_1.float16.mlpackage"


@needs_coremltools
def test_the_report_says_what_packages_cost(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As of the same networks for LiteRT; a package is one file."""
    path, page = _bundle(tmp_path / "both.bundle", "tflite,coreml"), tmp_path / "page.html"
    capsys.readouterr()
    assert convert(["report", str(path), "--json", "--html", str(page)]) == 0
    files = {entry["file"]: entry for entry in json.loads(capsys.readouterr().out)["files"]}
    package, tflite = (files[f"synthesis_uv_1_sop.float16.{suffix}"] for suffix in ("mlpackage", "tflite"))
    for fact in ("recipe", "parameters", "kmac_per_sample", "activation_bytes"):
        assert package[fact] == tflite[fact]
    assert "delegates" not in package and f"<td>{package['file']}</td>" in page.read_text()
    held = sum(file.stat().st_size for file in path.rglob("*") if file.is_file() and file.name != MANIFEST_NAME)
    assert sum(entry["bytes"] for entry in files.values()) == held
    assert convert(["report", str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    (line,) = [number for number, line in enumerate(lines) if line.endswith(package["file"])]
    assert f" {package['parameters']:,} parameters" in lines[line + 1]
    assert lines[line + 2].strip().startswith("float32 activations ")


@needs_coremltools
def test_damage_inside_a_package_is_found(tmp_path: Path) -> None:
    path = _bundle(tmp_path / "apple.bundle", "coreml")
    weights = next(path.glob("synthesis_uv_1_sop.float16.mlpackage/**/weight.bin"))
    weights.write_bytes(weights.read_bytes()[:-1] + b"?")
    with pytest.raises(BundleError, match=r"weight\.bin: SHA-256"):
        open_bundle(path).package(SYNTHESIS)


@needs_coremltools
def test_the_same_conversion_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = (_bundle(tmp_path / name, "coreml").read_bytes() for name in ("a.zip", "b.zip"))
    assert first == second
