"""A phone on the other end of adb."""

from __future__ import annotations

import hashlib
import re
import shlex
import shutil
from pathlib import Path

from ..errors import AbsentTarget, TargetError
from ..programs import ProgramRun, run_program
from ..sources import TraceSources
from ..toolchain import ISAS, Build
from .patch_bench import PatchBench, build_for_android
from .target import RUN_SECONDS, Stage

FOLDER = "/data/local/tmp/jpegai-devices"
"""Holds a folder for every prepared target; those that are older than a day are removed."""
ABIS = {"arm64-v8a": "aarch64", "armeabi-v7a": "armv7", "x86_64": "x86_64", "x86": "i386", "riscv64": "riscv64"}
"""Instruction set of an Android ABI; a static program needs nothing else of the system."""
PROPERTIES = {
    "phone": "ro.product.model",
    "soc_maker": "ro.soc.manufacturer",
    "soc": "ro.soc.model",
    "board": "ro.board.platform",
    "android": "ro.build.version.release",
    "abi": "ro.product.cpu.abi",
}
_STATUS = re.compile(r"\[exit (\d+)\]\s*$")


class AdbTarget:
    """`adb:<serial>`: pushes a static program of the phone's instruction set and runs it in a shell."""

    stage = Stage.ENTROPY
    max_samples: int | None = None
    precision: str | None = None

    def __init__(
        self,
        name: str,
        serial: str,
        sources: TraceSources,
        compiler: str | None = None,
        options: tuple[str, ...] = (),
        patches: PatchBench | None = None,
    ) -> None:
        self.name = name
        self._serial = serial
        self._sources = sources
        self._compiler = compiler
        self._options = options
        self._patches = patches
        self._folder = FOLDER
        self._facts: dict[str, str] = {}
        self._pushed: dict[Path, str] = {}

    def prepare(self, workspace: Path) -> None:
        """Look for the phone, build for its instruction set, install the program in a folder of its own."""
        self._connect()
        self._folder = f"{FOLDER}/{_short_hash(workspace)}"
        self._facts = {name: self._property(key) for name, key in PROPERTIES.items()}
        isa = ABIS.get(self._facts["abi"])
        if isa is None:
            raise TargetError(f"no build for ABI {self._facts['abi']!r}")
        program = workspace / "jai-trace"
        Build(ISAS[isa], self._compiler, self._options).program(self._sources, program)
        self._adb("shell", f"mkdir -p {FOLDER}; find {FOLDER} -mindepth 1 -maxdepth 1 -mtime +0 -exec rm -rf {{}} +")
        self._adb("shell", f"rm -rf {self._folder} && mkdir {self._folder}")
        self._adb("push", str(program), f"{self._folder}/jai-trace")
        self._adb("shell", f"chmod 755 {self._folder}/jai-trace")
        started = self._execute("--about")
        if started.status:
            raise TargetError(f"jai-trace does not start: {started.output.strip() or started.status}")
        self._facts |= started.facts | {"kernel": self._adb("shell", "uname -r").strip()}
        self._facts |= self._measure_patches(isa, workspace)

    def push(self, path: Path) -> str:
        """Copy a file to the phone, once."""
        if path not in self._pushed:
            remote = f"{self._folder}/{_short_hash(path)}"
            self._adb("push", str(path), remote)
            self._pushed[path] = remote
        return self._pushed[path]

    def run(self, stream: str, tables: str) -> ProgramRun:
        """Run jai-trace on the phone."""
        return self._execute(stream, tables, f"{self._folder}/trace")

    def pull(self, path: Path) -> None:
        """Copy the trace from the phone."""
        self._adb("pull", f"{self._folder}/trace", str(path))

    def describe(self) -> dict[str, str]:
        """Phone, SoC, Android and kernel."""
        return {"machine": "phone over adb"} | {name: value for name, value in self._facts.items() if value}

    def _measure_patches(self, isa: str, workspace: Path) -> dict[str, str]:
        """Facts about networks, where a LiteRT library for the phone was named."""
        library = self._patches.litert_library(isa) if self._patches else None
        if self._patches is None or library is None:
            return {}
        program = workspace / "jai-patch"
        try:
            build_for_android(isa, program)
        except AbsentTarget as error:
            return {"1K patch": f"not measured: {error}"}
        self._adb("push", str(program), f"{self._folder}/jai-patch")
        self._adb("shell", f"chmod 755 {self._folder}/jai-patch")
        return self._patches.measure(
            self.push(library), workspace, self.push, lambda *arguments: self._execute(*arguments, program="jai-patch")
        )

    def _connect(self) -> None:
        if shutil.which("adb") is None:
            raise AbsentTarget("adb is not installed")
        try:
            state = self._adb("get-state").strip()
        except TargetError as error:
            raise AbsentTarget(f"no phone {self._serial!r}: {error}") from error
        if state != "device":
            raise AbsentTarget(f"phone {self._serial!r} is {state}")

    def _property(self, key: str) -> str:
        return self._adb("shell", f"getprop {key}").strip()

    def _execute(self, *arguments: str, program: str = "jai-trace") -> ProgramRun:
        # Old versions of adb lose the exit status of a shell, and some mix both outputs: the status is echoed.
        words = " ".join(map(shlex.quote, arguments))
        output = self._adb("shell", f'{self._folder}/{program} {words} 2>&1; echo "[exit $?]"').replace("\r\n", "\n")
        found = _STATUS.search(output)
        if found is None:
            raise TargetError("the connection was lost during a run")
        text, status = output[: found.start()], int(found[1])
        return ProgramRun(status, text, errors=text if status else "")

    def _adb(self, *arguments: str) -> str:
        run = run_program(["adb", "-s", self._serial, *arguments], RUN_SECONDS)
        if run.status:
            said = run.message or (run.output.strip().splitlines() or [f"status {run.status}"])[-1]
            raise TargetError(f"adb {arguments[0]}: {said}")
        return run.output


def _short_hash(path: Path) -> str:
    """A name on the phone for a path of this machine."""
    return hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:16]
