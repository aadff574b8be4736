"""Reading inputs; `-` is stdin."""

from __future__ import annotations

import sys
from pathlib import Path

from ..image.output_stream import STANDARD_OUTPUT as STANDARD_STREAM


def read_input(path: str) -> bytes:
    """The bytes of a file, or of stdin for `-`; raises OSError."""
    if path == STANDARD_STREAM:
        return sys.stdin.buffer.read()
    return Path(path).read_bytes()
