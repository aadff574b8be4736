"""Rate and distortion of our codec and its rivals on a folder of pictures: a table, a plot and a summary.

Raw results go to rate_distortion_NAME.tsv, with notes on the machine in .meta; what is there already is not measured
again unless the bundle or a library has changed. From all rows the plot rate_distortion_NAME.svg and the summary
are made: the summary replaces what stands between the markers of NAME in the document.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.command import command_of
from jpegai_mobile import JpegAiError
from jpegai_mobile.bench.results import notes
from jpegai_mobile.encoder.options import DEFAULT_EFFORT, EFFORTS
from picture_quality.metrics import hvs_package

from . import table
from .codecs import OURS, RIVALS, OwnCodec, Rival
from .measuring import measure_missing, pictures_in
from .plots import rate_distortion_plot
from .summary import Curves, report

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"
DOCUMENT = ROOT / "docs" / "rate-distortion.md"
GROUPS: dict[str, tuple[OwnCodec | Rival, ...]] = {
    "ours": OURS,
    "rivals": RIVALS,
    **{rival.name: (rival,) for rival in RIVALS},
}
_MEASURED = "measured: "
"""Begins every block of the notes."""
EXAMPLES = """examples:
  jpegai-convert weights/own_model1.zip weights/own_model1_encoder.zip -o own.bundle --parts decoder,encoder \\
      --precision float32,int8 --calibration weights/calibration
  python -m benchmarks.rate_distortion ../shared/data/kodak --bundle own.bundle --processes 2 --effort 3
  python -m benchmarks.rate_distortion.graphics out/graphics
  python -m benchmarks.rate_distortion out/graphics --bundle own.bundle --processes 2 --effort 3
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what is missing, then write table, plot and summary."""
    parser = _parser()
    options = parser.parse_args(arguments)
    name = options.name or options.pictures.name
    codecs = [codec for group in options.only for codec in GROUPS[group]]
    path = options.results / f"rate_distortion_{name}.tsv"
    if hvs_package() is None:
        print("note: PSNR-HVS-M is left out; it needs pip install '.[rivals]'", file=sys.stderr)
    try:
        pictures = pictures_in(options.pictures)
        start = time.perf_counter()
        work = measure_missing(path, pictures, codecs, options.bundle, options.processes, options.again, options.effort)
    except (ValueError, JpegAiError, OSError) as error:
        parser.exit(1, f"{error}\n")
    if work:
        measured = list(dict.fromkeys(name for item in work for name in item.codecs))
        seconds = f"{time.perf_counter() - start:.0f} for {len(work)} pictures times codecs"
        _write_notes(path.with_suffix(".meta"), measured, command_of(parser, arguments), seconds)
    rows = table.read(path)
    path.with_suffix(".svg").write_text(rate_distortion_plot(name, Curves(rows)))
    summary = report(rows)
    if not replace_section(options.document, name, summary):
        print(summary)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.rate_distortion",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("pictures", type=Path, help="folder of pictures; alpha is dropped")
    parser.add_argument("--bundle", type=Path, help="model bundle with decoder and encoder, float32 and int8")
    parser.add_argument(
        "--only", choices=GROUPS, nargs="+", default=["ours", "rivals"], metavar="CODEC",
        help=f"what to measure: {', '.join(GROUPS)} (default: ours rivals)",
    )  # fmt: skip
    parser.add_argument(
        "--effort", type=int, choices=EFFORTS, default=DEFAULT_EFFORT, help="of our encoder (default: %(default)s)"
    )
    parser.add_argument("--again", action="store_true", help="measure these codecs anew")
    parser.add_argument("--processes", type=int, default=1, metavar="N", help="pictures at a time (default: 1)")
    parser.add_argument("--name", help="of the set of pictures (default: that of the folder)")
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="DIR", help="default: benchmarks/results")
    parser.add_argument(
        "--document", type=Path, default=DOCUMENT, help="default: docs/rate-distortion.md; without markers, stdout"
    )
    return parser


def _write_notes(path: Path, measured: Sequence[str], command: str, seconds: str) -> None:
    """One block for every run: earlier ones lose the codecs that were measured again, and go with the last of them."""
    blocks = []
    for block in path.read_text().split("\n\n") if path.exists() else ():
        first, _, rest = block.strip().partition("\n")
        if left := [name for name in first.removeprefix(_MEASURED).split(", ") if name not in measured]:
            blocks.append(f"{_MEASURED}{', '.join(left)}\n{rest}\n")
    head = f"{_MEASURED}{', '.join(measured)}\ndate: {datetime.now(UTC):%Y-%m-%d}\nseconds: {seconds}\n"
    path.write_text("\n".join([*blocks, head + notes(command)]))


def replace_section(document: Path, name: str, text: str) -> bool:
    """Put a text between the markers of a name; False when the document has none."""
    start, stop = f"<!-- generated: {name} -->\n", f"<!-- end of {name} -->\n"
    old = document.read_text() if document.exists() else ""
    before, marker, rest = old.partition(start)
    if not marker or stop not in rest:
        return False
    document.write_text(f"{before}{start}\n{text}\n{stop}{rest.partition(stop)[2]}")
    return True


if __name__ == "__main__":
    main()
