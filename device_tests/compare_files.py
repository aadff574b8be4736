"""`jpegai-devices compare`: two traces, or two reports, from wherever they were made."""

from __future__ import annotations

import json
import mmap
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .comparison import first_divergence
from .errors import TraceError
from .reconstruction.comparison import compare_reconstructions
from .reconstruction.trace import is_reconstruction
from .results import SCHEMA, Verdict
from .trace_file import FORMAT, Trace, read_damaged_trace

REPORT_NAME = "report.json"
LARGEST_REPORT = 1 << 28
"""Bytes of a report that is read."""

Report = dict[str, Any]


@dataclass(frozen=True)
class Comparison:
    """How two traces or reports compare."""

    differences: list[str]
    """One line each; empty when nothing differs."""
    agreement: str = "equal"
    """What to say when nothing differs."""


def compare_files(first: Path, second: Path) -> Comparison:
    """Compare two files of one kind.

    Traces of the entropy stage give their first divergence, those of the reconstruction every tensor that is off by
    more than its tolerance; reports the first diverging record of every stream that both hold, and every verdict that
    differs. Raises TraceError for files of other kinds, damaged ones, and reports without a common stream; OSError
    when a file cannot be read. A trace whose records can be read although their hashes do not fit is compared all
    the same, and said to be damaged.
    """
    a, b = _read(first), _read(second)
    if isinstance(a, Trace) and isinstance(b, Trace):
        damage = [f"{path}: {trace.damage}" for path, trace in ((first, a), (second, b)) if trace.damage]
        comparison = _compare_traces(a, b)
        return replace(comparison, differences=comparison.differences + damage)
    if isinstance(a, Trace) or isinstance(b, Trace):
        raise TraceError(f"{first} and {second}: a trace cannot be compared with a report")
    return Comparison(_compare_reports(a, b))


def _read(path: Path) -> Trace | Report:
    path = path / REPORT_NAME if path.is_dir() else path
    with path.open("rb") as file:
        start = file.read(len(FORMAT))
        if start == FORMAT:
            return _trace(path, memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)))
        text = start + file.read(LARGEST_REPORT)
    try:
        report = json.loads(text)
        if _is_report(report):
            return dict(report)
    except (ValueError, RecursionError):
        pass
    raise TraceError(f"{path}: neither a trace nor a device report of schema version {SCHEMA}")


def _trace(path: Path, data: memoryview) -> Trace:
    try:
        return read_damaged_trace(data)
    except TraceError as error:
        raise TraceError(f"{path}: {error}") from error


def _is_report(report: object) -> bool:
    """Whether a JSON value has the parts of a report that are compared, of the right types."""
    if not isinstance(report, dict) or report.get("format") != "jpegai-mobile device report":
        return False
    return (
        report.get("schema_version") == SCHEMA
        and _rows_hold(report.get("streams"), "name", "sha256", "trace")
        and all(_is_text_map(stream.get("records")) for stream in report["streams"])
        and _rows_hold(report.get("cells"), "stream", "target", "verdict", "detail")
        and all(cell["verdict"] in list(Verdict) for cell in report["cells"])
    )


def _rows_hold(rows: object, *names: str) -> bool:
    """Whether it is a list of objects that all have texts of these names."""
    return isinstance(rows, list) and all(
        isinstance(row, dict) and all(isinstance(row.get(name), str) for name in names) for row in rows
    )


def _is_text_map(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(text, str) for text in value.values())


def _compare_traces(a: Trace, b: Trace) -> Comparison:
    if is_reconstruction(a) and is_reconstruction(b):
        tensors = compare_reconstructions(a, b)
        agreement = "equal" if all(tensor.equal for tensor in tensors) else "equal within tolerances"
        return Comparison([str(tensor) for tensor in tensors if not tensor.within], agreement)
    divergence = first_divergence(a, b)
    return Comparison([] if divergence is None else [str(divergence)])


def _compare_reports(a: Report, b: Report) -> list[str]:
    streams = {stream["name"]: stream for stream in b["streams"]}
    common = [(stream, streams[stream["name"]]) for stream in a["streams"] if stream["name"] in streams]
    if not common:
        raise TraceError("the reports have no stream in common")
    lines = [line for first, second in common for line in _compare_streams(first, second)]
    verdicts = {(cell["stream"], cell["target"]): cell for cell in b["cells"]}
    for cell in a["cells"]:
        other = verdicts.get((cell["stream"], cell["target"]))
        if other is not None and other["verdict"] != cell["verdict"]:
            detail = cell["detail"] or other["detail"]
            lines.append(
                f"{cell['stream']} on {cell['target']}: {cell['verdict']} against {other['verdict']} ({detail})"
            )
    return lines


def _compare_streams(a: dict[str, Any], b: dict[str, Any]) -> list[str]:
    name = a["name"]
    if a["sha256"] != b["sha256"]:
        return [f"{name}: the code streams themselves differ"]
    if a["trace"] == b["trace"]:
        return []
    record = next((r for r, value in a["records"].items() if b["records"].get(r) != value), "a header field")
    return [f"{name}: {record} is the first record that differs"]
