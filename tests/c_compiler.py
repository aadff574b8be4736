"""Compiles C sources of the native core for tests that need more than the installed library."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from .vectors import ROOT

ENTROPY_FOLDER = ROOT / "jpegai_mobile" / "native" / "entropy"
LIBRARY_SOURCES = tuple(sorted(ENTROPY_FOLDER.glob("*.c")))
TRACE_FOLDER = ROOT / "jpegai_mobile" / "native" / "trace"
PROGRAM_SOURCES = tuple(sorted(TRACE_FOLDER.glob("*.c")))
WARNINGS = ("-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-pedantic", "-Werror")

_COMPILER = next((name for name in ("cc", "gcc", "clang") if shutil.which(name)), None)

needs_compiler = pytest.mark.skipif(_COMPILER is None, reason="no C compiler")


def compile_c(sources: Sequence[Path], output: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    """Compile C11 sources into `output`; the caller judges the result."""
    assert _COMPILER is not None
    command = [_COMPILER, "-std=c11", f"-I{ENTROPY_FOLDER}", *flags, *map(str, sources), "-o", str(output)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def build_program(sources: Sequence[Path], output: Path, *flags: str) -> Path:
    """Compile C11 sources into a program; fails the test when they do not compile."""
    result = compile_c(sources, output, *flags)
    assert result.returncode == 0, result.stderr
    return output
