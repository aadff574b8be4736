"""Time and memory of the synthesis networks on a 1K patch, where LiteRT's shared library is at hand for a device."""

from __future__ import annotations

import os
import platform
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from jpegai_mobile.errors import BundleError
from jpegai_mobile.runtime.bundle import Bundle

from ..errors import AbsentTarget, TargetError
from ..programs import ProgramRun
from ..toolchain import Build, compile_to

SOURCE = Path(__file__).with_name("jai_patch.c")
SIDE, RUNS = 1024, 3
COMPONENTS = {"y": "luma", "uv": "chroma"}
PRECISIONS = ("float32", "int8")
MACHINES = {3: "i386", 40: "armv7", 62: "x86_64", 183: "aarch64", 243: "riscv64"}
"""Instruction set by the machine number of an ELF file."""
ANDROID_TRIPLES = {
    "aarch64": "aarch64-linux-android",
    "armv7": "armv7a-linux-androideabi",
    "x86_64": "x86_64-linux-android",
    "i386": "i686-linux-android",
    "riscv64": "riscv64-linux-android",
}
ANDROID_API = 24
"""The oldest Android that LiteRT runs on; riscv64 has a later first one."""
ANDROID_API_RISCV64 = 35


@dataclass(frozen=True)
class PatchBench:
    """What is needed to measure patches: a bundle and LiteRT libraries of some instruction sets."""

    bundle: Path
    libraries: tuple[Path, ...] = ()

    def litert_library(self, isa: str) -> Path | None:
        """The library of an instruction set; raises TargetError for a file that is no such library."""
        return next((path for path in self.libraries if _instruction_set(path) == isa), None)

    def measure(
        self, library: str, workspace: Path, push: Callable[[Path], str], execute: Callable[..., ProgramRun]
    ) -> dict[str, str]:
        """Facts by operating point and precision, for people to read.

        `library` is the library's name on the device, `push` brings a file there, `execute` runs jai-patch with
        arguments. A network that does not run is a fact too.
        """
        facts = {}
        for name, graphs in self._graphs(workspace):
            parts = [_measured(execute(library, push(path), str(SIDE), str(RUNS)), part) for part, path in graphs]
            facts[f"1K patch, {name}"] = ", ".join(parts)
        return facts

    def _graphs(self, workspace: Path) -> Iterator[tuple[str, list[tuple[str, Path]]]]:
        """`bop int8` and so on, with the files of its luma and chroma network."""
        with Bundle.open(self.bundle) as bundle:
            model = bundle.models()[0]
            for point in bundle.operating_points():
                for precision in PRECISIONS:
                    try:
                        graphs = {c: bundle.graph("synthesis", c, model, point, precision) for c in COMPONENTS}
                    except BundleError:
                        continue
                    files = [(COMPONENTS[c], workspace / f"{c}_{point}.{precision}.tflite") for c in graphs]
                    for (_, path), graph in zip(files, graphs.values(), strict=True):
                        path.write_bytes(graph)
                    yield f"{point} {precision}", files


def host_isa() -> str:
    """The instruction set of this machine, by the names of the device tests."""
    machine = platform.machine().lower()
    return {"amd64": "x86_64", "arm64": "aarch64"}.get(machine, machine)


def build_for_host(build: Build, output: Path) -> None:
    """jai-patch for this machine; raises AbsentTarget or TargetError."""
    compile_to(output, [*build.command(), "-std=gnu11", str(SOURCE), "-ldl"])


def build_for_android(isa: str, output: Path) -> None:
    """jai-patch for a phone, by the NDK in $ANDROID_NDK_HOME; raises AbsentTarget or TargetError."""
    named = os.environ.get("ANDROID_NDK_HOME")
    if not named:
        raise AbsentTarget("jai-patch is linked to Android's own libraries: name an NDK in $ANDROID_NDK_HOME")
    api = ANDROID_API_RISCV64 if isa == "riscv64" else ANDROID_API
    pattern = f"toolchains/llvm/prebuilt/*/bin/{ANDROID_TRIPLES[isa]}{api}-clang"
    compilers = sorted(Path(named).glob(pattern))
    if not compilers:
        raise AbsentTarget(f"{named}: no {pattern}")
    compile_to(output, [str(compilers[0]), "-std=gnu11", "-O2", str(SOURCE), "-ldl"])


def _instruction_set(library: Path) -> str:
    try:
        with library.open("rb") as file:
            head = file.read(20)
    except OSError as error:
        raise TargetError(f"{library}: {error.strerror}") from error
    if head[:4] != b"\x7fELF" or len(head) < 20:
        raise TargetError(f"{library}: not a shared library of Linux or Android")
    return MACHINES.get(struct.unpack("<H", head[18:])[0], "another instruction set")


def _measured(run: ProgramRun, part: str) -> str:
    times = [run.number(name) for name in ("milliseconds", "first_milliseconds", "peak_bytes")]
    if run.status or None in times:
        return f"{part} does not run ({run.message or run.status})"
    best, first, peak = times
    return f"{part} {best} ms ({first} ms the first time), {(peak or 0) / 2**20:.0f} MiB"
