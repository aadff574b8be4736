"""Where the functions of the package take bytes from: memory, a file by its path, or an open file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike, fspath
from pathlib import Path
from typing import BinaryIO

from .errors import BundleError

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


@contextmanager
def opened_file(path: Path) -> Iterator[BinaryIO]:
    """A file of a bundle or of checkpoints, to be read. Raises BundleError when it is no regular file or unreadable."""
    try:
        if path.exists() and not path.is_file():  # a pipe would be waited for
            raise BundleError(f"{path}: no regular file")
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise BundleError(f"{path}: {error.strerror or 'cannot be read'}") from error
