"""Runs streams on targets and judges every trace."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from jpegai_mobile.errors import BundleError, JpegAiError

from .comparison import differing_map, first_divergence
from .engine_traces import STATUS
from .errors import AbsentTarget, TargetError, TraceError
from .reconstruction.comparison import compare_reconstructions
from .results import Cell, Results, TargetFacts, Verdict
from .streams import Case, EntropyTables, StreamFile, prepare_case
from .targets import ProgramRun, Stage, Target
from .trace_file import Trace, read_trace

MAP_SIZE = 256
"""Longer side of a map of differences, in pixels, at least."""
KNOWN_STATUS = (0, *STATUS.values())
"""Exit status of a jai-trace that works."""


def run_matrix(
    results: Results,
    targets: Sequence[Target],
    streams: Sequence[StreamFile],
    bundle: EntropyTables,
    workspace: Path,
    *,
    networks: Path | None = None,
    jobs: int = 1,
    keep: Path | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> None:
    """Fill `results` with every stream on every target, `jobs` targets at a time.

    `networks` is the path of the bundle, for targets that run networks. Diverging traces and their references are
    kept in the folder `keep`. `progress` gets one line per step.
    """
    with ThreadPoolExecutor(jobs) as pool:
        folders = [workspace / f"target{number}" for number in range(len(targets))]
        results.targets += pool.map(prepare_target, targets, folders)
        for facts in results.targets:
            progress(f"{facts.name}: {facts.absent or facts.failed or 'ready'}")
        results.skipped += [f"target {facts.name}: {facts.absent}" for facts in results.absent]
        for number, stream in enumerate(streams, 1):
            try:
                case = prepare_case(stream, bundle, workspace, networks)
            except BundleError as error:
                results.skipped.append(f"stream {stream.name}: {error}")
                continue
            judge_case = partial(judge, case, keep)
            cells = list(pool.map(judge_case, targets, folders, results.targets))
            results.streams.append(case.facts)
            results.cells += cells
            bad = [f"{cell.target} {cell.verdict}" for cell in cells if cell.verdict.bad]
            progress(f"[{number}/{len(streams)}] {stream.name}: {', '.join(bad) or 'all agree'}")
    for target in targets:
        large = sum(cell.target == target.name and cell.verdict is Verdict.LEFT_OUT for cell in results.cells)
        if large:
            results.skipped.append(f"target {target.name}: {large} streams of more than {target.max_samples} samples")


def prepare_target(target: Target, folder: Path) -> TargetFacts:
    """Get a target ready in a new folder; what is wrong with it is part of the result."""
    folder.mkdir()
    try:
        target.prepare(folder)
    except AbsentTarget as error:
        return TargetFacts(target.name, absent=str(error))
    except TargetError as error:
        return TargetFacts(target.name, failed=str(error))
    return TargetFacts(target.name, facts=target.describe())


def judge(case: Case, keep: Path | None, target: Target, folder: Path, facts: TargetFacts) -> Cell:
    """Make the trace of a case on a target and compare it with the reference."""
    if facts.absent or facts.failed:
        verdict = Verdict.ABSENT if facts.absent else Verdict.FAILED
        return Cell(case.facts.name, target.name, verdict, facts.absent or facts.failed)
    if target.max_samples is not None and case.facts.samples > target.max_samples:
        reason = f"{case.facts.samples} samples, at most {target.max_samples}"
        return Cell(case.facts.name, target.name, Verdict.LEFT_OUT, reason)
    pulled = folder / "pulled"
    try:
        stream = target.push(case.path)
        run = target.run(stream, target.push(case.tables))
        if run.traced:
            target.pull(pulled)
        data = pulled.read_bytes() if run.traced else b""
    except TargetError as error:
        return Cell(case.facts.name, target.name, Verdict.FAILED, str(error))
    compare = _compare_reconstruction if target.stage is Stage.RECONSTRUCTION else _compare
    verdict, detail, image = compare(run, data, case, stream)
    if verdict is Verdict.DIVERGES and keep is not None and data and target.stage is Stage.ENTROPY:
        keep.mkdir(parents=True, exist_ok=True)
        (keep / f"{case.facts.name}.reference.trace").write_bytes(case.trace)
        pulled.replace(keep / f"{case.facts.name}.{_file_name(target.name)}.trace")
    return Cell(
        case.facts.name, target.name, verdict, detail, run.fact("milliseconds"), run.fact("peak_bytes"), image
    )  # fmt: skip


def _compare(run: ProgramRun, data: bytes, case: Case, stream: str) -> tuple[Verdict, str, str]:
    """Verdict, detail and map of differences of a run and its trace; `stream` is the stream's name on the target."""
    if run.status == case.status != 0:
        return Verdict.REFUSED, "", ""
    if run.status == 0 and case.trace == data:
        return Verdict.EXACT, "", ""
    if run.status == 0 and not data:
        return Verdict.FAILED, "no trace was written", ""
    ended = _ended(run, case, stream)
    if run.status not in KNOWN_STATUS or not (data and case.trace):
        return (Verdict.DIVERGES if run.status in KNOWN_STATUS else Verdict.FAILED), ended, ""
    try:
        reference, trace = case.reference(), read_trace(data)
    except TraceError as error:
        return Verdict.FAILED, f"the trace is damaged: {error}", ""
    divergence = first_divergence(reference, trace)
    if divergence is None:
        return Verdict.FAILED, ended or "the trace is written differently, although its records are equal", ""
    image = _map(reference, trace, divergence.record) if len(divergence.place) > 1 else ""
    return Verdict.DIVERGES, f"{divergence}; {ended}" if ended else str(divergence), image


def _compare_reconstruction(run: ProgramRun, data: bytes, case: Case, stream: str) -> tuple[Verdict, str, str]:
    """The same of a reconstruction trace, which has no map."""
    try:
        reference, status = case.reconstruction, 0
    except JpegAiError as error:
        reference, status = b"", STATUS[type(error)]
    if run.status or status:
        said = f"ends with status {run.status} ({run.message}), the reference with {status}"
        otherwise = Verdict.DIVERGES if run.status in KNOWN_STATUS else Verdict.FAILED
        return (Verdict.REFUSED, "", "") if run.status == status else (otherwise, said, "")
    try:
        differences = compare_reconstructions(read_trace(reference), read_trace(data))
    except TraceError as error:
        return Verdict.FAILED, f"the trace is damaged: {error}", ""
    outside = [difference for difference in differences if not difference.within]
    if outside:
        return Verdict.DIVERGES, "; ".join(map(str, outside)), ""
    largest = max(differences, key=lambda difference: difference.largest / difference.tolerance)
    equal = all(difference.equal for difference in differences)
    return (Verdict.EXACT, "", "") if equal else (Verdict.WITHIN, str(largest), "")


def _ended(run: ProgramRun, case: Case, stream: str) -> str:
    """How a run ended otherwise than the reference, in words; empty when both gave a trace."""
    if run.status == case.status:
        return ""
    message = run.message.removeprefix(f"jai-trace: {stream}: ")
    ended = "decodes" if run.status == 0 else f"ends with status {run.status} ({message or 'no message'})"
    return f"{ended}, the reference {f'refuses the stream ({case.facts.error})' if case.status else 'decodes'}"


def _map(reference: Trace, trace: Trace, name: str) -> str:
    """Where two records of a name differ, as a PNG in base64: white, equal; the darker, the more channels differ."""
    first, second = (next(r for r in t.records if r.name == name) for t in (reference, trace))
    counts = differing_map(first, second)
    shade = np.where(counts, 200 - 200 * counts // max(int(counts.max()), 1), 255).astype(np.uint8)
    picture = Image.fromarray(np.stack([np.where(counts, 255, shade), shade, shade], axis=-1).astype(np.uint8))
    factor = max(1, MAP_SIZE // max(picture.size))
    file = io.BytesIO()
    picture.resize((picture.width * factor, picture.height * factor), Image.Resampling.NEAREST).save(file, "png")
    return base64.b64encode(file.getvalue()).decode()


def _file_name(target: str) -> str:
    return "".join(c if c.isalnum() or c in "-+@" else "_" for c in target)
