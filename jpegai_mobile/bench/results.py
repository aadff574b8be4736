"""Results as files: a table, and beside it what a reader needs to know about the machine."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ..version import __version__

PACKAGES = ("numpy", "ai-edge-litert", "pillow", "pillow-jxl-plugin", "psnr-hvsm", "onnxruntime", "torch")
"""What results depend on, where it is installed."""
CPU_FEATURES = ("avx2", "avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm")
"""What decides how fast networks run, as Linux names it."""
NOTES_SUFFIX = ".meta"
CPU_DESCRIPTION = Path("/proc/cpuinfo")


def write_result(path: Path, header: Sequence[str], rows: Sequence[Sequence[object]], command: str) -> None:
    """The rows as TSV, the machine notes beside it with the suffix NOTES_SUFFIX; raises OSError."""
    lines = ["\t".join(header), *("\t".join(str(value) for value in row) for row in rows)]
    path.write_text("\n".join(lines) + "\n")
    path.with_suffix(NOTES_SUFFIX).write_text(notes(command))


def show_result(header: Sequence[str], rows: Sequence[Sequence[object]], output: Path | None, command: str) -> None:
    """Print the rows as TSV, and write them as `write_result` does where there is an output."""
    for row in (header, *rows):
        print(*row, sep="\t")
    if output:
        write_result(output, header, rows, command)


def notes(command: str) -> str:
    """What a reader needs to know about the machine of a measurement."""
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg()) if hasattr(os, "getloadavg") else "unknown"
    return (
        f"command: {command}\nprocessor: {cpu_name()}{_cpu_features()}\ncores: {os.cpu_count()}\n"
        f"load at the end: {load}\n"
        f"system: {platform.platform()}\npython: {platform.python_version()}\npackages: {_packages()}\n"
    )


def cpu_name() -> str:
    """The processor as the operating system names it."""
    return _cpuinfo("model name") or platform.processor() or platform.machine()


def _cpu_features() -> str:
    """A line with those of CPU_FEATURES that are there; nothing where the system does not tell."""
    present = (_cpuinfo("flags") or _cpuinfo("Features")).split()
    found = [name for name in CPU_FEATURES if name in present]
    return f"\nprocessor features: {', '.join(found)}" if found else ""


def _cpuinfo(name: str) -> str:
    """What Linux says of the first processor under a name; empty where it says nothing."""
    for line in CPU_DESCRIPTION.read_text().splitlines() if CPU_DESCRIPTION.exists() else ():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return ""


def _packages() -> str:
    found = [f"jpegai-mobile {__version__}"]
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)
