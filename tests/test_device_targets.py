"""Targets: their names, what is reported when they are absent, and a phone that is a shell script."""

from __future__ import annotations

import os
import platform
import re
import shutil
from pathlib import Path

import ai_edge_litert  # type: ignore[import-untyped]
import pytest

from device_tests.engine_traces import engine_trace
from device_tests.errors import AbsentTarget, TargetError
from device_tests.sources import find_sources
from device_tests.targets import UnknownTarget, make_target, patch_bench
from device_tests.targets.patch_bench import PatchBench
from device_tests.toolchain import ISAS, Build, setup_command

from .c_compiler import needs_compiler
from .encoding import own_decoder_bundle_path
from .vectors import DATA, ROOT, stream_folder

MODEL = DATA / "entropy_1.bin"
STREAM = stream_folder("bop_64x64") / "stream.jai"
ABI = {"x86_64": "x86_64", "aarch64": "arm64-v8a"}.get(platform.machine(), "none")
HOST_TRIPLE = {"x86_64": "x86_64", "aarch64": "aarch64"}.get(platform.machine(), "none")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("phone", "no target 'phone'; there are host, litert"),
        ("qemu-vax", "no target 'qemu-vax'"),
        ("adb:", "no target 'adb:'"),
        ("", "no target ''"),
        ("host+O9", "no option 'O9'; there are gcc, clang, zig, O0"),
        ("host+gcc+clang", "more than one compiler"),
        ("host@cortex-a53", "a CPU model is for qemu targets"),
        ("qemu-aarch64@", "a CPU model is for qemu targets"),
    ],
)
def test_names_that_mean_nothing(name: str, says: str) -> None:
    with pytest.raises(UnknownTarget, match=says):
        make_target(name, find_sources())


def test_later_flags_win() -> None:
    build = Build(None, None, ("O3", "fast-math"))
    assert build.flags == ("-std=c11", "-O2", "-O3", "-ffast-math")


def test_debians_name_of_an_instruction_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(AbsentTarget, match="qemu-arm-static is not installed"):
        make_target("qemu-armhf", find_sources()).prepare(tmp_path)


def test_zig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(AbsentTarget, match="pip install ziglang"):
        Build(ISAS["aarch64"], "zig").command()
    (tmp_path / "zig").write_text("")
    (tmp_path / "zig").chmod(0o755)
    command = Build(ISAS["aarch64"], "zig", ("O3",)).command()
    assert command[1:] == ["cc", "-target", "aarch64-linux-musl", "-std=c11", "-O2", "-O3"]


@pytest.mark.parametrize("isa", ISAS)
def test_a_missing_tool_is_named(isa: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(AbsentTarget, match=f"{ISAS[isa].emulator} is not installed"):
        make_target(f"qemu-{isa}", find_sources()).prepare(tmp_path)
    with pytest.raises(AbsentTarget, match="adb is not installed"):
        make_target("adb:FAKE1", find_sources()).prepare(tmp_path)


def test_sources_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match=r"holds no native/trace/jai_trace\.c"):
        find_sources(tmp_path)


def test_sources_of_a_checkout_and_of_the_package() -> None:
    assert find_sources(ROOT) == find_sources(ROOT / "jpegai_mobile")
    assert {path.name for path in find_sources().files} == {path.name for path in find_sources(ROOT).files}


@needs_compiler
def test_sources_that_do_not_compile(tmp_path: Path) -> None:
    native = tmp_path / "source" / "native"
    shutil.copytree(ROOT / "jpegai_mobile" / "native" / "entropy", native / "entropy")
    shutil.copytree(ROOT / "jpegai_mobile" / "native" / "trace", native / "trace")
    (native / "trace" / "jai_trace.c").write_text("int main(void) { return nothing; }\n")
    with pytest.raises(TargetError, match=r"cannot build jai-trace: .*nothing"):
        make_target("host", find_sources(tmp_path / "source")).prepare(tmp_path)


def test_the_setup_command_is_the_documented_one() -> None:
    assert setup_command() in (ROOT / "docs" / "devices.md").read_text()


@pytest.fixture
def phone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An adb on the search path that knows one phone; the folder that is the phone's."""
    if not shutil.which(f"{HOST_TRIPLE}-linux-gnu-gcc"):
        pytest.skip("no gcc under the name that the phone's instruction set asks for")
    tools, storage = tmp_path / "tools", tmp_path / "phone"
    tools.mkdir()
    storage.mkdir()
    shutil.copy(ROOT / "tests" / "fake_adb.sh", tools / "adb")
    monkeypatch.setenv("PATH", str(tools), prepend=":")
    monkeypatch.setenv("FAKE_PHONE", str(storage))
    monkeypatch.setenv("FAKE_ABI", ABI)
    return storage


def test_a_phone_gives_the_trace(phone: Path, tmp_path: Path) -> None:
    target = make_target("adb:FAKE1", find_sources())
    target.prepare(tmp_path)
    run = target.run(target.push(STREAM), target.push(MODEL))
    assert (run.status, run.message) == (0, "")
    assert (run.number("peak_bytes") or 0) > 0
    target.pull(tmp_path / "pulled")
    assert (tmp_path / "pulled").read_bytes() == engine_trace(STREAM.read_bytes(), MODEL.read_bytes(), "native")
    facts = target.describe()
    assert (facts["soc"], facts["android"], facts["abi"], facts["pointer_bits"]) == ("SM-TEST", "16", ABI, "64")
    assert "kernel" in facts
    assert "board" not in facts, "the phone said nothing about it"


def test_targets_on_one_phone_keep_apart(phone: Path, tmp_path: Path) -> None:
    """One is built from sources that decode otherwise. Of what other runs left on the phone the old is removed."""
    other_sources = tmp_path / "source" / "native"
    for part in ("entropy", "trace"):
        shutil.copytree(ROOT / "jpegai_mobile" / "native" / part, other_sources / part)
    header = other_sources / "entropy" / "skip_mode.h"
    header.write_text(header.read_text().replace("JAI_SKIP_THRESHOLD = 382", "JAI_SKIP_THRESHOLD = 381"))
    old, new = (phone / "jpegai-devices" / name for name in ("old", "new"))
    for folder in (old, new):
        folder.mkdir(parents=True)
    os.utime(old, (0, 0))
    targets = []
    for name, sources in (("adb:FAKE1", find_sources()), ("adb:FAKE1+O0", find_sources(tmp_path / "source"))):
        targets.append(make_target(name, sources))
        (tmp_path / name).mkdir()
        targets[-1].prepare(tmp_path / name)
    for target, status in zip(targets, (0, 11), strict=True):
        assert target.run(target.push(STREAM), target.push(MODEL)).status == status
    targets[0].pull(tmp_path / "pulled")
    assert (tmp_path / "pulled").read_bytes() == engine_trace(STREAM.read_bytes(), MODEL.read_bytes(), "native")
    assert (old.exists(), new.exists()) == (False, True)


def test_a_phone_refuses_a_damaged_stream(phone: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.jai"
    damaged.write_bytes(STREAM.read_bytes()[:-1])
    target = make_target("adb:FAKE1", find_sources())
    target.prepare(tmp_path)
    run = target.run(target.push(damaged), target.push(MODEL))
    assert run.status == 11
    assert "truncated" in run.message


def test_phones_that_cannot_be_used(phone: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(AbsentTarget, match=r"no phone .OTHER.: .* not found"):
        make_target("adb:OTHER", find_sources()).prepare(tmp_path)
    monkeypatch.setenv("FAKE_STATE", "unauthorized")
    with pytest.raises(AbsentTarget, match="phone 'FAKE1' is unauthorized"):
        make_target("adb:FAKE1", find_sources()).prepare(tmp_path)
    monkeypatch.setenv("FAKE_STATE", "device")
    monkeypatch.setenv("FAKE_ABI", "mips")
    with pytest.raises(TargetError, match="no build for ABI 'mips'"):
        make_target("adb:FAKE1", find_sources()).prepare(tmp_path)


def test_a_connection_that_is_lost(phone: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    target = make_target("adb:FAKE1", find_sources())
    target.prepare(tmp_path)
    monkeypatch.setenv("FAKE_LOST", "yes")
    with pytest.raises(TargetError, match="connection was lost"):
        target.run(target.push(STREAM), target.push(MODEL))


@pytest.fixture
def patches(monkeypatch: pytest.MonkeyPatch) -> PatchBench:
    """Networks of a bundle and the library of the LiteRT that is installed, on small patches."""
    library = Path(ai_edge_litert.__file__).parent / "libLiteRt.so"
    if not library.exists():
        pytest.skip("this build of LiteRT has no shared library of its own")
    monkeypatch.setattr(patch_bench, "SIDE", 128)
    return PatchBench(own_decoder_bundle_path("sop"), (library,))


def folder_in(parent: Path) -> Path:
    folder = parent / "workspace"
    folder.mkdir()
    return folder


@needs_compiler
def test_patches_are_measured_on_this_machine(patches: PatchBench, tmp_path: Path) -> None:
    target = make_target("host", find_sources(), patches=patches)
    target.prepare(folder_in(tmp_path))
    measured = target.describe()["1K patch, sop float32"]
    assert re.fullmatch(r"luma \d+ ms \(\d+ ms the first time\), \d+ MiB, chroma \d+ ms .*, \d+ MiB", measured)


def test_patches_are_measured_on_a_phone(
    phone: Path, patches: PatchBench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("ANDROID_NDK_HOME", raising=False)
    without = make_target("adb:FAKE1", find_sources(), patches=patches)
    without.prepare(folder_in(tmp_path))
    assert "name an NDK in $ANDROID_NDK_HOME" in without.describe()["1K patch"]
    tools = tmp_path / "ndk" / "toolchains" / "llvm" / "prebuilt" / "linux-x86_64" / "bin"
    tools.mkdir(parents=True)
    compiler = tools / f"{HOST_TRIPLE}-linux-android24-clang"
    compiler.write_text('#!/bin/sh\nexec cc "$@"\n')
    compiler.chmod(0o755)
    monkeypatch.setenv("ANDROID_NDK_HOME", str(tmp_path / "ndk"))
    target = make_target("adb:FAKE1", find_sources(), patches=patches)
    shutil.rmtree(tmp_path / "workspace")
    target.prepare(folder_in(tmp_path))
    measured = target.describe()["1K patch, sop float32"]
    assert re.fullmatch(r"luma \d+ ms \(\d+ ms the first time\), \d+ MiB, chroma \d+ ms .*, \d+ MiB", measured)


@needs_compiler
def test_libraries_that_are_none(patches: PatchBench, tmp_path: Path) -> None:
    text, other = tmp_path / "text", tmp_path / "other.so"
    text.write_text("no library")
    with pytest.raises(TargetError, match="not a shared library"):
        PatchBench(patches.bundle, (text,)).litert_library("x86_64")
    with pytest.raises(TargetError, match="No such file"):
        PatchBench(patches.bundle, (tmp_path / "absent",)).litert_library("x86_64")
    other.write_bytes(patches.libraries[0].read_bytes()[:64])
    target = make_target("host", find_sources(), patches=PatchBench(patches.bundle, (other,)))
    target.prepare(folder_in(tmp_path))
    assert target.describe()["1K patch, sop float32"].startswith("luma does not run (jai-patch: ")
