"""Where the functions of the package take bytes from: memory, a file by its path, or an open file."""

from __future__ import annotations

from os import PathLike, fspath
from pathlib import Path
from typing import BinaryIO

Source = bytes | bytearray | memoryview | str | PathLike[str] | BinaryIO
"""Bytes, the path of a file, or an open binary file that is read to its end."""


def bytes_of(source: Source) -> tuple[bytes, str]:
    """The bytes, and what to call them in an error; raises OSError, or TypeError for anything else than a source."""
    if isinstance(source, bytes | bytearray | memoryview):
        return bytes(source), "data"
    if isinstance(source, str | PathLike):
        return Path(source).read_bytes(), fspath(source)
    if hasattr(source, "read"):
        data = source.read()
        if isinstance(data, bytes):
            return data, str(getattr(source, "name", "file"))
    raise TypeError(f"{type(source).__name__} is neither bytes nor the path of a file nor an open binary file")
