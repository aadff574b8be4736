"""The CMake project of the native core."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from .vectors import ROOT

WINDOWS = """
set(CMAKE_SYSTEM_NAME Windows)
set(CMAKE_C_COMPILER "{compiler}")
set(CMAKE_C_COMPILER_ID MSVC)
set(CMAKE_C_COMPILER_VERSION 19.30)
set(CMAKE_C_COMPILER_ID_RUN TRUE)
set(CMAKE_C_COMPILER_FORCED TRUE)
set(CMAKE_C_STANDARD_COMPUTED_DEFAULT 11)
set(CMAKE_C11_COMPILE_FEATURES c_std_11)
set(MSVC_C_ARCHITECTURE_ID x64)
set(CMAKE_LINKER "{compiler}")
set(CMAKE_MT "{compiler}")
set(CMAKE_RC_COMPILER "{compiler}")
"""
"""A toolchain that has all names from MSVC; nothing is compiled with it."""


@pytest.mark.skipif(None in map(shutil.which, ("cmake", "ninja", "cc")), reason="no CMake, Ninja or compiler")
def test_no_two_libraries_have_one_name_on_windows(tmp_path: Path) -> None:
    """There a shared library comes with an import library, whose suffix is that of static libraries."""
    toolchain, build = tmp_path / "windows.cmake", tmp_path / "build"
    toolchain.write_text(WINDOWS.format(compiler=Path(shutil.which("cc") or "").as_posix()))
    command = ["cmake", "-S", str(ROOT), "-B", str(build), "-G", "Ninja", f"-DCMAKE_TOOLCHAIN_FILE={toolchain}"]
    subprocess.run(command, check=True, capture_output=True)
    rules = re.findall(r"^build ((?:\S+ )*\S+): C_\w+_LINKER", (build / "build.ninja").read_text(), re.MULTILINE)
    names = Counter(name for outputs in rules for name in outputs.split())
    assert {"jai_entropy.dll", "jai_entropy.lib"} <= {name.rsplit("/")[-1] for name in names}
    assert set(names.values()) == {1}
