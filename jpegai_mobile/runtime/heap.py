"""Freed memory goes back to the operating system, where the C library keeps it otherwise."""

from __future__ import annotations

import ctypes
import sys
from functools import cache
from typing import Any


@cache
def _trim() -> Any:
    """`malloc_trim` of glibc, or None where the C library is another one."""
    return getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None


def give_back_freed_memory() -> None:
    """Return what the heap holds without using it. Other C libraries than glibc do so by themselves."""
    trim = _trim()
    if trim is not None:
        trim(0)
