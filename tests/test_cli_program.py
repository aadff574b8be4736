"""Commands that are stopped, piped into nothing, or given files that cannot be read or written."""

from __future__ import annotations

import errno
import os
import shlex
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from PIL import Image

from converters.cli import main as convert
from device_tests.cli import main as devices
from jpegai_mobile.cli.main import main
from jpegai_mobile.cli.program import UsageError, run_program
from jpegai_mobile.errors import PictureError
from jpegai_mobile.image.output_stream import output_stream

from .vectors import ROOT

PHOTO, PICTURE = (ROOT / "examples" / name for name in ("kodim07.jai", "kodim07.jpg"))
INFO = [sys.executable, "-m", "jpegai_mobile", "info"]


def _raise(error: BaseException) -> int:
    raise error


def _interrupted_by(number: signal.Signals) -> int:
    os.kill(os.getpid(), number)
    return 0


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (UsageError("never"), 2, "never"),
        (PictureError("no picture"), 1, "no picture"),
        (FileNotFoundError(errno.ENOENT, "No such file", "a\nb\x1b"), 1, r"a\nb\x1b: No such file"),
        (OSError("of no kind"), 1, "file: of no kind"),
        (MemoryError(), 1, "not enough memory"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_what_is_raised_becomes_a_line_and_a_code(
    error: BaseException, code: int, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_program("tool", lambda: _raise(error)) == code
    assert capsys.readouterr().err == f"tool: {text}\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_stopped_program_leaves_nothing_behind(number: signal.Signals, tmp_path: Path) -> None:
    def work() -> int:
        with output_stream(tmp_path / "out") as stream:
            stream.write(b"half")
            return _interrupted_by(number)

    before = signal.signal(number, signal.SIG_DFL)  # which `nohup pytest` would have set to be ignored
    try:
        assert run_program("tool", work) == 130
        assert not list(tmp_path.iterdir()) and signal.getsignal(number) is signal.SIG_DFL
    finally:
        signal.signal(number, before)


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert run_program("tool", lambda: _interrupted_by(signal.SIGHUP)) == 0
    finally:
        signal.signal(signal.SIGHUP, before)


def test_links_are_followed_and_rights_are_kept(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"old")
    target.chmod(0o600)
    link.symlink_to(target)
    with output_stream(link) as stream:
        stream.write(b"new")
    assert link.is_symlink() and target.read_bytes() == b"new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_a_name_may_be_as_long_as_the_system_allows(tmp_path: Path) -> None:
    with output_stream(tmp_path / ("x" * 255)) as stream:
        stream.write(b"new")
    assert [len(path.name) for path in tmp_path.iterdir()] == [255]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_disk_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", str(PHOTO), "/dev/full"]) == 1
    assert capsys.readouterr().err == f"jpegai trace: /dev/full: {os.strerror(errno.ENOSPC)}\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
@pytest.mark.parametrize("unbuffered", [{}, {"PYTHONUNBUFFERED": "1"}])
def test_full_standard_output_is_named(unbuffered: dict[str, str]) -> None:
    environment = _buffered() | unbuffered
    with open("/dev/full", "wb") as full:
        result = subprocess.run([*INFO, str(PHOTO)], stdout=full, stderr=subprocess.PIPE, env=environment, cwd=ROOT)
    assert result.returncode == 1
    assert result.stderr.decode() == f"jpegai info: standard output: {os.strerror(errno.ENOSPC)}\n"


@pytest.mark.parametrize("arguments", [[str(PHOTO)], ["--help"]])
def test_nobody_reads(arguments: list[str]) -> None:
    read, write = os.pipe()
    os.close(read)
    result = subprocess.run([*INFO, *arguments], stdout=write, stderr=subprocess.PIPE, env=_buffered(), cwd=ROOT)
    os.close(write)
    assert result.returncode in (0, 1) and result.stderr == b""


def test_closed_streams_are_named() -> None:
    for redirection, command, name in (
        ("<&-", "info -", "input"),
        (">&-", f"trace {shlex.quote(str(PHOTO))} -", "output"),
    ):
        script = f"{shlex.quote(sys.executable)} -m jpegai_mobile {command} {redirection}"
        result = subprocess.run(["sh", "-c", script], capture_output=True, text=True, cwd=ROOT)
        expected = f"jpegai {command.split()[0]}: standard {name}: {os.strerror(errno.EBADF)}\n"
        assert (result.returncode, result.stderr) == (1, expected)


@pytest.mark.parametrize(
    ("package", "name"),
    [("jpegai_mobile", "jpegai"), ("converters", "jpegai-convert"), ("device_tests", "jpegai-devices")],
)
def test_an_interrupt_while_packages_are_imported_is_one_line(package: str, name: str) -> None:
    script = f"""
import runpy, sys
class Interrupt:
    def find_spec(self, name, *_):
        if name == "numpy":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupt())
runpy.run_module("{package}", run_name="__main__")
"""
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT)
    assert (result.returncode, result.stderr) == (130, f"{name}: interrupted\n")


Main = Callable[[Sequence[str]], int]


@pytest.mark.parametrize(
    ("command", "arguments", "code", "text"),
    [
        (main, ["info", "."], 1, ".: Is a directory"),
        (main, ["info", ""], 1, "No such file"),
        (main, ["info", os.fsdecode(b"a\xff")], 1, r"a\udcff: No such file"),
        (main, ["decode", str(PHOTO), "x.png", "--memory-limit", "9" * 400 + "GiB"], 2, "more than any machine has"),
        (main, ["decode", str(PHOTO), "x.png", "--patch", "15"], 2, "not a whole number in 16.."),
        (main, ["decode", str(PHOTO), "x.png", "--threads", "1000000"], 2, "not a whole number in 1..256"),
        (main, ["decode", str(PHOTO), "x.png", "--region", "0,0,²,1"], 2, "is not X,Y,W,H"),
        (main, ["decode", str(PHOTO), "x.png", "--nonsense"], 2, "unrecognized arguments: --nonsense"),
        (main, ["decode", str(PHOTO), "x.png", "--bundle", ""], 1, "'' is not the path of a model bundle"),
        (main, ["decode", str(PHOTO), "x.png", "--bundle", "."], 1, ".: no model bundle"),
        (main, ["bench", str(PHOTO), "-o", "absent/x.tsv"], 1, "absent/x.tsv: No such file"),
        (main, ["encode", str(PICTURE), "x.jai", "--background", "no"], 2, "'no' is not a colour"),
        (main, ["encode", "absent.png", "absent/x.jai"], 1, "absent/x.jai: No such file"),
        (convert, ["report", "absent", "--html", "absent/x.html"], 1, "absent/x.html: No such file"),
        (convert, ["pack", "absent", "-o", "absent/x.zip"], 1, "absent/x.zip: No such file"),
        (convert, ["absent", "-o", "/dev/null"], 1, "/dev/null: exists and is no model bundle"),
        (convert, ["absent", "-o", f"{PHOTO}/x/y.bundle"], 1, "kodim07.jai/x/y.bundle: Not a directory"),
        (devices, ["run", "--jobs", "0"], 2, "'0' is not a positive number"),
        (devices, ["trace", str(PICTURE), "-"], 1, "kodim07.jpg: not a JPEG AI code stream"),
        (devices, ["compare", "absent", "absent"], 1, "absent: No such file"),
        (devices, ["nonsense"], 2, "invalid choice: 'nonsense'"),
    ],
)
def test_errors_are_one_line(
    command: Main,
    arguments: list[str],
    code: int,
    text: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        found = command(arguments)
    except SystemExit as stop:
        found = int(stop.code or 0)
    message = capsys.readouterr().err
    assert found == code and text in message and message.count("\n") == 1, message
    assert not list(tmp_path.iterdir())


def _buffered() -> dict[str, str]:
    """The environment, with text on stdout held back as it is by default."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}


def test_pictures_larger_than_pillow_opens(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    assert main(["encode", str(PICTURE), "-"]) == 1
    message = capsys.readouterr().err
    assert "kodim07.jpg: larger than Pillow opens (" in message and message.count("\n") == 1
