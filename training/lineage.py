"""The trainings that weights come from, as `weights/lineage.toml` tells them."""

from __future__ import annotations

import csv
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.shard import sha256_of


@dataclass(frozen=True)
class Part:
    """One call of `training.train`: on to a step, with the learning rate of a run of `steps`."""

    steps: int
    pause: int | None = None
    set: str = ""
    """Hyperparameters that change here."""

    @property
    def end(self) -> int:
        """The step that it goes on to."""
        return self.steps if self.pause is None else self.pause


@dataclass(frozen=True)
class TrainingRun:
    """A run from the training's start, of whose changes `share` (above 0) is kept."""

    set: str
    """Hyperparameters, `NAME=VALUE` and spaces."""
    parts: tuple[Part, ...]
    share: float = 1.0


@dataclass(frozen=True)
class Crops:
    """Arguments of `training.shard`."""

    crops: int
    side: int
    seed: int


@dataclass(frozen=True)
class Training:
    """From the weights before to those after it."""

    name: str
    shard: Crops
    hours: float
    hardware: str
    runs: tuple[TrainingRun, ...]

    @property
    def knows_latents(self) -> bool:
        """Whether a run trains on stored latents."""
        return any("known_latents=true" in run.set.split() for run in self.runs)


@dataclass(frozen=True)
class Lineage:
    """All trainings, in order, and the table of the photographs that they see."""

    photos: Path
    trainings: tuple[Training, ...]

    def check_photos(self, folder: Path) -> None:
        """Raises ValueError, naming the first one, when photographs in `folder` are not those of the table."""
        with self.photos.open(newline="") as file:
            wanted = {row["file"]: row["sha256"] for row in csv.DictReader(file, delimiter="\t")}
        for name, digest in wanted.items():
            if not (folder / name).is_file():
                raise ValueError(f"{folder}: {name} is missing, which {self.photos.name} lists")
            if sha256_of(folder / name) != digest:
                raise ValueError(f"{folder / name} is not the photograph that {self.photos.name} lists")


def read_lineage(path: Path) -> Lineage:
    """Raises ValueError or TypeError when `path` is no lineage."""
    data = tomllib.loads(path.read_text())
    return Lineage(path.parent / data["photos"], tuple(_training(entry) for entry in data["trainings"]))


def _training(entry: dict[str, Any]) -> Training:
    runs = tuple(TrainingRun(**run | {"parts": tuple(Part(**part) for part in run["parts"])}) for run in entry["runs"])
    return Training(**entry | {"shard": Crops(**entry["shard"]), "runs": runs})
