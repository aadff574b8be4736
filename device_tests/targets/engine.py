"""The plain Python engine as a target: the contract itself beside its copies."""

from __future__ import annotations

import platform
import time
from pathlib import Path

import numpy as np

from jpegai_mobile.errors import JpegAiError

from ..engine_traces import STATUS, engine_trace
from ..programs import ProgramRun
from ..trace_file import read_trace
from .target import Stage


class PythonTarget:
    """`python`: the entropy stage in Python and NumPy, in this process."""

    name = "python"
    stage = Stage.ENTROPY
    max_samples: int | None = None
    precision: str | None = None

    def __init__(self) -> None:
        self._trace = b""

    def prepare(self, workspace: Path) -> None:
        """Nothing to do."""

    def push(self, path: Path) -> str:
        """Files are where they are."""
        return str(path)

    def run(self, stream: str, tables: str) -> ProgramRun:
        """Decode in this process; errors become the status that jai-trace ends with."""
        start = time.process_time()
        try:
            self._trace = engine_trace(Path(stream).read_bytes(), Path(tables).read_bytes(), "python")
        except JpegAiError as error:
            return ProgramRun(STATUS[type(error)], "", str(error))
        seconds = time.process_time() - start
        return ProgramRun(0, f"# milliseconds {round(1000 * seconds)}\n= {read_trace(self._trace).hash}\n", "")

    def pull(self, path: Path) -> None:
        """Write the trace of the last run."""
        path.write_bytes(self._trace)

    def describe(self) -> dict[str, str]:
        """Versions."""
        python = f"{platform.python_implementation()} {platform.python_version()}"
        return {"machine": f"{platform.machine()}, {platform.system()}", "engine": f"{python}, NumPy {np.__version__}"}
