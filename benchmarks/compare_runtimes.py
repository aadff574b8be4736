"""Whole decodes with the networks in LiteRT, onnxruntime and PyTorch, taking turns in one process.

python -m benchmarks.compare_runtimes WEIGHTS.zip BUNDLE STREAM... [--threads 1] [--rounds 7] [...]

Headers, entropy stage, dequantisation, assembly of patches and output are the same code for all; only the networks
differ. Ours are planned as for `--memory-limit` (default: none), the others run on whole synthesis tiles, as their
users would have it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.command import command_of
from benchmarks.rivals.networks import MakeSession, RivalNetworks
from jpegai_mobile import DecodeOptions, Decoder, open_bundle
from jpegai_mobile.bench.results import write_result
from jpegai_mobile.bench.stages import ENTROPY, NETWORKS, REST, StageClock, decode_to_nowhere, reconstruct_to_nowhere
from jpegai_mobile.cli.usage import byte_count
from jpegai_mobile.image.planes import join_bands
from jpegai_mobile.runtime.bundle import Bundle
from jpegai_mobile.runtime.memory_budget import NO_LIMIT
from jpegai_mobile.runtime.reconstruction import Reconstruction

RIVALS = {
    "onnxruntime": ("onnx_runtime", "OnnxSession"),
    "pytorch channels_last": ("pytorch", "PytorchSession"),
    "pytorch contiguous": ("pytorch", "ContiguousPytorchSession"),
}
"""Module of `benchmarks.rivals` and class of its sessions, by the name of a runtime."""
LARGEST_DIFFERENCE = 0.05
"""Of a sample 0..255 between two runtimes in float32."""
HEADER = (
    "stream", "width", "height", "threads", "operating_point", "runtime", "precision", "window", "rounds",
    "median_ms", "lowest_ms", "cpu_median_ms", "cpu_lowest_ms", "networks_ms", "not_networks_ms",
)  # fmt: skip


@dataclass
class Contender:
    """A way to decode, and how long it took in every round."""

    runtime: str
    operating_point: str
    precision: str
    window: str
    decode: Callable[[], StageClock]
    seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)
    clocks: list[StageClock] = field(default_factory=list)

    def measure(self) -> None:
        """One more round."""
        cpu = time.process_time()
        clock = self.decode()
        self.cpu_seconds.append(time.process_time() - cpu)
        self.seconds.append(clock.whole)
        self.clocks.append(clock)

    def cells(self) -> tuple[str, ...]:
        """The row of the table, from the operating point on."""
        networks = [sum(clock.seconds[stage] for stage in NETWORKS) for clock in self.clocks]
        others = [sum(clock.seconds.values()) - each for clock, each in zip(self.clocks, networks, strict=True)]
        times = (
            median(self.seconds), min(self.seconds), median(self.cpu_seconds), min(self.cpu_seconds),
            median(networks), median(others),
        )  # fmt: skip
        labels = (self.operating_point, self.runtime, self.precision, self.window, str(len(self.seconds)))
        return (*labels, *(f"{1000 * value:.1f}" for value in times))


def ours(bundle: Bundle, data: bytes, point: str, precision: str, threads: int, limit: int | None) -> Contender:
    """The decoder as it is, under a memory limit where one is given."""
    options = DecodeOptions(
        operating_point=point, precision=precision, num_threads=threads, memory_limit=limit or NO_LIMIT
    )
    window = f"limit {limit >> 20} MiB" if limit else "no limit"
    decoder = Decoder(bundle)  # of its own: it keeps these networks from round to round
    return Contender("jpegai-mobile", point, precision, window, lambda: decode_to_nowhere(decoder, data, options))


def session_of(name: str) -> MakeSession:
    """What prepares networks in a runtime of `RIVALS`, which has to be installed."""
    module, session = RIVALS[name]
    make: MakeSession = getattr(import_module(f"benchmarks.rivals.{module}"), session)
    return make


def rival(decoder: Decoder, data: bytes, name: str, networks: RivalNetworks) -> Contender:
    """The decoder with the networks of another runtime."""
    options = _unlimited(networks.operating_point)

    def decode() -> StageClock:
        clock = StageClock()
        with clock.stage(REST):
            with clock.stage(ENTROPY):
                plain = decoder.reconstruct(data, options)
            reconstruct_to_nowhere(with_networks(plain, networks), options, clock)
        return clock

    return Contender(name, networks.operating_point, "float32", "tile", decode)


def with_networks(plain: Reconstruction, networks: RivalNetworks) -> Reconstruction:
    """The same reconstruction with other networks, on whole tiles."""
    return Reconstruction(plain.stream, plain.symbols, networks, None, plain.parts)


def _unlimited(operating_point: str) -> DecodeOptions:
    return DecodeOptions(operating_point=operating_point, precision="float32", num_threads=1, memory_limit=NO_LIMIT)


def check_pictures_are_equal(decoder: Decoder, data: bytes, networks: RivalNetworks, name: str) -> None:
    """Leave with an error where a runtime decodes another picture than ours."""
    plain = decoder.reconstruct(data, _unlimited(networks.operating_point))
    expected, found = (join_bands(each.bands()) for each in (plain, with_networks(plain, networks)))
    for plane in "yuv":
        difference = float(np.abs(getattr(found, plane) - getattr(expected, plane)).max())
        if difference > LARGEST_DIFFERENCE:
            raise SystemExit(f"{name} decodes another picture: plane {plane} differs by up to {difference}")


def measure_stream(path: Path, options: argparse.Namespace, bundle: Bundle) -> list[tuple[str, ...]]:
    """The rows of one stream."""
    data = path.read_bytes()
    contenders = [
        ours(bundle, data, point, precision, options.threads, options.memory_limit)
        for point in options.operating_points.split(",")
        for precision in options.precisions.split(",")
    ]
    decoder = Decoder(bundle)
    first = decoder.reconstruct(data, _unlimited("bop"))
    for name in options.rivals.split(","):
        networks = RivalNetworks(first.networks, options.weights, session_of(name), options.threads)
        check_pictures_are_equal(decoder, data, networks, name)
        contenders.append(rival(decoder, data, name, networks))
    for contender in contenders:
        contender.decode()
        contender.decode()  # PyTorch specialises what it traced in the first runs
    for _ in range(options.rounds):
        for contender in contenders:
            contender.measure()
    height, width = first.stream.picture.display_size
    labels = (path.name, str(width), str(height), str(options.threads))
    return [(*labels, *contender.cells()) for contender in contenders]


def main() -> None:
    """Measure and print; with --output also write the TSV."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compare_runtimes", description=__doc__)
    parser.add_argument("weights", type=Path, help="packed checkpoint that the bundle was made from")
    parser.add_argument("bundle", type=Path)
    parser.add_argument("streams", type=Path, nargs="+")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--memory-limit", type=byte_count, help="of ours; a large one allows large windows")
    parser.add_argument("--operating-points", default="sop,bop")
    parser.add_argument("--precisions", default="float32,int8")
    parser.add_argument("--rivals", default="onnxruntime,pytorch channels_last")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    rows = []
    print("\t".join(HEADER))
    with open_bundle(options.bundle) as bundle:
        for path in options.streams:
            measured = measure_stream(path, options, bundle)
            rows += measured
            for row in measured:
                print("\t".join(row), flush=True)
    if options.output:
        write_result(options.output, HEADER, rows, command_of(parser))


if __name__ == "__main__":
    main()
