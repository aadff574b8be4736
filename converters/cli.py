"""The command `jpegai-convert`: checkpoints to a mobile model bundle."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from jpegai_mobile.cli.program import Parser, UsageError, check_folder_of, run_program
from jpegai_mobile.cli.progress_bar import progress_bar
from jpegai_mobile.image.output_stream import output_stream
from jpegai_mobile.runtime.bundle import Bundle
from jpegai_mobile.runtime.manifest import OPERATING_POINTS, PRECISIONS, TARGETS
from jpegai_mobile.text import printable

from .bundle_writer import BundleWriter
from .checkpoint import MODEL_SUFFIXES, Checkpoints
from .convert import Selection, convert
from .coreml import COARSEST_GRID, DEFAULT_TILES, MAX_TILE
from .errors import ConversionError
from .open_checkpoints import open_checkpoints
from .packed_checkpoint import pack
from .report.facts import bundle_facts
from .report.page import report_page
from .report.text import report_text
from .source_networks import PARTS, eicci_networks

NAME = "jpegai-convert"
NO_LICENCE = "not stated; the terms of the checkpoints apply"

_EXAMPLES = """\
examples:
  jpegai-convert checkpoints -o models.bundle
      everything a decoder needs for every model of a checkpoint tree, or of a folder that the reference's
      export_models.sh wrote
  jpegai-convert weights/own_model1.zip -o models.zip
      the same from a packed checkpoint, as a zip
  jpegai-convert weights/own_model1.zip weights/own_model1_encoder.zip -o own.bundle --parts decoder,encoder
      encoder and decoder from two packed checkpoints of the same weights
  jpegai-convert checkpoints -o bop.bundle --models 1,2 --operating-points bop --parts decoder,encoder
  jpegai-convert weights/own_model1.zip -o apple.bundle --targets coreml --precision float16,int8w
      Core ML packages instead of TFLite graphs
  jpegai-convert weights/own_model1.zip -o apple.bundle --targets coreml --coreml-tiles 512,256,1024
      the same for tiles of three sizes (iOS 18)
  jpegai-convert pack checkpoints -o packed.zip --models 1
      the decoder's tensors of a tree as one small file, for `jpegai-convert` to read
  jpegai-convert report models.bundle --html models.html
      what is in a bundle, what it costs, how near to float32 it decodes

A folder called `pack` or `report` is written as ./pack or ./report.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line; returns the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    run, parser = _convert, _convert_parser()
    if words[:1] == ["report"]:
        run, parser, words = _report, _report_parser(), words[1:]
    elif words[:1] == ["pack"]:
        run, parser, words = _pack, _pack_parser(), words[1:]
    options = parser.parse_args(words)
    return run_program(NAME, lambda: run(options))


def _convert(options: argparse.Namespace) -> int:
    if options.coreml_tiles and "coreml" not in options.targets:
        raise UsageError("--coreml-tiles: only Core ML packages have tile sizes (--targets coreml)")
    BundleWriter.check_target(options.output)  # not after minutes of work
    source = open_checkpoints(*options.checkpoints)
    selection = Selection(
        models=options.models or _models_present(source),
        operating_points=options.operating_points,
        precisions=options.precision,
        parts=options.parts,
        targets=options.targets,
        coreml_tiles=options.coreml_tiles or DEFAULT_TILES,
    )
    if options.calibration and not selection.is_calibrated:
        raise UsageError("--calibration: nothing of this is fitted to data, as int8w, int8mixed and int8 decoders are")
    with progress_bar("converting") as bar:
        writer = convert(source, selection, options.calibration, bar)
    written = writer.write(options.output, source.sources, options.licence or source.licence or NO_LICENCE)
    for name, size in written.items():
        print(f"{size:>12,}  {name}")
    print(f"{sum(written.values()):>12,}  bytes in {len(written)} files: {printable(str(options.output))}")
    return 0


def _report(options: argparse.Namespace) -> int:
    if options.html is not None:
        check_folder_of(options.html)
    with Bundle.open(options.bundle) as bundle, progress_bar("looking into the bundle") as bar:
        facts = bundle_facts(bundle, options.streams, bar)
    if options.html is not None:
        with output_stream(options.html) as stream:
            stream.write(report_page(facts, f"Model bundle {printable(options.bundle.name)}").encode())
    sys.stdout.write(json.dumps(facts, indent=1) + "\n" if options.json else report_text(facts))
    return 0


def _pack(options: argparse.Namespace) -> int:
    check_folder_of(options.output)
    source = open_checkpoints(*options.checkpoints)
    models = options.models or _models_present(source)
    data = pack(
        source, models, options.operating_points, options.licence or source.licence or NO_LICENCE, options.parts
    )
    with output_stream(options.output) as stream:
        stream.write(data)
    print(f"{len(data):>12,}  bytes: {printable(str(options.output))}")
    if "decoder" in options.parts and eicci_networks(source, options.operating_points):
        print("the eICCI networks are not packed")
    return 0


def _models_present(source: Checkpoints) -> tuple[int, ...]:
    if not source.models:
        raise ConversionError(f"{source.root}: holds no model, neither VM_common_int/*.pth nor common/model_*/ in ONNX")
    return source.models


def _convert_parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog=NAME,
        description="Convert checkpoints of the reference software (PyTorch files, or its export in ONNX and CSV), "
        "or a packed checkpoint, to a model bundle for jpegai.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_common(parser, "+", "folder of checkpoints, or packed checkpoints", "bundle to write: a folder, or NAME.zip")
    for flag, known, default, what in (
        ("--targets", TARGETS, "tflite", "runtimes"),
        ("--precision", PRECISIONS, "float32", "precisions of the networks"),
    ):
        parser.add_argument(
            flag, type=_list_of(known), default=default, metavar="LIST",
            help=f"{what}, of {','.join(known)} (default {default})",
        )  # fmt: skip
    parser.add_argument(
        "--calibration", type=Path, metavar="DIR",
        help="pictures (where the checkpoints have an encoder) or code streams (.jai) that int8 activations and the "
        "rounding of int8 weights are fitted to (default: drawn from the model's own tables)",
    )  # fmt: skip
    parser.add_argument(
        "--coreml-tiles", type=_tiles, metavar="LIST",
        help="tile sizes of Core ML packages in luma samples, multiples of 64, the default one first; several need "
        f"iOS 18 (default {','.join(map(str, DEFAULT_TILES))})",
    )  # fmt: skip
    return parser


def _pack_parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog=f"{NAME} pack",
        description="Pack what a codec needs of a folder of checkpoints into one small file, without eICCI networks.",
        epilog="example:\n  jpegai-convert pack checkpoints -o packed.zip --models 1",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_common(parser, 1, "folder of checkpoints", "file to write")
    return parser


def _report_parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog=f"{NAME} report",
        description="Say what is in a model bundle, what its networks cost and how near to float32 they decode.",
        epilog="example:\n  jpegai-convert report own.bundle --html own.html --streams photo.jai",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("bundle", type=Path, metavar="BUNDLE", help="folder or zip that jpegai-convert wrote")
    parser.add_argument("--json", action="store_true", help="print everything as JSON instead of text")
    parser.add_argument("--html", type=Path, metavar="FILE", help="also write one page with plots")
    parser.add_argument(
        "--streams", type=Path, nargs="+", default=[], metavar="STREAM",
        help="code streams to compare decodes on (default: one drawn from the model's own tables)",
    )  # fmt: skip
    return parser


def _add_common(parser: argparse.ArgumentParser, count: int | str, checkpoints: str, output: str) -> None:
    parser.add_argument("checkpoints", type=Path, nargs=count, metavar="CHECKPOINTS", help=checkpoints)
    parser.add_argument("-o", "--output", type=Path, required=True, help=output)
    parser.add_argument(
        "--models", type=_models, metavar="LIST",
        help="model indices, of 0,1,2,3 (default: every model that is there)",
    )  # fmt: skip
    parser.add_argument(
        "--operating-points", type=_list_of(OPERATING_POINTS), default="sop,bop",
        metavar="LIST", help="operating points, of sop,bop,hop (default sop,bop)",
    )  # fmt: skip
    parser.add_argument(
        "--parts", type=_list_of(tuple(PARTS)), default="decoder", metavar="LIST",
        help="parts of the codec, of decoder,encoder (default decoder)",
    )  # fmt: skip
    parser.add_argument("--licence", metavar="TEXT", help="licence note to put into the file")


def _models(text: str) -> list[int]:
    indices = [str(model) for model in range(len(MODEL_SUFFIXES))]
    return [int(model) for model in _list_of(indices)(text)]


def _tiles(text: str) -> tuple[int, ...]:
    words = text.split(",")
    if not all(word.isdecimal() and int(word) % COARSEST_GRID == 0 and 0 < int(word) <= MAX_TILE for word in words):
        raise argparse.ArgumentTypeError(f"{text!r} is no list of multiples of {COARSEST_GRID} up to {MAX_TILE}")
    return tuple(dict.fromkeys(int(word) for word in words))


def _list_of(known: Sequence[str]) -> Callable[[str], list[str]]:
    """Parser of a comma-separated list, in the order of `known`."""

    def parse(text: str) -> list[str]:
        words = text.split(",")
        for word in words:
            if word not in known:
                raise argparse.ArgumentTypeError(f"{word!r} is none of {', '.join(known)}")
        return [word for word in known if word in words]

    return parse


if __name__ == "__main__":
    sys.exit(main())
