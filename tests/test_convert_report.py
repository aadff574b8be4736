"""`jpegai-convert report`: text, JSON and the page."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
import shutil
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from converters.cli import main
from converters.quantisation.recipe import recipe_of
from converters.report.text import report_text
from jpegai_mobile.codestream.stream import read_code_stream, write_code_stream
from jpegai_mobile.encoder.encoder import Encoder
from jpegai_mobile.encoder.options import EncodeOptions
from jpegai_mobile.encoder.pictures import picture_from_array
from jpegai_mobile.errors import InvalidStream
from jpegai_mobile.runtime.default_bundle import open_bundle
from jpegai_mobile.runtime.manifest import MANIFEST_NAME
from jpegai_mobile.runtime.symbols import Symbols
from tests.converter_support import part_of
from tests.vectors import ROOT

PHOTO = ROOT / "examples" / "kodim07.jpg"


@pytest.fixture(scope="module")
def bundle(quantised_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SOP in four precisions."""
    path = tmp_path_factory.mktemp("report") / "own.bundle"
    return part_of(quantised_bundle, path, lambda key: key.operating_point != "bop" and key.precision != "int8w")


@pytest.fixture(scope="module")
def streams(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A picture at two rates."""
    picture = picture_from_array(np.asarray(Image.open(PHOTO))[:256, :320])
    folder = tmp_path_factory.mktemp("streams")
    paths = [folder / "low.jai", folder / "high.jai"]
    for path, displacement in zip(paths, (-400, 200), strict=True):
        path.write_bytes(Encoder(open_bundle(None)).encode(picture, EncodeOptions(beta_displacement=displacement)).data)
    return paths


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the report is written."""
    return tmp_path_factory.mktemp("page") / "report.html"


@pytest.fixture(scope="module")
def facts(bundle: Path, streams: list[Path], page: Path) -> dict[str, Any]:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        assert main(["report", str(bundle), "--json", "--html", str(page), "--streams", *map(str, streams)]) == 0
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
    assert luma["recipe"] == str(recipe_of(("synthesis", "y", "sop"), "int8"))
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
    low, high = (facts["quality"][:3], facts["quality"][3:])
    assert low[0]["bits_per_sample"] < high[0]["bits_per_sample"] / 1.5
    quality = {entry["precision"]: entry for entry in high}
    assert quality.keys() == {"float16", "int8mixed", "int8"}
    assert quality["float16"]["db"] is None
    assert quality["float16"]["histogram"] == {"0": 1.0}
    assert quality["int8mixed"]["db"] > quality["int8"]["db"] > 38
    assert all(sum(entry["histogram"].values()) == pytest.approx(1, abs=1e-3) for entry in quality.values())


def test_text(facts: dict[str, Any]) -> None:
    text = report_text(facts)
    assert "1 delegate; float32 activations" in text
    assert re.search(r"high\.jai \(\d\.\d+ bits per sample\) sop int8: \d+\.\d dB", text)


class _Page(HTMLParser):
    """Bars by heading, and tags that would load something."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.bars = 0
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.bars += tag == "i"
        self.links += [name for name, _ in attrs if name in ("src", "href")]


def test_page(facts: dict[str, Any], page: Path) -> None:
    text = page.read_text()
    parsed = _Page(text)
    assert parsed.links == [] and "http" not in text.replace("http://www.w3.org/2000/svg", "")
    histograms = [entry["histogram"] for entry in facts["quality"]]
    tensors = [entry.get("tensors", []) for entry in facts["files"]]
    assert parsed.bars == len(facts["files"]) + sum(map(len, histograms)) + sum(map(len, tensors))
    (chart,) = [part.split("</svg>")[0] for part in text.split("<svg")[1:]]
    drawing = ElementTree.fromstring(f"<svg{chart}</svg>")
    # Two curves with a dot for every stream; float16 is equal and has none.
    assert len([part for part in drawing if part.tag.endswith("polyline")]) == 2
    assert len([part for part in drawing if part.tag.endswith("circle")]) == 4


def test_without_streams_symbols_are_drawn(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    part = part_of(bundle, tmp_path / "b", lambda key: key.precision in ("float32", "float16"))
    assert main(["report", str(part)]) == 0
    printed = capsys.readouterr().out
    assert "drawn from model 1 sop float16: equal" in printed
    assert "note: compared on symbols drawn from the model's tables" in printed


@pytest.mark.parametrize("holds", ["float16", "float32", "an encoder"])
def test_where_there_is_nothing_to_compare_the_report_says_so(
    holds: str, bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if holds == "an encoder":
        weights = [str(ROOT / "weights" / f"own_model1{part}.zip") for part in ("", "_encoder")]
        words = ["--parts", "encoder", "--precision", "float32,float16"]
        assert main([*weights, "-o", str(tmp_path / "b"), *words]) == 0
    else:
        part_of(bundle, tmp_path / "b", lambda key: key.precision == holds)
    assert main(["report", str(tmp_path / "b")]) == 0
    (note,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("note: ")]
    assert note.startswith("note: nothing was compared: ")


def with_manifest(bundle: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    document = json.loads((bundle / MANIFEST_NAME).read_bytes())
    change(document)
    (bundle / MANIFEST_NAME).write_text(json.dumps(document))
    return bundle


def test_networks_that_the_catalogue_does_not_know_are_listed_with_their_bytes(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    part = part_of(bundle, tmp_path / "b", lambda key: key.precision == "float32")

    def rename(document: dict[str, Any]) -> None:
        names = {("hyper_decoder", "uv"): ("denoiser", "y"), ("context_model", "y"): ("context_model", "uv")}
        for entry in document["networks"]:
            kind = entry["network"], entry["component"]
            entry["network"], entry["component"] = names.get(kind, kind)

    assert main(["report", str(with_manifest(part, rename)), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    plain = [entry["file"] for entry in facts["files"] if entry.keys() == {"file", "bytes"}]
    assert set(plain) == {"context_model_y_1.float32.tflite", "hyper_decoder_uv_1.float32.tflite", "entropy_1.bin"}
    assert list(facts["stages"][0]["stages"]) == ["hyper_decoder y", "synthesis y", "synthesis uv"]


def test_text_that_cannot_be_printed_is_escaped(
    bundle: Path, streams: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    part = part_of(bundle, tmp_path / "b", lambda key: key.precision in ("float32", "float16"))

    def spoil(document: dict[str, Any]) -> None:
        document["recipes"] = dict.fromkeys(document["recipes"], "weights=\ud800\x1b[31m")

    stream = tmp_path / os.fsdecode(b"b\xff.jai")
    shutil.copyfile(streams[0], stream)
    words = ["report", str(with_manifest(part, spoil)), "--html", str(tmp_path / "page.html")]
    assert main([*words, "--streams", str(stream)]) == 0
    for text in (capsys.readouterr().out, (tmp_path / "page.html").read_text()):
        assert "weights=\\ud800\\x1b[31m" in text and "b\\udcff.jai" in text
        assert "\x1b" not in text


def test_a_graph_that_is_none_is_named(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    part = part_of(bundle, tmp_path / "b", lambda key: key.precision in ("float32", "float16"))
    name, data = "hyper_decoder_uv_1.float32.tflite", b"no graph"
    (part / name).write_bytes(data)
    record = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    assert main(["report", str(with_manifest(part, lambda document: document["files"].update({name: record})))]) == 1
    assert capsys.readouterr().err.startswith(f"jpegai-convert: {name}: network graph is damaged: ")


def test_no_bundle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(tmp_path / "absent")]) == 1
    assert capsys.readouterr().err == f"jpegai-convert: {tmp_path / 'absent'}: no such model bundle\n"


def test_no_stream(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(bundle), "--streams", str(tmp_path / "absent.jai")]) == 1
    assert capsys.readouterr().err == f"jpegai-convert: {tmp_path / 'absent.jai'}: No such file or directory\n"


def test_a_stream_that_cannot_be_decoded_is_named(
    bundle: Path, streams: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    part = part_of(bundle, tmp_path / "b", lambda key: key.precision in ("float32", "float16"))
    data, bad = streams[0].read_bytes(), tmp_path / "bad.jai"
    stream = read_code_stream(data)
    of_model_2 = write_code_stream(replace(stream, picture=replace(stream.picture, model_id=2)))

    def failure() -> str:
        assert main(["report", str(part), "--streams", str(streams[0]), str(bad)]) == 1
        return capsys.readouterr().err

    for damaged in (data[:10], data[:-20], of_model_2):  # of the headers, of the sub-streams
        bad.write_bytes(damaged)
        assert failure().startswith(f"jpegai-convert: {bad}: ")

    def refuse(symbols: Symbols, *more: object) -> None:
        raise InvalidStream("regions are too narrow")

    bad.write_bytes(data)
    for function in ("latent_source", "sample_of_symbols"):
        with monkeypatch.context() as patch:
            patch.setattr(f"converters.report.facts.{function}", refuse)
            assert failure() == f"jpegai-convert: {streams[0]}: regions are too narrow\n"
