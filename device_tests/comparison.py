"""Where two traces part: the first record in decoding order that differs, and the first place in it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .trace_file import Record, Trace

AXES = {0: (), 1: ("index",), 2: ("row", "column"), 3: ("channel", "row", "column")}
CUBE_AXES = ("phase", "row", "column")
_COMPONENTS = ((re.compile(r"_y$|components\[0\]"), "luma"), (re.compile(r"_uv$|components\[1\]"), "chroma"))

_CHANNEL_BY_CHANNEL = re.compile(r"(scale_index|sigma|skip_mask|residual)_(y|uv)")


@dataclass(frozen=True)
class Divergence:
    """The first difference between two traces."""

    record: str
    component: str | None
    """`luma`, `chroma`, or None for what belongs to both."""
    place: dict[str, int]
    """Index by axis name (channel, row, column, ...); empty for a single number, or when there is no common place."""
    values: tuple[str, str]
    """What the first and the second trace hold there; words where there is no value."""
    differing: int
    """Elements of the record that differ; 0 when the records cannot be laid side by side."""
    elements: int

    def __str__(self) -> str:
        parts = [self.record, *([self.component] if self.component else [])]
        parts += [f"{axis} {index}" for axis, index in self.place.items()]
        text = f"{', '.join(parts)}: {self.values[0]} against {self.values[1]}"
        return f"{text} ({self.differing} of {self.elements} values differ)" if self.elements > 1 else text


def first_divergence(first: Trace, second: Trace) -> Divergence | None:
    """The first difference in the order of the first trace; None when the traces are equal."""
    if first.hash == second.hash:
        return None
    for a, b in zip(first.records, second.records, strict=False):
        if a.name != b.name:
            return _absent(a, b, second)
        if a.hash != b.hash:
            return _earliest(a.name, first, second)
    longer = first if len(first.records) > len(second.records) else second
    extra = longer.records[min(len(first.records), len(second.records))]
    values = ("present", "absent") if longer is first else ("absent", "present")
    return _without_place(extra.name, values)


def differing_map(first: Record, second: Record) -> NDArray[np.int64]:
    """How many channels differ at every [row, column] of two records of one shape and rank 2 or 3."""
    different = first.values != second.values
    return np.asarray(different.reshape(-1, *different.shape[-2:]).sum(axis=0), np.int64)


def _earliest(name: str, first: Trace, second: Trace) -> Divergence:
    """The divergence of a record, or an earlier one: the arrays of a component are decoded channel by channel."""
    names = [name]
    if _CHANNEL_BY_CHANNEL.fullmatch(name):
        found = [r.name for r in first.records if _CHANNEL_BY_CHANNEL.fullmatch(r.name)]
        names = [other for other in found if _component(other) == _component(name)]
    theirs = {record.name: record for record in second.records}
    pairs = [(r, theirs[r.name]) for r in first.records if r.name in names and r.name in theirs]
    divergences = [_between(a, b) for a, b in pairs if a.hash != b.hash]
    return min(divergences, key=lambda divergence: divergence.place.get("channel", -1))


def _between(a: Record, b: Record) -> Divergence:
    if a.values.shape != b.values.shape or a.values.dtype != b.values.dtype:
        return _without_place(a.name, (_shape(a.values), _shape(b.values)))
    different = a.values != b.values
    index = tuple(int(i) for i in np.unravel_index(int(np.argmax(different)), different.shape))
    axes = CUBE_AXES if a.name.endswith(".cube_flag") and len(index) == len(CUBE_AXES) else AXES[len(index)]
    return Divergence(
        a.name,
        _component(a.name),
        dict(zip(axes, index, strict=True)),
        (str(a.values[index]), str(b.values[index])),
        int(np.count_nonzero(different)),
        different.size,
    )


def _absent(a: Record, b: Record, second: Trace) -> Divergence:
    """Records of different names at one place: one of them is missing in the other trace."""
    if any(record.name == a.name for record in second.records):
        return _without_place(b.name, ("absent", "present"))
    return _without_place(a.name, ("present", "absent"))


def _without_place(name: str, values: tuple[str, str]) -> Divergence:
    return Divergence(name, _component(name), {}, values, 0, 0)


def _shape(values: NDArray[Any]) -> str:
    return f"{values.dtype.name} [{', '.join(map(str, values.shape))}]"


def _component(name: str) -> str | None:
    return next((component for pattern, component in _COMPONENTS if pattern.search(name)), None)
