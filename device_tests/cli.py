"""The command `jpegai-devices`: the same streams on many devices, and a report of what each made of them.

Exit codes: 0 all agree, 1 a divergence or bad input, 2 wrong usage, 3 a named target is absent, 130 interrupted.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from jpegai_mobile.cli.files import read_input
from jpegai_mobile.cli.program import BAD_INPUT, Parser, UsageError, fail, run_program, stream_named
from jpegai_mobile.cli.start import INTERRUPTED
from jpegai_mobile.cli.usage import add_parser, positive
from jpegai_mobile.codestream.stream import read_code_stream
from jpegai_mobile.errors import JpegAiError
from jpegai_mobile.image.output_stream import output_stream
from jpegai_mobile.runtime.default_bundle import bundle_path, open_bundle
from jpegai_mobile.runtime.entropy_engine import ENGINES
from jpegai_mobile.runtime.manifest import PRECISIONS
from jpegai_mobile.text import printable
from jpegai_mobile.version import __version__

from .compare_files import compare_files
from .drill.drill import Drill, run_drill
from .drill.report import write_drill_report
from .engine_traces import engine_trace
from .errors import AbsentTarget
from .matrix import run_matrix
from .reference_decoder import ReferenceDecoder
from .report import write_report
from .results import Results, Verdict
from .sources import TraceSources, find_sources
from .streams import find_streams, read_stream
from .targets import QEMU, Stage, UnknownTarget, make_target, named_targets
from .targets.patch_bench import PatchBench
from .toolchain import ISAS, setup_command

NAME = "jpegai-devices"
DIVERGENCE, ABSENT = BAD_INPUT, 3
TRACES = "traces"
"""Folder in a report for the traces that differ."""

_EXAMPLES = {
    "run": """\
  jpegai-devices run --targets host,qemu-aarch64@cortex-a53,qemu-s390x --streams streams --bundle model.jaib -o report
      every stream on three targets; open report/index.html
  jpegai-devices run --targets host+clang+O0,host+gcc+O3+fast-math --streams streams --bundle model.jaib -o report
      compilers and flags
""",
    "drill": """\
  jpegai-devices drill --targets host+O3+fast-math,qemu-s390x --streams streams --bundle model.jaib -o drill
      why the standard uses integers: the same streams through floating point
""",
    "compare": """\
  jpegai-devices compare report/report.json other/report.json
      the same streams, tested elsewhere
  jpegai-devices compare here.trace there.trace
      two traces of one stream
""",
    "trace": """\
  jpegai-devices trace photo.jai photo.trace
      headers and integer arrays: the same bytes on every device
  jpegai-devices trace photo.jai photo.trace --networks int8
      a small trace of psi, latents and planes instead, which devices agree on within tolerances
""",
    "targets": """\
  jpegai-devices targets
      what can be tested on this machine, and the command that installs the rest
""",
}
"""By command."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line; returns the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    options = _parser().parse_args(words)
    options.command_line = printable(shlex.join([NAME, *words]))
    return run_program(NAME, lambda: _run_command(options))


def _run_command(options: argparse.Namespace) -> int:
    try:
        code: int = options.run(options)
        return code
    except UnknownTarget as error:
        raise UsageError(str(error)) from error
    except AbsentTarget as error:
        return fail(NAME, str(error), ABSENT)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog=NAME,
        description="Show that devices decode JPEG AI code streams to the same symbols, bit for bit.",
        epilog=_examples(*_EXAMPLES),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"jpegai-mobile {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, help_line, add_arguments in (
        ("run", "streams on targets, and a report", _add_run),
        ("drill", "what a float decoder would make of streams, and pictures of it", _add_drill),
        ("compare", "find the first divergence of two traces or reports", _add_compare),
        ("trace", "write the canonical trace of a stream", _add_trace),
        ("targets", "list targets, and the command that installs what is missing", _add_targets),
    ):
        description = f"{help_line[0].upper()}{help_line[1:]}."
        add_arguments(add_parser(commands, name, help_line, description, _examples(name)))
    return parser


def _examples(*commands: str) -> str:
    """The end of a help."""
    return "".join(["examples:\n", *(_EXAMPLES[command] for command in commands)])


def _add_targets(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=_targets)


def _add_run(parser: argparse.ArgumentParser) -> None:
    _add_matrix(parser)
    parser.add_argument("--allow-absent", action="store_true", help="absent targets do not change the exit code")
    parser.add_argument("--jobs", type=positive, default=1, metavar="N", help="targets at work at a time (default 1)")
    parser.add_argument(
        "--litert", type=Path, action="append", default=[], metavar="LIBRARY",
        help="LiteRT's shared library for a target: also time the synthesis networks there on a 1K patch",
    )  # fmt: skip
    parser.set_defaults(run=_run)


def _add_drill(parser: argparse.ArgumentParser) -> None:
    _add_matrix(parser)
    parser.add_argument("--encoder", default="host", metavar="T", help="target that codes the streams (default: host)")
    parser.set_defaults(run=_drill)


def _add_matrix(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--targets", required=True, metavar="LIST", help="comma-separated names, see `targets`")
    parser.add_argument("--streams", required=True, type=Path, metavar="DIR", help="NAME.jai or NAME/stream.jai")
    parser.add_argument("--bundle", metavar="B", help="model bundle (default: $JPEGAI_BUNDLE, else the package's)")
    parser.add_argument("-o", "--output", required=True, type=Path, metavar="REPORT", help="folder for the report")
    parser.add_argument("--source", type=Path, metavar="DIR", help="checkout to build from (default: this package)")
    parser.add_argument("--match", default="*", metavar="PATTERN", help="only streams whose name fits (shell pattern)")


def _add_compare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("first", type=Path, metavar="A", help="trace, report.json, or folder of a report")
    parser.add_argument("second", type=Path, metavar="B", help="the same kind of thing")
    parser.set_defaults(run=_compare)


def _add_trace(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("input", metavar="STREAM", help="code stream, or - for stdin")
    parser.add_argument("output", metavar="OUT", help="where the trace goes, or - for stdout")
    parser.add_argument("--bundle", metavar="B", help="model bundle (default: $JPEGAI_BUNDLE, else the package's)")
    parser.add_argument("--engine", choices=ENGINES, default=ENGINES[0], help="default: %(default)s")
    parser.add_argument(
        "--networks", choices=PRECISIONS, metavar="P", help="instead, of the reconstruction in a precision, on LiteRT"
    )
    parser.set_defaults(run=_trace)


def _run(options: argparse.Namespace) -> int:
    sources = find_sources(options.source)
    networks = bundle_path(options.bundle)
    patches = PatchBench(networks, tuple(options.litert)) if options.litert else None
    targets = [make_target(name, sources, networks, patches) for name in named_targets(options.targets)]
    streams = find_streams(options.streams, options.match)
    results = Results(__version__, _now(), options.command_line)
    with open_bundle(options.bundle) as bundle, tempfile.TemporaryDirectory() as folder:
        options.output.mkdir(parents=True, exist_ok=True)
        write_report(results, options.output)  # to fail early, and so that no older report passes for this one
        for older in (options.output / TRACES).glob("*.trace"):
            older.unlink()
        run_matrix(
            results, targets, streams, bundle, Path(folder),
            decoder=ReferenceDecoder(bundle), jobs=options.jobs, keep=options.output / TRACES, progress=_progress,
        )  # fmt: skip
        write_report(results, options.output)
    _summarise(results, options.output)
    if results.interrupted:
        return fail(NAME, "interrupted; the report holds what was tested before", INTERRUPTED)
    if results.bad:
        return DIVERGENCE
    return ABSENT if results.absent and not options.allow_absent else 0


def _summarise(results: Results, output: Path) -> None:
    counts = ", ".join(f"{results.count(verdict)} {verdict}" for verdict in Verdict if results.count(verdict))
    print(f"{len(results.streams)} streams on {len(results.targets)} targets: {counts or 'nothing was tested'}")
    for line in results.skipped:
        print(f"skipped: {line}")
    print(f"report: {output / 'index.html'}")


def _drill(options: argparse.Namespace) -> int:
    sources = find_sources(options.source)
    names = named_targets(options.targets)
    for name in (*names, options.encoder):
        if name == "python" or make_target(name, sources).stage is not Stage.ENTROPY:
            raise UnknownTarget(f"the target {name} has no float decoder: a drill builds its own")
    drills = list(_drills(options, names, sources))
    options.output.mkdir(parents=True, exist_ok=True)
    heading = {"version": __version__, "created": _now(), "command": options.command_line}
    write_drill_report(drills, options.output, heading)
    for drill in drills:
        for outcome in drill.outcomes:
            print(f"{drill.name} on {outcome.target}: {outcome}")
    print(f"report: {options.output / 'index.html'}")
    outcomes = [outcome for drill in drills for outcome in drill.outcomes]
    if not all(outcome.integer_exact for outcome in outcomes if not outcome.problem):
        return DIVERGENCE
    return ABSENT if any(outcome.problem for outcome in outcomes) else 0


def _drills(options: argparse.Namespace, names: Sequence[str], sources: TraceSources) -> Iterator[Drill]:
    """The drill of every stream."""
    with open_bundle(options.bundle) as bundle:
        for stream in find_streams(options.streams, options.match):
            _progress(stream.name)
            with tempfile.TemporaryDirectory() as folder:
                yield run_drill(
                    stream.name, read_stream(stream), bundle, names, sources, Path(folder),
                    encoder=options.encoder, progress=_progress,
                )  # fmt: skip


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _compare(options: argparse.Namespace) -> int:
    comparison = compare_files(options.first, options.second)
    print("\n".join(map(printable, comparison.differences)) or comparison.agreement)
    return DIVERGENCE if comparison.differences else 0


def _trace(options: argparse.Namespace) -> int:
    data = read_input(options.input)
    with stream_named(lambda: options.input), open_bundle(options.bundle) as bundle:
        if options.networks is not None:
            trace = ReferenceDecoder(bundle).reconstruction_trace(data, options.networks)
        else:
            trace = engine_trace(
                data, bundle.entropy_model_bytes(read_code_stream(data).picture.model_id), options.engine
            )
    with output_stream(options.output) as stream:
        stream.write(trace)
    return 0


def _targets(_: argparse.Namespace) -> int:
    sources = find_sources()
    for name in ("host", "python", *(QEMU + isa for isa in ISAS)):
        with tempfile.TemporaryDirectory() as folder:
            try:
                make_target(name, sources).prepare(Path(folder))
                print(f"{name:<14} ready")
            except JpegAiError as error:
                print(f"{name:<14} absent: {error}")
    print(f"{'litert':<14} networks of a bundle; litert-aarch64@CPU, emulated, needs emulated_python.sh")
    print(f"{'adb:SERIAL':<14} a phone that `adb devices` lists")
    print(f"\nEmulators and cross compilers on Debian and Ubuntu:\n  {setup_command()}")
    return 0
