"""Decodes the conformance streams and compares every picture with the reference decoder's.

`python -m tests.conformance` prints the table of docs/conformance.md.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from converters.cli import main as convert
from jpegai_mobile import DecodeOptions, Decoder, open_bundle
from jpegai_mobile.codestream.description import tools_in_use
from jpegai_mobile.codestream.stream import read_code_stream
from jpegai_mobile.image.layout import PictureLayout
from jpegai_mobile.image.output import write_picture
from jpegai_mobile.latent.entropy_stage import EntropyArrays
from jpegai_mobile.runtime.entropy_engine import ENGINES, EntropyOptions, run_entropy_stage

from .temporary import folder_of_this_process
from .vectors import CONFORMANCE, DATA

PER_TILE_SELECTION = "decoded_per_tile_selection.png"
"""The right picture of `eicci_tiles_800x600`: the reference decoder uses the networks of tile 0 everywhere."""


@dataclass(frozen=True)
class Case:
    """A picture that the reference decoder made, and how we are to make it."""

    stream: str
    reference: str
    options: DecodeOptions

    @property
    def name(self) -> str:
        """Stream, and the variant if it is not the plain decode."""
        plain = self.reference.startswith("decoded_sub2") or "_" not in Path(self.reference).stem
        variant = "" if plain or self.reference.endswith(".yuv") else f" {Path(self.reference).stem[8:]}"
        return self.stream + variant

    @property
    def folder(self) -> Path:
        """The folder of the stream."""
        return CONFORMANCE / "streams" / self.stream

    def data(self) -> bytes:
        """The code stream."""
        return (self.folder / "stream.jai").read_bytes()


@dataclass(frozen=True)
class Difference:
    """How a decoded picture differs from the reference's."""

    largest: int
    share: float
    """Share of samples that differ."""
    limit: float
    """Largest share that is allowed."""

    @property
    def within_bounds(self) -> bool:
        """Never more than one step, in few samples."""
        return self.largest <= 1 and self.share <= self.limit


def cases() -> list[Case]:
    """All pictures of the conformance folder; none when it is absent."""
    if not CONFORMANCE.exists():
        return []
    streams = json.loads((CONFORMANCE / "manifest.json").read_text())["streams"]
    return [case for name, entry in streams.items() for case in _cases_of(name, entry)]


def _cases_of(name: str, entry: dict[str, Any]) -> Iterator[Case]:
    variants = entry.get("variants", [])
    files = [variant["file"] for variant in variants]
    if PER_TILE_SELECTION not in files:
        yield Case(name, entry["decoded_file"], DecodeOptions())
    for variant in variants:
        channels = (variant["luma_channels"], variant["chroma_channels"]) if "luma_channels" in variant else None
        point = variant["synthesis"].lower() if "synthesis" in variant else None
        yield Case(name, variant["file"], DecodeOptions(max_channels=channels, operating_point=point))


@cache
def conformance_decoder() -> Decoder:
    """A decoder with all conformance checkpoints, converted to float32."""
    folder = folder_of_this_process()
    arguments = [
        str(CONFORMANCE / "checkpoints"),
        "-o",
        str(folder / "bundle"),
        "--operating-points",
        "sop,bop,hop",
    ]
    assert convert(arguments) == 0
    return Decoder(open_bundle(folder / "bundle"))


def compare(case: Case, decoder: Decoder) -> Difference:
    """Decode a case and compare it, sample by sample of the file, with the reference's picture."""
    picture = decoder.decode(case.data(), case.options)
    header = picture.stream.picture
    expected = _reference_samples(case, header.bit_depth)
    output = io.BytesIO()
    file_format = "yuv" if case.reference.endswith(".yuv") else "npy"
    write_picture(output, picture.planes, PictureLayout.of(header), file_format)
    if file_format == "yuv":
        samples = np.frombuffer(output.getvalue(), expected.dtype)
    else:
        output.seek(0)
        samples = np.load(output)
    if case.reference == "decoded_sub2.png":
        samples = samples[::2, ::2]
    difference = np.abs(samples.astype(int) - expected.astype(int))
    limit = 1 / 500 if header.bit_depth == 10 else 1 / 1000 if picture.stream.tools.filters else 1 / 2000
    return Difference(int(difference.max()), float((difference > 0).mean()), limit)


def _reference_samples(case: Case, bit_depth: int) -> np.ndarray:
    path = case.folder / case.reference
    if path.suffix == ".yuv":
        return np.frombuffer(path.read_bytes(), np.uint8 if bit_depth == 8 else "<u2")
    return np.asarray(Image.open(path))


def integer_arrays(folder: Path, engine: str) -> EntropyArrays:
    """The entropy stage of a stream with the tables of the conformance checkpoints."""
    tables = (DATA / "entropy_1.bin").read_bytes()
    return run_entropy_stage((folder / "stream.jai").read_bytes(), tables, EntropyOptions(engine))


def oracle_arrays(folder: Path) -> dict[str, np.ndarray]:
    """The reference's integer arrays of a stream under the names of the trace; those it stored."""
    with np.load(folder / "oracle.npz") as file:
        oracle = {name: file[name] for name in file.files}
    arrays = {}
    for suffix in ("y", "uv"):
        names = {"z": "z", "scale_index": "skip_sigma", "sigma": "sigma", "residual": "q"}
        for ours, theirs in names.items():
            if f"{suffix}_{theirs}" in oracle:
                arrays[f"{ours}_{suffix}"] = oracle[f"{suffix}_{theirs}"]
        if f"scale_index_{suffix}" in arrays:
            arrays.setdefault(f"sigma_{suffix}", arrays[f"scale_index_{suffix}"])
        if f"{suffix}_mask" in oracle:
            shape = arrays[f"scale_index_{suffix}"].shape
            bits = np.unpackbits(oracle[f"{suffix}_mask"])[: np.prod(shape)]
            arrays[f"skip_mask_{suffix}"] = bits.reshape(shape).astype(bool)
    if "qmap" in oracle:
        arrays["quality_map"] = oracle["qmap"]
    return arrays


def differing_arrays(arrays: EntropyArrays, expected: dict[str, np.ndarray]) -> list[str]:
    """Names of the arrays that are not equal to the expected ones."""
    named = arrays.named()
    return [name for name, values in expected.items() if not np.array_equal(named[name], values)]


TABLE_HEAD = (
    "| picture | coding tools | integer arrays exact (native, Python) | largest difference | samples that differ |",
    "|---|---|---|---|---|",
)
TABLE_SECTION = "## Pictures\n"


def table_row(case: Case, decoder: Decoder) -> str:
    """One line of the conformance table, measured now."""
    stream = read_code_stream(case.data())
    expected = oracle_arrays(case.folder)
    exact = [not differing_arrays(integer_arrays(case.folder, engine), expected) for engine in ENGINES]
    counted = f"{len(expected)} arrays" if expected else "none stored, coders end right"
    verdict = "yes" if all(exact) else "**NO**"
    difference = compare(case, decoder)
    bound = "" if difference.within_bounds else " **(out of bounds)**"
    share = f"1 in {round(1 / difference.share):,}" if difference.share else "none"
    tools = ", ".join(tools_in_use(stream.picture, stream.tools)) or "none"
    return f"| {case.name} | {tools} | {verdict} ({counted}) | {difference.largest}{bound} | {share} |"


def main() -> None:
    """Print the conformance table in Markdown, or put it into a document."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("--write", type=Path, metavar="DOCUMENT", help="replace the table of this document")
    options = parser.parse_args()
    with contextlib.redirect_stdout(sys.stderr):
        decoder = conformance_decoder()
    table = "\n".join([*TABLE_HEAD, *(table_row(case, decoder) for case in cases())]) + "\n"
    if options.write is None:
        print(table, end="")
        return
    text, _, _ = options.write.read_text().partition(TABLE_SECTION)
    options.write.write_text(f"{text}{TABLE_SECTION}\n{table}")


if __name__ == "__main__":
    main()
