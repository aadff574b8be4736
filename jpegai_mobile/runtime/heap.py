"""Freed memory goes back to the operating system, where the C library keeps it otherwise."""

from __future__ import annotations

import ctypes
import sys
from functools import cache
from typing import Any

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of mallopt."""
LARGE_BLOCK = 1 << 20


@cache
def _function(name: str) -> Any:
    """A function of glibc, or None where the C library is another one."""
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None


def give_back_freed_memory() -> None:
    """Return what the heap holds without using it. Other C libraries than glibc do so by themselves."""
    trim = _function("malloc_trim")
    if trim is not None:
        trim(0)


def release_freed_memory_early() -> None:
    """From now on blocks of a mebibyte and more go back to the operating system the moment they are freed.

    A setting of the whole process. It costs a few percent of time, since such blocks are zeroed again and again.
    """
    set_option = _function("mallopt")
    if set_option is not None:
        set_option(MMAP_THRESHOLD, LARGE_BLOCK)
        set_option(TRIM_THRESHOLD, LARGE_BLOCK)
