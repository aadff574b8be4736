"""The command that made a result, for the notes beside it."""

from __future__ import annotations

import shlex
import sys
from argparse import ArgumentParser
from collections.abc import Sequence


def command_of(parser: ArgumentParser, arguments: Sequence[str] | None = None) -> str:
    """As it was typed: the name of a script's parser and its arguments, by default those of the process."""
    return f"{parser.prog} {shlex.join(sys.argv[1:] if arguments is None else arguments)}"
