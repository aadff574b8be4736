"""Which code the processor time of a decode goes to, by `perf` (Linux).

python -m benchmarks.kernel_share BUNDLE STREAM [--precisions float32,int8] [--memory-limit none] [--decodes 8]
                                  [--output OUT.tsv]

Samples of the running code, networks prepared, one thread, BOP. LiteRT's library names its kernels, so convolutions
(by indirection: all but 1x1), matrix products (1x1), element-wise operators and moves can be told apart.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from jpegai_mobile import DecodeOptions, Decoder, open_bundle
from jpegai_mobile.bench.results import show_result
from jpegai_mobile.bench.stages import decode_to_nowhere

from .command import command_of
from .memory import named_limit

HEADER = ("precision", "memory_limit", "code", "percent")
KINDS = (
    ("convolutions (XNNPACK igemm)", r"libpywrap_litert.*xnn_.*_igemm_"),
    ("1x1 convolutions (XNNPACK gemm)", r"libpywrap_litert.*xnn_.*_gemm_"),
    ("element-wise operators and conversions (XNNPACK)", r"libpywrap_litert.*xnn_\w+_v\w+_ukernel"),
    ("moves and everything else of LiteRT", r"libpywrap_litert|libLiteRt"),
    ("copies (C library)", r"libc\.so"),
    ("operating system: fresh pages", r"kernel.*(page|fault|zap|clear|mem_cgroup|folio|lru|unmap|pte)"),
    ("operating system: everything else", r"kernel|vdso"),
    ("our C", r"libjai_"),
    ("NumPy", r"_multiarray_umath|numpy"),
    ("Python", r"python"),
)
"""What a line of a report is counted as, by the first expression that is found in its library and function."""
REST = "everything else"
SETTLING = 2.0
"""Seconds until `perf` is surely attached."""


def samples(decoder: Decoder, data: bytes, options: DecodeOptions, decodes: int) -> str:
    """The report of `perf` on some decodes: lines of percent, library, function."""
    with tempfile.TemporaryDirectory() as folder:
        recording = f"{folder}/perf.data"
        command = ["perf", "record", "-q", "-F", "997", "-p", str(os.getpid()), "-o", recording]
        with subprocess.Popen(command) as perf:
            time.sleep(SETTLING)
            for _ in range(decodes):
                decode_to_nowhere(decoder, data, options)
            perf.send_signal(signal.SIGINT)
        report = ["perf", "report", "-i", recording, "--stdio", "-F", "overhead,dso,symbol", "-t", "|"]
        return subprocess.run(report, capture_output=True, text=True, check=True).stdout


def shares(report: str) -> dict[str, float]:
    """Percent by kind of code."""
    percent: dict[str, float] = defaultdict(float)
    for line in report.splitlines():
        found = re.match(r" *([0-9.]+)% *\|(.*)", line)
        if found:
            percent[next((kind for kind, pattern in KINDS if re.search(pattern, found[2])), REST)] += float(found[1])
    return percent


def main() -> None:
    """Measure and print; with --output also write the TSV."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kernel_share", description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("stream", type=Path)
    parser.add_argument("--precisions", default="float32,int8")
    parser.add_argument("--memory-limit", default="none")
    parser.add_argument("--decodes", type=int, default=8)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    data, rows = options.stream.read_bytes(), []
    limit = named_limit(options.memory_limit)
    with open_bundle(options.bundle) as bundle:
        for precision in options.precisions.split(","):
            choice = DecodeOptions(operating_point="bop", precision=precision, num_threads=1, memory_limit=limit)
            decoder = Decoder(bundle)
            decode_to_nowhere(decoder, data, choice)
            percent = shares(samples(decoder, data, choice, options.decodes))
            rows += [
                (precision, options.memory_limit, kind, f"{percent[kind]:.1f}")
                for kind in (*(kind for kind, _ in KINDS), REST)
            ]
    show_result(HEADER, rows, options.output, command_of(parser))


if __name__ == "__main__":
    main()
