"""Files that are mapped into memory: their pages can go when nobody will read them soon."""

from __future__ import annotations

import ctypes
import os
import re
import sys
from functools import cache
from pathlib import Path
from typing import Any

MADV_DONTNEED = 4
_MAPPING = re.compile(r"([0-9a-f]+)-([0-9a-f]+) r--[ps] \S+ \S+ \d+ +(.+)")
"""Start, stop and path in a line of /proc/self/maps, of what is only read."""


def drop_pages(path: Path) -> None:
    """Let go of the pages of all mappings of a file that are only read; they are read again when they are touched.

    Does nothing where the operating system does not say what is mapped: elsewhere than on Linux, and without /proc.
    """
    if sys.platform != "linux":
        return
    wanted = os.path.realpath(path)
    try:
        mappings = Path("/proc/self/maps").read_text(errors="surrogateescape")
    except OSError:
        return
    for line in mappings.splitlines():
        found = _MAPPING.match(line)
        if found and found[3] == wanted:
            start, stop = int(found[1], 16), int(found[2], 16)
            _madvise()(ctypes.c_void_p(start), ctypes.c_size_t(stop - start), MADV_DONTNEED)


@cache
def _madvise() -> Any:
    return ctypes.CDLL(None).madvise
