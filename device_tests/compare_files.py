"""`jpegai-devices compare`: two traces, or two reports, from wherever they were made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .comparison import first_divergence
from .errors import TraceError
from .results import SCHEMA
from .trace_file import MAGIC, read_trace

REPORT_NAME = "report.json"


def compare_files(first: Path, second: Path) -> list[str]:
    """What differs, one line each; empty when nothing does.

    Traces give their first divergence; reports the first diverging record of every stream that both hold, and every
    verdict that differs. Raises TraceError for files of other kinds, damaged ones, and reports without a common
    stream; OSError when a file cannot be read.
    """
    a, b = _read(first), _read(second)
    if isinstance(a, bytes) and isinstance(b, bytes):
        divergence = first_divergence(_trace(first, a), _trace(second, b))
        return [] if divergence is None else [str(divergence)]
    if isinstance(a, bytes) or isinstance(b, bytes):
        raise TraceError(f"{first} and {second}: a trace cannot be compared with a report")
    return _compare_reports(a, b)


def _read(path: Path) -> bytes | dict[str, Any]:
    """A trace's bytes, or a report."""
    data = (path / REPORT_NAME if path.is_dir() else path).read_bytes()
    if data[: len(MAGIC)] == MAGIC:
        return data
    try:
        report = json.loads(data)
        if report["format"] == "jpegai-mobile device report" and report["schema_version"] == SCHEMA:
            return dict(report)
    except (ValueError, KeyError, TypeError):
        pass
    raise TraceError(f"{path}: neither a trace nor a device report of version {SCHEMA}")


def _trace(path: Path, data: bytes) -> Any:
    try:
        return read_trace(data)
    except TraceError as error:
        raise TraceError(f"{path}: {error}") from error


def _compare_reports(a: dict[str, Any], b: dict[str, Any]) -> list[str]:
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
