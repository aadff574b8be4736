"""Write the averaged weights of a run as a checkpoint tree; `python -m training.export --help`."""

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


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line of `python -m training.export`."""
    parser = argparse.ArgumentParser(prog="python -m training.export", description=__doc__)
    parser.add_argument("run", type=Path, help="checkpoint of a run (run.pt)")
    parser.add_argument("tree", type=Path, help="folder to write the checkpoint tree into")
    parser.add_argument(
        "--carry-over",
        type=Path,
        metavar="TREE",
        help="take the tensors that only the reference software asks for from this tree",
    )
    parser.add_argument("--share", type=float, default=1.0, help="share of the run's changes to keep (default 1)")
    parser.add_argument("--start", type=Path, nargs="+", help="what the run started from, for a share below 1")
    options = parser.parse_args(arguments)
    if (options.share == 1) != (options.start is None):
        parser.error("--share and --start go together")
    carried_over = None if options.carry_over is None else CheckpointTree(options.carry_over)
    codec = averaged_codec(options.run)
    if options.start:
        start = Codec().eval()
        load_checkpoints(start, open_checkpoints(*options.start))
        blend(codec, start, options.share)
    save_tree(codec, options.tree, carried_over)


if __name__ == "__main__":
    main()
