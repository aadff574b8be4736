"""A progress bar on stderr for work that takes a while; nothing where stderr is no terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from ..runtime.progress import Listener

PATIENCE = 0.5
"""Seconds before a bar appears: short work needs none."""
INTERVAL = 0.1
"""Seconds between two drawings."""
WIDTH = 40


@contextmanager
def progress_bar(title: str) -> Iterator[Listener | None]:
    """A listener that draws how far the work is; the bar is gone when the block ends. None without a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    bar = _Bar(title)
    try:
        yield bar.draw
    finally:
        bar.erase()


class _Bar:
    def __init__(self, title: str) -> None:
        self._title = title
        self._next = time.monotonic() + PATIENCE
        self._drawn = 0

    def draw(self, done: int, total: int) -> None:
        """A listener; asks never to stop."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + INTERVAL
        filled = WIDTH * done // total
        line = f"{self._title} [{'#' * filled}{'.' * (WIDTH - filled)}] {100 * done // total:3} %"
        self._drawn = len(line)
        print(f"\r{line}", end="", file=sys.stderr, flush=True)

    def erase(self) -> None:
        if self._drawn:
            print(f"\r{' ' * self._drawn}\r", end="", file=sys.stderr, flush=True)
