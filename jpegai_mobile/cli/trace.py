"""`jpegai trace`: the arrays of the entropy stage, for comparing devices and decoders."""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

from ..runtime.decoder import Decoder, DecodeOptions
from ..runtime.default_bundle import open_bundle
from ..runtime.entropy_engine import ENGINES
from .files import output_file, read_input

EXAMPLES = """examples:
  jpegai trace photo.jai photo.npz --bundle model.jaib
  jpegai trace photo.jai photo.npz --engine python      the plain engine, which the native one must equal
  jpegai trace photo.jai photo.npz --latents --planes   also the float arrays of the reconstruction

The arrays are described in docs/trace-format.md.
"""


def add_command(commands: Any) -> None:
    """Declare the command line of `jpegai trace`."""
    parser = commands.add_parser(
        "trace",
        help="write the arrays of the entropy stage",
        description="Decode the entropy stage of a code stream and write its arrays to an .npz file.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("stream", metavar="STREAM", help="code stream, or - for stdin")
    parser.add_argument("output", metavar="OUT.npz", help="where the arrays go, or - for stdout")
    parser.add_argument("--bundle", metavar="B", help="model bundle (default: $JPEGAI_BUNDLE)")
    parser.add_argument("--engine", choices=ENGINES, default=ENGINES[0], help="which entropy engine (default: %(default)s)")
    parser.add_argument("--latents", action="store_true", help="also psi and the latents (float32)")
    parser.add_argument("--planes", action="store_true", help="also the planes before filters (float32, 0..255)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Write the trace of a stream."""
    data = read_input(options.stream)
    with open_bundle(options.bundle) as bundle:
        decoder = Decoder(bundle)
        arrays = decoder.trace(data, DecodeOptions(engine=options.engine), options.latents, options.planes)
    with output_file(options.output) as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
