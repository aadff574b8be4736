"""Train the shipped weights again from the first of them: the trainings of `weights/lineage.toml`, one after the other.

    git show 086095f:weights/own_model1.zip > FIRST/own_model1.zip
    git show 086095f:weights/own_model1_encoder.zip > FIRST/own_model1_encoder.zip
    python -m training.reproduce PHOTOS OUT --start FIRST/own_model1.zip FIRST/own_model1_encoder.zip

OUT gets a folder for each training, with the weights after it. The same command goes on with one that was stopped.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path

import torch

from converters.checkpoint import CheckpointTree
from converters.packed_checkpoint import PackedCheckpoint, pack
from jpegai_mobile.image.output_stream import output_stream
from training import latents, shard, train
from training.checkpoints import MODEL
from training.codec import OPERATING_POINTS
from training.export import export
from training.lineage import Lineage, Training, TrainingRun, read_lineage

LINEAGE = Path(__file__).parents[1] / "weights" / "lineage.toml"
PACKED = {"own_model1.zip": "decoder", "own_model1_encoder.zip": "encoder"}
"""Files of the weights after a training -> what is in them."""


def reproduce(lineage: Lineage, photos: Path, folder: Path, start: Sequence[Path], threads: int) -> list[Path]:
    """The files of the weights after the last training, from `start`, those before the first one."""
    weights = list(start)
    for number, training in enumerate(lineage.trainings, 1):
        own = folder / f"{number}_{training.name}"
        after = [own / name for name in PACKED]
        if not all(path.exists() for path in after):
            print(f"{own.name}: it took {training.hours} hours on {training.hardware}", flush=True)
            _train(training, photos, own, weights, threads)
        weights = after
    return weights


def _train(training: Training, photos: Path, folder: Path, start: Sequence[Path], threads: int) -> None:
    crops = folder / "shard"
    folder.mkdir(parents=True, exist_ok=True)
    if not (crops / shard.CROPS).exists():
        shard.pack(photos, crops, training.shard.crops, training.shard.side, training.shard.seed)
    if training.knows_latents:
        latents.main([str(crops), *map(str, start), "--threads", str(threads)])
    runs = [(folder / f"run{number}", run) for number, run in enumerate(training.runs, 1)]
    for path, run in runs:
        _run(run, crops, path, start, threads)
    kept = [(path / train.CHECKPOINT, run.share) for path, run in runs]
    whole = len(kept) == 1 and kept[0][1] == 1
    export(kept, folder / "tree", () if whole else start)
    _pack(folder, PackedCheckpoint(*start).licence)
    shutil.rmtree(crops)


def _run(run: TrainingRun, crops: Path, folder: Path, start: Sequence[Path], threads: int) -> None:
    """Train what is left of a run."""
    for number, part in enumerate(run.parts):
        if _steps_done(folder / train.CHECKPOINT) >= part.end:
            continue
        settings = part.set.split() if number else [*run.set.split(), *part.set.split()]
        arguments = [str(crops), str(folder), "--steps", str(part.steps), "--threads", str(threads)]
        arguments += ["--start", *map(str, start)]
        if part.pause is not None:
            arguments += ["--pause", str(part.pause)]
        train.main([*arguments, "--set", *settings] if settings else arguments)


def _steps_done(saved: Path) -> int:
    return int(torch.load(saved, map_location="cpu", weights_only=True, mmap=True)["step"]) if saved.exists() else 0


def _pack(folder: Path, licence: str) -> None:
    """The packed files of `folder`'s tree, under the licence of those that the training started from."""
    for name, part in PACKED.items():
        data = pack(CheckpointTree(folder / "tree"), (MODEL,), OPERATING_POINTS, licence, (part,))
        with output_stream(folder / name) as stream:
            stream.write(data)


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line of `python -m training.reproduce`."""
    parser = argparse.ArgumentParser(
        prog="python -m training.reproduce", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photos", type=Path, help="folder of the photographs")
    parser.add_argument("out", type=Path, help="folder of the trainings")
    parser.add_argument("--start", type=Path, nargs=2, required=True, help="the packed files of the first weights")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (default 1)")
    parser.add_argument("--lineage", type=Path, default=LINEAGE, help="other trainings than the project's own")
    options = parser.parse_args(arguments)
    lineage = read_lineage(options.lineage)
    try:
        lineage.check_photos(options.photos)
    except ValueError as error:
        parser.error(str(error))
    for path in reproduce(lineage, options.photos, options.out, options.start, options.threads):
        print(path)


if __name__ == "__main__":
    main()
