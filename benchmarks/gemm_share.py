"""What share of this machine's matrix multiplication the synthesis networks reach, one thread.

python -m benchmarks.gemm_share BUNDLE [--rounds 30] [--output OUT.tsv]

The ceiling is the product of two 1024 x 1024 matrices, the faster one of NumPy's and PyTorch's in float32, PyTorch's in
int8 (accumulated in int32); networks run on one window. All take turns; processor time, the shortest of all rounds, as
a busy machine only makes it longer. NumPy obeys OPENBLAS_NUM_THREADS, which is to be 1.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.command import command_of
from jpegai_mobile import open_bundle
from jpegai_mobile.bench.results import show_result
from jpegai_mobile.codestream.components import Component
from jpegai_mobile.networks.catalogue import build
from jpegai_mobile.networks.measure import macs
from jpegai_mobile.runtime.model_networks import ModelNetworks

SIZE = 1024
WINDOW = (36, 64)
"""Latents: what a synthesis tile of 1024 is cut into by default."""
PRODUCT = "matrix product"
HEADER = ("what", "precision", "multiplications", "cpu_ms", "gmac_per_second", "share_of_ceiling")


def products() -> dict[tuple[str, str], Callable[[], object]]:
    """Matrix products by what and precision, in one thread."""
    import torch  # not before the command line is known to be sound

    torch.set_num_threads(1)
    floats = torch.rand(SIZE, SIZE), torch.rand(SIZE, SIZE)
    arrays = [values.numpy() for values in floats]
    integers = tuple(torch.randint(-128, 128, (SIZE, SIZE), dtype=torch.int8) for _ in range(2))
    return {
        (f"{PRODUCT}, NumPy", "float32"): lambda: arrays[0] @ arrays[1],
        (f"{PRODUCT}, PyTorch", "float32"): lambda: torch.mm(*floats),
        (f"{PRODUCT}, PyTorch", "int8"): lambda: torch._int_mm(*integers),
    }


def main() -> None:
    """Measure and print; with --output also write the TSV."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gemm_share", description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    extent = (16 * WINDOW[0], 16 * WINDOW[1])
    latents = np.random.default_rng(1).normal(size=(*WINDOW, 256)).astype(np.float32)
    runs = products()
    work = dict.fromkeys(runs, SIZE**3)
    with open_bundle(options.bundle) as bundle:
        model = bundle.models()[0]
        for point in ("sop", "bop"):
            for precision in ("float32", "int8"):
                networks = ModelNetworks(bundle, model, point, precision, 1)
                for component in Component:
                    key = (f"synthesis {component.suffix} {point}", precision)
                    work[key] = macs(build("synthesis", component.suffix, point), extent)
                    runs[key] = _synthesis(networks, component, latents, extent)
        seconds = dict.fromkeys(runs, float("inf"))
        for _ in range(options.rounds):
            for key, run in runs.items():
                start = time.process_time()
                run()
                seconds[key] = min(seconds[key], time.process_time() - start)
    speed = {key: work[key] / seconds[key] / 1e9 for key in runs}
    ceiling = {
        precision: max(value for (what, held), value in speed.items() if held == precision and PRODUCT in what)
        for precision in ("float32", "int8")
    }
    rows = [
        (
            *key,
            str(work[key]),
            f"{1000 * seconds[key]:.2f}",
            f"{speed[key]:.1f}",
            f"{speed[key] / ceiling[key[1]]:.3f}",
        )
        for key in runs
    ]
    show_result(HEADER, rows, options.output, command_of(parser))


def _synthesis(
    networks: ModelNetworks, component: Component, latents: np.ndarray, extent: tuple[int, int]
) -> Callable[[], object]:
    luma, chroma = np.split(latents, [Component.LUMA.channels], axis=2)
    if component is Component.LUMA:
        return lambda: networks.synthesis_luma(luma, extent)
    return lambda: networks.synthesis_chroma(luma, chroma, extent)


if __name__ == "__main__":
    main()
