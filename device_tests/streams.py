"""The code streams of a folder, with their models and reference traces."""

from __future__ import annotations

import fnmatch
import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

from jpegai_mobile.codestream.description import describe, tools_in_use
from jpegai_mobile.codestream.stream import CodeStream, read_code_stream
from jpegai_mobile.errors import BundleError, JpegAiError

from .engine_traces import STATUS, engine_trace
from .reconstruction.trace import reconstruction_trace
from .results import StreamFacts
from .trace_file import Trace, read_trace


class EntropyTables(Protocol):
    """Where the integer tables of models come from: a Bundle, for one."""

    def models(self) -> tuple[int, ...]:
        """Models whose tables are there."""

    def entropy_model_bytes(self, model: int) -> bytes:
        """The tables of a model; raises BundleError when they are not there."""


@dataclass(frozen=True)
class StreamFile:
    """A code stream in a folder."""

    name: str
    path: Path


@dataclass(frozen=True, eq=False)
class Case:
    """A stream to be traced, and what is expected."""

    path: Path
    tables: Path
    """`entropy_<model>.bin` of its model."""
    facts: StreamFacts
    trace: bytes
    """The reference trace; empty when the stream is refused."""
    status: int
    """Exit status that jai-trace is expected to end with."""

    networks: Path | None = None
    """The bundle for reconstruction, where there is one."""

    @cached_property
    def reconstruction(self) -> bytes:
        """The reference trace of the reconstruction; raises the errors of decoding."""
        if self.networks is None:
            raise BundleError("no bundle with networks was named")
        return reconstruction_trace(self.path, self.networks)

    def reference(self) -> Trace:
        """The reference trace, read."""
        return read_trace(self.trace)


def find_streams(folder: Path, pattern: str = "*") -> list[StreamFile]:
    """`NAME.jai` and `NAME/stream.jai` below a folder, whose NAME fits a shell pattern; in the order of names."""
    found = {path.stem: path for path in folder.glob("*.jai")}
    found |= {path.parent.name: path for path in folder.glob("*/stream.jai")}
    return [StreamFile(name, found[name]) for name in sorted(found) if fnmatch.fnmatchcase(name, pattern)]


def prepare_case(stream: StreamFile, bundle: EntropyTables, workspace: Path, networks: Path | None = None) -> Case:
    """The reference trace of a stream, made by the native engine in this process.

    A stream that is refused is a case too: every target must refuse it alike. Raises BundleError when the bundle
    does not hold the stream's model.
    """
    data = stream.path.read_bytes()
    parsed = _parsed(data)
    model = bundle.entropy_model_bytes(bundle.models()[0] if parsed is None else parsed.picture.model_id)
    tables = workspace / f"entropy_{hashlib.sha256(model).hexdigest()[:16]}.bin"
    if not tables.exists():
        tables.write_bytes(model)
    trace, status, error = b"", 0, ""
    try:
        trace = engine_trace(data, model, "native")
    except BundleError:
        raise
    except JpegAiError as refused:
        status, error = STATUS[type(refused)], str(refused)
    return Case(stream.path, tables, _facts(stream.name, data, parsed, trace, error), trace, status, networks)


def _parsed(data: bytes) -> CodeStream | None:
    try:
        return read_code_stream(data)
    except JpegAiError:
        return None


def _facts(name: str, data: bytes, parsed: CodeStream | None, trace: bytes, error: str) -> StreamFacts:
    records = read_trace(trace) if trace else None
    return StreamFacts(
        name=name,
        bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        samples=0 if parsed is None else parsed.picture.width * parsed.picture.height,
        description="no readable headers" if parsed is None else _description(parsed),
        tools=() if parsed is None else _tools(parsed),
        trace=records.hash if records else "",
        records={r.name: r.hash for r in records.records if "." not in r.name} if records else {},
        error=error,
    )


def _description(stream: CodeStream) -> str:
    summary = describe(stream)["summary"]
    return (
        f"{summary['size']}, {summary['samples']}, {summary['chroma format'].split(',')[0]}, model {summary['model']}"
    )


def _tools(stream: CodeStream) -> tuple[str, ...]:
    picture = stream.picture
    threads = max(picture.z_threads, *(component.residual_threads for component in picture.components))
    several = ("threads",) if threads > 1 else ()
    ten_bit = ("10 bit",) if picture.bit_depth > 8 else ()
    return (*tools_in_use(picture, stream.tools), *several, *ten_bit)
