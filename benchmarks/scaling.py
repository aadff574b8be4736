"""How the time of a decode grows with the picture and with threads, or what a region costs.

python -m benchmarks.scaling BUNDLE STREAM... [--precision int8] [--memory-limit none] [--threads 1,2] [--rounds 3]
                            [--regions] [--output OUT.tsv]

Streams take turns. With --regions, a region of 512 x 512 in the middle is set beside the whole picture; both are
decoded from parsed symbols.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.command import command_of
from jpegai_mobile import DecodeOptions, Decoder, open_bundle
from jpegai_mobile.bench.results import show_result
from jpegai_mobile.bench.stages import StageClock, decode_to_nowhere, reconstruct_to_nowhere
from jpegai_mobile.cli.usage import memory_limit
from jpegai_mobile.codestream.stream import read_code_stream
from jpegai_mobile.codestream.tiling import Rectangle
from jpegai_mobile.runtime.bundle import Bundle

REGION = 512
HEADER = (
    "stream", "width", "height", "megapixels", "precision", "what", "rounds",
    "median_ms", "lowest_ms", "cpu_median_ms", "cpu_lowest_ms",
)  # fmt: skip


@dataclass
class Run:
    """Something that is measured round by round."""

    labels: tuple[str, ...]
    decode: Callable[[], object]
    seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)

    def measure(self) -> None:
        """One more round."""
        start, cpu = time.perf_counter(), time.process_time()
        self.decode()
        self.seconds.append(time.perf_counter() - start)
        self.cpu_seconds.append(time.process_time() - cpu)

    def row(self) -> tuple[str, ...]:
        """The row of the table."""
        times = (median(self.seconds), min(self.seconds), median(self.cpu_seconds), min(self.cpu_seconds))
        return (*self.labels, str(len(self.seconds)), *(f"{1000 * value:.1f}" for value in times))


def runs_of(path: Path, bundle: Bundle, choices: argparse.Namespace) -> list[Run]:
    """Whole decodes by threads; or what follows the entropy stage, for all of the picture and for a region of it.

    Each has a decoder of its own, which keeps its networks from round to round.
    """
    data = path.read_bytes()
    height, width = read_code_stream(data).picture.display_size
    labels = (path.name, str(width), str(height), f"{width * height / 1e6:.2f}", choices.precision)
    top, left = (height - REGION) // 2, (width - REGION) // 2
    region = Rectangle(top, left, top + REGION, left + REGION)

    def options(threads: int) -> DecodeOptions:
        return DecodeOptions(
            operating_point="bop",
            precision=choices.precision,
            num_threads=threads,
            memory_limit=choices.memory_limit,
        )

    def parsed(region: Rectangle | None) -> Callable[[], object]:
        reconstruction = Decoder(bundle).reconstruct(data, options(1), region)
        return lambda: reconstruct_to_nowhere(reconstruction, options(1), StageClock(), region)

    if choices.regions:
        return [
            Run((*labels, "picture from symbols"), parsed(None)),
            Run((*labels, f"{REGION} x {REGION} from symbols"), parsed(region)),
        ]

    def whole(threads: int) -> Callable[[], object]:
        decoder = Decoder(bundle)
        return lambda: decode_to_nowhere(decoder, data, options(threads))

    return [Run((*labels, f"whole decode, {n} thread{'s' * (n > 1)}"), whole(n)) for n in choices.threads]


def main() -> None:
    """Measure and print; with --output also write the TSV."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("streams", type=Path, nargs="+")
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--memory-limit", type=memory_limit, help="default: that of decoding")
    parser.add_argument("--threads", type=lambda text: [int(n) for n in text.split(",")], default=[1, 2])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--regions", action="store_true")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    with open_bundle(options.bundle) as bundle:
        runs = [run for path in options.streams for run in runs_of(path, bundle, options)]
        for run in runs:
            run.decode()  # loads the networks
        for _ in range(options.rounds):
            for run in runs:
                run.measure()
    rows = [run.row() for run in runs]
    show_result(HEADER, rows, options.output, command_of(parser))


if __name__ == "__main__":
    main()
