"""Write the averaged weights of runs as a checkpoint tree; `python -m training.export --help`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from converters.checkpoint import CheckpointTree
from converters.open_checkpoints import open_checkpoints
from training.blend import blend
from training.checkpoints import load_checkpoints, save_tree
from training.codec import Codec
from training.train import averaged_codec


def export(
    runs: Sequence[tuple[Path, float]], tree: Path, start: Sequence[Path], carried_over: CheckpointTree | None = None
) -> None:
    """Write the tree of `start` (checkpoints) and, of what each run made of it, a share above 0.

    Without `start` there is one run, of which everything is kept.
    """
    if start:
        codec = Codec().eval()
        load_checkpoints(codec, open_checkpoints(*start))
        blend(codec, [(averaged_codec(run), share) for run, share in runs])
    else:
        ((run, _),) = runs
        codec = averaged_codec(run)
    save_tree(codec, tree, carried_over)


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line of `python -m training.export`."""
    parser = argparse.ArgumentParser(prog="python -m training.export", description=__doc__)
    parser.add_argument("runs", type=Path, nargs="+", metavar="run", help="checkpoint of a run (run.pt)")
    parser.add_argument("tree", type=Path, help="folder to write the checkpoint tree into")
    parser.add_argument(
        "--carry-over",
        type=Path,
        metavar="TREE",
        help="take the tensors that only the reference software asks for from this tree",
    )
    parser.add_argument("--shares", type=float, nargs="+", help="shares of the runs' changes to keep, above 0")
    parser.add_argument("--start", type=Path, nargs="+", default=[], help="what all runs started from, for --shares")
    options = parser.parse_args(arguments)
    shares = options.shares or [1.0]
    if bool(options.shares) != bool(options.start):
        parser.error("--shares and --start go together")
    if len(shares) != len(options.runs):
        parser.error(f"{len(options.runs)} runs want as many --shares, not {len(shares)}")
    if min(shares) <= 0:
        parser.error(f"--shares are above 0, not {min(shares)}")
    carried_over = None if options.carry_over is None else CheckpointTree(options.carry_over)
    export(list(zip(options.runs, shares, strict=True)), options.tree, options.start, carried_over)


if __name__ == "__main__":
    main()
