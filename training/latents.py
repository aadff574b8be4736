"""Store the latents of a shard's crops, so that everything but the analysis transforms trains several times as fast."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.lib.format import open_memmap

from converters.open_checkpoints import open_checkpoints
from training.checkpoints import load_checkpoints
from training.codec import COMPONENTS, Codec
from training.colour import rgb_to_yuv
from training.shard import LATENT_GRID, Shard

BATCH = 4


@torch.no_grad()
def store_latents(codec: Codec, folder: Path) -> None:
    """Write `latents_y.npy` and `latents_uv.npy` into the shard in `folder`. Its crops are multiples of 16."""
    crops = Shard.open(folder).crops
    count, rows, columns = len(crops), crops.shape[1] // LATENT_GRID, crops.shape[2] // LATENT_GRID
    files = [
        open_memmap(folder / f"latents_{name}.npy", "w+", np.float16, (count, rows, columns, _channels(codec, name)))
        for name in COMPONENTS
    ]
    for start in range(0, count, BATCH):
        rgb = crops[start : start + BATCH].permute(0, 3, 1, 2).float()
        yuv = rgb_to_yuv(rgb).contiguous(memory_format=torch.channels_last)
        for file, latent in zip(files, codec.analyse(yuv), strict=True):
            file[start : start + BATCH] = latent.permute(0, 2, 3, 1).numpy()
    for file in files:
        file.flush()


def _channels(codec: Codec, component: str) -> int:
    return len(codec.component(component).gain_vector)


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line of `python -m training.latents`."""
    parser = argparse.ArgumentParser(prog="python -m training.latents", description=__doc__)
    parser.add_argument("shard", type=Path, help="shard whose crops are analysed (see training.shard)")
    parser.add_argument("checkpoints", type=Path, nargs="+", help="tree or packed files with the analysis transforms")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (default 1)")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    codec = Codec().eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    load_checkpoints(codec, open_checkpoints(*options.checkpoints))
    store_latents(codec, options.shard)


if __name__ == "__main__":
    main()
