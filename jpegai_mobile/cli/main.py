"""Entry point of `jpegai`: parses the command line and runs a command."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from ..version import __version__
from . import bench, decode, encode, info, trace
from .program import Parser, run_program, stream_named
from .usage import max_samples_named

COMMANDS = (info, decode, encode, trace, bench)


def build_parser() -> argparse.ArgumentParser:
    """The parser of all sub-commands."""
    parser = Parser(
        prog="jpegai",
        description="JPEG AI (ISO/IEC 6048-1) code streams: look inside, decode, encode, trace.",
        epilog="Each command explains itself: jpegai COMMAND --help",
    )
    parser.add_argument("--version", action="version", version=f"jpegai-mobile {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for module in COMMANDS:
        module.add_command(commands)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line; returns the exit code."""
    options = build_parser().parse_args(arguments)
    return run_program(f"jpegai {options.command}", lambda: _run(options))


def _run(options: argparse.Namespace) -> int:
    with stream_named(lambda: options.input), max_samples_named():  # `bench` has several, one after the other
        options.run(options)
    return 0
