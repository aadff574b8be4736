"""Timing and notes shared by the benchmark scripts."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path


def cpu_name() -> str:
    """The processor as the operating system names it."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


def notes(command: str) -> str:
    """What a reader needs to know about the machine of a measurement; goes into the `.meta` file."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("numpy", "ai-edge-litert"))
    return (
        f"command: {command}\nprocessor: {cpu_name()}\nsystem: {platform.platform()}\n"
        f"python: {platform.python_version()}\npackages: {packages}\n"
    )


def interleaved(runs: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of every run in every round; the runs take turns, so that a busy machine hits them alike."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run()
    for _ in range(rounds):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def write_result(path: Path, header: tuple[str, ...], rows: list[tuple[object, ...]], command: str) -> None:
    """The rows as TSV, the machine notes beside it with the suffix `.meta`."""
    lines = ["\t".join(header), *("\t".join(str(value) for value in row) for row in rows)]
    path.write_text("\n".join(lines) + "\n")
    path.with_suffix(".meta").write_text(notes(command))
