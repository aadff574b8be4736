"""Train or go on training a codec; `python -m training.train --help`."""

from __future__ import annotations

import argparse
import csv
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from converters.checkpoint import Checkpoints
from converters.open_checkpoints import open_checkpoints
from training.checkpoints import load_checkpoints
from training.codec import Codec
from training.colour import rgb_to_yuv
from training.gradients import Gradients, gradients_of
from training.loss import Loss
from training.recipe import Recipe
from training.revival import revive_hyper_latents
from training.shard import Shard

CHECKPOINT = "run.pt"
LOG = "log.tsv"
LOG_EVERY = 50
REVIVAL_SAMPLE = 32
"""Windows that the revival of hyper latents is measured on."""
NORM_MEMORY = 101
_COLUMNS = (
    *("time", "step", "progress", "learning_rate", "loss", "bpp", "bpp_z", "bpp_uv"),
    *("mse_y_sop", "mse_uv_sop", "mse_y_bop", "mse_uv_bop", "gradient_norm", "skipped", "steps_per_second"),
)


class Length(NamedTuple):
    """When a run ends: after a number of steps, or at a time (seconds of the epoch); and a step to pause at before."""

    steps: int | None
    deadline: float | None
    pause: int | None = None


@dataclass
class Run:
    """All state of a training run; `save` and `resume` keep it in one file."""

    recipe: Recipe
    device: torch.device
    codec: Codec = field(init=False)
    average: AveragedModel = field(init=False)
    optimiser: torch.optim.Optimizer = field(init=False)
    gradients: Gradients = field(init=False)
    step: int = 0
    progress: float = 0.0
    norms: list[float] = field(default_factory=list)
    skipped: int = 0

    def __post_init__(self) -> None:
        self.codec = Codec(self.recipe.seed).to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimiser = _optimiser(self.codec, self.recipe)
        self.gradients = gradients_of(self.codec, self.recipe, self.device)
        self._restart_average()

    @classmethod
    def start(cls, recipe: Recipe, device: torch.device, source: Checkpoints | None, shard: Shard) -> Run:
        """A new run, from the weights in checkpoints or from nothing."""
        run = cls(recipe, device)
        if source is not None:
            codec = Codec().eval()
            load_checkpoints(codec, source)
            if recipe.revived_deviation:
                sample = shard.batch(REVIVAL_SAMPLE, recipe.side, np.random.default_rng(recipe.seed))
                revive_hyper_latents(codec, rgb_to_yuv(sample.rgb.cpu()), recipe.revived_deviation, recipe.seed)
            run.codec.load_state_dict(codec.state_dict())
            run._restart_average()
        return run

    @classmethod
    def resume(cls, path: Path, device: torch.device, settings: Sequence[str] = ()) -> Run:
        """Go on from what `save` wrote, with some hyperparameters replaced (see `Recipe.with_settings`)."""
        state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
        saved = Recipe(**state["recipe"])
        run = cls(saved.with_settings(settings), device)
        run.codec.load_state_dict(state["codec"])
        run.average.load_state_dict(state["average"])
        # The speeds, and with them the groups, may be others now: moments go from parameter to parameter.
        before = _optimiser(run.codec, saved)
        before.load_state_dict(state["optimiser"])
        run.optimiser.state.update(before.state)
        run.step, run.progress, run.skipped = state["step"], state["progress"], state["skipped"]
        run.norms = state["norms"]
        return run

    def save(self, path: Path) -> None:
        """Write everything; a file that is there stays whole until the new one is."""
        state = {
            "recipe": {entry.name: getattr(self.recipe, entry.name) for entry in fields(Recipe)},
            "codec": self.codec.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
            "progress": self.progress,
            "norms": self.norms,
            "skipped": self.skipped,
        }
        temporary = path.with_suffix(".part")
        torch.save(state, temporary)
        os.replace(temporary, path)

    def train_step(self, shard: Shard) -> tuple[Loss, float]:
        """One step at the present `step` and `progress`: the loss and the gradient norm.

        Its random numbers depend on seed and step only, so a resumed run does the same.
        """
        recipe = self.recipe
        generator = np.random.default_rng((recipe.seed, self.step))
        torch.manual_seed(int(generator.integers(1 << 62)))
        batch = shard.batch(recipe.batch, recipe.side, generator)
        int8 = bool(generator.random() < recipe.int8_share)
        loss = self.gradients(batch, recipe.z_rate_share_at(self.progress), int8=int8)
        self._set_learning_rate()
        norm = float(torch.nn.utils.clip_grad_norm_(self.codec.parameters(), recipe.gradient_norm))
        if self._is_sound(norm):
            self.optimiser.step()
        else:
            self.skipped += 1
        self.step += 1
        if self.step % recipe.average_every == 0:
            self.average.update_parameters(self.codec)
        return loss, norm

    def _set_learning_rate(self) -> None:
        learning_rate = self.recipe.learning_rate_at(self.step, self.progress)
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate * group["speed"]

    def _is_sound(self, norm: float) -> bool:
        """Whether a gradient norm is finite and no outlier; remembers it for later steps."""
        if not np.isfinite(norm):
            return False
        usual = float(np.median(self.norms)) if len(self.norms) == NORM_MEMORY else np.inf
        self.norms = [*self.norms, norm][-NORM_MEMORY:]
        return norm <= self.recipe.outlier * usual

    def _restart_average(self) -> None:
        average = get_ema_multi_avg_fn(self.recipe.average_decay)  # type: ignore[no-untyped-call]
        self.average = AveragedModel(self.codec, multi_avg_fn=average, use_buffers=True)


def _optimiser(codec: Codec, recipe: Recipe) -> torch.optim.Optimizer:
    """Adam, its parameters grouped by their speed; the first group has speed 1."""
    speeds = {"z_model": recipe.z_model_speed}
    speeds |= dict.fromkeys(("hyper_encoder", "hyper_decoder", "scale_decoder"), recipe.hyper_speed)
    groups: dict[float, list[Tensor]] = {1.0: []}
    for name, parameter in codec.named_parameters():
        part = name.split(".")[2]
        groups.setdefault(speeds.get(part, 1.0), []).append(parameter)
    return torch.optim.Adam(
        [{"params": parameters, "speed": speed} for speed, parameters in groups.items()], fused=True
    )


def averaged_codec(path: Path) -> Codec:
    """The averaged weights in a run's checkpoint, on the CPU in float32."""
    module = Run.resume(path, torch.device("cpu")).average.module
    assert isinstance(module, Codec)
    return module.eval()


def train(run: Run, shard: Shard, folder: Path, length: Length, save_every: float) -> None:
    """Train to the end, logging every 50 steps and saving every `save_every` seconds."""
    if length.steps is not None:
        run.progress = run.step / length.steps
    log = _Log(folder / LOG)
    began, saved, first_progress = time.time(), time.time(), run.progress
    while run.progress < 1 and run.step != length.pause:
        loss, norm = run.train_step(shard)
        now = time.time()
        run.progress = _progress(run, length, first_progress, began, now)
        log.add(run, loss, norm, now)
        if now - saved > save_every:
            run.save(folder / CHECKPOINT)
            saved = now
    run.save(folder / CHECKPOINT)


def _progress(run: Run, length: Length, first_progress: float, began: float, now: float) -> float:
    """Share of the run that is over; a run resumed with another deadline fills the new time."""
    if length.steps is not None:
        return run.step / length.steps
    assert length.deadline is not None
    if now >= length.deadline:
        return 1.0
    return first_progress + (1 - first_progress) * (now - began) / (length.deadline - began)


class _Log:
    """Means over some steps, as rows of a TSV."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows: list[list[float]] = []
        self._began = time.time()
        if not path.exists():
            self._write(_COLUMNS)

    def add(self, run: Run, loss: Loss, norm: float, now: float) -> None:
        errors = [part for pair in loss.errors.values() for part in pair]
        values = (loss.total, loss.bpp, loss.bpp_z, loss.bpp_uv, *errors)
        self._rows.append([*(value.item() for value in values), norm])
        if run.step % LOG_EVERY:
            return
        rate = len(self._rows) / (now - self._began)
        moment = datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds")
        head = (moment, run.step, f"{run.progress:.4f}", f"{run.optimiser.param_groups[0]['lr']:.2e}")
        means = (f"{mean:.5g}" for mean in np.mean(self._rows, 0))
        self._write((*head, *means, run.skipped, f"{rate:.3f}"))
        self._rows, self._began = [], now

    def _write(self, row: Sequence[object]) -> None:
        with self._path.open("a", newline="") as file:
            csv.writer(file, delimiter="\t", lineterminator="\n").writerow(row)


def set_arithmetic() -> None:
    """On CUDA the fastest algorithms, but all bits of float32: the scale decoder and MS-SSIM need them."""
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.allow_tf32 = False


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line of `python -m training.train`."""
    parser = argparse.ArgumentParser(
        prog="python -m training.train",
        description="Train a codec. A run that is in the folder already is resumed, with its own recipe but for --set.",
    )
    parser.add_argument("shard", type=Path, help="training data, see training.shard")
    parser.add_argument("folder", type=Path, help="folder of the run: run.pt, log.tsv")
    end = parser.add_mutually_exclusive_group(required=True)
    end.add_argument("--steps", type=int, help="length of the run (on the CPU repeatable to the bit)")
    end.add_argument("--until", type=datetime.fromisoformat, help="time when it ends, such as 2026-11-23T20:15Z")
    parser.add_argument("--pause", type=int, metavar="STEP", help="save and stop here, to be gone on with")
    parser.add_argument(
        "--start", type=Path, nargs="+", help="tree or packed files to start from (default: from nothing)"
    )
    parser.add_argument("--set", nargs="+", default=[], metavar="NAME=VALUE", help="hyperparameters of the recipe")
    parser.add_argument("--device", type=torch.device, default=torch.device("cpu"))
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (default 1)")
    parser.add_argument("--save-every", type=float, default=300, metavar="SECONDS")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    set_arithmetic()
    options.folder.mkdir(parents=True, exist_ok=True)
    saved = options.folder / CHECKPOINT
    try:
        run = Run.resume(saved, options.device, options.set) if saved.exists() else None
        recipe = run.recipe if run else Recipe().with_settings(options.set)
    except ValueError as error:
        parser.error(str(error))
    shard = Shard.open(options.shard, with_latents=recipe.known_latents, device=options.device)
    if run is None:
        source = open_checkpoints(*options.start) if options.start else None
        run = Run.start(recipe, options.device, source, shard)
    deadline = None if options.until is None else options.until.timestamp()
    train(run, shard, options.folder, Length(options.steps, deadline, options.pause), options.save_every)


if __name__ == "__main__":
    main()
