"""Training data: photos cut into one file of random crops.

A shard is a folder with `crops.npy` (uint8 [crops, side, side, RGB], read as a memory map) and `photos.tsv`
(file, SHA-256, role, crops). Photos are split by the hash of their file name into those that are
trained on and a few that are held out for choosing between checkpoints. `training.latents` adds the latents of
the crops, `latents_y.npy` and `latents_uv.npy` (float16 [crops, rows, columns, C]).
"""

from __future__ import annotations

import argparse
import csv
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from jpegai_mobile.image.output_stream import output_stream

CROPS = "crops.npy"
PHOTO_SUFFIXES = (".jpg", ".png")
HELD_OUT_SHARE = 25
"""One photo in so many is held out."""

LATENT_GRID = 16
"""Rows and columns of samples that one latent stands for."""

Pixels = NDArray[np.uint8]


class Batch(NamedTuple):
    """Windows of photos: float32 RGB [size, RGB, side, side] on 0..255 and, where known, their latents."""

    rgb: Tensor
    latents: tuple[Tensor, Tensor] | None


@dataclass(frozen=True)
class Shard:
    """Crops to draw batches from, on the device that trains."""

    crops: Tensor
    latents: tuple[Tensor, Tensor] | None = None

    @classmethod
    def open(cls, folder: Path, *, with_latents: bool = False, device: torch.device | None = None) -> Shard:
        """The shard in `folder`, kept in the memory of a `device` other than the CPU.

        Raises OSError when it, or the latents asked for, are absent.
        """
        names = ("crops", "latents_y", "latents_uv") if with_latents else ("crops",)
        # Copy on write, not read only: PyTorch knows no tensors that cannot be written.
        crops, *latents = (
            torch.from_numpy(np.load(folder / f"{name}.npy", mmap_mode="c")).to(device or torch.device("cpu"))
            for name in names
        )
        return cls(crops, (latents[0], latents[1]) if latents else None)

    def batch(self, size: int, side: int, generator: np.random.Generator) -> Batch:
        """Random windows of random crops.

        Half of them are mirrored; where latents are known none is, and windows lie on the grid of the latents.
        """
        grid = 1 if self.latents is None else LATENT_GRID
        crops = generator.integers(len(self.crops), size=size)
        last = np.array(self.crops.shape[1:3]) - side
        corners = generator.integers(last // grid + 1, size=(size, 2))
        mirrored = generator.random(size) < (0.5 if self.latents is None else 0)
        rgb = _windows(self.crops, crops, corners * grid, side, mirrored)
        if self.latents is None:
            return Batch(rgb, None)
        luma, chroma = (_windows(part, crops, corners, side // grid, mirrored) for part in self.latents)
        return Batch(rgb, (luma, chroma))


def _windows(
    source: Tensor, crops: NDArray[np.int64], corners: NDArray[np.int64], side: int, mirrored: NDArray[np.bool_]
) -> Tensor:
    """float32 [windows, C, side, side] of `source` [crops, rows, columns, C]; `corners` are (row, column)."""
    offsets = np.arange(side)
    rows = corners[:, :1] + offsets
    columns = corners[:, 1:] + np.where(mirrored[:, None], offsets[::-1], offsets)
    index = (crops[:, None, None], rows[:, :, None], columns[:, None, :])
    windows = source[tuple(torch.from_numpy(part).to(source.device) for part in index)]
    return windows.permute(0, 3, 1, 2).float()


def photos(folder: Path, *, held_out: bool) -> list[Path]:
    """The photos of `folder` that are trained on, or those that are held out, by name."""
    found = sorted(path for path in folder.iterdir() if path.suffix in PHOTO_SUFFIXES)
    return [path for path in found if _is_held_out(path) == held_out]


def read_photo(path: Path) -> Pixels:
    """uint8 [rows, columns, RGB]."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def pack(source: Path, folder: Path, crops: int, side: int, seed: int) -> None:
    """Write a shard of `crops` crops of `side` x `side`, as many from each photo in proportion to its area."""
    generator = np.random.default_rng(seed)
    paths = photos(source, held_out=False)
    areas = np.array([np.prod(Image.open(path).size) for path in paths], np.float64)
    counts = generator.multinomial(crops, areas / areas.sum())
    folder.mkdir(parents=True, exist_ok=True)
    packed = np.empty((crops, side, side, 3), np.uint8)
    position = 0
    with (folder / "photos.tsv").open("w", newline="") as file:
        table = csv.writer(file, delimiter="\t", lineterminator="\n")
        table.writerow(("file", "sha256", "role", "crops"))
        for path, count in zip(paths, counts, strict=True):
            pixels = read_photo(path)
            for _ in range(count):
                row = generator.integers(pixels.shape[0] - side + 1)
                column = generator.integers(pixels.shape[1] - side + 1)
                packed[position] = pixels[row : row + side, column : column + side]
                position += 1
            table.writerow((path.name, sha256_of(path), "trained on", count))
        for path in photos(source, held_out=True):
            table.writerow((path.name, sha256_of(path), "held out", 0))
    with output_stream(folder / CROPS) as stream:
        np.save(stream, generator.permutation(packed))


def _is_held_out(path: Path) -> bool:
    return hashlib.sha256(path.name.encode()).digest()[0] % HELD_OUT_SHARE == 0


def sha256_of(path: Path) -> str:
    """Of a file, in hexadecimal digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line of `python -m training.shard`."""
    parser = argparse.ArgumentParser(prog="python -m training.shard", description="Pack photos into a shard.")
    parser.add_argument("photos", type=Path, help="folder of photos (.jpg, .png)")
    parser.add_argument("shard", type=Path, help="folder to write")
    parser.add_argument("--crops", type=int, default=3000)
    parser.add_argument("--side", type=int, default=256, help="rows and columns of a crop (default 256)")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    pack(options.photos, options.shard, options.crops, options.side, options.seed)


if __name__ == "__main__":
    main()
