"""Reconstruction traces: made by LiteRT, compared within tolerances, part of the same report."""

from __future__ import annotations

import errno
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from device_tests.cli import main
from device_tests.errors import TargetError, TraceError
from device_tests.reconstruction.comparison import ROUNDED_PLANES, compare_reconstructions
from device_tests.reconstruction.trace import PRECISION
from device_tests.reference_decoder import ReferenceDecoder
from device_tests.sources import find_sources
from device_tests.targets import UnknownTarget, litert, make_target
from device_tests.trace_file import Record, Trace, read_trace, write_trace
from jpegai_mobile.runtime.bundle import Bundle
from jpegai_mobile.runtime.decoder import DecodeOptions, Decoder

from .c_compiler import needs_compiler
from .encoding import own_decoder_bundle_path
from .vectors import ROOT


@pytest.fixture(scope="module")
def bundle() -> Path:
    return own_decoder_bundle_path("sop")


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("streams")
    (folder / "photo.jai").write_bytes((ROOT / "examples" / "kodim07.jai").read_bytes())
    return folder


@pytest.fixture(scope="module")
def trace(bundle: Path, photo: Path) -> Trace:
    with Bundle.open(bundle) as opened:
        return read_trace(ReferenceDecoder(opened).reconstruction_trace((photo / "photo.jai").read_bytes(), None))


def changed(trace: Trace, name: str, by: float) -> Trace:
    """The trace with one value of a record moved."""
    records = []
    for record in trace.records:
        values = record.values.copy()
        if record.name == name:
            values.flat[values.size // 2] += np.asarray(by).astype(values.dtype)
        records.append(Record(record.name, values))
    return read_trace(b"".join(write_trace(records)))


def test_every_tensor_is_there_in_small(trace: Trace) -> None:
    shapes = {record.name: record.values.shape for record in trace.records if record.name.endswith(".small")}
    assert shapes == {
        "psi_y.small": (80, 16, 24),
        "psi_uv.small": (48, 16, 24),
        "y_hat_y.small": (20, 32, 48),
        "y_hat_uv.small": (12, 32, 48),
        "plane_Y.small": (64, 96),
        "plane_U.small": (64, 96),
        "plane_V.small": (64, 96),
    }


def test_down_sampled_values_are_means(bundle: Path, photo: Path, trace: Trace) -> None:
    with Bundle.open(bundle) as opened:
        reconstruction = Decoder(opened).reconstruct((photo / "photo.jai").read_bytes(), DecodeOptions(num_threads=1))
        plane = reconstruction.float_arrays(latents=False, planes=True)["plane_Y"]
    records = {record.name: record.values for record in trace.records}
    assert np.allclose(records["plane_Y.small"], plane.reshape(64, 8, 96, 8).mean(axis=(1, 3)), atol=1e-4)
    least, greatest, mean, _ = records["plane_Y.statistics"]
    assert (least, greatest) == (plane.min(), plane.max())
    assert abs(mean - plane.mean(dtype=np.float64)) < 1e-4


def test_tolerances(trace: Trace) -> None:
    assert all(difference.equal for difference in compare_reconstructions(trace, trace))
    other_hash = changed(trace, "plane_U.sha256", 1)
    (near,) = [d for d in compare_reconstructions(trace, changed(other_hash, "plane_U.small", 0.002)) if not d.equal]
    assert (near.name, near.within) == ("plane_U", True)
    (far,) = [d for d in compare_reconstructions(trace, changed(other_hash, "plane_U.small", 0.01)) if not d.within]
    assert str(far) == "plane_U differs by 0.01 in small (tolerance 0.003)"
    for precision, tolerance in ROUNDED_PLANES.items():
        rounded = replace(trace, records=(Record(PRECISION, np.frombuffer(precision, np.uint8)), *trace.records[1:]))
        for by, within in ((0.9, True), (1.1, False)):
            moved = changed(other_hash, "plane_U.small", by * tolerance.small)
            assert all(d.within for d in compare_reconstructions(rounded, moved)) == within
    unordered = changed(other_hash, "plane_U.statistics", float("nan"))
    (infinite,) = [d for d in compare_reconstructions(trace, unordered) if not d.within]
    assert (infinite.name, infinite.largest) == ("plane_U", float("inf"))
    missing = read_trace(b"".join(write_trace(r for r in trace.records if not r.name.startswith("psi_y"))))
    for traces in ((trace, missing), (missing, trace)):
        (absent,) = [d for d in compare_reconstructions(*traces) if not d.within]
        assert (absent.name, absent.largest) == ("psi_y", float("inf"))


def moved_zeros(name: str, place: int | None, by: float) -> Trace:
    """A tensor of zeros, one of its statistics or of its values in small moved."""
    statistics, small = np.zeros(4, np.float32), np.zeros((4, 4), np.float32)
    if place is None:
        small[1, 2] = by
    else:
        statistics[place] = by
    records = (
        Record(f"{name}.sha256", np.full(32, by != 0, np.uint8)),
        Record(f"{name}.small", small),
        Record(f"{name}.statistics", statistics),
    )
    return Trace(records, "")


@pytest.mark.parametrize(
    ("name", "place", "part", "by"),
    [
        ("plane_U", None, "in small", 0.02),
        ("plane_U", 0, "in extremes", 0.02),
        ("plane_U", 1, "in extremes", 0.02),
        ("plane_U", 2, "in means", 0.002),
        ("plane_U", 3, "in means", 0.002),
        ("psi_uv", None, "in small", 2e-4),
        ("y_hat_y", 1, "in extremes", 2e-4),
        ("y_hat_y", 2, "in means", 2e-4),
    ],
)
def test_every_part_of_a_tensor_has_its_tolerance(name: str, place: int | None, part: str, by: float) -> None:
    same, close, distant = (moved_zeros(name, place, each) for each in (0, by / 100, by))
    (near,) = compare_reconstructions(same, close)
    (far,) = compare_reconstructions(same, distant)
    assert near.within and not near.equal
    assert not far.within and far.part == part


def test_what_is_no_tensor(trace: Trace) -> None:
    flat = Record("plane_U.statistics", np.array(1, np.float32))
    first, second = (
        Trace(tuple(flat if record.name == flat.name else record for record in traced.records), traced.hash)
        for traced in (trace, changed(trace, "plane_U.sha256", 1))
    )
    (without,) = [d for d in compare_reconstructions(first, second) if not d.within]
    assert (without.name, without.largest) == ("plane_U", float("inf"))
    nothing = Trace((Record("plane_U.small", np.zeros((1, 1), np.float32)),), "")
    with pytest.raises(TraceError, match="nothing to compare"):
        compare_reconstructions(nothing, nothing)


def test_files_are_linked_or_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "file").write_text("text")
    shutil.copytree(tmp_path / "root", tmp_path / "linked", copy_function=litert.link_or_copy)
    assert (tmp_path / "linked" / "file").samefile(tmp_path / "root" / "file")

    def refuse(source: str, target: str) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    shutil.copytree(tmp_path / "root", tmp_path / "copied", copy_function=litert.link_or_copy)
    assert (tmp_path / "copied" / "file").read_text() == "text"


def test_a_trace_that_was_not_written(bundle: Path, tmp_path: Path) -> None:
    target = make_target("litert", find_sources(), bundle)
    target.prepare(tmp_path)
    with pytest.raises(TargetError, match="no trace was written: No such file"):
        target.pull(tmp_path / "pulled")


@needs_compiler
def test_litert_in_a_report(bundle: Path, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(litert.ENVIRONMENT_VARIABLE, raising=False)
    words = ["run", "--targets", "host,litert,litert-aarch64@max", "--streams", str(photo), "--allow-absent"]
    assert main([*words, "--bundle", str(bundle), "-o", str(tmp_path)]) == 0
    report = json.loads((tmp_path / "report.json").read_text())
    host, here, emulated = report["cells"]
    assert (host["verdict"], here["verdict"], emulated["verdict"]) == ("exact", "exact", "absent")
    assert "emulated_python.sh" in emulated["detail"]
    assert here["peak_bytes"] > 2**20
    assert "LiteRT" in report["targets"][1]["facts"]["runtime"]


def test_pictures_too_large_for_a_target_are_left_out(
    bundle: Path, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def limited(name: str, *arguments: object) -> litert.LitertTarget:
        target = litert.LitertTarget(name, bundle, find_sources())
        target.max_samples = 1000
        return target

    monkeypatch.setattr("device_tests.cli.make_target", limited)
    words = ["run", "--targets", "litert", "--streams", str(photo), "--bundle", str(bundle), "-o", str(tmp_path)]
    assert main(words) == 0
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["skipped"] == ["target litert: 1 stream left out (more than 1000 samples): photo"]
    (cell,) = report["cells"]
    assert (cell["verdict"], cell["detail"]) == ("left out", "more than 1000 samples")
    assert 'skipped="1"' in (tmp_path / "junit.xml").read_text()


def test_names_of_litert_targets() -> None:
    for name in ("litert@max", "litert-aarch64@pentium", "litert+O3", "litert-riscv64"):
        with pytest.raises(UnknownTarget):
            make_target(name, find_sources())


def test_litert_refuses_a_damaged_stream_alike(photo: Path, bundle: Path, tmp_path: Path) -> None:
    streams, report = tmp_path / "streams", tmp_path / "report"
    streams.mkdir()
    (streams / "cut.jai").write_bytes((photo / "photo.jai").read_bytes()[:-1])
    words = ["run", "--targets", "litert", "--streams", str(streams), "--bundle", str(bundle), "-o", str(report)]
    assert main(words) == 0
    (cell,) = json.loads((report / "report.json").read_text())["cells"]
    assert cell["verdict"] == "refused alike"
