"""Write the averaged weights of a run as a checkpoint tree; `python -m training.export --help`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from converters.checkpoint import CheckpointTree
from training.checkpoints import save_tree
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
    options = parser.parse_args(arguments)
    carried_over = None if options.carry_over is None else CheckpointTree(options.carry_over)
    save_tree(averaged_codec(options.run), options.tree, carried_over)


if __name__ == "__main__":
    main()
