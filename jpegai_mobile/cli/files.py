"""Reading inputs; `-` is stdin."""

from __future__ import annotations

import errno
import os
import sys

from ..image.output_stream import STANDARD_STREAM


def read_input(path: str) -> bytes:
    """The bytes of a file, or of stdin for `-`; raises OSError that names it."""
    if path != STANDARD_STREAM:
        with open(path, "rb") as file:
            return file.read()
    if sys.stdin is None:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF), "standard input")
    try:
        return sys.stdin.buffer.read()
    except OSError as error:
        error.filename = "standard input"
        raise
