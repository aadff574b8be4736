"""The program jai-trace: its container, its hashes, its exit codes."""

from __future__ import annotations

import math
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest

from jpegai_mobile import native

from .c_compiler import LIBRARY_SOURCES, PROGRAM_SOURCES, build_program, needs_compiler
from .vectors import DATA, stream_folder

pytestmark = needs_compiler
MODEL = DATA / "entropy_1.bin"
TYPES = {1: "<i1", 2: "<i2", 4: "<i4"}


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_program((*LIBRARY_SOURCES, *PROGRAM_SOURCES), tmp_path_factory.mktemp("trace") / "jai-trace", "-O2")


def run(program: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, check=False)


def read_container(data: bytes) -> dict[str, np.ndarray]:
    """The arrays of a container by name."""
    assert data[:8] == b"JAITRAC1"
    arrays, position = {}, 8
    while position < len(data):
        name, element, rank = struct.unpack_from("<24sBB", data, position)
        shape = struct.unpack_from(f"<{rank}I", data, position + 26)
        position += 26 + 4 * rank
        values = np.frombuffer(data, TYPES[element], math.prod(shape), position)
        arrays[name.rstrip(b"\0").decode()] = values.reshape(shape)
        position += values.nbytes
    return arrays


def fnv1a(data: bytes) -> str:
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 & (1 << 64) - 1
    return f"{value:016x}"


@pytest.mark.parametrize("name", ["bop_64x64", "qmap_rvs_threads8_300x220"])
def test_container_and_hashes_hold_the_arrays(name: str, program: Path, tmp_path: Path) -> None:
    stream, output = stream_folder(name) / "stream.jai", tmp_path / "arrays.bin"
    result = run(program, stream, MODEL, output)
    assert (result.returncode, result.stderr) == (0, "")
    expected = native.decode_entropy_stage(stream.read_bytes(), MODEL.read_bytes()).named()
    arrays = read_container(output.read_bytes())
    assert arrays.keys() == expected.keys()
    for key, values in expected.items():
        assert np.array_equal(arrays[key], values)
    lines = dict(line.split() for line in result.stdout.splitlines())
    assert lines.keys() == expected.keys()
    assert lines["z_y"] == fnv1a(expected["z_y"].tobytes())
    assert lines["residual_uv"] == fnv1a(expected["residual_uv"].astype("<i2").tobytes())


def test_exit_codes(program: Path, tmp_path: Path) -> None:
    stream = stream_folder("bop_64x64") / "stream.jai"
    damaged, no_model = tmp_path / "damaged.jai", tmp_path / "model.bin"
    damaged.write_bytes(stream.read_bytes()[:-1])
    no_model.write_bytes(b"")
    assert run(program).returncode == 2
    assert run(program, tmp_path / "absent", MODEL, "-").returncode == 2
    assert run(program, stream, MODEL, tmp_path / "absent" / "out").returncode == 2
    assert run(program, damaged, MODEL, "-").returncode == 11
    assert run(program, stream, no_model, "-").returncode == 14
    assert run(program, damaged, MODEL, "-").stderr.count("\n") == 1
