"""Runs streams on targets."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from jpegai_mobile.errors import BundleError
from jpegai_mobile.text import printable

from .errors import AbsentTarget, TargetError, UnreadableStream
from .judgement import judge
from .programs import no_programs
from .reference_decoder import ReferenceDecoder
from .results import Results, TargetFacts, Verdict
from .streams import Case, EntropyTables, StreamFile, prepare_case
from .targets import Target
from .text import counted


def run_matrix(
    results: Results,
    targets: Sequence[Target],
    streams: Sequence[StreamFile],
    bundle: EntropyTables,
    workspace: Path,
    *,
    decoder: ReferenceDecoder | None = None,
    jobs: int = 1,
    keep: Path | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> None:
    """Fill `results` with every stream on every target, `jobs` targets at a time.

    `decoder` is for targets that run networks, and for pictures. Diverging traces and their references are kept in
    the folder `keep`. `progress` gets one line per step. When it is interrupted (KeyboardInterrupt), programs that
    are running are ended, and `results` say so and hold the streams that were finished.
    """
    with ThreadPoolExecutor(jobs) as pool:
        folders = [workspace / f"target{number}" for number in range(len(targets))]
        finished = 0
        try:
            results.targets += pool.map(prepare_target, targets, folders)
            for facts in results.targets:
                progress(f"{facts.name}: {facts.absent or facts.failed or 'ready'}")
            results.skipped += [f"target {facts.name}: {facts.absent}" for facts in results.absent]
            for finished, stream in enumerate(streams):
                case = _case(results, stream, bundle, workspace, decoder)
                if case is None:
                    continue
                cells = list(pool.map(partial(judge, case, keep), targets, folders, results.targets))
                results.cells += cells
                results.streams.append(case.facts)
                bad = [f"{cell.target} {cell.verdict}" for cell in cells if cell.verdict.bad]
                progress(f"[{finished + 1}/{len(streams)}] {stream.name}: {', '.join(bad) or 'all agree'}")
        except KeyboardInterrupt:
            with no_programs():
                pool.shutdown(cancel_futures=True)
            results.interrupted = True
            late = targets[len(results.targets) :]
            results.skipped += [f"interrupted: target {target.name} was not made ready" for target in late]
            untested = [stream.name for stream in streams[finished:]]
            results.skipped.append(f"interrupted before {counted(len(untested), 'stream')}: {', '.join(untested)}")
    results.skipped += _left_out(results)


def _case(
    results: Results, stream: StreamFile, bundle: EntropyTables, workspace: Path, decoder: ReferenceDecoder | None
) -> Case | None:
    """The case of a stream; None when there is none, which is noted."""
    try:
        return prepare_case(stream, bundle, workspace, decoder)
    except (BundleError, UnreadableStream) as error:
        results.skipped.append(f"stream {stream.name}: {printable(str(error))}")
        return None


def _left_out(results: Results) -> list[str]:
    """A line for every target and reason that streams were left out for."""
    groups = defaultdict[tuple[str, str], list[str]](list)
    for cell in results.cells:
        if cell.verdict is Verdict.LEFT_OUT:
            groups[cell.target, cell.detail].append(cell.stream)
    return [
        f"target {target}: {counted(len(names), 'stream')} left out ({reason}): {', '.join(names)}"
        for (target, reason), names in groups.items()
    ]


def prepare_target(target: Target, folder: Path) -> TargetFacts:
    """Get a target ready in a new folder; what is wrong with it is part of the result."""
    folder.mkdir()
    try:
        target.prepare(folder)
    except AbsentTarget as error:
        return TargetFacts(target.name, absent=printable(str(error)))
    except TargetError as error:
        return TargetFacts(target.name, failed=printable(str(error)))
    facts = {name: printable(value) for name, value in target.describe().items()}
    return TargetFacts(target.name, facts=facts)
