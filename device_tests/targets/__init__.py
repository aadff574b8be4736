"""Targets by name: `host`, `python`, `qemu-<isa>`, `adb:<serial>`, `litert`, with a CPU model and options.

host  host+clang+O0+fast-math  qemu-aarch64@cortex-a53  qemu-s390x+O3  adb:1A2B3C4D  litert-aarch64@cortex-a76+int8

A CPU model with properties is written with colons: `qemu-aarch64@max:sve=off`.
"""

from __future__ import annotations

from pathlib import Path

from jpegai_mobile.errors import JpegAiError
from jpegai_mobile.runtime.manifest import PRECISIONS

from ..programs import ProgramRun
from ..sources import TraceSources
from ..toolchain import COMPILERS, ISA_ALIASES, ISAS, OPTIONS, Build
from .adb import AdbTarget
from .engine import PythonTarget
from .litert import CPUS, LitertTarget
from .local import LocalTarget
from .patch_bench import PatchBench
from .target import Stage, Target

__all__ = ["ProgramRun", "Stage", "Target", "UnknownTarget", "make_target", "named_targets"]

QEMU = "qemu-"
ADB = "adb:"
LITERT, LITERT_AARCH64 = "litert", "litert-aarch64"


class UnknownTarget(JpegAiError):
    """A target's name means nothing; the text says what is possible."""


def named_targets(names: str) -> list[str]:
    """The names of a list with commas between them, each once."""
    return list(dict.fromkeys(names.split(",")))


def make_target(
    name: str, sources: TraceSources, bundle: Path | None = None, patches: PatchBench | None = None
) -> Target:
    """The target of a name, not prepared yet. Raises UnknownTarget.

    Targets that run networks take them from `bundle`; phones and this machine also measure `patches`.
    """
    place, *options = name.split("+")
    base, at, cpu = place.partition("@")
    if base.startswith(LITERT):
        return _litert_target(name, base, cpu, sources, bundle, options)
    compiler, flags = _build_options(name, options)
    if at and (not cpu or not base.startswith(QEMU)):
        raise UnknownTarget(f"{name}: a CPU model is for qemu targets, as in qemu-aarch64@cortex-a53")
    if name == "python":
        return PythonTarget()
    if base == "host":
        return LocalTarget(name, Build(None, compiler, flags), sources, patches=patches)
    isa = base.removeprefix(QEMU) if base.startswith(QEMU) else ""
    isa = ISA_ALIASES.get(isa, isa)
    if isa in ISAS:
        return LocalTarget(name, Build(ISAS[isa], compiler, flags), sources, cpu.replace(":", ",") or None)
    if base.startswith(ADB) and base != ADB:
        return AdbTarget(name, base[len(ADB) :], sources, compiler, flags, patches)
    known = ("host", LITERT, LITERT_AARCH64, "python", *(QEMU + isa for isa in ISAS), "adb:SERIAL")
    raise UnknownTarget(f"no target {name!r}; there are {', '.join(known)}")


def _build_options(name: str, options: list[str]) -> tuple[str | None, tuple[str, ...]]:
    """Compiler and flags."""
    compilers = [option for option in options if option in COMPILERS]
    flags = tuple(option for option in options if option not in COMPILERS)
    unknown = [option for option in flags if option not in OPTIONS]
    if unknown:
        raise UnknownTarget(f"{name}: no option {unknown[0]!r}; there are {', '.join((*COMPILERS, *OPTIONS))}")
    if len(compilers) > 1:
        raise UnknownTarget(f"{name}: more than one compiler")
    return (compilers[0] if compilers else None), flags


def _litert_target(
    name: str, base: str, cpu: str, sources: TraceSources, bundle: Path | None, options: list[str]
) -> LitertTarget:
    precision = options[0] if options else PRECISIONS[0]
    if len(options) > 1 or precision not in PRECISIONS:
        raise UnknownTarget(f"{name}: LiteRT is not built here, its option is one of {', '.join(PRECISIONS)}")
    if base == LITERT_AARCH64 and (cpu or "cortex-a76") in CPUS:
        return LitertTarget(name, bundle, sources, cpu or "cortex-a76", precision)
    if base == LITERT and not cpu:
        return LitertTarget(name, bundle, sources, None, precision)
    raise UnknownTarget(f"no target {name!r}; there are {LITERT} and {LITERT_AARCH64}@CPU, CPU of {', '.join(CPUS)}")
