"""Cutting a length into windows of one size: patches that fit a phone's memory."""

from __future__ import annotations

from dataclasses import dataclass

from ..codestream.components import grid_size


@dataclass(frozen=True)
class Window:
    """start..stop-1 is processed, core_start..core_stop-1 of it is kept."""

    start: int
    stop: int
    core_start: int
    core_stop: int

    @property
    def size(self) -> int:
        """Elements that are processed."""
        return self.stop - self.start

    @property
    def all(self) -> slice:
        """What is processed."""
        return slice(self.start, self.stop)

    @property
    def core(self) -> slice:
        """What is kept, among the elements that are processed."""
        return slice(self.core_start - self.start, self.core_stop - self.start)


def equal_windows(length: int, largest: int, before: int, after: int, unit: int = 1) -> list[Window]:
    """Windows of equal size, at most `largest`, whose cores partition `length`.

    Every core has at least `before` and `after` elements of its window around it, except at the ends of the
    length. Windows start at multiples of `unit` and all have one size, so that a network is prepared for one shape
    only. Where `largest` leaves no room for a core of one unit it is exceeded.
    """
    before, after = (grid_size(margin, unit) * unit for margin in (before, after))
    smallest = before + after + unit
    # With the length's remainder as its own, the last window ends with the length and still starts on a unit.
    size = max(largest - (largest - length) % unit, smallest + (length - smallest) % unit)
    if length <= max(size, largest):
        return [Window(0, length, 0, length)]
    steps = grid_size(length - size, _longest_step(size, before, after, unit))
    while _fits(length, size - unit, steps, _longest_step(size - unit, before, after, unit), unit):
        size -= unit
    span = (length - size) // unit
    starts = [span * i // steps * unit for i in range(steps + 1)]
    edges = [0, *(start + before for start in starts[1:]), length]
    return [Window(start, start + size, *edges[i : i + 2]) for i, start in enumerate(starts)]


def windows_over(start: int, stop: int, length: int, largest: int, before: int, after: int) -> list[Window]:
    """Windows of equal size as `equal_windows` gives them, for a part of a length and its margins only.

    Their cores partition start..stop-1, which may reach out of the length; none where nothing of it is inside.
    """
    start, stop = max(start, 0), min(stop, length)
    if start >= stop:
        return []
    first, last = max(start - before, 0), min(stop + after, length)
    return [
        Window(
            first + window.start,
            first + window.stop,
            max(first + window.core_start, start),
            min(first + window.core_stop, stop),
        )
        for window in equal_windows(last - first, largest, before, after)
    ]


def _longest_step(size: int, before: int, after: int, unit: int) -> int:
    """Distance of two windows whose cores still meet, in whole units."""
    return (size - before - after) // unit * unit


def _fits(length: int, size: int, steps: int, longest_step: int, unit: int) -> bool:
    """Whether `steps` even steps with windows of `size` cover the length."""
    return grid_size((length - size) // unit, steps) * unit <= longest_step


def expanded(start: int, stop: int, before: int, after: int, limit: int) -> tuple[int, int]:
    """start..stop with a margin on both sides, inside 0..limit.

    What a border cuts off one side is added to the other, so that windows of one size stay of one size.
    """
    size = min(stop - start + before + after, limit)
    first = min(max(start - before, 0), limit - size)
    return first, first + size
