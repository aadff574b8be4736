"""LiteRT itself as a target: the networks of the reconstruction on this machine, or on an emulated ARM64 one."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import jpegai_mobile
from jpegai_mobile.errors import BundleError
from jpegai_mobile.runtime.bundle import Bundle
from jpegai_mobile.runtime.decoder import choose_precision
from jpegai_mobile.runtime.manifest import PRECISIONS

from ..errors import AbsentTarget, TargetError
from ..programs import ProgramRun, run_program
from ..sources import TraceSources
from ..toolchain import ISAS, Build, emulator
from .target import RUN_SECONDS, Stage

ENVIRONMENT_VARIABLE = "JPEGAI_AARCH64_PYTHON"
"""Names the folder that emulated_python.sh made."""
EMULATED_SAMPLES = 30_000
"""Largest picture that is decoded under emulation, which does some 0.1 billion products a second."""

_BASE = "fp asimd evtstrm aes pmull sha1 sha2 crc32"
_MID = f"{_BASE} atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp"
CPUS = {
    "cortex-a53": ("cortex-a53", "0xd03", _BASE),
    "cortex-a76": ("cortex-a76", "0xd0b", _MID),
    "neoverse-n1": ("neoverse-n1", "0xd0c", _MID),
    "max": ("max,sve=off,sme=off", "0xd47", f"{_MID} i8mm bf16"),
}
"""qemu model, part number and features by name. They choose the kernels of the runtime: no dot products, dot products,
8-bit matrix products. qemu's SME gives wrong results, so it is off."""


class LitertTarget:
    """`litert`, `litert-aarch64` and `litert-aarch64@cpu`, `+precision`: makes reconstruction traces."""

    stage = Stage.RECONSTRUCTION

    def __init__(
        self,
        name: str,
        bundle: Path | None,
        sources: TraceSources,
        cpu: str | None = None,
        precision: str = PRECISIONS[0],
    ) -> None:
        self.name = name
        self.precision: str | None = precision
        self.max_samples = None if cpu is None else EMULATED_SAMPLES
        self._bundle = bundle
        self._sources = sources
        self._cpu = cpu
        self._command: list[str] = []
        self._environment: dict[str, str] = {}
        self._output = Path()
        self._facts: dict[str, str] = {}

    def prepare(self, workspace: Path) -> None:
        """Lay out an ARM64 Python with this package, or take the one that is running."""
        if self._bundle is None:
            raise AbsentTarget("no model bundle with networks was named")
        _look_for_networks(self._bundle, self.precision)
        self._output = workspace / "trace"
        package = Path(jpegai_mobile.__file__).parent
        if self._cpu is None:
            self._command, paths = [sys.executable], [package.parent, Path(__file__).parents[2]]
        else:
            self._command, paths = self._emulated(workspace, package, self._cpu)
        self._environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, paths))}
        started = self._execute(["--about"])
        if started.status:
            raise TargetError(f"LiteRT does not start: {started.message or started.status}")
        self._facts = started.facts

    def push(self, path: Path) -> str:
        """Files of this machine are where they are."""
        return str(path.resolve())

    def run(self, stream: str, tables: str) -> ProgramRun:
        """Decode the stream up to its planes; the integer tables come with the bundle."""
        assert self._bundle is not None
        return self._execute([stream, str(self._bundle.resolve()), str(self.precision), str(self._output)])

    def pull(self, path: Path) -> None:
        """Move the trace to where it is wanted."""
        try:
            shutil.move(self._output, path)
        except OSError as error:
            raise TargetError(f"no trace was written: {error.strerror}") from error

    def describe(self) -> dict[str, str]:
        """Machine and versions."""
        machine = "this one" if self._cpu is None else f"emulated aarch64, {self._cpu}"
        return {"machine": machine, "precision": str(self.precision)} | self._facts

    def _emulated(self, workspace: Path, package: Path, cpu: str) -> tuple[list[str], list[Path]]:
        """Command and module folders of an emulated Python; `workspace` gets a root of its own for one file."""
        named = os.environ.get(ENVIRONMENT_VARIABLE)
        if not named or not (Path(named) / "root").is_dir():
            raise AbsentTarget(
                f"no ARM64 Python: make one with emulated_python.sh and name it in ${ENVIRONMENT_VARIABLE}"
            )
        folder, root, stage = Path(named).resolve(), workspace / "root", workspace / "stage"
        qemu = emulator(ISAS["aarch64"])
        shutil.copytree(folder / "root", root, symlinks=True, copy_function=link_or_copy)
        model, part, features = CPUS[cpu]
        _write_cpuinfo(root, part, features)
        ignored = shutil.ignore_patterns("__pycache__", "*.so", "*.dylib", "*.dll")
        shutil.copytree(package, stage / package.name, ignore=ignored)
        shutil.copytree(Path(__file__).parents[1], stage / "device_tests", ignore=ignored)
        library = stage / package.name / "native" / "libjai_entropy.so"
        Build(ISAS["aarch64"]).shared_library(self._sources, library)
        return [qemu, "-cpu", model, "-L", str(root), str(root / "usr/bin/python3")], [stage, folder / "site"]

    def _execute(self, arguments: list[str]) -> ProgramRun:
        command = [*self._command, "-m", "device_tests.reconstruction", *arguments]
        return run_program(command, RUN_SECONDS, environment=self._environment, folder=self._output.parent)


def link_or_copy(source: str, target: str) -> None:
    """A second name for a file; a copy where there is none, as on another file system."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _look_for_networks(bundle: Path, precision: str | None) -> None:
    try:
        with Bundle.open(bundle) as opened:
            choose_precision(opened, precision)
    except BundleError as error:
        raise AbsentTarget(str(error)) from error


def _write_cpuinfo(root: Path, part: str, features: str) -> None:
    """The file that LiteRT chooses kernels by; the host's is of another ISA, and qemu looks into its root first."""
    processor = (
        f"Features\t: {features}\nCPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x3\n"
        f"CPU part\t: {part}\nCPU revision\t: 0\n\n"
    )
    (root / "proc").mkdir(exist_ok=True)
    text = "".join(f"processor\t: {number}\n{processor}" for number in range(os.cpu_count() or 1))
    (root / "proc" / "cpuinfo").write_text(text)
