"""`jpegai encode`: a picture to a code stream."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

from ..codestream.picture_header import CHROMA_FORMATS
from ..encoder.coded_planes import MAX_SIZE, Picture
from ..encoder.encoder import Coding, EncodedPicture, Encoder
from ..encoder.options import (
    BETAS,
    DEFAULT_EFFORT,
    DEFAULT_ROI_STRENGTH,
    EFFORTS,
    MODELS,
    OPERATING_POINTS,
    QUALITIES,
    REGION_OVERLAPS,
    ROI_STRENGTHS,
    EncodeOptions,
)
from ..encoder.pictures import colour, mask_from_bytes, picture_from_bytes
from ..encoder.yuv_picture import STORED_AS, yuv_from_bytes
from ..image.chroma import SUPPORTED_FORMATS
from ..image.output_stream import output_stream
from ..image.planes import Subsampling
from ..native.rows import THREADS as CODER_THREADS
from ..runtime.decoder import DEFAULT_THREADS, NUM_THREADS
from ..runtime.default_bundle import open_bundle
from ..runtime.manifest import PRECISIONS
from ..runtime.progress import Listener
from .files import read_input
from .program import UsageError, wrong_usage
from .progress_bar import progress_bar
from .usage import add_bundle, add_parser, whole_number

EXAMPLES = """examples:
  jpegai encode photo.png photo.jai
  jpegai encode photo.jpg photo.jai --bpp 0.5             half a bit per pixel, on photographs within 2 %
  jpegai encode logo.png logo.jai --background white      a colour behind what is transparent
  jpegai encode photo.png photo.jai --bpp 0.3 --roi faces.png
  jpegai encode photo.png photo.jai --model 1 --beta-displacement -300
  jpegai encode photo.png photo.jai --chroma 420          half as many rows and columns of chroma are coded
  jpegai encode frame.yuv frame.jai --yuv-size 1920x1080 --yuv-format 420 --yuv-bit-depth 10

A model bundle must hold encoder networks: jpegai-convert CHECKPOINTS -o BUNDLE --parts decoder,encoder
"""
HEIF_SUFFIXES = (".jaii", ".jais")
"""Names of the registered file formats around code streams, of single pictures and of sequences."""
YUV_FORMAT, YUV_BIT_DEPTH = (2, 2), 8
"""What planar files mostly are."""


def add_command(commands: Any) -> None:
    """Declare the command line of `jpegai encode`."""
    parser = add_parser(
        commands,
        "encode",
        "encode a picture to a code stream",
        "Encode a picture that Pillow reads to a JPEG AI code stream.",
        EXAMPLES,
    )
    parser.add_argument("input", metavar="IN", help="picture, or - for stdin")
    parser.add_argument("output", metavar="OUT", help="code stream, or - for stdout")
    add_bundle(parser)
    _add_rate(parser.add_argument_group("rate"))
    _add_source(parser.add_argument_group("source"))
    _add_yuv(parser.add_argument_group("planar YUV source", "all of Y, then U, then V; 10 bit as 16-bit little endian"))
    _add_regions(parser.add_argument_group("regions"))
    _add_tools(parser.add_argument_group("stream"))
    parser.add_argument("--precision", choices=PRECISIONS, help="of the networks (default: the most exact there is)")
    parser.add_argument(
        "--threads", type=whole_number(NUM_THREADS), default=DEFAULT_THREADS, metavar="N", help="default %(default)s"
    )
    parser.add_argument("--stats", action="store_true", help="print time, size and choices on stderr")
    parser.set_defaults(run=run)


def _add_rate(group: Any) -> None:
    """How large or good the stream is to be, and what may be done for it."""
    rate = group.add_mutually_exclusive_group()
    rate.add_argument("--bpp", type=float, metavar="R", help="size of the stream in bits per pixel")
    rate.add_argument(
        "--quality", type=whole_number(QUALITIES), metavar="1..100", help="default 50; 17 more about double the size"
    )
    rate.add_argument("--target-psnr", type=float, metavar="DB", help="of the decoded samples; measured up to 5 times")
    rate.add_argument(
        "--beta-displacement",
        type=whole_number(BETAS),
        metavar="D",
        help=f"{BETAS[0]}..{BETAS[-1]}: finer steps when it grows",
    )
    group.add_argument(
        "--chroma-beta-displacement",
        type=whole_number(BETAS),
        metavar="D",
        help="a displacement of chroma's own: as it is beside --beta-displacement, else relative to luma",
    )
    group.add_argument("--model", type=int, choices=MODELS, help="default: the one for the rate")
    group.add_argument(
        "--effort",
        type=whole_number(EFFORTS),
        default=DEFAULT_EFFORT,
        metavar=f"{EFFORTS[0]}..{EFFORTS[-1]}",
        help="time spent on smaller streams: 1 fast, 3 slow (default: %(default)s); "
        "of no effect with --model or --beta-displacement",
    )


def _add_source(group: Any) -> None:
    """What is made of the picture before it is coded."""
    group.add_argument(
        "--background", type=_colour, metavar="COLOUR", help="colour behind transparent samples: a name or #rrggbb"
    )
    group.add_argument(
        "--chroma", type=_chroma_format, metavar="FORMAT", help="code chroma as 444, 422 or 420 (default: the source's)"
    )


def _add_yuv(group: Any) -> None:
    """What a planar file does not say itself."""
    group.add_argument("--yuv-size", type=_picture_size, metavar="WIDTHxHEIGHT", help="IN is a YUV file of this size")
    group.add_argument("--yuv-format", type=_chroma_format, metavar="FORMAT", help="default 420")
    group.add_argument("--yuv-bit-depth", type=int, choices=STORED_AS, help=f"default {YUV_BIT_DEPTH}")


def _add_regions(group: Any) -> None:
    """Parts of the picture: those that matter most, and those that are coded apart."""
    group.add_argument("--roi", metavar="MASK.png", help="picture of the same size, white where details matter most")
    group.add_argument(
        "--roi-strength",
        type=whole_number(ROI_STRENGTHS),
        metavar="1..8",
        help=f"steps are halved in white and doubled in black for every 4 (default: {DEFAULT_ROI_STRENGTH})",
    )
    group.add_argument(
        "--regions", type=_grid, default=(1, 1), metavar="ROWSxCOLUMNS", help="parts that decode without each other"
    )
    group.add_argument(
        "--region-overlap",
        type=whole_number(REGION_OVERLAPS),
        default=0,
        metavar="0..3",
        help="hyper latents that regions see of their neighbours; above 0 they decode together (default: %(default)s)",
    )


def _add_tools(group: Any) -> None:
    """Coding tools, and what the headers say to decoders."""
    group.add_argument(
        "--operating-point",
        choices=OPERATING_POINTS,
        default="bop",
        help="synthesis networks that decoders are to use first (default: %(default)s)",
    )
    group.add_argument(
        "--rvs",
        action=argparse.BooleanOptionalAction,
        help="adapt steps to the local variance (default: with --bpp, --quality and --target-psnr, from effort 2 on)",
    )
    group.add_argument("--grfs", action="store_true", help="finer steps for channels with many symbols")
    group.add_argument("--lsbs", action="store_true", help="let decoders scale latents by the local variance")
    group.add_argument(
        "--post-filters",
        action=argparse.BooleanOptionalAction,
        help="write EFE linear, EFE non-linear and LEF where they are worth their bits; decoders then hold the whole "
        "picture (default: at effort 3 for pictures of up to a megapixel)",
    )
    group.add_argument("--no-cube-flags", action="store_true", help="skip small residuals everywhere")
    group.add_argument(
        "--coder-threads",
        type=int,
        choices=CODER_THREADS,
        default=1,
        help="parts of every sub-stream that can be decoded at the same time (default: %(default)s)",
    )
    group.add_argument("--no-model-mark", action="store_true", help="do not name the weights in the stream")


def run(options: argparse.Namespace) -> None:
    """Encode a picture and write the stream."""
    _check_combinations(options)
    choices = _encode_options(options)
    if Path(options.output).suffix.lower() in HEIF_SUFFIXES:
        raise UsageError(f"{options.output}: HEIF files are read, not written; .jai is the name of a code stream")
    with open_bundle(options.bundle) as bundle, output_stream(options.output) as stream:
        start = time.perf_counter()
        with progress_bar("encoding") as bar:
            coding = _prepare(Encoder(bundle), options, choices, bar)
            encoded = coding.encode()
        seconds = time.perf_counter() - start
        stream.write(encoded.data)
    _print_notes(encoded.notes)
    if options.stats:
        _print_stats(encoded, coding.header.display_size, seconds)


def _check_combinations(options: argparse.Namespace) -> None:
    """Raise UsageError for an option that would be of no effect."""
    if options.roi is None and options.roi_strength is not None:
        raise UsageError("--roi-strength needs --roi")
    if options.yuv_size is not None and options.background is not None:
        raise UsageError("--background is for pictures with transparency, which YUV files do not have")
    if options.yuv_size is None and (options.yuv_format is not None or options.yuv_bit_depth is not None):
        raise UsageError("--yuv-format and --yuv-bit-depth need --yuv-size")


def _prepare(
    encoder: Encoder, options: argparse.Namespace, choices: EncodeOptions, listener: Listener | None
) -> Coding:
    """Read the picture and analyse it; nothing holds its samples any more after that."""
    mask = None if options.roi is None else mask_from_bytes(read_input(options.roi), options.roi)
    # Not kept in a variable: the encoder lets go of the samples as soon as it can.
    return encoder.prepare(_read_picture(options), choices, mask, listener)


def _read_picture(options: argparse.Namespace) -> Picture:
    data = read_input(options.input)
    if options.yuv_size is not None:
        subsampling, bit_depth = options.yuv_format or YUV_FORMAT, options.yuv_bit_depth or YUV_BIT_DEPTH
        return yuv_from_bytes(data, options.input, options.yuv_size, subsampling, bit_depth)
    picture = picture_from_bytes(data, options.input, options.background)
    _print_notes(picture.notes)
    return picture


def _print_notes(notes: tuple[str, ...]) -> None:
    for note in notes:
        print(f"jpegai encode: note: {note}", file=sys.stderr)


def _encode_options(options: argparse.Namespace) -> EncodeOptions:
    with wrong_usage(ValueError):
        return EncodeOptions(
            bpp=options.bpp,
            quality=options.quality,
            target_psnr=options.target_psnr,
            model=options.model,
            beta_displacement=options.beta_displacement,
            chroma_beta_displacement=options.chroma_beta_displacement,
            operating_point=options.operating_point,
            regions=options.regions,
            region_overlap=options.region_overlap,
            roi_strength=options.roi_strength or DEFAULT_ROI_STRENGTH,
            rvs=options.rvs,
            grfs=options.grfs,
            lsbs=options.lsbs,
            post_filters=options.post_filters,
            effort=options.effort,
            chroma=options.chroma,
            cube_flags=not options.no_cube_flags,
            coder_threads=options.coder_threads,
            num_threads=options.threads,
            precision=options.precision,
            model_mark=not options.no_model_mark,
        )


def _grid(text: str) -> tuple[int, int]:
    """`ROWSxCOLUMNS`."""
    return _two_numbers(text, "ROWSxCOLUMNS")


def _picture_size(text: str) -> tuple[int, int]:
    """`WIDTHxHEIGHT` as (rows, columns)."""
    width, height = _two_numbers(text, "WIDTHxHEIGHT")
    if not 0 < height <= MAX_SIZE or not 0 < width <= MAX_SIZE:
        raise argparse.ArgumentTypeError(f"{text!r}: a code stream holds 1x1 to {MAX_SIZE}x{MAX_SIZE}")
    return height, width


def _two_numbers(text: str, form: str) -> tuple[int, int]:
    parts = text.split("x")
    if len(parts) != 2 or not all(part.isdecimal() for part in parts):
        raise argparse.ArgumentTypeError(f"{text!r} is not {form}")
    return int(parts[0]), int(parts[1])


def _colour(text: str) -> str:
    try:
        colour(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text


def _chroma_format(text: str) -> Subsampling:
    """(vertical, horizontal) subsampling by `420` or `4:2:0`."""
    for subsampling in SUPPORTED_FORMATS:
        name = CHROMA_FORMATS[subsampling]
        if text in (name, name.replace(":", "")):
            return subsampling
    raise argparse.ArgumentTypeError(f"{text!r} is none of 444, 422 and 420")


def _print_stats(encoded: EncodedPicture, size: tuple[int, int], seconds: float) -> None:
    height, width = size
    passes = f"{encoded.passes} pass{'es' if encoded.passes > 1 else ''}"
    print(
        f"{width} x {height}, {len(encoded.data)} bytes ({encoded.bits_per_sample:.3f} bit per pixel), "
        f"model {encoded.model}, beta displacement {encoded.beta_displacement}: "
        f"{passes}, {seconds * 1000:.0f} ms ({width * height / 1e6 / seconds:.2f} megapixels per second)",
        file=sys.stderr,
    )
