"""The native core on 32-bit and big-endian machines: the same hashes as here. Needs cross compilers and emulators."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from .c_compiler import ENTROPY_FOLDER, LIBRARY_SOURCES, PROGRAM_SOURCES, needs_compiler
from .vectors import DATA, stream_folder

MODEL = DATA / "entropy_1.bin"
STREAMS = ("bop_67x65_bm200", "qmap_rvs_threads8_300x220", "indreg_rvs_threads2_700x530")
TARGETS = {
    "i686 (32 bit)": ("i686-linux-gnu-gcc", "qemu-i386-static"),
    "s390x (big endian)": ("s390x-linux-gnu-gcc", "qemu-s390x-static"),
    "aarch64": ("aarch64-linux-gnu-gcc", "qemu-aarch64-static"),
    "armhf (32 bit)": ("arm-linux-gnueabihf-gcc", "qemu-arm-static"),
}
SOURCES = (*LIBRARY_SOURCES, *PROGRAM_SOURCES)


def hashes(command: list[str], name: str) -> str:
    """What jai-trace prints for a stream."""
    stream = stream_folder(name) / "stream.jai"
    result = subprocess.run([*command, stream, MODEL, "-"], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return "".join(line for line in result.stdout.splitlines(keepends=True) if not line.startswith("#"))


@needs_compiler
@pytest.mark.parametrize("target", TARGETS)
def test_hashes_equal_those_of_the_host(target: str, jai_trace: Path, tmp_path: Path) -> None:
    compiler, emulator = TARGETS[target]
    missing = [tool for tool in (compiler, emulator) if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"{target}: {' and '.join(missing)} not found")
    program = tmp_path / "jai-trace"
    command = [compiler, "-std=c11", "-O2", "-static", f"-I{ENTROPY_FOLDER}", *map(str, SOURCES), "-o", str(program)]
    subprocess.run(command, check=True)
    for name in STREAMS:
        assert hashes([emulator, str(program)], name) == hashes([str(jai_trace)], name)
