"""`jpegai decode`: a code stream to a picture file."""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

from ..codestream.components import LATENT_GRID
from ..codestream.picture_header import CHROMA_FORMATS, SYNTHESIS_TRANSFORMS
from ..image.output import FORMATS, YUV_FORMAT, OutputFormatError, format_of, open_writer
from ..image.rgb_files import HELD_BYTES
from ..runtime.decoder import DEFAULT_THREADS, NUM_THREADS, DecodeOptions, Decoder, Output
from ..runtime.default_bundle import open_bundle
from ..runtime.manifest import PRECISIONS
from ..runtime.reconstruction import Reconstruction
from ..runtime.view import View
from .files import read_input
from .program import UsageError, wrong_usage
from .progress_bar import progress_bar
from .usage import add_bundle, add_max_samples, add_parser, channel_limits, memory_limit, region, scale, whole_number

EXAMPLES = """examples:
  jpegai decode photo.jai photo.png --bundle model
  jpegai decode photo.jai photo.png --operating-point sop     the simpler networks, where the stream allows them
  jpegai decode photo.jai - --format ppm | display            to stdout
  jpegai decode photo.jai preview.jpg --max-channels 48,16    a coarser picture from the first channels
"""


def add_command(commands: Any) -> None:
    """Declare the command line of `jpegai decode`."""
    parser = add_parser(
        commands,
        "decode",
        "decode a code stream to a picture",
        "Decode a JPEG AI code stream to a picture file.",
        EXAMPLES,
    )
    parser.add_argument("input", metavar="STREAM", help="code stream, or - for stdin")
    parser.add_argument("output", metavar="OUT", help=f"picture ({', '.join(FORMATS)} by its name), or - for stdout")
    add_bundle(parser)
    parser.add_argument("--format", choices=FORMATS, help="picture format, where the name does not tell")
    parser.add_argument(
        "--operating-point",
        choices=SYNTHESIS_TRANSFORMS,
        help="synthesis networks to use (default: the first of the stream's list that the bundle holds)",
    )
    parser.add_argument(
        "--precision", choices=PRECISIONS, help="of the networks (default: the most exact in the bundle)"
    )
    parser.add_argument(
        "--threads", type=whole_number(NUM_THREADS), default=DEFAULT_THREADS, metavar="N", help="default %(default)s"
    )
    parser.add_argument(
        "--max-channels", type=channel_limits, metavar="Y,UV", help="use only the first residual channels"
    )
    parser.add_argument("--region", type=region, metavar="X,Y,W,H", help="decode a part of the displayed picture only")
    parser.add_argument("--scale", type=scale, default=1, metavar="1/N", help="reduce the picture by 2, 4 or 8")
    parser.add_argument(
        "--memory-limit",
        type=memory_limit,
        metavar="SIZE",
        help="above the idle interpreter, such as 96MiB, or none for the fastest way (default: 64MiB if that does)",
    )
    add_max_samples(parser)
    parser.add_argument(
        "--patch",
        type=whole_number(range(LATENT_GRID, 1 << 31)),
        metavar="PX",
        help=f"largest patch that is computed at a time, in samples, at least {LATENT_GRID}",
    )
    parser.add_argument("--no-filters", action="store_true", help="leave the post-filters out")
    parser.add_argument(
        "--allow-partial", action="store_true", help="decode although independent regions are missing or cut off"
    )
    parser.add_argument("--stats", action="store_true", help="print time and choices on stderr")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Decode a stream and write the picture."""
    try:
        file_format = options.format or format_of(options.output)
    except OutputFormatError as error:
        raise UsageError(f"{error} (--format)") from error
    data = read_input(options.input)
    choices = _decode_options(options)
    with open_bundle(options.bundle) as bundle:
        start = time.perf_counter()
        decoder = Decoder(bundle)
        output = output_of(file_format, options.scale)
        reconstruction = decoder.reconstruct(data, choices, options.region, output)
        parsed = time.perf_counter()
        for note in decoder.notes(reconstruction, choices):
            print(f"jpegai decode: note: {note}", file=sys.stderr)
        view = _view(options, reconstruction, file_format)
        _write(options.output, reconstruction, view, choices.filters, file_format)
    if options.stats:
        _print_stats(reconstruction, len(data), parsed - start, time.perf_counter() - parsed)


def output_of(file_format: str, factor: int) -> Output:
    """What is to be counted for writing a picture that is reduced by a factor."""
    return Output(factor == 1 and file_format != YUV_FORMAT, HELD_BYTES.get(file_format, 0) / factor**2)


def _view(options: argparse.Namespace, reconstruction: Reconstruction, file_format: str) -> View:
    picture = reconstruction.stream.picture
    is_yuv = file_format == YUV_FORMAT
    view = View(options.region, options.scale, planar=is_yuv)
    if not view.fits(picture):
        height, width = picture.display_size
        raise UsageError(f"--region reaches outside of the picture of {width} x {height}")
    if is_yuv and options.scale != 1:
        raise UsageError("--scale gives RGB samples, not yuv")
    if is_yuv and not view.on_chroma_grid(picture):
        chroma = CHROMA_FORMATS[picture.source_subsampling]
        raise UsageError(
            f"--region cuts through chroma samples, which are {chroma}: in yuv its offsets are even where chroma is "
            "subsampled, and so are its sizes unless they reach the edge of the picture"
        )
    return view


def _write(target: str, reconstruction: Reconstruction, view: View, filters: bool, file_format: str) -> None:
    """Write the rows of a picture as they are finished."""
    with wrong_usage(OutputFormatError):
        layout = view.layout(reconstruction.stream.picture)
        with open_writer(target, layout, file_format) as writer, progress_bar("decoding") as bar:
            view.write(reconstruction, writer, filters, bar)


def _decode_options(options: argparse.Namespace) -> DecodeOptions:
    with wrong_usage(ValueError):
        return DecodeOptions(
            operating_point=options.operating_point,
            precision=options.precision,
            num_threads=options.threads,
            max_channels=options.max_channels,
            filters=not options.no_filters,
            allow_partial=options.allow_partial,
            max_samples=options.max_samples,
            memory_limit=options.memory_limit,
            patch=None if options.patch is None else (options.patch // LATENT_GRID,) * 2,
        )


def _print_stats(reconstruction: Reconstruction, stream_bytes: int, parsing: float, reconstructing: float) -> None:
    height, width = reconstruction.stream.picture.display_size
    networks = reconstruction.networks
    seconds = parsing + reconstructing
    print(
        f"{width} x {height}, {stream_bytes} bytes ({8 * stream_bytes / (width * height):.3f} bit per pixel), "
        f"{networks.operating_point} {networks.precision}: {parsing * 1000:.0f} ms until the symbols were there, "
        f"{reconstructing * 1000:.0f} ms until the picture was written "
        f"({width * height / 1e6 / seconds:.2f} megapixels per second)",
        file=sys.stderr,
    )
    if reconstruction.skipped:
        print(f"regions whose symbols were left alone: {sorted(reconstruction.skipped)}", file=sys.stderr)
