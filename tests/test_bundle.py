"""The model bundle: what is written is read back, and everything that can be wrong has its error."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from converters.bundle_writer import BundleWriter, network_file_name
from converters.errors import ConversionError
from jpegai_mobile.errors import BundleError
from jpegai_mobile.runtime.bundle import Bundle
from jpegai_mobile.runtime.manifest import MANIFEST_NAME, Manifest, NetworkKey
from tests.converter_support import zip_of_far_entries

LUMA = NetworkKey("synthesis", "y", 1, "bop", "float32", "tflite")
PSI = NetworkKey("hyper_decoder", "uv", 1, None, "float32", "tflite")
EICCI = NetworkKey("eicci", "y", 7, "hop", "float32", "tflite")
PSI_OF_3 = NetworkKey("hyper_decoder", "uv", 3, None, "float32", "tflite")
LUMA_FILE = "synthesis_y_1_bop.float32.tflite"


def written(path: Path) -> Path:
    """A small bundle at `path`; model 3 shares a file with model 1."""
    writer = BundleWriter()
    writer.add_entropy_model(1, b"tables")
    writer.add_network(LUMA, b"luma graph", "weights=float32")
    writer.add_network(PSI, b"psi graph", "weights=float32")
    writer.add_entropy_model(3, b"other tables")
    writer.add_network(PSI_OF_3, b"psi graph", "weights=float32")
    writer.add_network(EICCI, b"filter", "weights=float32")
    writer.write(path, {"VM_x/Y.pth": "0" * 64}, "free")
    return path


@pytest.fixture(params=["folder", "zip", "zip of a folder"])
def bundle_path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    if request.param == "zip of a folder":
        written(tmp_path / "in" / "my.bundle")
        return Path(shutil.make_archive(str(tmp_path / "b"), "zip", tmp_path / "in", "my.bundle"))
    return written(tmp_path / {"folder": "b", "zip": "b.zip"}[request.param])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return written(tmp_path / "bundle")


def edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    document = json.loads((folder / MANIFEST_NAME).read_bytes())
    change(document)
    (folder / MANIFEST_NAME).write_text(json.dumps(document))


def with_folder(document: dict[str, Any]) -> dict[str, Any]:
    """The manifest with a file in a folder."""
    document["files"]["folder/file"] = document["files"]["entropy_1.bin"]
    return document


def complaint(path: Path) -> str:
    """What opening the bundle or reading its luma synthesis says; it names the file first."""
    with pytest.raises(BundleError) as caught, Bundle.open(path) as bundle:
        bundle.graph("synthesis", "y", 1, "bop", "float32")
    text = str(caught.value)
    assert text.startswith(str(path))
    assert "\n" not in text
    return text


def test_what_was_written_is_read(bundle_path: Path) -> None:
    with Bundle.open(bundle_path) as bundle:
        assert bundle.models() == (1, 3)
        assert bundle.operating_points() == ("bop",)
        assert bundle.precisions() == ("float32",)
        assert bundle.manifest.targets == ("tflite",)
        assert bundle.manifest.source == {"VM_x/Y.pth": "0" * 64}
        assert bundle.manifest.licence == "free"
        assert bundle.manifest.tile_sizes == {"tflite": ()}
        assert bundle.entropy_model_bytes(1) == b"tables"
        assert bundle.graph("synthesis", "y", 1, "bop", "float32") == b"luma graph"
        assert bundle.graph("hyper_decoder", "uv", 1, None, "float32") == b"psi graph"
        assert bundle.graph("hyper_decoder", "uv", 3, None, "float32") == b"psi graph"
        assert bundle.graph("eicci", "y", 7, "hop", "float32") == b"filter"


def test_equal_files_are_stored_once(folder: Path) -> None:
    names = {path.name for path in folder.iterdir()}
    assert names == {
        MANIFEST_NAME, "entropy_1.bin", "entropy_3.bin", LUMA_FILE, "hyper_decoder_uv_1.float32.tflite",
        "eicci_y_7_hop.float32.tflite",
    }  # fmt: skip


def test_file_names() -> None:
    assert network_file_name(LUMA) == LUMA_FILE
    assert network_file_name(NetworkKey("analysis", "uv", 0, None, "int8", "coreml")) == (
        "analysis_uv_0.int8.mlpackage"
    )


@pytest.mark.parametrize("name", ["a", "a.zip"])
def test_writing_twice_gives_the_same_bytes(tmp_path: Path, name: str) -> None:
    first, second = written(tmp_path / "1" / name), written(tmp_path / "2" / name)
    assert contents(first) == contents(second)
    if name == "a.zip":  # no time of day in it
        with zipfile.ZipFile(first) as archive:
            assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def contents(path: Path) -> dict[str, bytes]:
    files = [path] if path.is_file() else sorted(path.iterdir())
    return {file.name: file.read_bytes() for file in files}


@pytest.mark.parametrize("name", ["a", "a.zip"])
def test_a_bundle_is_replaced_as_a_whole(tmp_path: Path, name: str) -> None:
    path = written(tmp_path / name)
    writer = BundleWriter()
    writer.add_entropy_model(0, b"new")
    assert writer.write(path, {}, "").keys() == {MANIFEST_NAME, "entropy_0.bin"}
    with Bundle.open(path) as bundle:
        assert bundle.models() == (0,)
        assert len(bundle.manifest.files) == 1
    assert [entry.name for entry in tmp_path.iterdir()] == [name]
    if path.is_dir():
        assert len(list(path.iterdir())) == 2


def test_a_folder_that_takes_no_files_is_said_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    BundleWriter.check_target(tmp_path / "new" / "folder" / "a.bundle")
    asked: list[Path] = []
    monkeypatch.setattr("os.access", lambda path, mode: bool(asked.append(path)))
    with pytest.raises(ConversionError, match=r"a\.bundle: Permission denied"):
        BundleWriter.check_target(tmp_path / "new" / "folder" / "a.bundle")
    assert asked == [tmp_path]


@pytest.mark.parametrize("failing", [1, 2])
def test_a_bundle_that_cannot_be_replaced_stays(failing: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer, path, rename = BundleWriter(), tmp_path / "a.bundle", os.replace
    writer.write(path, {}, "old")
    renames: list[Path] = []

    def interrupted(source: Path, target: Path) -> None:
        renames.append(source)
        if len(renames) == failing:
            raise KeyboardInterrupt
        rename(source, target)

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        writer.write(path, {}, "new")
    assert [each.name for each in tmp_path.iterdir()] == ["a.bundle"]
    with Bundle.open(path) as bundle:
        assert bundle.manifest.licence == "old"


@pytest.mark.parametrize(("old", "new"), [("zip", "a.bundle"), ("folder", "a.zip")])
def test_a_bundle_of_the_other_form_is_replaced(old: str, new: str, tmp_path: Path) -> None:
    written(tmp_path / {"zip": "b.zip", "folder": "b"}[old]).rename(tmp_path / new)
    written(tmp_path / new)
    assert [each.name for each in tmp_path.iterdir()] == [new]
    assert (tmp_path / new).is_dir() is (old == "zip")
    Bundle.open(tmp_path / new).close()


@pytest.mark.parametrize("name", ["b", "b.zip"])
@pytest.mark.parametrize("exists", [True, False])
def test_a_link_is_followed(name: str, exists: bool, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / name).symlink_to(tmp_path / "there" / name)
    if exists:
        written(tmp_path / "there" / name)
    written(tmp_path / name)
    assert (tmp_path / name).is_symlink() and not (tmp_path / "there" / name).is_symlink()
    Bundle.open(tmp_path / "there" / name).close()
    assert len(list(tmp_path.iterdir())) == 2


def test_a_link_to_itself_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    Bundle.open(written(tmp_path / "loop")).close()


def test_the_current_folder_is_refused_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConversionError) as caught:
        BundleWriter.check_target(Path())
    assert str(caught.value) == ".: is the current folder, which cannot be replaced"


@pytest.mark.parametrize("suffix", ["", ".zip"])
def test_a_bundle_may_have_a_long_name(suffix: str, tmp_path: Path) -> None:
    Bundle.open(written(tmp_path / ("b" * 250 + suffix))).close()


def test_what_is_no_bundle_is_not_replaced(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / MANIFEST_NAME).write_text("{}")
    (tmp_path / "photo.zip").write_bytes(b"mine too")
    for path in (mine, tmp_path / "photo.zip"):
        with pytest.raises(ConversionError, match="exists and is no model bundle"):
            written(path)
    assert (mine / MANIFEST_NAME).read_text() == "{}"
    assert (tmp_path / "photo.zip").read_bytes() == b"mine too"
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("name", ["report.html", "notes/today.txt"])
def test_a_bundle_with_files_of_the_user_beside_it_is_not_replaced(folder: Path, name: str) -> None:
    mine = folder / name
    mine.parent.mkdir(exist_ok=True)
    mine.write_text("mine")
    with pytest.raises(ConversionError) as caught:
        written(folder)
    assert str(caught.value) == f"{mine}: is no file of the model bundle in that folder; not replaced"
    assert mine.read_text() == "mine"
    mine.unlink()
    written(folder)


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConversionError, match="file"):
        written(tmp_path / "file" / "bundle")


def test_what_is_absent_is_answered_with_what_is_there(bundle_path: Path) -> None:
    there = (
        "it has eicci y, hyper_decoder uv, synthesis y for models 1, 3, operating points bop, "
        "precisions float32, targets tflite"
    )
    with Bundle.open(bundle_path) as bundle:
        with pytest.raises(BundleError) as caught:
            bundle.entropy_model_bytes(0)
        assert str(caught.value) == "the model bundle has no model 0; it has 1, 3"
        for asked, name in {
            ("synthesis", "y", 1, "hop", "float32"): "synthesis y hop of model 1 in float32 for tflite",
            ("synthesis", "y", 1, "bop", "int8"): "synthesis y bop of model 1 in int8 for tflite",
            ("synthesis", "y", 2, "bop", "float32"): "synthesis y bop of model 2 in float32 for tflite",
            ("analysis", "y", 1, None, "float32"): "analysis y of model 1 in float32 for tflite",
        }.items():
            with pytest.raises(BundleError) as caught:
                bundle.graph(*asked)
            assert str(caught.value) == f"the model bundle has no {name}; {there}"


def test_a_place_without_a_bundle(tmp_path: Path) -> None:
    assert complaint(tmp_path / "absent").endswith("no such model bundle")
    assert complaint(tmp_path).endswith("no model bundle: there is no manifest.json in this folder")
    (tmp_path / "text").write_text("hello")
    assert complaint(tmp_path / "text").endswith("neither a bundle folder nor a sound zip of one")
    with zipfile.ZipFile(tmp_path / "empty.zip", "w"):
        pass
    assert complaint(tmp_path / "empty.zip").endswith("manifest.json: no such file in the zip")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda d: d.update(format="webpack manifest"), "not the manifest of a jpegai-mobile bundle"),
        (lambda d: d.pop("format"), "not the manifest of a jpegai-mobile bundle"),
        (lambda d: d.update(schema_version=2), "schema version 2; this release reads version 1"),
        (lambda d: d.pop("schema_version"), "schema version None; this release reads version 1"),
        (lambda d: d.pop("networks"), "field 'networks' is missing"),
        (lambda d: d.update(files=[]), "field 'files' is not an object"),
        (lambda d: d.update(networks={}), "'networks' is not a list"),
        (lambda d: d["networks"].append(7), "'networks' holds 7"),
        (lambda d: d["networks"].append(d["networks"][1]), "two entries for hyper_decoder uv of model 1"),
        (lambda d: d["networks"][0].update(network="../x"), "'../x' is not the name of a network"),
        (lambda d: d["networks"][0].update(component="yuv"), "'yuv' is none of y, uv"),
        (lambda d: d["networks"][0].update(target="onnx"), "'onnx' is none of tflite, coreml"),
        (lambda d: d["networks"][0].update(precision="bfloat16"), "'bfloat16' is none of float32, float16"),
        (lambda d: d["networks"][0].update(model=True), "True is not the index of a model"),
        (lambda d: d["networks"][0].update(model=16), "16 is not the index of a model"),
        (lambda d: d["networks"][0].update(operating_point=""), "'' is none of sop, bop, hop"),
        (lambda d: d["networks"][0].update(file="other.tflite"), "file other.tflite has no entry in 'files'"),
        (lambda d: d["entropy"].update({"1": "other.bin"}), "file other.bin has no entry in 'files'"),
        (lambda d: with_folder(d)["networks"][0].update(file="folder"), "file folder has no entry in 'files'"),
        (lambda d: with_folder(d)["entropy"].update({"1": "folder"}), "file folder has no entry in 'files'"),
        (
            lambda d: d["networks"][0].update(target="coreml"),
            "folder eicci_y_7_hop.float32.tflite has no entry in 'files'",
        ),
        (lambda d: d["entropy"].update({"9": "entropy_1.bin"}), "'9' is none of 0, 1, 2, 3"),
        (lambda d: d["files"]["entropy_1.bin"].update(bytes=1 << 40), "1099511627776 bytes; at most"),
        (lambda d: d["files"]["entropy_1.bin"].update(bytes=-1), "-1 bytes; at most"),
        (lambda d: d["files"]["entropy_1.bin"].update(bytes=True), "True bytes; at most"),
        (lambda d: d["files"]["entropy_1.bin"].update(sha256="00"), "'00' is not a SHA-256"),
        (lambda d: d.update(licence=None), "None is not a text"),
        (lambda d: d.update(tile_sizes={"tflite": [0]}), "'tile_sizes' of tflite is [0]"),
    ],
)
def test_an_unsound_manifest(folder: Path, change: Callable[[dict[str, Any]], object], reason: str) -> None:
    edit(folder, change)
    text = complaint(folder)
    assert text.startswith(f"{folder / MANIFEST_NAME}: ")
    assert reason in text


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "a/../../x",
        "/etc/passwd",
        "a//b",
        "C:\\x",
        "a\\..\\x",
        "",
        ".",
        "..",
        ".hidden",
        "a/",
        "a\n",
        "x" * 101,
    ],
)
def test_names_that_leave_the_folder_are_refused(folder: Path, name: str) -> None:
    def use_name(document: dict[str, Any]) -> None:
        record = document["files"].pop(LUMA_FILE)
        document["files"][name] = record
        document["networks"][3]["file"] = name

    (folder.parent / "x").write_bytes(b"luma graph")
    edit(folder, use_name)
    assert "is not the name of a file in the bundle" in complaint(folder)


def test_a_manifest_that_is_no_json(folder: Path) -> None:
    manifest = folder / MANIFEST_NAME
    for data in (b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"format": ' + b"1" * 10_000 + b"}"):
        manifest.write_bytes(data)
        assert complaint(folder) == f"{manifest}: not JSON"
    manifest.write_bytes(b"[]")
    assert complaint(folder) == f"{manifest}: not the manifest of a jpegai-mobile bundle"


def test_a_huge_manifest_is_not_read(folder: Path) -> None:
    with (folder / MANIFEST_NAME).open("r+b") as file:
        file.truncate(1 << 40)  # sparse
    assert complaint(folder).endswith("manifest.json: larger than 4194304 bytes")


def test_unknown_fields_are_ignored(folder: Path) -> None:
    edit(folder, lambda document: document.update(of_later_releases="7"))
    with Bundle.open(folder) as bundle:
        assert bundle.graph("synthesis", "y", 1, "bop", "float32") == b"luma graph"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"luma grapH", "SHA-256 is not the one in the manifest"),
        (b"luma grap", "only 9 bytes, the manifest says 10"),
        (b"luma graph+", "more bytes, the manifest says 10"),
        (b"", "only 0 bytes, the manifest says 10"),
    ],
)
def test_a_file_that_was_changed(folder: Path, data: bytes, reason: str) -> None:
    (folder / LUMA_FILE).write_bytes(data)
    assert complaint(folder) == f"{folder / LUMA_FILE}: {reason}"
    with Bundle.open(folder) as bundle:
        assert bundle.entropy_model_bytes(1) == b"tables"


def test_a_file_that_is_gone(folder: Path) -> None:
    (folder / LUMA_FILE).unlink()
    assert complaint(folder) == f"{folder / LUMA_FILE}: No such file or directory"
    (folder / LUMA_FILE).mkdir()
    assert complaint(folder) == f"{folder / LUMA_FILE}: no regular file"


def test_a_pipe_is_refused_instead_of_waited_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / LUMA_FILE).unlink()
    os.mkfifo(folder / LUMA_FILE)
    with Bundle.open(folder) as bundle:
        monkeypatch.setattr(Path, "open", lambda *_: pytest.fail("the pipe was opened"))
        for read in (bundle.graph_of, bundle.graph_file):
            with pytest.raises(BundleError) as caught:
                read(LUMA)
            assert str(caught.value) == f"{folder / LUMA_FILE}: no regular file"


def test_a_zip_that_says_its_entries_lie_beyond_every_file(tmp_path: Path) -> None:
    (tmp_path / "far.zip").write_bytes(zip_of_far_entries({MANIFEST_NAME: b"{}"}))
    assert complaint(tmp_path / "far.zip") == f"{tmp_path / 'far.zip'}/{MANIFEST_NAME}: damaged in the zip"


def test_a_truncated_zip(tmp_path: Path) -> None:
    whole = written(tmp_path / "b.zip").read_bytes()
    for size in range(0, len(whole), 97):
        (tmp_path / "cut.zip").write_bytes(whole[:size])
        complaint(tmp_path / "cut.zip")


def test_damage_in_a_zip_is_found(tmp_path: Path) -> None:
    whole = written(tmp_path / "b.zip").read_bytes()
    (tmp_path / "bad.zip").write_bytes(whole.replace(b"luma graph", b"luma grapH"))
    assert LUMA_FILE in complaint(tmp_path / "bad.zip")
    (tmp_path / "gone.zip").write_bytes(whole.replace(LUMA_FILE.encode(), LUMA_FILE.upper().encode()))
    complaint(tmp_path / "gone.zip")


def test_a_zip_entry_that_unpacks_to_more_than_the_manifest_says(folder: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(folder / MANIFEST_NAME, MANIFEST_NAME)
        archive.writestr(LUMA_FILE, bytes(50_000_000))
    assert complaint(tmp_path / "bomb.zip").endswith("more bytes, the manifest says 10")


def test_a_file_to_map_is_there_in_folders_and_is_checked(folder: Path, tmp_path: Path) -> None:
    with Bundle.open(folder) as bundle:
        assert bundle.graph_file(LUMA) == folder / LUMA_FILE
        (folder / LUMA_FILE).write_bytes(b"Luma graph")
        with pytest.raises(BundleError, match="SHA-256 is not the one in the manifest"):
            bundle.graph_file(LUMA)
    with Bundle.open(written(tmp_path / "b.zip")) as bundle:
        assert bundle.graph_file(LUMA) is None


def test_a_file_to_map_is_read_again_only_after_a_change(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[str] = []
    with Bundle.open(folder) as bundle:
        chunks = bundle._chunks
        monkeypatch.setattr(bundle, "_chunks", lambda name: reads.append(name) or chunks(name))
        monkeypatch.setattr("time.time", lambda: (folder / LUMA_FILE).stat().st_ctime + 1)
        for _ in range(2):  # too young for a later change to show in its time
            bundle.graph_file(LUMA)
        assert len(reads) == 2
        monkeypatch.setattr("time.time", lambda: (folder / LUMA_FILE).stat().st_ctime + 10)
        for _ in range(2):
            bundle.graph_file(LUMA)
        assert len(reads) == 3
        (folder / LUMA_FILE).write_bytes(b"Luma graph")
        os.utime(folder / LUMA_FILE, ns=(1, 1))
        with pytest.raises(BundleError, match="SHA-256 is not the one in the manifest"):
            bundle.graph_file(LUMA)


def test_a_zip_with_a_manifest_in_a_folder_too_is_the_bundle_around_that(folder: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr(f"older/{MANIFEST_NAME}", b"{}")
        for path in folder.iterdir():
            archive.write(path, path.name)
    with Bundle.open(tmp_path / "b.zip") as bundle:
        assert bundle.graph_of(LUMA) == b"luma graph"


def test_a_zip_takes_the_memory_of_its_files_too(tmp_path: Path) -> None:
    with Bundle.open(written(tmp_path / "b")) as folder, Bundle.open(written(tmp_path / "b.zip")) as archive:
        mapped, read = (bundle.prepared_bytes(1, "bop", "float32") for bundle in (folder, archive))
    assert read.synthesis - mapped.synthesis == len(b"luma graph")
    assert read.latents - mapped.latents == len(b"psi graph")


def test_networks_of_one_file_take_the_memory_of_what_it_stores(tmp_path: Path) -> None:
    writer = BundleWriter()
    for precision in ("float32", "int8"):
        writer.add_network(replace(PSI, precision=precision), bytes(1000), "weights=float32")
    writer.write(tmp_path / "b", {}, "")
    with Bundle.open(tmp_path / "b") as bundle:
        assert len(bundle.manifest.files) == 1
        exact, rounded = (bundle.prepared_bytes(1, "bop", precision) for precision in ("float32", "int8"))
        assert exact == rounded


def test_random_damage_of_a_zip_is_found_or_harmless(tmp_path: Path) -> None:
    whole = written(tmp_path / "b.zip").read_bytes()
    for position in range(0, len(whole), 7):
        (tmp_path / "bad.zip").write_bytes(whole[:position] + bytes([whole[position] ^ 0x55]) + whole[position + 1 :])
        try:
            with Bundle.open(tmp_path / "bad.zip") as bundle:
                assert bundle.graph("synthesis", "y", 1, "bop", "float32") == b"luma graph"
        except BundleError:
            continue


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=8), children, max_size=3),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_value_anywhere_in_the_manifest(folder: Path, data: st.DataObject) -> None:
    document = json.loads((folder / MANIFEST_NAME).read_bytes())
    place: Any = document
    while True:
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if not isinstance(place[key], dict | list) or not place[key] or data.draw(st.booleans()):
            break
        place = place[key]
    place[key] = data.draw(JSON)
    try:
        manifest = Manifest.from_json(json.dumps(document).encode())
    except BundleError:
        return
    assert Manifest.from_json(manifest.to_json()) == manifest
