"""Instruction sets, their Debian cross compilers and emulators, and how jai-trace is built for them."""

from __future__ import annotations

import importlib.util
import platform
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from .errors import AbsentTarget, TargetError
from .programs import run_program
from .sources import TraceSources

COMPILERS = ("gcc", "clang", "zig")
OPTIONS = {
    "O0": "-O0",
    "O1": "-O1",
    "O2": "-O2",
    "O3": "-O3",
    "Os": "-Os",
    "fast-math": "-ffast-math",
    "gnu11": "-std=gnu11",
}
"""Words that may follow a target's name, and the compiler flag that each stands for."""
BUILD_SECONDS = 1200
"""Longest that a build may take; zig builds its C library first, once per instruction set, which takes minutes."""


@dataclass(frozen=True)
class Isa:
    """An instruction set that programs can be built for."""

    name: str
    triple: str
    """GNU triple: prefix of gcc, `--target` of clang."""
    zig: str
    """`-target` of zig, which brings its own C library."""
    emulator: str
    packages: tuple[str, ...]
    """Debian packages of the cross compiler."""
    flags: tuple[str, ...] = ()


ISAS = {
    isa.name: isa
    for isa in (
        Isa(
            "aarch64",
            "aarch64-linux-gnu",
            "aarch64-linux-musl",
            "qemu-aarch64-static",
            ("gcc-aarch64-linux-gnu", "libc6-dev-arm64-cross"),
        ),
        Isa(
            "armv7",
            "arm-linux-gnueabihf",
            "arm-linux-musleabihf",
            "qemu-arm-static",
            ("gcc-arm-linux-gnueabihf", "libc6-dev-armhf-cross"),
        ),
        Isa(
            "i386",
            "i686-linux-gnu",
            "x86-linux-musl",
            "qemu-i386-static",
            ("gcc-i686-linux-gnu", "libc6-dev-i386-cross"),
        ),
        Isa(
            "riscv64",
            "riscv64-linux-gnu",
            "riscv64-linux-musl",
            "qemu-riscv64-static",
            ("gcc-riscv64-linux-gnu", "libc6-dev-riscv64-cross"),
        ),
        Isa(
            "s390x",
            "s390x-linux-gnu",
            "s390x-linux-musl",
            "qemu-s390x-static",
            ("gcc-s390x-linux-gnu", "libc6-dev-s390x-cross"),
        ),
        Isa(
            "ppc64le",
            "powerpc64le-linux-gnu",
            "powerpc64le-linux-musl",
            "qemu-ppc64le-static",
            ("gcc-powerpc64le-linux-gnu", "libc6-dev-ppc64el-cross"),
        ),
        Isa("x86_64", "x86_64-linux-gnu", "x86_64-linux-musl", "qemu-x86_64-static", ("gcc", "libc6-dev")),
    )
}

ISA_ALIASES = {"armhf": "armv7"}
"""Debian's names."""


def setup_command() -> str:
    """The command that installs every emulator and cross compiler on Debian and Ubuntu."""
    packages = dict.fromkeys(package for isa in ISAS.values() for package in isa.packages)
    install = f"apt-get install -y --no-install-recommends qemu-user-static clang {' '.join(packages)}"
    return f'sudo sh -c "apt-get update && {install}"'


@dataclass(frozen=True)
class Build:
    """A way to build a program: instruction set (None: of this machine), compiler and options."""

    isa: Isa | None
    compiler: str | None = None
    """One of COMPILERS; None takes the machine's usual compiler."""
    options: tuple[str, ...] = ()
    """Keys of OPTIONS."""

    @property
    def flags(self) -> tuple[str, ...]:
        """Compiler flags, without those that name the instruction set; later ones win."""
        return ("-std=c11", "-O2", *(OPTIONS[option] for option in self.options))

    def command(self) -> list[str]:
        """The compiler with all flags but files. Raises AbsentTarget, naming the program that is missing."""
        if self.compiler == "zig":
            return [*_zig(), *(["-target", self.isa.zig] if self.isa else []), *self.flags]
        driver, target = self._driver()
        return [_found(driver), *target, *self.flags]

    def program(self, sources: TraceSources, output: Path) -> None:
        """Build the sources into a static program; raises AbsentTarget or TargetError."""
        static = [] if platform.system() == "Darwin" and self.isa is None else ["-static"]
        self._compile([*static, *map(str, sources.files), *sources.link_flags], sources, output)

    def shared_library(self, sources: TraceSources, output: Path) -> None:
        """Build the entropy stage into the shared library that Python binds; raises AbsentTarget or TargetError."""
        files = [str(path) for path in sources.files if path.parent == sources.include]
        self._compile(["-shared", "-fPIC", "-DJAI_SHARED_LIBRARY", *files], sources, output)

    def _compile(self, arguments: list[str], sources: TraceSources, output: Path) -> None:
        compile_to(output, [*self.command(), f"-I{sources.include}", *arguments])

    def _driver(self) -> tuple[str, list[str]]:
        if self.isa is None:
            default = next((name for name in ("cc", "gcc", "clang") if shutil.which(name)), "cc")
            return self.compiler or default, []
        if self.compiler == "clang":
            return "clang", [f"--target={self.isa.triple}", *self.isa.flags]
        return f"{self.isa.triple}-gcc", list(self.isa.flags)


def compile_to(output: Path, command: list[str]) -> None:
    """Run a compiler; raises TargetError with its first error."""
    run = run_program([*command, "-o", str(output)], BUILD_SECONDS)
    if run.status:
        first = next((line for line in run.errors.splitlines() if "error" in line), run.message)
        error = first or f"exit status {run.status}"
        raise TargetError(f"{Path(command[0]).name} cannot build {output.name}: {error}")


def _zig() -> list[str]:
    """zig as a C compiler: the program, or that of PyPI's `ziglang`."""
    if importlib.util.find_spec("ziglang") is not None:
        return [sys.executable, "-m", "ziglang", "cc"]
    if shutil.which("zig") is None:
        raise AbsentTarget("zig is not installed; `pip install ziglang` brings it")
    return [_found("zig"), "cc"]


def _found(program: str) -> str:
    path = shutil.which(program)
    if path is None:
        raise AbsentTarget(f"{program} is not installed")
    return path


def emulator(isa: Isa) -> str:
    """The path of the user-mode emulator; raises AbsentTarget when it is not installed."""
    return _found(isa.emulator)
