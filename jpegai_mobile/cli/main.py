"""Entry point of `jpegai`: parses the command line, runs a command, turns errors into one line.

Exit codes: 0 done, 1 bad input (stream, bundle, file), 2 wrong usage.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from ..errors import InvalidStream, JpegAiError, LimitExceeded, Unsupported
from ..version import __version__
from . import bench, decode, encode, info, trace
from .usage import UsageError

COMMANDS = (info, decode, encode, trace, bench)


def build_parser() -> argparse.ArgumentParser:
    """The parser of all sub-commands."""
    parser = argparse.ArgumentParser(
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
    try:
        options.run(options)
    except UsageError as error:
        return _fail(options.command, str(error), 2)
    except (InvalidStream, Unsupported, LimitExceeded) as error:
        return _fail(options.command, f"{options.input}: {error}", 1)
    except JpegAiError as error:
        return _fail(options.command, str(error), 1)
    except BrokenPipeError:
        sys.stderr.close()
        return 1
    except OSError as error:
        return _fail(options.command, f"{error.filename or 'file'}: {error.strerror or error}", 1)
    except KeyboardInterrupt:
        return _fail(options.command, "interrupted", 130)
    return 0


def _fail(command: str, text: str, code: int) -> int:
    print(f"jpegai {command}: {text}", file=sys.stderr)
    return code
