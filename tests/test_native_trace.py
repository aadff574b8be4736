"""The program jai-trace: what it prints, its exit codes. Its traces: test_device_traces.py."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path
from resource import RLIMIT_FSIZE, setrlimit

import pytest

from device_tests.comparison import first_divergence
from device_tests.trace_file import read_trace
from jpegai_mobile.codestream.stream import read_code_stream, write_code_stream
from jpegai_mobile.codestream.substreams import SubStream
from jpegai_mobile.version import __version__

from .c_compiler import needs_compiler
from .vectors import DATA, stream_folder

pytestmark = needs_compiler
MODEL = DATA / "entropy_1.bin"
STREAM = stream_folder("bop_64x64") / "stream.jai"


def run(program: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, check=False)


def test_facts_are_printed(jai_trace: Path) -> None:
    about = dict(line.split(maxsplit=2)[1:] for line in run(jai_trace, "--about").stdout.splitlines())
    assert about.keys() == {"version", "compiler", "pointer_bits", "byte_order"}
    assert (about["version"], about["byte_order"]) == (__version__, sys.byteorder)
    facts = [line.split()[1] for line in run(jai_trace, STREAM, MODEL, "-").stdout.splitlines() if line[0] == "#"]
    assert facts == ["milliseconds", "peak_bytes"]


def test_without_an_output_the_same_hashes(jai_trace: Path, tmp_path: Path) -> None:
    def hashes(output: object) -> list[str]:
        return [line for line in run(jai_trace, STREAM, MODEL, output).stdout.splitlines() if line[0] != "#"]

    assert hashes("-") == hashes(tmp_path / "trace")


def test_exit_codes(jai_trace: Path, tmp_path: Path) -> None:
    damaged, no_model = tmp_path / "damaged.jai", tmp_path / "model.bin"
    damaged.write_bytes(STREAM.read_bytes()[:-1])
    no_model.write_bytes(b"")
    assert run(jai_trace).returncode == 2
    assert run(jai_trace, tmp_path / "absent", MODEL, "-").returncode == 2
    assert run(jai_trace, STREAM, MODEL, tmp_path / "absent" / "out").returncode == 2
    assert run(jai_trace, damaged, MODEL, "-").returncode == 11
    assert run(jai_trace, STREAM, no_model, "-").returncode == 14
    assert run(jai_trace, damaged, MODEL, "-").stderr.count("\n") == 1
    assert run(jai_trace, STREAM, no_model, "-").stderr.startswith(f"jai-trace: {no_model}: ")


def test_a_failure_leaves_the_output_alone(jai_trace: Path, tmp_path: Path) -> None:
    damaged, no_model, output = tmp_path / "damaged.jai", tmp_path / "model.bin", tmp_path / "trace"
    damaged.write_bytes(STREAM.read_bytes()[:-1])
    no_model.write_bytes(b"")
    for stream, model in ((damaged, MODEL), (STREAM, no_model)):
        output.write_text("older")
        assert run(jai_trace, stream, model, output).returncode > 10
        assert output.read_text() == "older"


def test_a_file_that_cannot_be_written_to_its_end_is_removed(jai_trace: Path, tmp_path: Path) -> None:
    # With `restore_signals` the program would not be told but ended by a signal, which Python ignores.
    result = subprocess.run(
        [jai_trace, STREAM, MODEL, tmp_path / "trace"],
        capture_output=True, restore_signals=False, preexec_fn=partial(setrlimit, RLIMIT_FSIZE, (1000, 1000)),
    )  # fmt: skip
    assert result.returncode == 2 and result.stderr.endswith(b"trace: cannot be written\n")
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_what_was_there_before_is_not_removed(jai_trace: Path, tmp_path: Path) -> None:
    full = tmp_path / "trace"
    full.symlink_to("/dev/full")
    assert run(jai_trace, STREAM, MODEL, full).returncode == 2
    assert full.is_symlink()


def test_a_damaged_stream_is_traced_up_to_the_damage(jai_trace: Path, tmp_path: Path) -> None:
    stream = read_code_stream(STREAM.read_bytes())
    chroma = stream.residuals[1][0]
    assert chroma is not None
    payload = chroma.payload[len(chroma.payload) // 2 :]
    stream.residuals[1][0] = SubStream(payload, chroma.place)
    damaged, whole_trace, damaged_trace = tmp_path / "damaged.jai", tmp_path / "whole", tmp_path / "damaged"
    damaged.write_bytes(write_code_stream(stream))
    assert run(jai_trace, STREAM, MODEL, whole_trace).returncode == 0
    result = run(jai_trace, damaged, MODEL, damaged_trace)
    assert (result.returncode, "damaged, or made for other weights" in result.stderr) == (11, True)
    divergence = first_divergence(read_trace(whole_trace.read_bytes()), read_trace(damaged_trace.read_bytes()))
    assert divergence is not None
    assert divergence.record == "residual_uv"


def test_of_a_damaged_region_the_trace_shows_that_region(jai_trace: Path, tmp_path: Path) -> None:
    """Regions behind the damaged one hold nothing yet, and must not be taken for the cause."""
    path = stream_folder("indreg_rvs_threads2_700x530") / "stream.jai"
    stream = read_code_stream(path.read_bytes())
    part = stream.residuals[0][1]
    assert part is not None
    middle = len(part.payload) // 2
    flipped = bytes([part.payload[middle] ^ 0x55])
    stream.residuals[0][1] = SubStream(part.payload[:middle] + flipped + part.payload[middle + 1 :], part.place)
    damaged, whole_trace, damaged_trace = tmp_path / "damaged.jai", tmp_path / "whole", tmp_path / "damaged"
    damaged.write_bytes(write_code_stream(stream))
    assert run(jai_trace, path, MODEL, whole_trace).returncode == 0
    assert run(jai_trace, damaged, MODEL, damaged_trace).returncode == 11
    divergence = first_divergence(read_trace(whole_trace.read_bytes()), read_trace(damaged_trace.read_bytes()))
    assert divergence is not None
    assert divergence.record == "residual_y"
    region = stream.picture.regions[1].on_grid(16)
    assert region.top <= divergence.place["row"] < region.bottom
    assert region.left <= divergence.place["column"] < region.right
