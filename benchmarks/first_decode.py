"""Latency of a first decode beside later ones: networks are loaded, checked and prepared in it.

python -m benchmarks.first_decode BUNDLE STREAM [--precisions float32,int8] [--limits default,none] [--rounds 5]
                                  [--output OUT.tsv]

A first decode is one in a fresh process, from the first byte read to the last row, imports and start of the interpreter
aside; a later one is the third of a decoder. All take turns; medians, BOP, one thread.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from statistics import median

from jpegai_mobile import DecodeOptions, Decoder, open_bundle
from jpegai_mobile.bench.fresh_process import first_decode
from jpegai_mobile.bench.results import show_result
from jpegai_mobile.bench.stages import decode_to_nowhere

from .command import command_of
from .memory import named_limit

HEADER = ("stream", "precision", "memory_limit", "rounds", "first_ms", "first_cpu_ms", "later_ms", "later_cpu_ms")


def later_decode(decoder: Decoder, data: bytes, options: DecodeOptions) -> tuple[float, float]:
    """Seconds and processor seconds of a decode with networks that were used before, as far as they are kept."""
    start, cpu_start = time.perf_counter(), time.process_time()
    decode_to_nowhere(decoder, data, options)
    return time.perf_counter() - start, time.process_time() - cpu_start


def main() -> None:
    """Measure and print; with --output also write the TSV."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.first_decode", description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("stream", type=Path)
    parser.add_argument("--precisions", default="float32,int8")
    parser.add_argument("--limits", default="default,none")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    data = options.stream.read_bytes()
    choices = {
        (precision, limit): DecodeOptions(
            operating_point="bop",
            precision=precision,
            num_threads=1,
            memory_limit=named_limit(limit),
        )
        for precision in options.precisions.split(",")
        for limit in options.limits.split(",")
    }
    times: dict[tuple[str, str], list[tuple[float, ...]]] = {key: [] for key in choices}
    with open_bundle(options.bundle) as bundle:
        decoders = {key: Decoder(bundle) for key in choices}
        for _ in range(2):
            for key, choice in choices.items():
                decode_to_nowhere(decoders[key], data, choice)
        for _ in range(options.rounds):
            for key, choice in choices.items():
                first = first_decode(str(options.stream), str(options.bundle), choice)
                times[key].append((first.seconds, first.cpu_seconds, *later_decode(decoders[key], data, choice)))
    rows = [
        (
            options.stream.name,
            *key,
            str(options.rounds),
            *(f"{1000 * median(column):.0f}" for column in zip(*values, strict=True)),
        )
        for key, values in times.items()
    ]
    show_result(HEADER, rows, options.output, command_of(parser))


if __name__ == "__main__":
    main()
