"""Where output bytes go: a file that appears when it is complete, standard output, or a caller's stream."""

from __future__ import annotations

import errno
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

STANDARD_STREAM = "-"
STANDARD_OUTPUT = "standard output"
"""What errors call it."""

Target = str | os.PathLike[str] | BinaryIO
"""A path, `-` for standard output, or a binary stream."""

_LONGEST_STEM = 40
"""Characters of a file's name that the name of its temporary file begins with."""


@contextmanager
def output_stream(target: Target) -> Iterator[BinaryIO]:
    """A binary stream to `target` that is written from front to back.

    A file is written under a temporary name beside it and renamed when the block ends without an exception,
    so a failure leaves neither a new nor a damaged file; a link is followed. Raises OSError, naming the target, where
    it cannot be written.
    """
    if not isinstance(target, str | os.PathLike):
        yield target
        return
    name = STANDARD_OUTPUT if target == STANDARD_STREAM else os.fspath(target)
    with errors_named(name), _opened(target) as stream:
        yield stream


@contextmanager
def errors_named(name: str) -> Iterator[None]:
    """An OSError that does not say which file it is about is about this one."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = name
        raise


@contextmanager
def _opened(target: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    if target == STANDARD_STREAM:
        if sys.stdout is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    elif _is_special(Path(target)):
        with open(target, "wb") as stream:
            yield stream
    else:
        with _renamed_when_complete(Path(os.path.realpath(target))) as stream:
            yield stream


def _is_special(path: Path) -> bool:
    """A device or a pipe: it must be written itself, not replaced."""
    return path.exists() and not path.is_file()


@contextmanager
def _renamed_when_complete(path: Path) -> Iterator[BinaryIO]:
    temporary = path.with_name(f".{path.name[:_LONGEST_STEM]}.{os.urandom(4).hex()}.part")
    try:
        with _created(temporary, path) as stream:
            yield stream
        if path.exists():
            shutil.copymode(path, temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _created(temporary: Path, path: Path) -> BinaryIO:
    """A new file that will be `path`, which an error names."""
    try:
        return open(temporary, "xb")
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
