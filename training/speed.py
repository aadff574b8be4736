"""How fast a device trains a recipe, and whether steps recorded on a GPU compute what plain steps do.

The first thing to run on a machine that is lent for minutes: it says how many steps fit into the time.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from training.gradients import Gradients
from training.recipe import Recipe
from training.shard import Shard
from training.train import Run, set_arithmetic

COMPARED_STEPS = 3


def losses(run: Run, shard: Shard, steps: int) -> list[tuple[float, float]]:
    """Loss and gradient norm of the next steps of `run`."""
    return [(loss.total.item(), norm) for loss, norm in (run.train_step(shard) for _ in range(steps))]


def steps_per_second(run: Run, shard: Shard, steps: int) -> float:
    """Of `steps` steps; whatever is chosen or recorded at the first step of either kind is not counted."""
    recipe = run.recipe
    batch = shard.batch(recipe.batch, recipe.side, np.random.default_rng(recipe.seed))
    for int8, share in ((False, 1 - recipe.int8_share), (True, recipe.int8_share)):
        if share:
            run.gradients(batch, 1.0, int8=int8)
    run.train_step(shard)
    began = time.perf_counter()
    losses(run, shard, steps)  # reads every loss, so nothing is still under way at the end
    return steps / (time.perf_counter() - began)


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line of `python -m training.speed`."""
    parser = argparse.ArgumentParser(prog="python -m training.speed", description=__doc__)
    parser.add_argument("shard", type=Path, help="training data, see training.shard")
    parser.add_argument("--steps", type=int, default=20, help="steps that are timed (default 20)")
    parser.add_argument("--set", nargs="+", default=[], metavar="NAME=VALUE", help="hyperparameters of the recipe")
    parser.add_argument("--device", type=torch.device, default=torch.device("cpu"))
    options = parser.parse_args(arguments)
    try:
        recipe = Recipe().with_settings(options.set)
    except ValueError as error:
        parser.error(str(error))
    set_arithmetic()
    shard = Shard.open(options.shard, with_latents=recipe.known_latents, device=options.device)
    run, plain = (Run.start(recipe, options.device, None, shard) for _ in range(2))
    plain.gradients = Gradients(plain.codec, recipe)
    print("loss and gradient norm, as trained and as plain steps:")
    for mine, expected in zip(losses(run, shard, COMPARED_STEPS), losses(plain, shard, COMPARED_STEPS), strict=True):
        print("  {:.5f} {:.4f}   {:.5f} {:.4f}".format(*mine, *expected))
    for name, each in (("as trained", run), ("plain", plain)):
        speed = steps_per_second(each, shard, options.steps)
        print(f"{name}: {speed:.2f} steps/s, {speed * recipe.batch * recipe.side**2 / 1e6:.2f} megapixels/s")
    if options.device.type == "cuda":
        print(f"memory: {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB")


if __name__ == "__main__":
    main()
