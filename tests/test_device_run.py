"""`jpegai-devices`: runs, exit codes, reports, comparison."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from device_tests.cli import main
from device_tests.judgement import judge
from device_tests.results import Cell
from device_tests.streams import Case
from device_tests.trace_file import Record, read_trace, write_trace
from jpegai_mobile.codestream.stream import read_code_stream, write_code_stream

from .c_compiler import needs_compiler
from .encoding import own_decoder_bundle_path
from .vectors import ROOT

pytestmark = [needs_compiler, pytest.mark.usefixtures("host_built_once")]
NATIVE = ROOT / "jpegai_mobile" / "native"


@pytest.fixture(scope="module")
def bundle() -> str:
    """A bundle whose model 1 is that of the repository's streams' tables."""
    return str(own_decoder_bundle_path())


@pytest.fixture(scope="module")
def streams(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A photo, the photo with its end cut off, and what is no stream."""
    folder = tmp_path_factory.mktemp("streams")
    photo = (ROOT / "examples" / "kodim07.jai").read_bytes()
    (folder / "whole.jai").write_bytes(photo)
    (folder / "cut").mkdir()
    (folder / "cut" / "stream.jai").write_bytes(photo[:-1])
    (folder / "notes.txt").write_text("not a stream")
    return folder


def run(streams: Path, bundle: str, report: Path, targets: str, *more: str) -> int:
    words = ["run", "--targets", targets, "--streams", str(streams), "--bundle", bundle, "-o", str(report)]
    return main([*words, *more])


def copied_sources(folder: Path) -> Path:
    """The sources of jai-trace, to be broken."""
    for part in ("entropy", "trace"):
        shutil.copytree(NATIVE / part, folder / "source" / "native" / part)
    return folder / "source"


@pytest.fixture(scope="module")
def good_report(streams: Path, bundle: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    report = tmp_path_factory.mktemp("good")
    assert run(streams, bundle, report, "host,adb:none", "--allow-absent") == 0
    return report


def test_agreement_is_reported(good_report: Path) -> None:
    report = json.loads((good_report / "report.json").read_text())
    verdicts = {(cell["stream"], cell["target"]): cell["verdict"] for cell in report["cells"]}
    assert verdicts == {
        ("whole", "host"): "exact",
        ("cut", "host"): "refused alike",
        ("whole", "adb:none"): "absent",
        ("cut", "adb:none"): "absent",
    }
    assert len(report["skipped"]) == 1
    assert report["skipped"][0].startswith("target adb:none: ")
    exact = next(cell for cell in report["cells"] if cell["verdict"] == "exact")
    assert exact["milliseconds"] >= 0
    assert exact["peak_bytes"] > 0


def test_junit(good_report: Path) -> None:
    suites = {suite.get("name"): suite for suite in ElementTree.parse(good_report / "junit.xml").getroot()}
    assert {name: suite.get("skipped") for name, suite in suites.items()} == {"host": "0", "adb:none": "2"}
    assert [case.get("name") for case in suites["host"].iter("testcase")] == ["cut", "whole"]
    assert not list(suites["host"].iter("failure"))


def test_the_page_needs_nothing_else(good_report: Path) -> None:
    page = (good_report / "index.html").read_text()
    assert "http" not in page
    assert "<link" not in page
    assert "src=" not in page
    assert "all 2 decodes agree, bit for bit" in page
    assert "target adb:none" in page
    assert "$" not in page.replace("${shown} of ${rows.length}", "")


def test_an_absent_target_is_an_exit_code_of_its_own(streams: Path, bundle: str, tmp_path: Path) -> None:
    assert run(streams, bundle, tmp_path, "host,adb:none", "--match", "cut") == 3


@pytest.fixture(scope="module")
def faulty_source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sources whose sigma is one too high in one place, late enough not to matter to any table."""
    source = copied_sources(tmp_path_factory.mktemp("faulty"))
    program = source / "native" / "trace" / "jai_trace.c"
    text = program.read_text()
    before = "put_array(t, \"sigma\", suffix, 'i', a->sigma, shape, 3);"
    assert before in text
    program.write_text(text.replace(before, f"a->sigma[{3 * 32 * 48 + 5 * 48 + 7}] += 1; {before}"))
    return source


def test_a_divergence_is_found_named_and_kept(
    faulty_source: Path, streams: Path, bundle: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = ("--source", str(faulty_source))
    assert run(streams, bundle, tmp_path, "host+O0,adb:none", "--match", "w*", *source) == 1
    report = json.loads((tmp_path / "report.json").read_text())
    cell = next(cell for cell in report["cells"] if cell["target"] == "host+O0")
    assert cell["verdict"] == "diverges"
    assert cell["detail"].startswith("scales: sigma_y, luma, channel 3, row 5, column 7: ")
    assert cell["detail"].endswith("(1 of 245760 values differ)")
    page = (tmp_path / "index.html").read_text()
    assert page.count("data:image/png;base64,") == 1, "the map of the record"
    assert page.count("data:image/jpeg;base64,") == 3, "both pictures and their difference"
    assert "1 of 1 decodes disagree" in page
    failure = next(ElementTree.parse(tmp_path / "junit.xml").getroot().iter("failure"))
    assert failure.get("message") == cell["detail"]
    capsys.readouterr()
    reference, kept = tmp_path / "traces" / "whole.reference.trace", tmp_path / "traces" / "whole.host+O0.trace"
    assert main(["compare", str(reference), str(kept)]) == 1
    assert capsys.readouterr().out == cell["detail"] + "\n"


def test_traces_of_an_older_run_are_removed(streams: Path, bundle: str, tmp_path: Path) -> None:
    older, other = tmp_path / "traces" / "whole.host.trace", tmp_path / "traces" / "notes"
    older.parent.mkdir()
    older.write_bytes(b"")
    other.write_bytes(b"")
    assert run(streams, bundle, tmp_path, "host", "--match", "cut") == 0
    assert (older.exists(), other.exists()) == (False, True)


def test_the_cause_of_damage_is_found(streams: Path, bundle: str, tmp_path: Path) -> None:
    source = copied_sources(tmp_path)
    header = source / "native" / "entropy" / "skip_mode.h"
    header.write_text(header.read_text().replace("JAI_SKIP_THRESHOLD = 382", "JAI_SKIP_THRESHOLD = 381"))
    report = tmp_path / "report"
    assert run(streams, bundle, report, "host+O0", "--match", "whole", "--source", str(source)) == 1
    (cell,) = json.loads((report / "report.json").read_text())["cells"]
    assert cell["verdict"] == "diverges"
    assert cell["detail"].startswith("skip mask: skip_mask_y, luma, channel ")
    assert ": 0 against 1 (" in cell["detail"]
    assert cell["detail"].endswith("(damaged, or made for other weights)), the reference decodes")


def test_a_program_that_dies_is_a_failure(streams: Path, bundle: str, tmp_path: Path) -> None:
    source = copied_sources(tmp_path)
    program = source / "native" / "trace" / "jai_trace.c"
    program.write_text(
        program.read_text().replace("    return trace_stream(", "    abort();\n    return trace_stream(")
    )
    report = tmp_path / "report"
    assert run(streams, bundle, report, "host+O0", "--match", "whole", "--source", str(source)) == 1
    (cell,) = json.loads((report / "report.json").read_text())["cells"]
    assert (cell["verdict"], "status -6 " in cell["detail"]) == ("failed", True)


def test_a_target_that_cannot_be_built_is_a_failure(streams: Path, bundle: str, tmp_path: Path) -> None:
    source = copied_sources(tmp_path)
    (source / "native" / "entropy" / "z.c").write_text("#error broken\n")
    report = tmp_path / "report"
    assert run(streams, bundle, report, "host+O0", "--match", "cut", "--source", str(source)) == 1
    (cell,) = json.loads((report / "report.json").read_text())["cells"]
    assert cell["verdict"] == "failed"
    assert "cannot build jai-trace" in cell["detail"]


def test_a_stream_of_another_model_is_skipped_by_name(streams: Path, bundle: str, tmp_path: Path) -> None:
    stream = read_code_stream((streams / "whole.jai").read_bytes())
    stream.picture.model_id = 2
    (tmp_path / "other.jai").write_bytes(write_code_stream(stream))
    report = tmp_path / "report"
    assert run(tmp_path, bundle, report, "host") == 0
    skipped = json.loads((report / "report.json").read_text())["skipped"]
    assert skipped == ["stream other: the model bundle has no model 2; it has 1"]
    assert "Nothing was tested" in (report / "index.html").read_text()


def test_compare_reports(good_report: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", str(good_report), str(good_report / "report.json")]) == 0
    report = json.loads((good_report / "report.json").read_text())
    stream = next(s for s in report["streams"] if s["name"] == "whole")
    stream["trace"] = "0" * 64
    stream["records"]["skip_mask_y"] = "0" * 64
    report["cells"][0]["verdict"] = "diverges"
    other = tmp_path / "report.json"
    other.write_text(json.dumps(report))
    capsys.readouterr()
    assert main(["compare", str(good_report), str(other)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "whole: skip_mask_y is the first record that differs"
    assert lines[1].startswith("cut on host: refused alike against diverges")


def test_compare_traces(bundle: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second, changed = (tmp_path / name for name in ("native", "python", "changed"))
    photo = str(ROOT / "examples" / "kodim07.jai")
    for path, engine in ((first, "native"), (second, "python")):
        assert main(["trace", photo, str(path), "--bundle", bundle, "--engine", engine]) == 0
    assert main(["compare", str(first), str(second)]) == 0
    assert capsys.readouterr().out == "equal\n"
    records = list(read_trace(first.read_bytes()).records)
    records[-1] = Record("residual_uv", records[-1].values + np.int16(1))
    changed.write_bytes(b"".join(write_trace(records)))
    assert main(["compare", str(first), str(changed)]) == 1
    assert capsys.readouterr().out.startswith("residuals: residual_uv, chroma, channel 0, row 0, column 0: ")


def test_an_interrupted_run_reports_what_it_has(
    streams: Path, bundle: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt_at_whole(case: Case, keep: Path | None, *target: Any) -> Cell:
        if case.facts.name == "whole":
            raise KeyboardInterrupt
        return judge(case, keep, *target)

    monkeypatch.setattr("device_tests.matrix.judge", interrupt_at_whole)
    assert run(streams, bundle, tmp_path, "host") == 130
    assert capsys.readouterr().err.splitlines()[-1].startswith("jpegai-devices: interrupted")
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["interrupted"]
    assert [cell["stream"] for cell in report["cells"]] == ["cut"]
    assert report["skipped"] == ["interrupted before 1 stream: whole"]
    assert "Interrupted. 1 stream on 1 target: all 1 decodes agree" in (tmp_path / "index.html").read_text()


def test_a_terminated_run_reports_what_it_has(streams: Path, bundle: str, tmp_path: Path) -> None:
    """SIGTERM while a program runs that does not end by itself: it is ended, and the report is written."""
    source = copied_sources(tmp_path)
    program = source / "native" / "trace" / "jai_trace.c"
    text = program.read_text()
    assert "    return trace_stream(" in text
    program.write_text(text.replace("    return trace_stream(", "    for (;;) {\n    }\n    return trace_stream("))
    report = tmp_path / "report"
    words = ["run", "--targets", "host", "--streams", str(streams), "--bundle", bundle, "-o", str(report)]
    command = [sys.executable, "-m", "device_tests", *words, "--source", str(source)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "host: ready\n"
        process.terminate()
        assert "interrupted; the report holds" in process.communicate(timeout=300)[1]
        assert process.returncode == 130
    found = json.loads((report / "report.json").read_text())
    assert found["interrupted"]
    assert found["skipped"] == ["interrupted before 2 streams: cut, whole"]


def test_what_is_no_stream_is_skipped_by_name(bundle: str, tmp_path: Path) -> None:
    folder, report = tmp_path / "streams", tmp_path / "report"
    (folder / "folder.jai").mkdir(parents=True)
    (folder / "dangling.jai").symlink_to(tmp_path / "nowhere")
    os.mkfifo(folder / "pipe.jai")
    with (folder / "large.jai").open("wb") as sparse:
        sparse.truncate(1 << 40)
    (folder / "empty.jai").write_bytes(b"")
    assert run(folder, bundle, report, "host") == 0
    found = json.loads((report / "report.json").read_text())
    assert found["skipped"] == [
        f"stream dangling: {folder / 'dangling.jai'}: not a file",
        f"stream folder: {folder / 'folder.jai'}: not a file",
        f"stream large: {folder / 'large.jai'}: more than 1,073,741,824 bytes",
        f"stream pipe: {folder / 'pipe.jai'}: not a file",
    ]
    assert [(cell["stream"], cell["verdict"]) for cell in found["cells"]] == [("empty", "refused alike")]


def test_streams_with_odd_names(bundle: str, tmp_path: Path) -> None:
    odd = ["new\nline", "<b>&'\"", "../up".replace("/", "\u2044"), "\udcff not UTF-8", "a|b;$(c) d", "-o"]
    folder, report = tmp_path / "streams", tmp_path / "report"
    folder.mkdir()
    photo = (ROOT / "examples" / "kodim07.jai").read_bytes()
    for name in odd:
        (folder / f"{name}.jai").write_bytes(photo[:-1])
    assert run(folder, bundle, report, "host") == 0
    names = [stream["name"] for stream in json.loads((report / "report.json").read_text())["streams"]]
    assert names == sorted(name.replace("\n", "\\n").replace("\udcff", "\\udcff") for name in odd)
    assert "<b>&'" not in (report / "index.html").read_text()
    cases = [case.get("name") for case in ElementTree.parse(report / "junit.xml").getroot().iter("testcase")]
    assert cases == names


def test_two_streams_of_one_name_are_refused(
    streams: Path, bundle: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(streams, tmp_path / "streams")
    (tmp_path / "streams" / "cut.jai").write_bytes(b"")
    assert run(tmp_path / "streams", bundle, tmp_path / "report", "host") == 1
    assert "there are 2 streams cut" in capsys.readouterr().err


def test_hostile_traces_and_reports_are_refused_in_one_line(
    good_report: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Random damage, forged sizes, and JSON of every wrong shape: a line each, no traceback, no memory."""
    rng = random.Random(8)
    sound, hostile = tmp_path / "sound", tmp_path / "hostile"
    trace = b"".join(write_trace([Record("z_y", np.zeros((2, 3, 4), np.int8)), Record("a.b", np.array(7, np.uint32))]))
    sound.write_bytes(trace)
    head = trace[:8]
    files = [
        head + bytes([3]) + b"z_yb\x03" + b"\xff" * 12,
        head + bytes([3]) + b"z_yb\x03" + bytes(4) + b"\xff" * 8 + bytes(32),
        head + bytes([3]) + b"\xff\n\x1bb\x00" + bytes(33),
        head + bytes([3]) + b"z_yQ\x00" + bytes(40),
        trace + trace,
        b"[" * 100_000,
        json.dumps({"format": "jpegai-mobile device report", "schema_version": 2}).encode(),
    ]
    for _ in range(60):
        damaged = bytearray(trace)
        for _ in range(rng.randrange(1, 9)):
            damaged[rng.randrange(8, len(trace))] = rng.randrange(256)
        files.append(bytes(damaged[: rng.choice((len(trace), rng.randrange(8, len(trace))))]))
    report = json.loads((good_report / "report.json").read_text())
    for part in ("streams", "cells"):
        for junk in (None, 3, "text", [3], [{}], {"a": 1}):
            files.append(json.dumps(report | {part: junk}).encode())
    for name in ("name", "sha256", "trace", "records"):
        streams = [stream | {name: [1]} for stream in report["streams"]]
        files.append(json.dumps(report | {"streams": streams}).encode())
    for data in files:
        hostile.write_bytes(data)
        for words in ([sound, hostile], [hostile, sound], [good_report, hostile]):
            assert main(["compare", *map(str, words)]) in (0, 1)
            output = capsys.readouterr()
            assert output.err.count("\n") <= 1
            assert (output.err + output.out).replace("\n", "").isprintable()


def test_errors_are_one_line(tmp_path: Path, bundle: str, capsys: pytest.CaptureFixture[str]) -> None:
    trace, text = tmp_path / "trace", tmp_path / "text"
    trace.write_bytes(b"".join(write_trace([])))
    text.write_text("[]")
    cut = tmp_path / "cut"
    cut.write_bytes(trace.read_bytes()[:-1])
    older = tmp_path / "older"
    older.write_bytes(trace.read_bytes().replace(b"JAITRAC3", b"JAITRAC2"))
    report = tmp_path / "report"
    cases = [
        (["compare", str(trace), str(text)], 1, "neither a trace nor a device report"),
        (["compare", str(trace), str(cut)], 1, "the trace ends early"),
        (["compare", str(trace), str(older)], 1, "older: byte 7: not a trace of version 3"),
        (["compare", str(trace), str(tmp_path / "absent")], 1, "No such file"),
        (["run", "--targets", "toaster", "--streams", str(tmp_path), "-o", str(report)], 2, "no target 'toaster'"),
        (["run", "--targets", "host", "--streams", str(tmp_path), "-o", str(report)], 1, "no NAME.jai"),
        (["run", "--targets", "host", "--streams", str(text), "-o", str(report)], 1, "text: not a folder"),
        (["run", "--targets", "host", "--streams", ".", "-o", str(report), "--jobs", "0"], 2, "not a positive number"),
        (["trace", str(text), "-", "--bundle", bundle], 1, "not a JPEG AI code stream"),
    ]
    for words, code, says in cases:
        try:
            found = main(words)
        except SystemExit as stop:
            found = int(stop.code or 0)
        error = capsys.readouterr().err
        assert found == code
        assert error.count("\n") == 1
        assert error.startswith("jpegai-devices")
        assert says in error
        assert not report.exists()
