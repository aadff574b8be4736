"""Time of the entropy stage, both engines, beside the networks of a whole float32 decode.

python -m benchmarks.entropy_stage STREAM.jai BUNDLE [--output benchmarks/results/entropy_stage.tsv]

Every run takes turns; one thread; process start and model load are not counted.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import median

from benchmarks.command import command_of
from jpegai_mobile import DecodeOptions, Decoder, open_bundle
from jpegai_mobile.bench.results import show_result
from jpegai_mobile.bench.timing import interleaved
from jpegai_mobile.codestream.components import Component
from jpegai_mobile.codestream.tiling import Rectangle
from jpegai_mobile.runtime.entropy_engine import EntropyOptions, run_entropy_stage, run_symbol_decoding

ROUNDS = 9


def main() -> None:
    """Measure and print; with --output also write the TSV."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.entropy_stage", description=__doc__)
    parser.add_argument("stream", type=Path)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    data = options.stream.read_bytes()
    with open_bundle(options.bundle) as bundle:
        decoder = Decoder(bundle)
        choices = DecodeOptions(num_threads=1)
        reconstruction = decoder.reconstruct(data, choices)
        picture = reconstruction.stream.picture
        tables = bundle.entropy_model_bytes(picture.model_id)
        whole = Rectangle(0, 0, *picture.sizes.latent)
        latents = reconstruction.latents.window(whole)
        networks = reconstruction.networks
        runs = {
            "native, symbols for a decode": lambda: run_symbol_decoding(data, reconstruction.stream, tables),
            "native, all trace arrays": lambda: run_entropy_stage(data, tables, EntropyOptions("native")),
            "python, all trace arrays": lambda: run_entropy_stage(data, tables, EntropyOptions("python")),
            "luma synthesis, one run": lambda: networks.synthesis_luma(
                latents[Component.LUMA], (picture.height, picture.width)
            ),
            "whole decode": lambda: list(decoder.reconstruct(data, choices).bands()),
        }
        seconds = {name: median(times) for name, times in interleaved(runs, ROUNDS).items()}
    rows = [
        (
            options.stream.name if options.stream.stem != "stream" else options.stream.parent.name,
            name,
            f"{1000 * value:.2f}",
            f"{len(data) / value / 1e6:.2f}",
            f"{value / seconds['whole decode']:.4f}",
        )
        for name, value in seconds.items()
    ]
    header = ("stream", "what", "median_ms", "stream_megabytes_per_second", "share_of_whole_decode")
    show_result(header, rows, options.output, command_of(parser))


if __name__ == "__main__":
    main()
