"""The fault drill: float decoders that agree, one that does not, and what is shown of it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from device_tests.cli import main
from device_tests.drill import drill, float_codec
from device_tests.drill.float_codec import float_sources, recode
from device_tests.errors import AbsentTarget
from device_tests.sources import TraceSources, find_sources
from jpegai_mobile.native import decode_entropy_stage

from .c_compiler import needs_compiler
from .encoding import own_decoder_bundle_path
from .vectors import DATA, ROOT, stream_folder

pytestmark = [needs_compiler, pytest.mark.usefixtures("host_built_once")]
needs_wrap = pytest.mark.skipif(sys.platform == "darwin", reason="Apple's linker has no --wrap")
TABLES = (DATA / "entropy_1.bin").read_bytes()
STREAMS = ("bop_67x65_bm200", "depreg_threads4_640x392", "indreg_rvs_threads2_700x530", "numchs_33_5_187x133")


@pytest.fixture(scope="module")
def bundle() -> str:
    return str(own_decoder_bundle_path("sop"))


@pytest.mark.parametrize("name", STREAMS)
def test_coding_again_with_the_same_tables_gives_the_same_stream(name: str) -> None:
    data = (stream_folder(name) / "stream.jai").read_bytes()
    arrays = decode_entropy_stage(data, TABLES).named()
    coded = recode(data, arrays, arrays)
    again = decode_entropy_stage(coded, TABLES).named()
    assert all(np.array_equal(again[key], arrays[key]) for key in arrays)
    assert abs(len(coded) - len(data)) < 16, "the same symbols with the same tables take the same room"


def test_other_residuals_are_carried_where_the_mask_keeps_them() -> None:
    data = (stream_folder(STREAMS[0]) / "stream.jai").read_bytes()
    arrays = decode_entropy_stage(data, TABLES).named()
    rng = np.random.default_rng(4)
    other = {k: rng.integers(-300, 300, v.shape).astype(np.int16) for k, v in arrays.items() if "residual" in k}
    decoded = decode_entropy_stage(recode(data, arrays, other), TABLES).named()
    for component in ("y", "uv"):
        expected = np.where(arrays[f"skip_mask_{component}"], other[f"residual_{component}"], 0)
        assert np.array_equal(decoded[f"residual_{component}"], expected)


def drill_photo(bundle: str, report: Path, targets: str) -> int:
    words = ["drill", "--targets", targets, "--streams", str(ROOT / "examples"), "--match", "kodim07"]
    return main([*words, "--bundle", bundle, "-o", str(report)])


@needs_wrap
def test_the_same_float_decoder_reads_its_own_stream(bundle: str, tmp_path: Path) -> None:
    assert drill_photo(bundle, tmp_path, "host,adb:none") == 3
    report = json.loads((tmp_path / "drill.json").read_text())
    same, absent = report["drills"][0]["outcomes"]
    assert same["integer_exact"]
    assert (same["index_differs"], same["table_differs"], same["residual_differs"]) == (0, 0, 0)
    assert absent["problem"]
    page = (tmp_path / "index.html").read_text()
    assert "Integers: 1 of 1 decodes exact. Float: 0 of 1 decodes are noise." in page
    assert page.count("<img") == 1
    assert page.count("<li>target adb:none: ") == 1


@needs_wrap
def test_a_slightly_different_float_decoder_makes_noise(
    bundle: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = float_codec.float_sources
    text = float_codec.REPLACEMENT.read_text()
    rounded = tmp_path / "rounded.c"
    rounded.write_text(text.replace("return sum / WEIGHT_SCALE", "return sum * 1.001f / WEIGHT_SCALE"))
    assert rounded.read_text() != text
    built = 0

    def sources_for(sources: TraceSources, target: str) -> TraceSources:
        nonlocal built
        built += 1
        if built > 1:  # the first is the encoder
            monkeypatch.setattr(float_codec, "REPLACEMENT", rounded)
        return original(sources, target)

    monkeypatch.setattr(drill, "float_sources", sources_for)
    report = tmp_path / "report"
    assert drill_photo(bundle, report, "host") == 0
    (outcome,) = json.loads((report / "drill.json").read_text())["drills"][0]["outcomes"]
    assert outcome["integer_exact"]
    assert outcome["table_differs"] > 0
    assert outcome["residual_differs"] > 1000
    assert outcome["psnr"] < 20
    page = (report / "index.html").read_text()
    assert "Float: 1 of 1 decodes are noise." in page
    assert page.count("data:image/jpeg;base64,") == 3


def test_apples_linker_builds_no_float_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(float_codec.platform, "system", lambda: "Darwin")
    with pytest.raises(AbsentTarget, match=r"^host\+O3 has no float decoder on macOS: Apple's linker has no --wrap$"):
        float_sources(find_sources(), "host+O3")
    assert float_codec.REPLACEMENT in float_sources(find_sources(), "adb:1A2B").files


def test_the_plain_engine_has_no_float_decoder(bundle: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert drill_photo(bundle, tmp_path / "report", "python") == 2
    assert "no float decoder" in capsys.readouterr().err
