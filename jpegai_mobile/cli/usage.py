"""Arguments that several commands take, and types of arguments: each parses a text, or raises ArgumentTypeError."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ..codestream.stream import ANY_SAMPLES, DEFAULT_MAX_SAMPLES
from ..codestream.tiling import Rectangle
from ..errors import LimitExceeded
from ..image.scaling import FACTORS
from ..runtime.memory_budget import NO_LIMIT

UNITS = {"": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "kB": 10**3, "MB": 10**6, "GB": 10**9}


def add_parser(commands: Any, name: str, help_line: str, description: str, examples: str) -> argparse.ArgumentParser:
    """The parser of a command; `examples` end its help."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=help_line,
        description=description,
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    return parser


def add_bundle(parser: argparse.ArgumentParser) -> None:
    """The option that names a model bundle."""
    parser.add_argument(
        "--bundle", metavar="B", help="model bundle, a folder or a zip (default: $JPEGAI_BUNDLE, else the package's)"
    )


def add_max_samples(parser: argparse.ArgumentParser) -> None:
    """The option that raises or lowers the ceiling on samples."""
    parser.add_argument(
        "--max-samples",
        type=whole_number(range(1, ANY_SAMPLES + 1)),
        default=DEFAULT_MAX_SAMPLES,
        metavar="N",
        help="refuse pictures with more luma samples than this (default: %(default)s)",
    )


@contextmanager
def max_samples_named() -> Iterator[None]:
    """Where the ceiling on samples is too low, the error names the option that raises it."""
    try:
        yield
    except LimitExceeded as error:
        raise LimitExceeded(str(error).replace("(max_samples)", "(--max-samples)")) from error


def channel_limits(text: str) -> tuple[int, int]:
    """`Y,UV`: the largest number of residual channels to use per component."""
    parts = text.split(",")
    if len(parts) != 2 or not all(part.strip().isdecimal() for part in parts):
        raise argparse.ArgumentTypeError(f"{text!r} is not Y,UV (two numbers)")
    return int(parts[0]), int(parts[1])


def region(text: str) -> Rectangle:
    """`X,Y,W,H` in luma samples of the displayed picture."""
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != 4 or not all(part.isdecimal() for part in parts):
        raise argparse.ArgumentTypeError(f"{text!r} is not X,Y,W,H (four numbers)")
    left, top, width, height = map(int, parts)
    if not width or not height:
        raise argparse.ArgumentTypeError(f"{text!r} is empty")
    return Rectangle(top, left, top + height, left + width)


def scale(text: str) -> int:
    """`1/N`: the factor N that a picture is reduced by."""
    known = {f"1/{factor}": factor for factor in FACTORS[1:]}
    if text not in known:
        raise argparse.ArgumentTypeError(f"{text!r} is not one of {', '.join(known)}")
    return known[text]


def byte_count(text: str) -> int:
    """A size in bytes, or with a unit: KiB, MiB, GiB, kB, MB, GB."""
    number = text.rstrip("kKMGiB")
    unit = text[len(number) :]
    if unit not in UNITS or not number.replace(".", "", 1).isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 64MiB")
    size = float(number) * UNITS[unit]
    if size > NO_LIMIT:
        raise argparse.ArgumentTypeError(f"{text!r} is more than any machine has; `none` is no limit")
    return int(size)


def memory_limit(text: str) -> int:
    """A size in bytes (see `byte_count`), or `none`."""
    return NO_LIMIT if text == "none" else byte_count(text)


def positive(text: str) -> int:
    """A whole number of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
    return int(text)


def whole_number(allowed: range) -> Callable[[str], int]:
    """Type of a whole number in a range."""

    def parse(text: str) -> int:
        if not text.removeprefix("-").isdecimal() or int(text) not in allowed:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number in {allowed[0]}..{allowed[-1]}")
        return int(text)

    return parse
