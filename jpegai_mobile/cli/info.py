"""`jpegai info`: what a code stream is made of, without decoding it."""

from __future__ import annotations

import argparse
import json
from typing import Any

from ..api import info as describe
from .files import read_input
from .usage import add_parser

EXAMPLES = """examples:
  jpegai info photo.jai            a summary for people
  jpegai info --json photo.jai     every header field, for programs
  cat photo.jai | jpegai info -    from stdin
"""


def add_command(commands: Any) -> None:
    """Declare the command line of `jpegai info`."""
    parser = add_parser(
        commands,
        "info",
        "show the headers of a code stream",
        "Show headers, sub-streams, profile, level and coding tools of a code stream.",
        EXAMPLES,
    )
    parser.add_argument("input", metavar="STREAM", help="code stream, or - for stdin")
    parser.add_argument("--json", action="store_true", help="every header field by its standard name, as JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Print the description of a stream."""
    description = describe(read_input(options.input))
    if options.json:
        print(json.dumps(description, indent=1))
        return
    for name, value in description["summary"].items():
        print(f"{name:20} {value}")
    print(f"{'segments':20} marker  offset  bytes")
    for segment in description["segments"]:
        print(f"{'':20} {segment['marker']:6} {segment['offset']:7} {segment['size']:6}")
