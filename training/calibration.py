"""Code streams that int8 networks are calibrated with: `python -m training.calibration --help`.

Windows of training photographs: three eighths with the most vivid colours, an eighth with the most white that leaves
something beside it, and the middles of photographs from all over the set. A tensor whose extremes calibration does
not show is clipped there, and what is clipped over a whole sky is seen.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from PIL import Image

from converters.quantisation.samples import BETAS, MAX_FILES, WINDOW
from jpegai_mobile import EncodeOptions, Encoder, open_bundle
from jpegai_mobile.encoder.pictures import picture_from_array

BLOCK = 16
STRIDE = 8
"""Blocks between windows that are looked at."""
WHITE = 250
MOST_WHITE = 0.75
"""Largest share of white blocks: what lies beside them belongs to the window, too."""
FREE_LICENCES = {"public domain": "public domain", "CC0": "CC0-1.0", "Unsplash": "Unsplash License"}
"""Start of a licence in the list of photographs -> its name here."""
HEADER = ("stream", "beta_displacement", "top", "left", "licence", "source", "source_path")

Floats = NDArray[np.floating]
Measure = Callable[[Floats], Floats]
"""Planes Y, U, V of blocks [3, windows down, windows across, rows, columns] -> score of every window."""


def white(yuv: Floats) -> Floats:
    """Share of white blocks."""
    share: Floats = (yuv[0] >= WHITE).mean(axis=(2, 3))
    return np.where(share <= MOST_WHITE, share, 0)


VIVID: tuple[Measure, ...] = (
    lambda yuv: yuv[1].max(axis=(2, 3)),
    lambda yuv: -yuv[1].min(axis=(2, 3)),
    lambda yuv: yuv[2].max(axis=(2, 3)),
    lambda yuv: -yuv[2].min(axis=(2, 3)),
)
MEASURES: tuple[Measure, ...] = (*VIVID * 3, *(white,) * 4)
"""One window is chosen by each, in this order."""


@dataclass(frozen=True)
class Photo:
    """A photograph of the list, and the best window of it by every measure."""

    row: dict[str, str]
    best: dict[Measure, tuple[float, int, int]]
    """Score, top, left."""


def main() -> None:
    """Choose, encode, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path, help="folder with the photographs and their list, train.tsv")
    parser.add_argument("--bundle", type=Path, required=True, help="bundle with the encoder, in float32")
    parser.add_argument("--model", type=int, default=1)
    parser.add_argument(
        "--output", type=Path, default=Path("weights"), help="calibration/ and calibration.tsv go there"
    )
    options = parser.parse_args()
    with (options.photos / "train.tsv").open() as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if _licence(row)]
    photos = [photo_of(row, np.asarray(Image.open(options.photos / row["file"]).convert("RGB"))) for row in rows]
    encoder = Encoder(open_bundle(options.bundle))
    folder = options.output / "calibration"
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["\t".join(HEADER)]
    for number, (row, top, left) in enumerate(chosen_windows(photos)):
        samples = np.asarray(Image.open(options.photos / row["file"]).convert("RGB"))
        picture = picture_from_array(np.ascontiguousarray(samples[top : top + WINDOW, left : left + WINDOW]))
        beta, name = BETAS[number % len(BETAS)], f"{number:02d}.jai"
        stream = encoder.encode(picture, EncodeOptions(model=options.model, beta_displacement=beta))
        (folder / name).write_bytes(stream.data)
        lines.append("\t".join(map(str, (name, beta, top, left, _licence(row), row["source"], row["source_path"]))))
    (options.output / "calibration.tsv").write_text("\n".join(lines) + "\n")


def photo_of(row: dict[str, str], samples: NDArray[np.uint8]) -> Photo:
    """Look at every window of a picture [row, column, RGB]."""
    blocks = _block_means(samples)
    size = WINDOW // BLOCK
    windows = sliding_window_view(blocks, (size, size), axis=(1, 2))[:, ::STRIDE, ::STRIDE]
    best = {}
    for measure in {*MEASURES}:
        scores = measure(windows)
        down, across = np.unravel_index(np.argmax(scores), scores.shape)
        best[measure] = (float(scores.max()), int(down) * STRIDE * BLOCK, int(across) * STRIDE * BLOCK)
    return Photo(row, best)


def chosen_windows(photos: list[Photo]) -> Iterator[tuple[dict[str, str], int, int]]:
    """(photograph, top, left) of the windows; no photograph gives two."""
    left_over = list(photos)
    for measure in MEASURES:
        photo = max(left_over, key=lambda each: each.best[measure][0])
        left_over.remove(photo)
        yield photo.row, *photo.best[measure][1:]
    count = MAX_FILES - len(MEASURES)
    for number in range(count):
        row = left_over[number * len(left_over) // count].row
        yield row, (int(row["height"]) - WINDOW) // 2, (int(row["width"]) - WINDOW) // 2


def _block_means(samples: NDArray[np.uint8]) -> Floats:
    """[Y U V, rows, columns] of whole blocks, BT.709."""
    rows, columns = (length // BLOCK for length in samples.shape[:2])
    whole = samples[: rows * BLOCK, : columns * BLOCK].reshape(rows, BLOCK, columns, BLOCK, 3)
    red, green, blue = whole.mean(axis=(1, 3), dtype=np.float32).transpose(2, 0, 1)
    luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return np.stack([luma, (blue - luma) / 1.8556, (red - luma) / 1.5748])


def _licence(row: dict[str, str]) -> str | None:
    return next((name for start, name in FREE_LICENCES.items() if row["licence"].startswith(start)), None)


if __name__ == "__main__":
    main()
