"""Judges what a target made of a stream."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from jpegai_mobile.errors import BundleError, JpegAiError
from jpegai_mobile.text import printable

from .comparison import Divergence, first_divergence
from .engine_traces import STATUS
from .errors import TargetError, TraceError
from .pictures import Figure, picture_figures, record_figure, small_figures
from .reconstruction.comparison import compare_reconstructions
from .results import Cell, TargetFacts, Verdict
from .streams import Case
from .targets import ProgramRun, Stage, Target
from .trace_file import Trace, read_trace

KNOWN_STATUS = (0, *STATUS.values())
"""Exit status of a jai-trace that works."""


@dataclass(frozen=True)
class _Judgement:
    verdict: Verdict
    detail: str = ""
    figures: tuple[Figure, ...] = ()


@dataclass(frozen=True)
class Decode:
    """What came back from a target."""

    target: Target
    run: ProgramRun
    data: bytes
    """The trace; empty when there is none."""
    stream: str
    """The stream's name on the target."""


def judge(case: Case, keep: Path | None, target: Target, folder: Path, facts: TargetFacts) -> Cell:
    """Make the trace of a case on a target and compare it with the reference.

    A diverging trace and its reference are kept in the folder `keep`, if there is one.
    """
    judgement = _without_a_run(case, target, facts)
    if judgement is not None:
        return Cell(case.facts.name, target.name, judgement.verdict, judgement.detail)
    try:
        decode = _decode(case, target, folder / "pulled")
    except TargetError as error:
        return Cell(case.facts.name, target.name, Verdict.FAILED, printable(str(error)))
    if target.stage is Stage.RECONSTRUCTION:
        judgement = _judge_reconstruction(decode, case)
    else:
        judgement = _judge_entropy(decode, case)
        if judgement.verdict is Verdict.DIVERGES and keep is not None and decode.data:
            keep.mkdir(parents=True, exist_ok=True)
            (keep / f"{case.facts.name}.reference.trace").write_bytes(case.trace)
            (keep / f"{case.facts.name}.{_file_name(target.name)}.trace").write_bytes(decode.data)
    return Cell(
        case.facts.name,
        target.name,
        judgement.verdict,
        printable(judgement.detail),
        decode.run.number("milliseconds"),
        decode.run.number("peak_bytes"),
        judgement.figures,
    )


def _without_a_run(case: Case, target: Target, facts: TargetFacts) -> _Judgement | None:
    """What is known before the target is asked; None when it has to be."""
    if facts.absent:
        return _Judgement(Verdict.ABSENT, facts.absent)
    if facts.failed:
        return _Judgement(Verdict.FAILED, facts.failed)
    if target.max_samples is not None and case.facts.samples > target.max_samples:
        return _Judgement(Verdict.LEFT_OUT, f"more than {target.max_samples} samples")
    if target.stage is Stage.RECONSTRUCTION:
        try:
            case.reconstruction(target.precision)
        except BundleError as error:
            return _Judgement(Verdict.LEFT_OUT, str(error))
        except JpegAiError:
            pass  # to be refused by the target too
    return None


def _decode(case: Case, target: Target, pulled: Path) -> Decode:
    stream = target.push(case.path)
    run = target.run(stream, target.push(case.tables))
    if not run.traced:
        return Decode(target, run, b"", stream)
    target.pull(pulled)
    data = pulled.read_bytes()
    pulled.unlink()
    return Decode(target, run, data, stream)


def _judge_entropy(decode: Decode, case: Case) -> _Judgement:
    run = decode.run
    if run.status == case.status != 0:
        return _Judgement(Verdict.REFUSED)
    if run.status == 0 and case.trace == decode.data:
        return _Judgement(Verdict.EXACT)
    if run.status == 0 and not decode.data:
        return _Judgement(Verdict.FAILED, "no trace was written")
    ended = _ended(decode, case)
    if run.status not in KNOWN_STATUS or not (decode.data and case.trace):
        return _Judgement(Verdict.DIVERGES if run.status in KNOWN_STATUS else Verdict.FAILED, ended)
    try:
        reference, trace = case.reference(), read_trace(decode.data)
    except TraceError as error:
        return _Judgement(Verdict.FAILED, f"the trace is damaged: {error}")
    divergence = first_divergence(reference, trace)
    if divergence is None:
        equal = "the trace is written differently, although its records are equal"
        return _Judgement(Verdict.FAILED, ended or equal)
    figures = _figures(case, reference, trace, divergence, decode.target.name)
    return _Judgement(Verdict.DIVERGES, f"{divergence}; {ended}" if ended else str(divergence), figures)


def _judge_reconstruction(decode: Decode, case: Case) -> _Judgement:
    run, target = decode.run, decode.target
    try:
        reference, status = case.reconstruction(target.precision), 0
    except JpegAiError as error:
        reference, status = b"", STATUS[type(error)]
    if run.status or status:
        said = f"ends with status {run.status} ({run.message}), the reference with {status}"
        if run.status == status:
            return _Judgement(Verdict.REFUSED)
        return _Judgement(Verdict.DIVERGES if run.status in KNOWN_STATUS else Verdict.FAILED, said)
    try:
        exact, other = read_trace(reference), read_trace(decode.data)
    except TraceError as error:
        return _Judgement(Verdict.FAILED, f"the trace is damaged: {error}")
    differences = compare_reconstructions(exact, other)
    if all(difference.equal for difference in differences):
        return _Judgement(Verdict.EXACT)
    outside = [difference for difference in differences if not difference.within]
    largest = max(differences, key=lambda difference: difference.largest / difference.tolerance)
    detail = "; ".join(map(str, outside or [largest]))
    figures = tuple(small_figures(exact, other, target.name))
    return _Judgement(Verdict.DIVERGES if outside else Verdict.WITHIN, detail, figures)


def _ended(decode: Decode, case: Case) -> str:
    """How a run ended otherwise than the reference, in words; empty when both gave a trace."""
    run = decode.run
    if run.status == case.status:
        return ""
    message = run.message.removeprefix(f"jai-trace: {decode.stream}: ")
    ended = "decodes" if run.status == 0 else f"ends with status {run.status} ({message or 'no message'})"
    return f"{ended}, the reference {f'refuses the stream ({case.facts.error})' if case.status else 'decodes'}"


def _figures(case: Case, reference: Trace, trace: Trace, divergence: Divergence, target: str) -> tuple[Figure, ...]:
    """The map of the record that differs, and, where the bundle has networks, the pictures of both."""
    ours, theirs = ({record.name: record for record in t.records} for t in (reference, trace))
    name = divergence.record
    figures = [record_figure(ours[name], theirs[name])] if len(divergence.place) > 1 else []
    arrays = [record for record in ours.values() if "." not in record.name]
    if all(r.name in theirs and theirs[r.name].values.shape == r.values.shape for r in arrays):
        with suppress(JpegAiError):  # no networks for this stream: the map has to do
            figures += picture_figures(case.picture(reference), case.picture(trace), target)
    return tuple(figures)


def _file_name(target: str) -> str:
    return "".join(c if c.isalnum() or c in "-+@" else "_" for c in target)
