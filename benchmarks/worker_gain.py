"""What two threads gain, and whether better by two patches at a time or inside of the networks; for an idle machine.

python -m benchmarks.worker_gain BUNDLE STREAM... [--precisions float32,int8] [--rounds 9] [--output OUT.tsv]

Whole BOP decodes without a memory limit take turns; wall-clock time, medians. `speedup` is relative to one thread;
`gain`, of two patches at a time over two threads inside of the networks, is what `memory_budget.WORKER_GAIN` assumes.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median

from jpegai_mobile import DecodeOptions, Decoder, open_bundle
from jpegai_mobile.bench.results import show_result
from jpegai_mobile.bench.stages import decode_to_nowhere
from jpegai_mobile.bench.timing import interleaved
from jpegai_mobile.runtime.memory_budget import NO_LIMIT

from .memory_parts import change_plan

HEADER = ("stream", "precision", "what", "rounds", "median_ms", "lowest_ms", "speedup", "gain")
WAYS = {"1 thread": (1, 1), "2 threads in networks": (2, 1), "2 patches at a time": (2, 2)}
"""Threads and patches at a time by name."""


def decode(decoder: Decoder, data: bytes, precision: str, threads: int, workers: int) -> None:
    """A whole decode with so many patches at a time, whatever the planner thinks."""
    change_plan(lambda plan: replace(plan, workers=workers))
    options = DecodeOptions(operating_point="bop", precision=precision, num_threads=threads, memory_limit=NO_LIMIT)
    decode_to_nowhere(decoder, data, options)


def main() -> None:
    """Measure and print; with --output also write the TSV."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.worker_gain", description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("streams", type=Path, nargs="+")
    parser.add_argument("--precisions", default="float32,int8")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    with open_bundle(options.bundle) as bundle:
        decoder = Decoder(bundle)
        runs: dict[tuple[str, str, str], Callable[[], None]] = {
            (path.name, precision, way): partial(decode, decoder, path.read_bytes(), precision, *choice)
            for path in options.streams
            for precision in options.precisions.split(",")
            for way, choice in WAYS.items()
        }
        names = {"\t".join(key): run for key, run in runs.items()}
        seconds = {tuple(name.split("\t")): values for name, values in interleaved(names, options.rounds).items()}
    rows = []
    for (stream, precision, way), values in seconds.items():
        one, inside, _ = (median(seconds[stream, precision, other]) for other in WAYS)
        mine = median(values)
        gain = f"{inside / mine - 1:.3f}" if WAYS[way] == (2, 2) else "-"
        times = (f"{1000 * mine:.1f}", f"{1000 * min(values):.1f}", f"{one / mine:.2f}")
        rows.append((stream, precision, way, str(options.rounds), *times, gain))
    names_of = " ".join(path.name for path in options.streams)
    command = f"python -m benchmarks.worker_gain BUNDLE {names_of} --precisions {options.precisions}"
    show_result(HEADER, rows, options.output, f"{command} --rounds {options.rounds}")


if __name__ == "__main__":
    main()
