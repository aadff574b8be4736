"""`jpegai trace`: the arrays of the entropy stage, for comparing devices and decoders."""

from __future__ import annotations

import argparse
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..codestream.heif import code_stream_of
from ..codestream.stream import read_code_stream
from ..image.output_stream import output_stream
from ..runtime.bundle import Bundle
from ..runtime.decoder import DecodeOptions, Decoder
from ..runtime.default_bundle import open_bundle
from ..runtime.entropy_engine import ENGINES, EntropyOptions, run_entropy_stage
from .files import read_input
from .usage import add_bundle, add_max_samples, add_parser

EXAMPLES = """examples:
  jpegai trace photo.jai photo.npz --bundle model.jaib
  jpegai trace photo.jai photo.npz --engine python      the plain engine, which the native one must equal
  jpegai trace photo.jai photo.npz --latents --planes   also the float arrays of the reconstruction

The arrays are described in docs/trace-format.md.
"""


def add_command(commands: Any) -> None:
    """Declare the command line of `jpegai trace`."""
    parser = add_parser(
        commands,
        "trace",
        "write the arrays of the entropy stage",
        "Decode the entropy stage of a code stream and write its arrays to an .npz file.",
        EXAMPLES,
    )
    parser.add_argument("input", metavar="STREAM", help="code stream, or - for stdin")
    parser.add_argument("output", metavar="OUT.npz", help="where the arrays go, or - for stdout")
    add_bundle(parser)
    parser.add_argument(
        "--engine", choices=ENGINES, default=ENGINES[0], help="which entropy engine (default: %(default)s)"
    )
    parser.add_argument("--latents", action="store_true", help="also psi and the latents (float32)")
    parser.add_argument("--planes", action="store_true", help="also the planes before filters (float32, 0..255)")
    add_max_samples(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Write the trace of a stream."""
    data = code_stream_of(read_input(options.input))
    with open_bundle(options.bundle) as bundle:
        arrays = _trace(data, bundle, options)
    archive = io.BytesIO()  # zip files need to seek, and the output may be a pipe
    np.savez_compressed(archive, **arrays)  # type: ignore[arg-type]  # no array is called allow_pickle
    with output_stream(options.output) as stream:
        stream.write(archive.getbuffer())


def _trace(data: bytes, bundle: Bundle, options: argparse.Namespace) -> dict[str, NDArray[Any]]:
    model = bundle.entropy_model_bytes(read_code_stream(data, max_samples=options.max_samples).picture.model_id)
    entropy = EntropyOptions(options.engine, max_samples=options.max_samples)
    arrays: dict[str, NDArray[Any]] = dict(run_entropy_stage(data, model, entropy).named())
    if options.latents or options.planes:
        choices = DecodeOptions(engine=options.engine, max_samples=options.max_samples)
        reconstruction = Decoder(bundle).reconstruct(data, choices)
        arrays |= reconstruction.float_arrays(options.latents, options.planes)
    return arrays
