"""This machine, itself or as another one under user-mode emulation."""

from __future__ import annotations

import platform
import shutil
from pathlib import Path

from ..errors import TargetError
from ..programs import ProgramRun, run_program
from ..sources import TraceSources
from ..toolchain import Build, emulator
from .patch_bench import PatchBench, build_for_host, host_isa
from .target import RUN_SECONDS, Stage


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
        self._about = started.facts | self._measure_patches(workspace)

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
            version = run_program([self._command[0], "--version"], RUN_SECONDS).output.splitlines()
            machine = {
                "machine": f"emulated {self._build.isa.name}",
                "emulator": version[0] if version else "",
                "cpu": self._cpu or "default",
            }
        return machine | self._about | {"build": command}

    def _measure_patches(self, workspace: Path) -> dict[str, str]:
        """Facts about networks; only of this machine itself, since emulated ones have no time worth telling."""
        library = self._patches.litert_library(host_isa()) if self._patches and self._build.isa is None else None
        if self._patches is None or library is None:
            return {}
        program = workspace / "jai-patch"
        build_for_host(self._build, program)
        return self._patches.measure(
            str(library), workspace, str, lambda *arguments: run_program([str(program), *arguments], RUN_SECONDS)
        )

    def _execute(self, *arguments: str) -> ProgramRun:
        return run_program([*self._command, *arguments], RUN_SECONDS)
