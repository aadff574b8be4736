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

PHOTO_SUFFIXES = (".jpg", ".png")
HELD_OUT_SHARE = 25
"""One photo in so many is held out."""

LATENT_GRID = 16
"""Rows and columns of samples that one latent stands for."""

Pixels = NDArray[np.uint8]
Latents = NDArray[np.float16]


class Batch(NamedTuple):
    """Windows of photos: float32 RGB [size, RGB, side, side] on 0..255 and, where known, their latents."""

    rgb: Tensor
    latents: tuple[Tensor, Tensor] | None


@dataclass(frozen=True)
class Shard:
    """Crops to draw batches from."""

    crops: Pixels
    latents: tuple[Latents, Latents] | None = None

    @classmethod
    def open(cls, folder: Path, *, with_latents: bool = False) -> Shard:
        """The shard in `folder`. Raises OSError when it, or the latents asked for, are absent."""
        names = ("crops", "latents_y", "latents_uv") if with_latents else ("crops",)
        crops, *latents = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in names)
        return cls(crops, (latents[0], latents[1]) if latents else None)

    def batch(self, size: int, side: int, generator: np.random.Generator) -> Batch:
        """Random windows of random crops.

        Half of them are mirrored; where latents are known none is, and windows lie on the grid of the latents.
        """
        if self.latents is not None:
            return self._batch_with_latents(size, side, generator)
        return Batch(_planar([self._window(side, generator) for _ in range(size)]), None)

    def _batch_with_latents(self, size: int, side: int, generator: np.random.Generator) -> Batch:
        assert self.latents is not None
        cells = side // LATENT_GRID
        pixels: list[Pixels] = []
        parts: tuple[list[Latents], list[Latents]] = ([], [])
        for crop in generator.integers(len(self.crops), size=size):
            row, column = generator.integers(self.crops.shape[1] // LATENT_GRID - cells + 1, size=2)
            top, left = row * LATENT_GRID, column * LATENT_GRID
            pixels.append(self.crops[crop, top : top + side, left : left + side])
            for part, latents in zip(parts, self.latents, strict=True):
                part.append(latents[crop, row : row + cells, column : column + cells])
        return Batch(_planar(pixels), (_planar(parts[0]), _planar(parts[1])))

    def _window(self, side: int, generator: np.random.Generator) -> Pixels:
        crop = self.crops[generator.integers(len(self.crops))]
        row, column = generator.integers(crop.shape[0] - side + 1, size=2)
        window = crop[row : row + side, column : column + side]
        mirrored: Pixels = window[:, ::-1]
        return mirrored if generator.random() < 0.5 else window


def _planar(windows: Sequence[NDArray[np.generic]]) -> Tensor:
    """float32 [windows, C, rows, columns]."""
    return torch.from_numpy(np.stack(windows)).permute(0, 3, 1, 2).float()


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
            table.writerow((path.name, _sha256(path), "trained on", count))
        for path in photos(source, held_out=True):
            table.writerow((path.name, _sha256(path), "held out", 0))
    np.save(folder / "crops.npy", generator.permutation(packed))


def _is_held_out(path: Path) -> bool:
    return hashlib.sha256(path.name.encode()).digest()[0] % HELD_OUT_SHARE == 0


def _sha256(path: Path) -> str:
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
