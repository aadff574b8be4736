"""`jpegai bench`: time and memory of decoding."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

from ..bench.fresh_process import first_decode
from ..bench.results import NOTES_SUFFIX, write_result
from ..bench.stages import STAGES, StageClock, decode_to_nowhere
from ..codestream.picture_header import SYNTHESIS_TRANSFORMS
from ..image.output_stream import STANDARD_STREAM
from ..runtime.bundle import Bundle
from ..runtime.decoder import DEFAULT_THREADS, NUM_THREADS, DecodeOptions, Decoder
from ..runtime.default_bundle import open_bundle
from ..runtime.manifest import PRECISIONS
from ..runtime.memory_budget import NO_LIMIT
from ..runtime.progress import Advance, Progress
from ..text import printable
from .files import read_input
from .program import UsageError, check_folder_of
from .progress_bar import progress_bar
from .usage import add_bundle, add_max_samples, add_parser, memory_limit, positive, whole_number

EXAMPLES = """examples:
  jpegai bench photo.jai --bundle model
  jpegai bench small.jai large.jai --bundle model --precision float32,int8 --threads 1,2 -o results.tsv
  jpegai bench photo.jai --bundle model --operating-point sop,bop --memory-limit 64MiB

Configurations take turns in one process. Times hold entropy stage to RGB rows (PPM, thrown away) without the start of
the process. Networks stay loaded from decode to decode with --memory-limit none; under a limit, the default one too,
those of one stage may be in memory at a time, and loading and preparing them is then part of every time.
Memory and the first decode come from three fresh processes each.
Beside the table, OUT.meta says what machine it was.
"""
HEADER = (
    "stream", "width", "height", "bytes", "operating_point", "precision", "threads", "memory_limit",
    "what", "unit", "median", "lowest", "highest",
)  # fmt: skip
FIRST_DECODES = 3
"""Fresh processes per configuration."""
DEFAULT_ROUNDS = 5

T = TypeVar("T")


def add_command(commands: Any) -> None:
    """Declare the command line of `jpegai bench`."""
    parser = add_parser(
        commands,
        "bench",
        "measure time and memory of decoding",
        "Measure decoding: time by stage, memory of a fresh process, latency of the first decode.",
        EXAMPLES,
    )
    parser.add_argument("inputs", metavar="STREAM", nargs="+", help="code streams")
    add_bundle(parser)
    parser.add_argument(
        "--operating-point",
        type=_list_of(_known(SYNTHESIS_TRANSFORMS)),
        default=(None,),
        metavar="P,...",
        help="synthesis networks (default: the first of the stream's list that the bundle holds)",
    )
    parser.add_argument(
        "--precision", type=_list_of(_known(PRECISIONS)), metavar="P,...", help="default: all in the bundle"
    )
    parser.add_argument(
        "--threads",
        type=_list_of(whole_number(NUM_THREADS)),
        default=(DEFAULT_THREADS,),
        metavar="N,...",
        help="default 2",
    )
    parser.add_argument("--memory-limit", type=memory_limit, metavar="SIZE", help="as for `jpegai decode`")
    add_max_samples(parser)
    parser.add_argument("--rounds", type=positive, default=DEFAULT_ROUNDS, metavar="N", help="default %(default)s")
    parser.add_argument("-o", "--output", type=Path, metavar="OUT.tsv", help="where the table goes (default: stdout)")
    parser.set_defaults(run=run)


@dataclass(frozen=True)
class Measurement:
    """Something that was measured several times."""

    what: str
    unit: str
    values: list[float]

    def cells(self) -> tuple[str, ...]:
        """The last cells of a row."""
        values = (median(self.values), min(self.values), max(self.values))
        return (self.what, self.unit, *(f"{value:.2f}" for value in values))


def run(options: argparse.Namespace) -> None:
    """Measure all streams, and write the table."""
    if STANDARD_STREAM in options.inputs:
        raise UsageError("streams are read by several processes and have to be files")
    if options.output:
        _check_output(options.output)
    rows = []
    with open_bundle(options.bundle) as bundle, progress_bar("measuring") as bar:
        choices = _choices(bundle, options)
        decodes = len(choices) * (1 + options.rounds + FIRST_DECODES)
        progress = Progress(len(options.inputs) * decodes, bar)
        for path in options.inputs:
            options.input = path  # `main` names it in errors
            rows += _measured_rows(path, bundle, choices, options, progress.advance)
    if options.output:
        write_result(options.output, HEADER, rows, "jpegai " + " ".join(sys.argv[1:]))
    else:
        for row in (HEADER, *rows):
            print("\t".join(row))


def _check_output(path: Path) -> None:
    """Raise UsageError or OSError where a table and the notes beside it cannot both be written."""
    if str(path) == STANDARD_STREAM:
        raise UsageError("the table goes to stdout without -o")
    if path.suffix == NOTES_SUFFIX:
        raise UsageError(f"{path}: {NOTES_SUFFIX} is the name of the notes beside the table")
    check_folder_of(path)


def _measured_rows(
    path: str, bundle: Bundle, choices: Sequence[DecodeOptions], options: argparse.Namespace, advance: Advance
) -> list[tuple[str, ...]]:
    """The rows of one stream; `advance` is told of every decode."""
    data = read_input(path)
    decoders = [Decoder(bundle) for _ in choices]  # each keeps the networks of one choice
    clocks: list[list[StageClock]] = [[] for _ in choices]
    for one_round in range(1 + options.rounds):
        for decoder, choice, measured in zip(decoders, choices, clocks, strict=True):
            clock = decode_to_nowhere(decoder, data, choice)
            if one_round:  # the first one warms up
                measured.append(clock)
            advance(1)
    rows = []
    for decoder, choice, measured in zip(decoders, choices, clocks, strict=True):
        labels = _labels(path, data, decoder, choice)
        rows += [(*labels, *each.cells()) for each in _stage_times(measured)]
        rows += [(*labels, *each.cells()) for each in _first_decodes(path, options.bundle, choice, advance)]
    return rows


def _choices(bundle: Bundle, options: argparse.Namespace) -> list[DecodeOptions]:
    return [
        DecodeOptions(
            operating_point=point,
            precision=precision,
            num_threads=threads,
            max_samples=options.max_samples,
            memory_limit=options.memory_limit,
        )
        for point in options.operating_point
        for precision in options.precision or bundle.precisions()
        for threads in options.threads
    ]


def _labels(path: str, data: bytes, decoder: Decoder, choice: DecodeOptions) -> tuple[str, ...]:
    """The first cells of a row: what was decoded, and how."""
    reconstruction = decoder.reconstruct(data, choice)
    height, width = reconstruction.stream.picture.display_size
    point, precision = reconstruction.operating_point, reconstruction.networks.precision
    limit = {None: "default", NO_LIMIT: "none"}.get(choice.memory_limit, choice.memory_limit)
    cells = (printable(Path(path).name), width, height, len(data), point, precision, choice.num_threads, limit)
    return tuple(map(str, cells))


def _stage_times(clocks: list[StageClock]) -> Iterator[Measurement]:
    """Time of the whole, and of every stage that was there."""
    yield Measurement("whole decode", "ms", [1000 * clock.whole for clock in clocks])
    for stage in STAGES:
        if any(stage in clock.seconds for clock in clocks):
            yield Measurement(stage, "ms", [1000 * clock.seconds[stage] for clock in clocks])


def _first_decodes(path: str, bundle: str | None, choice: DecodeOptions, advance: Advance) -> Iterator[Measurement]:
    runs = []
    for _ in range(FIRST_DECODES):
        runs.append(first_decode(path, bundle, choice))
        advance(1)
    yield Measurement("first decode", "ms", [1000 * each.seconds for each in runs])
    yield Measurement("peak memory", "MB", [each.peak / 1e6 for each in runs])
    yield Measurement("idle interpreter", "MB", [each.idle / 1e6 for each in runs])


def _list_of(parse: Callable[[str], T]) -> Callable[[str], tuple[T, ...]]:
    """Parser of a comma-separated list without repetitions."""
    return lambda text: tuple(dict.fromkeys(parse(part) for part in text.split(",")))


def _known(names: tuple[str, ...]) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in names:
            raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(names)}")
        return text

    return parse
