"""This machine, itself or as another one under user-mode emulation."""

from __future__ import annotations

import platform
import shutil
import subprocess
from pathlib import Path

from ..errors import TargetError
from ..sources import TraceSources
from ..toolchain import Build, emulator
from .patch_bench import PatchBench, build_for_host, host_isa
from .target import RUN_SECONDS, ProgramRun, Stage


class LocalTarget:
    """A program of this machine (`host`), or of another instruction set under qemu (`qemu-<isa>`)."""

    stage = Stage.ENTROPY
    max_samples: int | None = None
    precision: str | None = None

    def __init__(
        self,
        name: str,
        build: Build,
        sources: TraceSources,
        cpu: str | None = None,
        patches: PatchBench | None = None,
    ) -> None:
        self.name = name
        self._build = build
        self._sources = sources
        self._cpu = cpu
        self._patches = patches
        self._command: list[str] = []
        self._trace = Path()
        self._about: dict[str, str] = {}

    def prepare(self, workspace: Path) -> None:
        """Build jai-trace and start it once."""
        program = workspace / "jai-trace"
        emulation = [] if self._build.isa is None else [emulator(self._build.isa)]
        if self._cpu is not None:
            emulation += ["-cpu", self._cpu]
        self._build.program(self._sources, program)
        self._command = [*emulation, str(program)]
        self._trace = workspace / "trace"
        started = self._execute("--about")
        if started.status:
            raise TargetError(f"jai-trace does not start: {started.message or f'exit status {started.status}'}")
        self._about = facts(started.output) | self._measure_patches(workspace)

    def push(self, path: Path) -> str:
        """Files of this machine are where they are."""
        return str(path)

    def run(self, stream: str, tables: str) -> ProgramRun:
        """Run jai-trace."""
        return self._execute(stream, tables, str(self._trace))

    def pull(self, path: Path) -> None:
        """Move the trace to where it is wanted."""
        try:
            shutil.move(self._trace, path)
        except OSError as error:
            raise TargetError(f"no trace was written: {error.strerror}") from error

    def describe(self) -> dict[str, str]:
        """Machine, emulator and compiler."""
        command = " ".join([Path(self._build.command()[0]).name, *self._build.command()[1:]])
        if self._build.isa is None:
            machine = {"machine": f"{platform.machine()}, {platform.system()} {platform.release()}"}
        else:
            version = _first_line([self._command[0], "--version"])
            machine = {
                "machine": f"emulated {self._build.isa.name}",
                "emulator": version,
                "cpu": self._cpu or "default",
            }
        return machine | self._about | {"build": command}

    def _measure_patches(self, workspace: Path) -> dict[str, str]:
        """Facts about networks; only of this machine itself, since emulated ones have no time worth telling."""
        library = self._patches.library(host_isa()) if self._patches and self._build.isa is None else None
        if self._patches is None or library is None:
            return {}
        program = workspace / "jai-patch"
        build_for_host(self._build, program)
        return self._patches.measure(
            str(library), workspace, str, lambda *arguments: self._start([str(program), *arguments])
        )

    def _execute(self, *arguments: str) -> ProgramRun:
        return self._start([*self._command, *arguments])

    def _start(self, command: list[str]) -> ProgramRun:
        try:
            result = subprocess.run(
                command,
                capture_output=True, text=True, errors="replace", check=False, timeout=RUN_SECONDS,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise TargetError(f"no end after {RUN_SECONDS} s") from None
        except OSError as error:
            raise TargetError(f"{command[0]}: {error.strerror}") from error
        return ProgramRun(result.returncode, result.stdout, result.stderr.strip())


def facts(output: str) -> dict[str, str]:
    """What jai-trace printed as `# name value`."""
    lines = (line.split(maxsplit=2) for line in output.splitlines() if line.startswith("# "))
    return {words[1]: words[2] for words in lines if len(words) == 3}


def _first_line(command: list[str]) -> str:
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=RUN_SECONDS)
    return (result.stdout.splitlines() or [""])[0]
