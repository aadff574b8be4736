"""What the precisions cost in quality and bring in size and speed: `python -m benchmarks.quantisation --help`.

Photos are encoded with the float32 encoder at some rates; every stream is decoded in every precision and compared
with its float32 decode and with the photo. Writes `quantisation.tsv` (one row per decode), `quantisation_sizes.tsv`
and `quantisation_speed.tsv` with their `.meta`, and prints the means.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.command import command_of
from converters.convert import Selection, convert
from converters.open_checkpoints import open_checkpoints
from jpegai_mobile.bench.results import write_result
from jpegai_mobile.bench.timing import interleaved
from jpegai_mobile.encoder.encoder import Encoder
from jpegai_mobile.encoder.options import EncodeOptions
from jpegai_mobile.encoder.pictures import picture_from_bytes
from jpegai_mobile.image.chroma import to_444
from jpegai_mobile.image.colour import yuv_to_rgb
from jpegai_mobile.runtime.bundle import Bundle
from jpegai_mobile.runtime.decoder import DecodeOptions, Decoder
from jpegai_mobile.runtime.manifest import PRECISIONS
from jpegai_mobile.runtime.network_runner import NetworkRunner
from picture_quality.metrics import psnr

RESULTS = Path(__file__).parent / "results"
OPERATING_POINTS = ("sop", "bop")
SYNTHESIS_INPUTS = {"y": 160, "uv": 256}
PATCHES = (16, 32, 64)
"""Sides, in latents, of the patches that are timed."""
ROUNDS = 12
CURVE_HEADER = ("picture", "operating_point", "target_bpp", "bpp", "precision", "db_to_float32", "db_to_photo", "loss")

Row = tuple[object, ...]


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quantisation", description=__doc__.splitlines()[0])
    parser.add_argument("checkpoints", type=Path, nargs="+", help="tree or packed files with decoder and encoder")
    parser.add_argument("--photos", type=Path, required=True, help="folder of PNGs to code")
    parser.add_argument("--calibration", type=Path, help="folder of other photos to calibrate with")
    parser.add_argument("--bpp", type=float, nargs="+", default=[0.25, 0.5, 0.75])
    parser.add_argument("--every", type=int, default=1, help="take every n-th photo")
    options = parser.parse_args()
    source = open_checkpoints(*options.checkpoints)
    model = source.models[0]
    decoding = Selection([model], OPERATING_POINTS, PRECISIONS, ["decoder"])
    bundle = convert(source, decoding, options.calibration).in_memory()
    encoding = Selection([model], ["bop"], ["float32"], ["decoder", "encoder"])
    encoder = Encoder(convert(source, encoding).in_memory())
    command = command_of(parser)
    RESULTS.mkdir(exist_ok=True)
    write_result(RESULTS / "quantisation_sizes.tsv", ("operating_point", "precision", "bytes"), sizes(bundle), command)
    header = ("operating_point", "component", "patch_latents", "precision", "min_ms", "median_ms", "speed_up")
    write_result(RESULTS / "quantisation_speed.tsv", header, list(speed(bundle)), command)
    photos = sorted(options.photos.glob("*.png"))[:: options.every]
    rows = list(quality(photos, options.bpp, encoder, Decoder(bundle)))
    write_result(RESULTS / "quantisation.tsv", CURVE_HEADER, rows, command)
    print_means(rows)


def sizes(bundle: Bundle) -> list[Row]:
    """Bytes of what decoding at an operating point in a precision needs, manifest aside."""
    manifest = bundle.manifest
    rows: list[Row] = []
    for point in OPERATING_POINTS:
        for precision in PRECISIONS:
            files = set(manifest.entropy.values())
            for key, name in manifest.networks.items():
                if key.precision == precision and key.operating_point in (None, point):
                    files.add(name)
            rows.append((point, precision, sum(manifest.files[name].bytes for name in files)))
    return rows


def speed(bundle: Bundle) -> Iterator[Row]:
    """Time of the synthesis transforms on one thread, precisions taking turns."""
    (model,) = bundle.models()
    for point in OPERATING_POINTS:
        for component, channels in SYNTHESIS_INPUTS.items():
            for patch in PATCHES:
                latent = np.random.default_rng(0).laplace(size=(patch, patch, channels)).astype(np.float32)
                runs: dict[str, Callable[[], object]] = {
                    precision: partial(
                        NetworkRunner(bundle.graph("synthesis", component, model, point, precision)).run,
                        {"latent": latent},
                    )
                    for precision in PRECISIONS
                }
                seconds = interleaved(runs, ROUNDS)
                for precision, times in seconds.items():
                    gain = min(seconds["float32"]) / min(times)
                    yield (
                        point, component, patch, precision,
                        f"{1000 * min(times):.2f}", f"{1000 * float(np.median(times)):.2f}", f"{gain:.2f}",
                    )  # fmt: skip


def quality(photos: Sequence[Path], rates: Sequence[float], encoder: Encoder, decoder: Decoder) -> Iterator[Row]:
    """The rows of `CURVE_HEADER`."""
    for path in photos:
        picture = picture_from_bytes(path.read_bytes(), path.name)
        for rate in rates:
            encoded = encoder.encode(picture, EncodeOptions(bpp=rate))
            for point in OPERATING_POINTS:
                exact = _decoded(decoder, encoded.data, point, PRECISIONS[0])
                exact_db = psnr(exact, picture.samples)
                for precision in PRECISIONS:
                    ours = _decoded(decoder, encoded.data, point, precision)
                    photo_db = psnr(ours, picture.samples)
                    numbers = (psnr(ours, exact), photo_db, exact_db - photo_db)
                    yield (
                        path.stem, point, rate, f"{encoded.bits_per_sample:.4f}", precision,
                        *(f"{number:.3f}" for number in numbers),
                    )  # fmt: skip


def _decoded(decoder: Decoder, data: bytes, point: str, precision: str) -> NDArray[np.generic]:
    picture = decoder.decode(data, DecodeOptions(operating_point=point, precision=precision))
    return yuv_to_rgb(to_444(picture.planes), 8)


def print_means(rows: Sequence[Row]) -> None:
    """Mean and smallest dB to float32, mean loss, per operating point, rate and precision."""
    groups: dict[tuple[object, ...], list[tuple[float, float]]] = defaultdict(list)
    for _, point, target, _, precision, to_float32, _, loss in rows:
        groups[point, target, precision].append((float(str(to_float32)), float(str(loss))))
    for key, values in groups.items():
        to_float32, losses = zip(*values, strict=True)
        print(*key, f"mean {np.mean(to_float32):.2f} min {min(to_float32):.2f} dB, loss {np.mean(losses):.3f} dB")


if __name__ == "__main__":
    main()
