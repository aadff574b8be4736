"""What planes become when latents are off by the tolerance of the device tests, by precision.

python -m benchmarks.rounding_response BUNDLE STREAM... [--noise 5e-5] [--draws 4] [--output OUT.tsv]

In float32 a small difference of the latents stays small. With 8-bit activations some float rounds to another integer,
and what it reaches is rounded anew. Uniform noise stands for another processor; the tolerances of planes in
`device_tests/reconstruction/comparison.py` come from the largest numbers seen here.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks.command import command_of
from device_tests.reconstruction.comparison import LATENTS
from device_tests.reconstruction.trace import SMALL, STATISTICS, reconstruction_records
from device_tests.streams import stream_name
from jpegai_mobile.bench.results import write_result
from jpegai_mobile.codestream.tiling import Rectangle
from jpegai_mobile.runtime.bundle import Bundle
from jpegai_mobile.runtime.decoder import DecodeOptions, Decoder
from jpegai_mobile.runtime.latent_source import Latents, LatentSource
from jpegai_mobile.runtime.manifest import PRECISIONS
from jpegai_mobile.runtime.reconstruction import Reconstruction

RESULT = Path(__file__).parent / "results" / "rounding_response.tsv"
Row = tuple[str, str, str, float, float, float]
HEADER = ("precision", "stream", "plane", "in_small", "in_extremes", "in_means")


class NoisyLatents:
    """Latents off by up to `amplitude`."""

    def __init__(self, source: LatentSource, amplitude: float, seed: int) -> None:
        self._source, self._amplitude, self._rng = source, amplitude, np.random.default_rng(seed)

    def window(self, window: Rectangle) -> Latents:
        """The latents of a window, with noise drawn anew."""
        luma, chroma = (
            latent + self._rng.uniform(-self._amplitude, self._amplitude, latent.shape).astype(np.float32)
            for latent in self._source.window(window)
        )
        return luma, chroma


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, write the table, print the largest of every precision."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.rounding_response", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("bundle", type=Path)
    parser.add_argument("streams", type=Path, nargs="+", metavar="STREAM", help="NAME.jai or NAME/stream.jai")
    parser.add_argument("--noise", type=float, default=LATENTS.small, help="largest error of a latent (default 5e-5)")
    parser.add_argument("--draws", type=int, default=4, help="how often each decode is made with noise (default 4)")
    parser.add_argument("--output", type=Path, default=RESULT)
    options = parser.parse_args(arguments)
    rows = []
    with Bundle.open(options.bundle) as bundle:
        for precision in (p for p in PRECISIONS if p in bundle.precisions()):
            decoder = Decoder(bundle)
            amplitude, draws = options.noise, options.draws
            mine = [row for path in options.streams for row in responses(decoder, path, precision, amplitude, draws)]
            print(precision, *(f"{name} {max(row[i] for row in mine):.2g}" for i, name in enumerate(HEADER) if i > 2))
            rows += mine
    formatted = [(*row[:3], *(f"{value:.3g}" for value in row[3:])) for row in rows]
    write_result(options.output, HEADER, formatted, command_of(parser, arguments))


def responses(decoder: Decoder, path: Path, precision: str, amplitude: float, draws: int) -> Iterator[Row]:
    """A row per plane: the largest differences of all draws."""
    name = stream_name(path)
    data = path.read_bytes()

    def reconstruct() -> Reconstruction:
        return decoder.reconstruct(data, DecodeOptions(precision=precision, num_threads=1))

    exact = _planes(reconstruct())
    largest = {plane: np.zeros(3) for plane in exact}
    for seed in range(draws):
        noisy = reconstruct()
        noisy.latents = NoisyLatents(noisy.latents, amplitude, seed)
        for plane, (small, statistics) in _planes(noisy).items():
            moved = np.abs(statistics - exact[plane][1])
            found = (np.abs(small - exact[plane][0]).max(), moved[:2].max(), moved[2:].max())
            largest[plane] = np.maximum(largest[plane], found)
    yield from ((precision, name, plane, *map(float, values)) for plane, values in largest.items())


def _planes(reconstruction: Reconstruction) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Every plane in small, and its statistics."""
    records = {record.name: record.values for record in reconstruction_records(reconstruction)}
    names = (f"plane_{plane}" for plane in "YUV")
    return {name: (records[f"{name}.{SMALL}"], records[f"{name}.{STATISTICS}"]) for name in names}


if __name__ == "__main__":
    main()
