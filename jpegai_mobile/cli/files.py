"""Reading inputs and writing outputs; `-` is stdin or stdout."""

from __future__ import annotations

import io
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

STANDARD_STREAM = "-"


def read_input(path: str) -> bytes:
    """The bytes of a file, or of stdin for `-`; raises OSError."""
    if path == STANDARD_STREAM:
        return sys.stdin.buffer.read()
    return Path(path).read_bytes()


@contextmanager
def output_file(path: str) -> Iterator[BinaryIO]:
    """A file that takes its name only when it was written without an error; raises OSError."""
    if path == STANDARD_STREAM:
        buffer = io.BytesIO()  # stdout may be a pipe, and zip files need to seek
        yield buffer
        sys.stdout.buffer.write(buffer.getvalue())
        return
    target = Path(path)
    descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise


def _umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask
