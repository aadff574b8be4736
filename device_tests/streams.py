"""The code streams of a folder, with their models and reference traces."""

from __future__ import annotations

import fnmatch
import hashlib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from jpegai_mobile.codestream.description import describe, tools_in_use
from jpegai_mobile.codestream.stream import CodeStream, read_code_stream
from jpegai_mobile.errors import BundleError, InvalidStream, JpegAiError
from jpegai_mobile.text import printable

from .engine_traces import STATUS, engine_trace
from .errors import UnreadableStream
from .reference_decoder import Picture, ReferenceDecoder
from .results import StreamFacts
from .trace_file import Trace, read_trace

COMMON_NAME = "stream.jai"
"""Of streams that are told apart by their folders."""
LARGEST_STREAM = 1 << 30
"""Bytes of a stream that is tested."""


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

    decoder: ReferenceDecoder | None = None
    """For reconstruction, where there is a bundle with networks."""
    _reconstructions: dict[str | None, bytes] = field(default_factory=dict)
    _pictures: dict[str, Picture] = field(default_factory=dict)

    def reconstruction(self, precision: str | None) -> bytes:
        """The reference trace of the reconstruction in a precision; raises the errors of decoding."""
        if precision not in self._reconstructions:
            self._reconstructions[precision] = self._networks().reconstruction_trace(self.path.read_bytes(), precision)
        return self._reconstructions[precision]

    def picture(self, trace: Trace) -> Picture:
        """What the symbols of a trace with arrays of the right shapes look like; raises the errors of decoding."""
        if trace.hash not in self._pictures:
            arrays = {record.name: record.values for record in trace.records}
            self._pictures[trace.hash] = self._networks().picture(self.path.read_bytes(), arrays)
        return self._pictures[trace.hash]

    def reference(self) -> Trace:
        """The reference trace, read."""
        return read_trace(self.trace)

    def _networks(self) -> ReferenceDecoder:
        if self.decoder is None:
            raise BundleError("no bundle with networks was named")
        return self.decoder


def stream_name(path: Path) -> str:
    """NAME of `NAME.jai` or `NAME/stream.jai`."""
    return path.parent.name if path.name == COMMON_NAME else path.stem


def find_streams(folder: Path, pattern: str = "*") -> list[StreamFile]:
    """`NAME.jai` and `NAME/stream.jai` below a folder, whose NAME fits a shell pattern; in the order of names.

    Characters that cannot be printed are escaped in names. Raises InvalidStream for what is no folder, when two
    streams have one name, and when there is none that fits.
    """
    if not folder.is_dir():
        raise InvalidStream(f"{folder}: not a folder")
    paths = [*folder.glob("*.jai"), *folder.glob(f"*/{COMMON_NAME}")]
    found = [StreamFile(printable(stream_name(path)), path) for path in paths]
    name, count = next(iter(Counter(stream.name for stream in found).most_common(1)), ("", 0))
    if count > 1:
        raise InvalidStream(f"{folder}: there are {count} streams {name}")
    fitting = [stream for stream in found if fnmatch.fnmatchcase(stream.name, pattern)]
    if not fitting:
        raise InvalidStream(f"{folder}: no NAME.jai or NAME/stream.jai that fits {pattern}")
    return sorted(fitting, key=lambda stream: stream.name)


def read_stream(stream: StreamFile) -> bytes:
    """The bytes of a stream; raises UnreadableStream."""
    try:
        if not stream.path.is_file():
            raise UnreadableStream(f"{stream.path}: not a file")
        if stream.path.stat().st_size > LARGEST_STREAM:
            raise UnreadableStream(f"{stream.path}: more than {LARGEST_STREAM:,} bytes")
        return stream.path.read_bytes()
    except OSError as error:
        raise UnreadableStream(f"{stream.path}: {error.strerror or error}") from error


def prepare_case(
    stream: StreamFile, bundle: EntropyTables, workspace: Path, decoder: ReferenceDecoder | None = None
) -> Case:
    """The reference trace of a stream, made by the native engine in this process.

    A stream that is refused is a case too: every target must refuse it alike. Raises BundleError when the bundle
    does not hold the stream's model, UnreadableStream when there are no bytes to be had.
    """
    data = read_stream(stream)
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
    return Case(stream.path, tables, _facts(stream.name, data, parsed, trace, error), trace, status, decoder)


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
