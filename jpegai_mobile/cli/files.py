"""Reading inputs; `-` is stdin."""

from __future__ import annotations

import errno
import os
import sys

from ..image.output_stream import STANDARD_STREAM, errors_named

STANDARD_INPUT = "standard input"


def read_input(path: str) -> bytes:
    """The bytes of a file, or of stdin for `-`; raises OSError that names it."""
    if path != STANDARD_STREAM:
        with open(path, "rb") as file:
            return file.read()
    if sys.stdin is None:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF), STANDARD_INPUT)
    with errors_named(STANDARD_INPUT):
        return sys.stdin.buffer.read()
