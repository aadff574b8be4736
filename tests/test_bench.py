"""`jpegai bench`: the clock, the observed decode, and the table."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from jpegai_mobile import DecodeOptions, Decoder, open_bundle
from jpegai_mobile.bench import results
from jpegai_mobile.bench.stages import ENTROPY, FILTERS, LUMA, STAGES, ObservedReconstruction, StageClock
from jpegai_mobile.cli.bench import HEADER
from jpegai_mobile.cli.main import main

from .encoding import own_decoder_bundle_path
from .vectors import ROOT

PHOTO = ROOT / "examples" / "kodim07.jai"


@pytest.fixture(scope="module")
def bundle() -> str:
    return str(own_decoder_bundle_path())


def test_a_stage_inside_another_is_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter([0, 1, 3, 10, 14, 20])  # outer 0..20, first inner 1..3, second 10..14
    monkeypatch.setattr(time, "perf_counter", lambda: next(now))
    clock = StageClock()
    with clock.stage("outer"):
        for _ in range(2):
            with clock.stage("inner"):
                pass
    assert dict(clock.seconds) == {"inner": 6, "outer": 14}
    assert clock.whole == 20


@pytest.mark.parametrize("threads", [1, 2])
def test_an_observed_decode_gives_the_same_picture(bundle: str, threads: int) -> None:
    options = DecodeOptions(num_threads=threads, patch=(16, 24))
    with open_bundle(bundle) as opened:
        plain = Decoder(opened).reconstruct(PHOTO.read_bytes(), options)
        clock = StageClock()
        observed = ObservedReconstruction.of(plain, clock)
        for expected, band in zip(plain.bands(), observed.bands(), strict=True):
            for name in "yuv":
                np.testing.assert_array_equal(getattr(band, name), getattr(expected, name))
        np.testing.assert_array_equal(observed.filtered(True).y, plain.filtered(True).y)
    assert {LUMA, FILTERS} <= clock.seconds.keys() and ENTROPY not in clock.seconds


def test_the_table_and_the_notes(bundle: str, tmp_path: Path) -> None:
    table = tmp_path / "results.tsv"
    command = ["bench", str(PHOTO), "--bundle", bundle, "--threads", "1,2", "--operating-point", "sop"]
    assert main([*command, "--rounds", "1", "-o", str(table)]) == 0
    header, *rows = (line.split("\t") for line in table.read_text().splitlines())
    assert tuple(header) == HEADER
    for threads in ("1", "2"):
        values = {row[8]: float(row[10]) for row in rows if row[6] == threads}
        assert all(
            row[:6] == ["kodim07.jai", "768", "512", str(PHOTO.stat().st_size), "sop", "float32"] for row in rows
        )
        assert 20 < values["idle interpreter"] < values["peak memory"]
        assert values["first decode"] > 0 < values["whole decode"]
        stages = sum(values.get(stage, 0) for stage in STAGES)
        if threads == "1":
            assert stages == pytest.approx(values["whole decode"], abs=0.1)
    notes = table.with_suffix(".meta").read_text()
    assert notes.startswith("command: jpegai ") and "numpy" in notes and "processor: " in notes


def test_notes_name_what_decides_the_speed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for told, line in (
        ("model name\t: A\nflags\t\t: sse avx2 avx_vnni\n\nflags\t\t: none\n", "processor features: avx2, avx_vnni\n"),
        ("Features\t: fp asimd asimddp i8mm\n", "processor features: asimddp, i8mm\n"),
        ("model name\t: A\nflags\t\t: sse\n", ""),
    ):
        (tmp_path / "cpuinfo").write_text(told)
        monkeypatch.setattr(results, "CPU_DESCRIPTION", tmp_path / "cpuinfo")
        notes = results.notes("x")
        assert line in notes and ("processor features" in notes) == bool(line)


def test_errors_are_one_line(bundle: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    damaged = tmp_path / "damaged.jai"
    damaged.write_bytes(PHOTO.read_bytes()[:5000])
    for arguments, code, text in (
        ([str(damaged)], 1, "damaged.jai: truncated"),
        ([str(PHOTO), "-"], 2, "files"),
        ([str(PHOTO), "-o", "-"], 2, "stdout without -o"),
        ([str(PHOTO), "-o", str(tmp_path / "x.meta")], 2, "x.meta: .meta is the name of the notes"),
        ([str(PHOTO), "--precision", "int8"], 1, "has no precision int8"),
        ([str(PHOTO), "--memory-limit", "1MiB"], 1, "the limit is 1 MiB"),
    ):
        assert main(["bench", *arguments, "--bundle", bundle, "--rounds", "1"]) == code
        error = capsys.readouterr().err
        assert text in error and error.count("\n") == 1
    with pytest.raises(SystemExit, match="2"):
        main(["bench", str(PHOTO), "--precision", "float32,float33"])
    assert "'float33' is none of" in capsys.readouterr().err
