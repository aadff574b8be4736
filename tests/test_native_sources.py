"""Rules for the C sources: no floats, only memory functions from outside, no global state, no warnings."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from jpegai_mobile.version import __version__

from .c_compiler import (
    ENTROPY_FOLDER,
    LIBRARY_SOURCES,
    PROGRAM_SOURCES,
    TRACE_FOLDER,
    WARNINGS,
    build_program,
    compile_c,
    needs_compiler,
)
from .vectors import ROOT

PIXELS_FOLDER = ROOT / "jpegai_mobile" / "native" / "pixels"
ALL_FILES = sorted([*ENTROPY_FOLDER.glob("*.c"), *ENTROPY_FOLDER.glob("*.h")])
NOT_CODE = re.compile(r'/\*.*?\*/|"(?:\\.|[^"\\\n])*"', re.DOTALL)
FLOATS = re.compile(r"\b(float|double|_Complex|math\.h|float\.h|fenv\.h|tgmath\.h)\b|\b\d+\.\d|\b\d+[eE][+-]\d")
ALLOWED_SYMBOLS = {"memcpy", "memset", "memmove", "malloc", "free"}
COMPILER_SYMBOLS = re.compile(
    r"_GLOBAL_OFFSET_TABLE_|__cpu_model|__cpu_indicator_init|__stack_chk_(fail|guard)|(__)?bzero"
)
"""`bzero` is what clang makes of a memset to 0 on macOS."""
NAME_PREFIX = "_" if sys.platform == "darwin" else ""
"""What Mach-O puts before the name of every symbol."""

needs_nm = pytest.mark.skipif(shutil.which("nm") is None, reason="no nm")


def symbols(path: Path) -> list[tuple[str, str]]:
    """(kind, name in C) of the symbols of an object file."""
    listing = subprocess.run(["nm", path], capture_output=True, text=True, check=True).stdout
    words = (line.split() for line in listing.splitlines() if line.strip())
    return [(word[-2], word[-1].removeprefix(NAME_PREFIX)) for word in words]


def foreign_symbols(path: Path) -> set[str]:
    """Functions that an object file takes from outside the core and the compiler."""
    undefined = {name for kind, name in symbols(path) if kind == "U"}
    return {n for n in undefined if not n.startswith("jai_") and not COMPILER_SYMBOLS.fullmatch(n)}


@pytest.mark.parametrize("path", ALL_FILES, ids=lambda path: path.name)
def test_no_floating_point_in_the_source(path: Path) -> None:
    assert FLOATS.findall(NOT_CODE.sub("", path.read_text("ascii"))) == []


def test_floats_would_be_found_in_a_source() -> None:
    for text in ("float x;", "x = 1.5 * y;", "#include <math.h>", "y = 1e+3;", "(double)x"):
        assert FLOATS.search(text)


@needs_compiler
@needs_nm
@pytest.mark.parametrize("source", LIBRARY_SOURCES, ids=lambda path: path.name)
def test_object_code_has_no_floats_no_dependencies_and_no_global_state(source: Path, tmp_path: Path) -> None:
    # Without floating-point registers a float is an error or a call into the compiler's emulation.
    output = tmp_path / "object.o"
    result = compile_c([source], output, "-O2", "-c", "-mgeneral-regs-only", *WARNINGS)
    assert result.returncode == 0, result.stderr
    assert foreign_symbols(output) <= ALLOWED_SYMBOLS
    assert {name for kind, name in symbols(output) if kind in "dDbBC"} == set()


@needs_compiler
@needs_nm
def test_floats_would_be_found_in_object_code(tmp_path: Path) -> None:
    source, output = tmp_path / "float.c", tmp_path / "float.o"
    source.write_text("int scaled(int x) { return (int)(x * 1.5); }\n")
    result = compile_c([source], output, "-O2", "-c", "-mgeneral-regs-only")
    assert result.returncode != 0 or foreign_symbols(output) - ALLOWED_SYMBOLS


@needs_compiler
def test_program_compiles_without_warnings(tmp_path: Path) -> None:
    build_program([*LIBRARY_SOURCES, *PROGRAM_SOURCES], tmp_path / "jai-trace", "-O1", *WARNINGS)


@pytest.mark.parametrize("header", [ENTROPY_FOLDER / "jai_entropy.h", PIXELS_FOLDER / "jai_pixels.h"])
def test_header_compiles_as_cxx(header: Path, tmp_path: Path) -> None:
    compiler = shutil.which("c++")
    if compiler is None:
        pytest.skip("no C++ compiler")
    source = tmp_path / "use.cpp"
    source.write_text(f'#include "{header}"\nint main() {{ return 0; }}\n')
    command = [compiler, "-Wall", "-Wextra", "-pedantic", "-Werror", "-fsyntax-only", source]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


@needs_compiler
def test_example_of_the_header_compiles(tmp_path: Path) -> None:
    header = (ENTROPY_FOLDER / "jai_entropy.h").read_text()
    example = "\n".join(re.findall(r"^ \*     (.*)$", header[: header.index("*/")], re.MULTILINE))
    assert "jai_stream_decode" in example
    source = tmp_path / "example.c"
    source.write_text(
        f"""#include <stdio.h>
#include "jai_entropy.h"
void use(const jai_arrays *arrays);
void example(const uint8_t *data, size_t size, const uint8_t *tables, size_t tables_size);
void example(const uint8_t *data, size_t size, const uint8_t *tables, size_t tables_size)
{{
{example}
}}
"""
    )
    result = compile_c([source], tmp_path / "example.o", "-c", *WARNINGS)
    assert result.returncode == 0, result.stderr


@needs_compiler
def test_fast_convolution_equals_the_plain_one(tmp_path: Path) -> None:
    sources = [
        Path(__file__).parent / "native_programs" / "test_convolution.c",
        ENTROPY_FOLDER / "integer_convolution.c",
    ]
    program = build_program(sources, tmp_path / "convolution", "-O2")
    result = subprocess.run([program], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (0, "200 cases equal\n")


def test_residual_masses_header_is_up_to_date() -> None:
    script = ROOT / "tools" / "write_residual_masses.py"
    written = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, check=True, env={"PYTHONPATH": str(ROOT)}
    ).stdout
    assert (ENTROPY_FOLDER / "residual_masses.h").read_text() == written


def test_version_of_the_header_is_that_of_the_package() -> None:
    assert f'#define JAI_ENTROPY_VERSION "{__version__}"\n' in (ENTROPY_FOLDER / "jai_entropy.h").read_text()


def test_every_source_is_in_the_build() -> None:
    for folder, sources in ((ENTROPY_FOLDER, LIBRARY_SOURCES), (TRACE_FOLDER, PROGRAM_SOURCES)):
        build = re.findall(r"[\w.]+\.c\b", (folder / "CMakeLists.txt").read_text())
        assert sorted(build) == sorted(source.name for source in sources)
