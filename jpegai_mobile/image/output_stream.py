"""Where output bytes go: a file that appears when it is complete, standard output, or a caller's stream."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

STANDARD_OUTPUT = "-"

Target = str | os.PathLike[str] | BinaryIO
"""A path, `-` for standard output, or a binary stream."""


@contextmanager
def output_stream(target: Target) -> Iterator[BinaryIO]:
    """A binary stream to `target` that is written from front to back.

    A file is written under a temporary name beside it and renamed when the block ends without an exception,
    so a failure leaves neither a new nor a damaged file. Raises OSError where the path cannot be written.
    """
    if not isinstance(target, str | os.PathLike):
        yield target
    elif target == STANDARD_OUTPUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    elif _is_special(Path(target)):
        with open(target, "wb") as stream:
            yield stream
    else:
        with _renamed_when_complete(Path(target)) as stream:
            yield stream


def _is_special(path: Path) -> bool:
    """A device or a pipe: it must be written itself, not replaced."""
    return path.exists() and not path.is_file()


@contextmanager
def _renamed_when_complete(path: Path) -> Iterator[BinaryIO]:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with _created(temporary, path) as stream:
            yield stream
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _created(temporary: Path, path: Path) -> BinaryIO:
    """A new file that will be `path`, which an error names."""
    try:
        return open(temporary, "wb")
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
