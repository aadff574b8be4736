"""`jpegai-convert report`: text, JSON and the page."""

from __future__ import annotations

import contextlib
import io
import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest

from converters.cli import main
from tests.vectors import ROOT

STREAM = ROOT / "examples" / "kodim07.jai"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "own.bundle"
    options = ["--operating-points", "sop", "--precision", "float32,float16,int8mixed,int8"]
    assert main([str(ROOT / "weights" / "own_model1.zip"), "-o", str(path), *options]) == 0
    return path


@pytest.fixture(scope="module")
def facts(bundle: Path) -> dict[str, Any]:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        assert main(["report", str(bundle), "--json", "--streams", str(STREAM)]) == 0
    result: dict[str, Any] = json.loads(printed.getvalue())
    return result


def test_files_and_costs(bundle: Path, facts: dict[str, Any]) -> None:
    listed = {entry["file"]: entry["bytes"] for entry in facts["files"]}
    held = {file.name: file.stat().st_size for file in bundle.iterdir() if file.name != "manifest.json"}
    assert listed == held
    networks = [entry for entry in facts["files"] if "recipe" in entry]
    assert len(networks) == len(held) - 1
    assert all(entry["delegates"] == {"count": 1, "whole_network": True} for entry in networks)
    luma = next(entry for entry in networks if entry["file"] == "synthesis_y_1_sop.int8.tflite")
    assert luma["recipe"] == (
        "weights=int8 activations=inner ranges=percentile latents=0.75 products=0.75 margin=1.05 rounding=feedback"
    )
    assert luma["parameters"] == 461_504
    assert luma["activation_bytes"]["1024"] == pytest.approx(4 * luma["activation_bytes"]["512"], rel=0.01)
    (stage,) = facts["stages"]
    assert stage["standard"] == 8
    assert stage["total"] == pytest.approx(sum(stage["stages"].values()), abs=0.01)


def test_tensors_worst_first(facts: dict[str, Any]) -> None:
    tensors = {entry["file"]: entry["tensors"] for entry in facts["files"] if entry.get("tensors")}
    int8 = [fact["sqnr_db"] for fact in tensors["synthesis_y_1_sop.int8.tflite"]]
    assert int8 == sorted(int8)
    assert 15 < int8[0] < 40
    mixed = {fact["tensor"]: fact["sqnr_db"] for fact in tensors["synthesis_y_1_sop.int8mixed.tflite"]}
    assert mixed["iact3.conv2:add_constant"] > 30
    # The weights of the project are float16 numbers.
    assert all(fact["sqnr_db"] is None for fact in tensors["synthesis_y_1_sop.float16.tflite"])


def test_decodes_against_float32(facts: dict[str, Any]) -> None:
    quality = {entry["precision"]: entry for entry in facts["quality"]}
    assert quality.keys() == {"float16", "int8mixed", "int8"}
    assert quality["float16"]["db"] is None
    assert quality["float16"]["histogram"] == {"0": 1.0}
    assert quality["int8mixed"]["db"] > quality["int8"]["db"] > 38
    assert all(sum(entry["histogram"].values()) == pytest.approx(1, abs=1e-3) for entry in quality.values())


def test_text_and_page(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "report.html"
    assert main(["report", str(bundle), "--html", str(page)]) == 0
    printed = capsys.readouterr().out
    assert "1 delegate; float32 activations" in printed
    assert "drawn from model 1 sop int8: " in printed
    text = page.read_text()
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
    charts = [part.split("</svg>")[0] for part in text.split("<svg")[1:]]
    assert len(charts) > 5
    for chart in charts:
        assert len(ElementTree.fromstring(f"<svg{chart}</svg>")) % 3 == 0


def test_without_float32_there_is_nothing_to_compare_with(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--operating-points", "sop", "--precision", "int8w"]
    assert main([str(ROOT / "weights" / "own_model1.zip"), "-o", str(tmp_path / "b"), *options]) == 0
    assert main(["report", str(tmp_path / "b")]) == 0
    assert "note: the bundle holds no float32 networks to compare with" in capsys.readouterr().out


def test_no_bundle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(tmp_path / "absent")]) == 1
    assert capsys.readouterr().err == f"jpegai-convert: {tmp_path / 'absent'}: no such model bundle\n"


def test_no_stream(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(bundle), "--streams", str(tmp_path / "absent.jai")]) == 1
    assert "absent.jai" in capsys.readouterr().err
