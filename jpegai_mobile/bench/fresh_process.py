"""A first decode as a user meets it: in a process that has done nothing before."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, dataclass

from ..errors import JpegAiError
from ..runtime.decoder import DecodeOptions


@dataclass(frozen=True)
class FirstDecode:
    """What the operating system and the clock said about a process."""

    idle: int
    """Most bytes that were resident before the decode, while everything was imported."""
    peak: int
    """Most bytes that were ever resident."""
    seconds: float
    """From the first byte read, networks loaded and prepared; the start of the interpreter is not counted."""
    cpu_seconds: float
    """Processor time of all threads in that."""


def first_decode(stream: str, bundle: str | None, options: DecodeOptions) -> FirstDecode:
    """Decode a file in a fresh process; raises JpegAiError with its last line where that fails."""
    command = [sys.executable, "-m", "jpegai_mobile.bench.decode_once", stream, bundle or ""]
    result = subprocess.run([*command, json.dumps(asdict(options))], capture_output=True, text=True)
    if result.returncode:
        last_line = (result.stderr.strip().splitlines() or [f"exit code {result.returncode}"])[-1]
        raise JpegAiError(f"{stream}: the measuring process failed: {last_line}")
    return FirstDecode(**json.loads(result.stdout))
