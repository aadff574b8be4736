"""One stream on many targets: exact with the integer decoder, and what a float one makes of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from jpegai_mobile.codestream.components import Component
from jpegai_mobile.codestream.stream import read_code_stream
from jpegai_mobile.runtime.bundle import Bundle

from ..engine_traces import engine_trace
from ..errors import AbsentTarget, TargetError
from ..reference_decoder import Arrays, Picture, ReferenceDecoder
from ..sources import TraceSources
from ..targets import Target, make_target
from ..trace_file import read_trace
from .float_codec import float_sources, recode


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a target made of the stream."""

    target: str
    problem: str = ""
    """Why there is no result, or empty."""
    facts: dict[str, str] = field(default_factory=dict)
    integer_exact: bool = False
    """Whether the integer decoder gave the reference trace."""
    index_differs: int = 0
    """Sigma indices of the float decoder that differ from those of the float encoder."""
    table_differs: int = 0
    """Coded positions where it chose another coding table, or coded or skipped otherwise."""
    residual_differs: int = 0
    psnr: float | None = None
    """Decibels against the picture of the exact symbols; None when equal."""
    picture: Picture | None = None

    def __str__(self) -> str:
        if self.problem:
            return self.problem
        integers = "integers exact" if self.integer_exact else "integers NOT exact"
        return f"{integers}; float: {self.table_differs} tables, {self.residual_differs} residuals differ"


@dataclass(frozen=True, eq=False)
class Drill:
    """A fault drill on one stream."""

    name: str
    encoder: str
    """The target that chose the float tables of the stream."""
    elements: int
    """Latent elements of the picture."""
    exact: Picture
    """[row, column, RGB] from the exact symbols."""
    outcomes: tuple[Outcome, ...]


def run_drill(
    name: str,
    data: bytes,
    bundle: Bundle,
    target_names: Sequence[str],
    sources: TraceSources,
    workspace: Path,
    *,
    encoder: str = "host",
    progress: Callable[[str], None] = lambda _: None,
) -> Drill:
    """Code a stream anew with the float decoder of the target `encoder`, and decode it on all targets.

    Raises AbsentTarget or TargetError for the encoder, and the errors of reading the stream; those of other targets
    are part of their outcome.
    """
    tables = bundle.entropy_model_bytes(read_code_stream(data).picture.model_id)
    bench = _Bench(data, tables, bundle, sources, workspace)
    bench.write()
    with_float = bench.start(encoder, float_sources(sources, encoder))
    scales = bench.arrays(with_float, bench.exact_stream)
    bench.float_stream.write_bytes(recode(data, scales, bench.exact))
    theirs = bench.arrays(with_float, bench.float_stream)
    # What the float mask drops is lost to everyone, so the encoder's own decode is what others must equal.
    picture = bench.picture(theirs)
    outcomes = []
    for target in target_names:
        outcomes.append(_outcome(bench, target, theirs, picture))
        progress(f"  {target}: {outcomes[-1]}")
    elements = sum(theirs[f"residual_{i.suffix}"].size for i in Component)
    return Drill(name, encoder, elements, picture, tuple(outcomes))


class _Bench:
    """The files and programs of a drill."""

    def __init__(self, data: bytes, tables: bytes, bundle: Bundle, sources: TraceSources, workspace: Path) -> None:
        self.data, self.sources = data, sources
        self._tables_bytes, self._workspace, self._decoder = tables, workspace, ReferenceDecoder(bundle)
        self.tables, self.exact_stream, self.float_stream = (
            workspace / name for name in ("entropy.bin", "exact.jai", "float.jai")
        )
        self.trace = engine_trace(data, tables, "native")
        self.exact = _named(self.trace)
        self._started = 0

    def write(self) -> None:
        """Put the files that are known from the start into the workspace."""
        self.tables.write_bytes(self._tables_bytes)
        self.exact_stream.write_bytes(self.data)

    def start(self, name: str, sources: TraceSources) -> Target:
        """A prepared target."""
        self._started += 1
        folder = self._workspace / f"target{self._started}"
        folder.mkdir()
        target = make_target(name, sources)
        target.prepare(folder)
        return target

    def trace_on(self, target: Target, stream: Path) -> bytes:
        """The bytes of the trace of a stream; raises TargetError when there is none."""
        run = target.run(target.push(stream), target.push(self.tables))
        if not run.traced:
            raise TargetError(f"status {run.status}: {run.message}")
        pulled = self._workspace / "pulled"
        target.pull(pulled)
        return pulled.read_bytes()

    def arrays(self, target: Target, stream: Path) -> Arrays:
        """The arrays of the trace of a stream."""
        return _named(self.trace_on(target, stream))

    def picture(self, symbols: Arrays) -> Picture:
        """The picture of residuals; everything else is that of the exact symbols."""
        residuals = {name: values for name, values in symbols.items() if name.startswith("residual_")}
        return self._decoder.picture(self.data, dict(self.exact) | residuals)


def _outcome(bench: _Bench, name: str, theirs: Arrays, exact: Picture) -> Outcome:
    try:
        integer = bench.start(name, bench.sources)
        with_float = bench.start(name, float_sources(bench.sources, name))
        equal = bench.trace_on(integer, bench.exact_stream) == bench.trace
        ours = bench.arrays(with_float, bench.float_stream)
    except (AbsentTarget, TargetError) as error:
        return Outcome(name, str(error))
    residual_differs = _differing("residual", ours, theirs)
    picture = bench.picture(ours) if residual_differs else exact
    return Outcome(
        name,
        facts=integer.describe(),
        integer_exact=equal,
        index_differs=_differing("scale_index", ours, theirs),
        table_differs=sum(_table_differs(i.suffix, ours, theirs) for i in Component),
        residual_differs=residual_differs,
        psnr=_psnr(picture, exact),
        picture=picture if residual_differs else None,
    )


def _named(trace: bytes) -> Arrays:
    return {record.name: record.values for record in read_trace(trace).records}


def _differing(name: str, ours: Arrays, theirs: Arrays) -> int:
    return sum(int(np.count_nonzero(ours[f"{name}_{i.suffix}"] != theirs[f"{name}_{i.suffix}"])) for i in Component)


def _table_differs(suffix: str, ours: Arrays, theirs: Arrays) -> int:
    masks = [arrays[f"skip_mask_{suffix}"].astype(bool) for arrays in (ours, theirs)]
    table = [(arrays[f"sigma_{suffix}"] + 64) >> 7 for arrays in (ours, theirs)]
    return int(np.count_nonzero((masks[0] != masks[1]) | (masks[0] & (table[0] != table[1]))))


def _psnr(picture: Picture, exact: Picture) -> float | None:
    peak = 255 if exact.dtype == np.uint8 else 1023
    error = float(np.mean((picture.astype(np.float64) - exact) ** 2))
    return 10 * float(np.log10(peak**2 / error)) if error else None
