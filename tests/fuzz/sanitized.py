"""Runs the native core, built with sanitizers, over a corpus of cases."""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from jpegai_mobile.errors import BundleError, InvalidStream, JpegAiError, LimitExceeded, Unsupported

from ..c_compiler import LIBRARY_SOURCES, build_program
from .differential import MAX_SAMPLES, Case, Outcome

SANITIZERS = (
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=all",
    "-fno-omit-frame-pointer",
    "-g",
    "-O1",
)
STATUS: dict[type[JpegAiError] | None, int] = {
    None: 0,
    InvalidStream: 1,
    Unsupported: 2,
    LimitExceeded: 3,
    BundleError: 4,
}


def build_replay(folder: Path) -> Path:
    """Compile the replay program with the address and undefined-behaviour sanitizers."""
    sources = (Path(__file__).parent / "replay.c", *LIBRARY_SOURCES)
    return build_program(sources, folder / "replay", *SANITIZERS)


def status_of(outcome: Outcome) -> int:
    """The status code that stands for an outcome of the Python engines."""
    return STATUS[outcome if isinstance(outcome, type) else None]


def replay(program: Path, cases: Sequence[Case], corpus: Path, max_samples: int = MAX_SAMPLES) -> list[int]:
    """The status of every case.

    Raises AssertionError, with its name, for a case that a sanitizer has something to say about, that leaves memory
    behind, or whose residuals are not the same without their zeros.
    """
    corpus.write_bytes(b"".join(_frames(cases)))
    result = subprocess.run([program, corpus, str(max_samples)], capture_output=True, text=True, check=False)
    lines = result.stdout.splitlines()
    name = cases[len(lines)].name if len(lines) < len(cases) else "leak check"
    assert result.returncode == 0, f"{name}: {result.stderr}"
    wrong = [f"{case.name}: {line}" for case, line in zip(cases, lines, strict=True) if not line.isdecimal()]
    assert not wrong, "\n".join(wrong)
    return [int(line) for line in lines]


def _frames(cases: Sequence[Case]) -> Iterable[bytes]:
    previous = b""
    for case in cases:
        model = b"" if case.model == previous else case.model
        previous = case.model
        for part in (case.data, model):
            yield struct.pack("<I", len(part)) + part
