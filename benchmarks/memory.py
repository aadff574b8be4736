"""Peak memory of fresh processes, with and without a limit.

python -m benchmarks.memory BUNDLE STREAM... [--precisions int8] [--limits default,none,64MiB] [--output OUT.tsv]

Nothing is timed, so a busy machine does not matter.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from benchmarks.command import command_of
from jpegai_mobile import DecodeOptions, open_bundle
from jpegai_mobile.bench.fresh_process import first_decode
from jpegai_mobile.bench.results import write_result
from jpegai_mobile.cli.usage import memory_limit
from jpegai_mobile.codestream.stream import read_code_stream
from jpegai_mobile.errors import JpegAiError

HEADER = (
    "stream", "width", "height", "operating_point", "precision", "threads", "memory_limit",
    "idle_mb", "peak_mb", "above_idle_mib", "remark",
)  # fmt: skip


def rows_of(path: Path, bundle: Path, precisions: list[str], options: argparse.Namespace) -> Iterator[tuple[str, ...]]:
    """A row for every precision, limit and number of threads."""
    height, width = read_code_stream(path.read_bytes()).picture.display_size
    for precision in precisions:
        for limit in options.limits.split(","):
            for threads in map(int, options.threads.split(",")):
                choice = DecodeOptions(
                    operating_point=options.operating_point,
                    precision=precision,
                    num_threads=threads,
                    memory_limit=named_limit(limit),
                )
                labels = (path.name, width, height, options.operating_point, precision, threads, limit)
                yield (*map(str, labels), *_measured(path, bundle, choice))


def _measured(path: Path, bundle: Path, choice: DecodeOptions) -> tuple[str, ...]:
    try:
        result = first_decode(str(path), str(bundle), choice)
    except JpegAiError as error:
        return "-", "-", "-", str(error).rpartition("LimitExceeded: ")[2]
    above = (result.peak - result.idle) / (1 << 20)
    return f"{result.idle / 1e6:.1f}", f"{result.peak / 1e6:.1f}", f"{above:.1f}", "-"


def named_limit(text: str) -> int | None:
    """The memory limit of a decode: `default`, or what `jpegai decode` takes."""
    return None if text == "default" else memory_limit(text)


def main() -> None:
    """Measure and print; with --output also write the TSV."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("streams", type=Path, nargs="+")
    parser.add_argument("--operating-point", default="bop")
    parser.add_argument("--precisions", help="default: all in the bundle")
    parser.add_argument("--limits", default="default,64MiB")
    parser.add_argument("--threads", default="1")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    with open_bundle(options.bundle) as opened:
        precisions = options.precisions.split(",") if options.precisions else list(opened.precisions())
    rows = []
    print("\t".join(HEADER))
    for path in options.streams:
        for row in rows_of(path, options.bundle, precisions, options):
            rows.append(row)
            print("\t".join(row), flush=True)
    if options.output:
        write_result(options.output, HEADER, rows, command_of(parser))


if __name__ == "__main__":
    main()
