"""Where two traces part: the stage, the first record in decoding order that differs, and the first place in it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jpegai_mobile.codestream.components import LATENT_GRID, grid_size
from jpegai_mobile.codestream.tiling import Rectangle, region_grid, region_step

from .trace_file import Record, Trace

LATENT_AXES = ("channel", "row", "column")
AXES = {0: (), 1: ("index",), 2: ("row", "column"), 3: LATENT_AXES}
CUBE_AXES = ("phase", "row", "column")
_COMPONENTS = ((re.compile(r"_y$|components\[0\]"), "luma"), (re.compile(r"_uv$|components\[1\]"), "chroma"))

STAGES = (
    (re.compile(r"picture_header\..*"), "picture header"),
    (re.compile(r"tool_header\..*"), "tool header"),
    (re.compile(r"rendering_information\..*"), "rendering information"),
    (re.compile(r"user_data"), "user data"),
    (re.compile(r"z_(y|uv)"), "hyper latents"),
    (re.compile(r"quality_map"), "quality map"),
    (re.compile(r"(scale_index|sigma)_(y|uv)"), "scales"),
    (re.compile(r"skip_mask_(y|uv)"), "skip mask"),
    (re.compile(r"residual_(y|uv)"), "residuals"),
)
"""Stage of decoding by the name of a record."""

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

    @property
    def stage(self) -> str:
        """The stage of decoding that the record belongs to."""
        return next((stage for pattern, stage in STAGES if pattern.fullmatch(self.record)), "other")

    def __str__(self) -> str:
        parts = [f"{self.stage}: {self.record}", *([self.component] if self.component else [])]
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
    different = _differs(first.values, second.values)
    return np.asarray(different.reshape(-1, *different.shape[-2:]).sum(axis=0), np.int64)


def _earliest(name: str, first: Trace, second: Trace) -> Divergence:
    """The divergence of a record, or an earlier one of its component.

    The latent arrays of a component are decoded region by region, and in each channel by channel.
    """
    ours, theirs = ({record.name: record for record in trace.records} for trace in (first, second))
    if not _CHANNEL_BY_CHANNEL.fullmatch(name):
        return _between(ours[name], theirs[name])
    names = [n for n in ours if _CHANNEL_BY_CHANNEL.fullmatch(n) and _component(n) == _component(name) and n in theirs]
    regions = _latent_regions(first, ours[name].values.shape)
    found = [_between(ours[n], theirs[n], regions) for n in names if ours[n].hash != theirs[n].hash]
    return min(found, key=lambda divergence: _decoding_order(divergence, regions))


def _decoding_order(divergence: Divergence, regions: Sequence[Rectangle]) -> tuple[int, int]:
    """Region and channel; what has no place comes first."""
    if divergence.place.keys() != set(LATENT_AXES):
        return (-1, -1)
    channel, row, column = (divergence.place[axis] for axis in LATENT_AXES)
    number = next(
        (i for i, r in enumerate(regions) if r.top <= row < r.bottom and r.left <= column < r.right), len(regions)
    )
    return number, channel


def _between(a: Record, b: Record, regions: Sequence[Rectangle] = ()) -> Divergence:
    """What differs between two records of a name, with the first place: of the earliest region, if there are any."""
    if a.values.shape != b.values.shape or a.values.dtype != b.values.dtype:
        return _without_place(a.name, (_shape(a.values), _shape(b.values)))
    different = _differs(a.values, b.values)
    index = _first_place(different, regions)
    axes = CUBE_AXES if a.name.endswith(".cube_flag") and len(index) == len(CUBE_AXES) else AXES[len(index)]
    return Divergence(
        a.name,
        _component(a.name),
        dict(zip(axes, index, strict=True)),
        (str(a.values[index]), str(b.values[index])),
        int(np.count_nonzero(different)),
        different.size,
    )


def _differs(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.bool_]:
    """Where two arrays of one shape and type hold other bits: a NaN equals itself, and -0 is not 0."""
    bits = f"u{a.dtype.itemsize}"
    return np.asarray(a.view(bits) != b.view(bits))


def _first_place(different: NDArray[np.bool_], regions: Sequence[Rectangle]) -> tuple[int, ...]:
    for region in regions if different.ndim == len(LATENT_AXES) else ():
        part = different[(..., *region.slices)]
        if part.any():
            channel, row, column = np.unravel_index(int(np.argmax(part)), part.shape)
            return int(channel), int(row) + region.top, int(column) + region.left
    return tuple(int(i) for i in np.unravel_index(int(np.argmax(different)), different.shape))


def _latent_regions(trace: Trace, shape: tuple[int, ...]) -> list[Rectangle]:
    """The regions of a latent of a shape in decoding order, by the trace's own picture header.

    Empty when there is no header that fits the shape.
    """
    numbers = (record for record in trace.records if record.values.ndim == 0 and record.values.dtype.kind in "iu")
    header = {record.name.removeprefix("picture_header."): int(record.values) for record in numbers}
    try:
        height, width = (header[f"img_{side}_minus64"] + 64 for side in ("height", "width"))
        rows, columns = (header[f"num_{way}_splits_minus1"] + 1 for way in ("ver", "hor"))
    except KeyError:
        return []
    fits = shape[1:] == (grid_size(height, LATENT_GRID), grid_size(width, LATENT_GRID))
    if not fits or not region_step(height, rows) or not region_step(width, columns):
        return []
    return [region.on_grid(LATENT_GRID) for region in region_grid(height, width, rows, columns)]


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
