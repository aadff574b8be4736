"""Times of runs that take turns."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping


def interleaved(runs: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of every run in every round after one that is not counted.

    The runs take turns, so that a busy machine hits them alike.
    """
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run()
    for _ in range(rounds):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    return seconds
