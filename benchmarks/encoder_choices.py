"""What choices of the encoder cost and gain: time and BD-rate on photographs against the first choice named.

python -m benchmarks.encoder_choices PICTURE... --bundle B --choices effort=1 effort=2 effort=3
    [--side 768] [--qualities 20 40 60 80] [--output benchmarks/results/encoder_effort.tsv]

A choice is a comma-separated list of fields of EncodeOptions (`effort=2,rvs=False`), or `default`. Pictures are reduced
to `--side` and cut to multiples of 64 first. Time is that of the encodes alone, networks prepared; choices take turns.
BD-rate (see `picture_quality/curves.py`) is over RGB at BOP float32.
"""

from __future__ import annotations

import argparse
import time
from ast import literal_eval
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.command import command_of
from jpegai_mobile import Decoder, EncodeOptions, Encoder, open_bundle
from jpegai_mobile.bench.results import write_result
from jpegai_mobile.codestream.components import Z_GRID
from jpegai_mobile.encoder.pictures import SourcePicture
from jpegai_mobile.image.chroma import to_444
from jpegai_mobile.image.colour import yuv_to_rgb
from picture_quality.curves import bd_rate, decibels
from picture_quality.metrics import Picture, ms_ssim, psnr

HEADER = ("picture", "choice", "seconds", "bpp_lowest", "bpp_highest", "bd_rate_psnr", "bd_rate_ms_ssim")
Point = tuple[float, float, float]
"""Bit per pixel, PSNR in dB, MS-SSIM in dB."""


def main() -> None:
    """Measure and print; with --output also write the TSV."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.encoder_choices",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("pictures", type=Path, nargs="+", metavar="PICTURE")
    parser.add_argument("--bundle", type=Path, required=True, metavar="B", help="with decoder and encoder")
    parser.add_argument("--choices", nargs="+", required=True, metavar="CHOICE", help="the first one is the base")
    parser.add_argument("--side", type=int, default=768, help="largest side of pictures (default: %(default)s)")
    parser.add_argument("--qualities", type=int, nargs="+", default=[20, 40, 60, 80], metavar="Q")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    rows: list[tuple[str, ...]] = []
    with open_bundle(options.bundle) as bundle:
        encoder, decoder = Encoder(bundle), Decoder(bundle)
        for path in options.pictures:
            picture = read_picture(path, options.side)
            measured = {text: ([], []) for text in options.choices}  # type: dict[str, tuple[list[Point], list[float]]]
            for quality in options.qualities:
                for text, (points, seconds) in measured.items():
                    start = time.perf_counter()
                    choice = EncodeOptions(quality=quality, **fields(text))
                    data = encoder.encode(SourcePicture(picture), choice).data
                    seconds.append(time.perf_counter() - start)
                    points.append(point(picture, data, decoder))
            base, _ = measured[options.choices[0]]
            for text, (points, seconds) in measured.items():
                rates = (bd_rate([(p[0], p[i]) for p in base], [(p[0], p[i]) for p in points]) for i in (1, 2))
                ends = (f"{points[0][0]:.3f}", f"{points[-1][0]:.3f}")
                rows.append((path.name, text, f"{fmean(seconds):.2f}", *ends, *(f"{rate:+.4f}" for rate in rates)))
                print("\t".join(rows[-1]), flush=True)
    if options.output:
        write_result(options.output, HEADER, rows, command_of(parser))


def read_picture(path: Path, side: int) -> Picture:
    """Samples of a photograph, reduced to at most `side` rows and columns, multiples of 64 of them."""
    with Image.open(path) as image:
        small = image.convert("RGB")
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    rows, columns = (length // Z_GRID * Z_GRID for length in (small.height, small.width))
    return np.asarray(small)[:rows, :columns]


def fields(text: str) -> dict[str, Any]:
    """Fields of EncodeOptions by their name."""
    if text == "default":
        return {}
    return {name: literal_eval(value) for name, _, value in (part.partition("=") for part in text.split(","))}


def point(picture: Picture, data: bytes, decoder: Decoder) -> Point:
    """Rate and quality of a stream."""
    decoded = yuv_to_rgb(to_444(decoder.decode(data).planes), 8).astype(np.uint8)
    bpp = 8 * len(data) / (picture.shape[0] * picture.shape[1])
    return bpp, psnr(picture, decoded), decibels(ms_ssim(picture, decoded))


if __name__ == "__main__":
    main()
