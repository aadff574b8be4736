"""How much memory a decode needs, and the cheapest way of decoding that keeps it under a limit.

An estimate counts what is allocated above the idle interpreter: symbols and the rows that are on their way, and the
networks with what they compute in. Constants were measured (benchmarks/memory.py); tests hold estimates to the peak.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache

from ..codestream.components import LATENT_GRID, PSI_GRID, Component, grid_size
from ..codestream.picture_header import PictureHeader
from ..codestream.stream import CodeStream
from ..codestream.tiling import Rectangle
from ..errors import LimitExceeded
from ..filters.eicci import GRID, largest_tile, networks_at_most
from ..image.chroma import FORMAT_444
from ..latent.decoded_symbols import reads_block_averages
from ..networks.catalogue import build
from ..networks.measure import activation_bytes
from .bundle import PreparedBytes
from .latent_source import LatentParts, holds_all_latents
from .latents import KEPT_PSI_ROWS
from .manifest import PRECISIONS
from .patches import Band, last_latent_row, plan_bands
from .reconstruction import EICCI_WINDOW, streams_rows
from .synthesis import ROWS_AT_ONCE

MEBI = 1 << 20
DEFAULT_LIMIT = 64 * MEBI
"""What a decode keeps to, where it can, when nobody says how much memory there is."""
NO_LIMIT = 1 << 62
"""More than any machine has: the fastest way of decoding."""
FIXED = 9.5 * MEBI
"""Runtime libraries and Python objects that a first decode brings in."""
STREAM_COPIES = 4.5
"""The code stream, and its symbols without zeros (two bytes each)."""
PICTURE_BYTES = 0.25
"""Hyper latents, tables of rows, and the scale decoder while symbols are parsed, per luma sample of the picture."""
BLOCK_AVERAGE_BYTES = 1 / 16
"""What RVS, GRFS and LSBS read, per luma sample of the picture, in a component that uses one of them."""
LATENT_BYTES = 4
"""Latents of a strip, or of more rows that are decoded ahead, per luma sample."""
PSI_BYTES = 4 * KEPT_PSI_ROWS * PSI_GRID
"""psi rows that are kept for the next band, per column of luma samples."""
WHOLE_LATENT_BYTES = 12
"""Latents and psi of a whole picture, per luma sample."""
PART_MARGIN = 28
"""Latents around a part of a strip that the hyper decoder sees."""
PART_BYTES = dict.fromkeys(PRECISIONS, 23.5) | {"int8mixed": 25.5}
"""What the hyper decoder and the context model compute in, per luma sample of a part with its margin, by precision."""
ARENA_FACTOR = {"sop": 1.75, "bop": 1.4, "hop": 1.3}
"""What the float synthesis networks compute in, relative to the tensors that are alive at once."""
ELEMENT_SIZE = {
    ("sop", "int8"): 0.75,
    ("bop", "int8"): 0.46,
    ("sop", "int8mixed"): 0.88,
    ("bop", "int8mixed"): 0.88,
}
"""Size of synthesis activations relative to float32, by operating point and precision; 1 for others, as all of HOP."""
WINDOW_BYTES = 24
"""Latents going in and samples coming out, per luma sample of a window."""
ROW_BYTES = {True: 3, False: 12}
"""Rows as RGB samples or as floats, per luma sample."""
WRITING_BYTES = {True: 10, False: 24}
"""What converting and writing a few rows takes, per luma sample of them."""
WHOLE_PICTURE_BYTES = 64
"""Planes and their copies, per luma sample, where filters or resampling look at the whole picture."""
EICCI_BYTES = 80
"""What a network of eICCI computes in, per sample of its window."""
WINDOW_SIZES = (
    (72, 512),
    (72, 136),
    (72, 72),
    (40, 512),
    (40, 136),
    (40, 72),
    (40, 40),
    (32, 40),
    (32, 32),
    (24, 24),
    (16, 16),
)
"""Largest (rows, columns) of a window in latents."""
WHOLE_TILES = (1 << 20, 1 << 20)
"""Larger than any tile, in latents."""
LATENT_COLUMNS = (512, 64, 32)
"""Latents that may be decoded side by side."""
LATENTS_COST = 0.15
"""Time of the networks that make latents, relative to the synthesis of as many samples."""
LATENT_ROWS = (1 << 20, 256, 128, 64, 0)
"""Rows of latents that may be decoded ahead of their bands."""
PREPARING_COST = 150_000
"""Time of preparing the networks of both stages once, in luma samples of synthesis."""
SLACK = 1.25
"""How much more than the least memory a decode may take, for time, where the default limit is out of reach."""


@dataclass(frozen=True)
class DecodePlan:
    """How a picture is decoded, and what that takes."""

    patch: tuple[int, int]
    """Largest (rows, columns) of latents in one run."""
    lean: bool
    """Whether only the networks of one stage are in memory at a time."""
    parts: LatentParts
    """In which latents are decoded."""
    bytes_needed: int
    """Estimate above the idle interpreter."""


def plan_decode(
    stream: CodeStream,
    stream_bytes: int,
    operating_point: str,
    precision: str,
    networks: PreparedBytes,
    limit: int | None,
    patch: tuple[int, int] | None = None,
    filters: bool = True,
    region: Rectangle | None = None,
    as_rgb: bool = True,
    held: float = 0,
) -> DecodePlan:
    """The fastest plan within `limit` bytes above the idle interpreter.

    Without a limit, the fastest one within DEFAULT_LIMIT, or where there is none, within little more than the least.
    `patch` is a window that the caller insists on, `region` all that will be asked for (luma samples; None: the
    picture), `as_rgb` whether it will be as RGB samples, where they can be had without planes, and `held` the bytes
    that whoever takes the rows holds until the end. Raises LimitExceeded when nothing fits the limit, before anything
    is allocated.
    """
    wanted = region or Rectangle(0, 0, stream.picture.height, stream.picture.width)
    need = _Need(stream, stream_bytes, operating_point, precision, networks, filters, as_rgb, held)
    ways = sorted(_ways(stream.picture, operating_point, patch, wanted), key=lambda way: way.cost)
    goal = DEFAULT_LIMIT if limit is None else limit
    fitting = next((plan for plan in map(need.plan, ways) if plan.bytes_needed <= goal), None)
    if fitting is not None:
        return fitting
    least = min(plan.bytes_needed for plan in map(need.plan, ways))
    if limit is None:
        return next(plan for plan in map(need.plan, ways) if plan.bytes_needed <= SLACK * least)
    raise LimitExceeded(
        f"decoding needs about {grid_size(least, MEBI)} MiB above the idle interpreter, "
        f"the limit is {limit / MEBI:.4g} MiB"
    )


@dataclass(frozen=True)
class _Windows:
    """A picture cut into windows; sizes are in latents."""

    patch: tuple[int, int]
    """Largest (rows, columns) that was asked for."""
    rows: int
    """Of the tallest window."""
    columns: int
    """Of the widest window."""
    width: int
    """Columns of the widest band."""
    outgrown: int
    """Latents in the largest window of a band that is followed by a band with larger ones."""
    bands: int
    computed: int
    """Luma samples of all windows together."""
    times_latents_are_made: dict[int, int]
    """How often decoding changes from synthesis to latents, by how many rows of LATENT_ROWS are decoded ahead."""


@dataclass(frozen=True)
class _Way:
    """A way of decoding a picture."""

    windows: _Windows
    lean: bool
    parts: LatentParts
    cost: float
    """Time, relative to windows without margins."""

    @property
    def outgrown(self) -> int:
        """Latents in the window whose memory a network still holds when it grows."""
        every_band_prepares_networks = self.lean and not self.parts.rows_ahead
        return 0 if every_band_prepares_networks else self.windows.outgrown


def _ways(
    picture: PictureHeader, operating_point: str, patch: tuple[int, int] | None, wanted: Rectangle
) -> Iterator[_Way]:
    """Everything that may be chosen."""
    samples = wanted.height * wanted.width
    for windows in _unlike_windows(picture, operating_point, patch, wanted):
        synthesis = windows.computed / samples
        for columns in LATENT_COLUMNS:
            cost = synthesis + LATENTS_COST * _latents_cost(wanted, windows.bands, columns)
            yield _Way(windows, False, LatentParts(columns), cost)
            for ahead, times in windows.times_latents_are_made.items():
                preparing = PREPARING_COST * times / samples
                for at_once, runs in {0: windows.bands, ahead: times}.items():
                    cost = synthesis + preparing + LATENTS_COST * _latents_cost(wanted, runs, columns)
                    yield _Way(windows, True, LatentParts(columns, at_once, ahead), cost)


def _unlike_windows(
    picture: PictureHeader, operating_point: str, patch: tuple[int, int] | None, wanted: Rectangle
) -> Iterable[_Windows]:
    """Windows of the size that is insisted on, or of all WINDOW_SIZES: the first of those that come to the same."""
    if patch:
        return [_windows(picture, operating_point, patch, wanted)]
    whole = _windows(picture, operating_point, WHOLE_TILES, wanted)
    # What no tile has room for need not be cut to be known to come to the same.
    sizes: dict[tuple[int, int], tuple[int, int]] = {}
    for size in WINDOW_SIZES:
        sizes.setdefault((min(size[0], whole.rows), min(size[1], whole.columns)), size)
    unlike: dict[tuple[int, int], _Windows] = {}
    for size in sizes.values():
        windows = _windows(picture, operating_point, size, wanted)
        unlike.setdefault((windows.rows, windows.columns), windows)
    return unlike.values()


def _windows(picture: PictureHeader, operating_point: str, patch: tuple[int, int], wanted: Rectangle) -> _Windows:
    bands = list(plan_bands(picture, operating_point, patch, wanted))
    last = last_latent_row(picture, operating_point, wanted)
    together = holds_all_latents(picture)
    return _Windows(
        patch,
        max(band.most_rows for band in bands),
        max(band.most_columns for band in bands),
        max(band.latents.width for band in bands),
        _outgrown(bands),
        len(bands),
        sum(band.computed for band in bands),
        {ahead: 1 if together else _times_latents_are_made(bands, ahead, last) for ahead in LATENT_ROWS},
    )


def _outgrown(bands: list[Band]) -> int:
    """Latents in the largest window before the one that is larger than all before it."""
    largest = outgrown = 0
    for band in bands:
        if band.most_latents > largest:
            largest, outgrown = band.most_latents, largest
    return outgrown


def _times_latents_are_made(bands: list[Band], ahead: int, last: int) -> int:
    """How often latents are decoded where so many rows of them, to `last`, are decoded ahead."""
    times = known = 0
    for band in bands:
        place = band.latents
        if place.bottom > known:
            known = max(place.bottom, min(place.top + ahead, last))
            times += 1
    return times


def _latents_cost(wanted: Rectangle, bands: int, latent_columns: int) -> float:
    """Latents that the hyper decoder computes, relative to those that are wanted."""
    place = wanted.on_grid(LATENT_GRID)
    parts = grid_size(place.width, latent_columns)
    rows = min(place.height + bands * PART_MARGIN // 2, bands * place.height)
    columns = min(grid_size(place.width, parts) + PART_MARGIN, place.width)
    return rows * parts * columns / (place.height * place.width)


@dataclass(frozen=True)
class _Need:
    """What a decode takes, by the way it is done."""

    stream: CodeStream
    stream_bytes: int
    operating_point: str
    precision: str
    networks: PreparedBytes
    filters: bool
    as_rgb: bool
    held: float

    def plan(self, way: _Way) -> DecodePlan:
        """The way with its estimate."""
        stages = self._latents_stage(way), self._synthesis_stage(way), self._filters_stage()
        needed = FIXED + self.held + self._symbols() + self._rows(way) + (max(stages) if way.lean else sum(stages))
        return DecodePlan(way.windows.patch, way.lean, way.parts, int(needed))

    def _symbols(self) -> float:
        picture = self.stream.picture
        averaged = sum(reads_block_averages(self.stream, i) for i in Component)
        per_sample = PICTURE_BYTES + averaged * BLOCK_AVERAGE_BYTES
        return STREAM_COPIES * self.stream_bytes + per_sample * picture.height * picture.width

    def _rows(self, way: _Way) -> float:
        """Latents on their way to the synthesis, and samples on their way out."""
        picture = self.stream.picture
        samples = picture.height * picture.width
        rows = min(way.windows.rows * LATENT_GRID, picture.height)
        width = min(way.windows.width * LATENT_GRID, picture.width)
        if holds_all_latents(picture):
            latents: float = WHOLE_LATENT_BYTES * samples
        else:
            held = min(max(way.windows.rows, way.parts.rows_ahead) * LATENT_GRID, picture.height)
            latents = (LATENT_BYTES * held + PSI_BYTES) * width
        if not streams_rows(self.stream, self.filters):
            return latents + WHOLE_PICTURE_BYTES * samples
        as_rgb = self.as_rgb and picture.source_subsampling == FORMAT_444
        return latents + (ROW_BYTES[as_rgb] * rows + WRITING_BYTES[as_rgb] * ROWS_AT_ONCE) * width

    def _latents_stage(self, way: _Way) -> float:
        picture = self.stream.picture
        rows = min((max(way.windows.rows, way.parts.rows) + PART_MARGIN) * LATENT_GRID, picture.height)
        columns = min((min(way.parts.columns, way.windows.width) + PART_MARGIN) * LATENT_GRID, picture.width)
        return self.networks.latents + PART_BYTES[self.precision] * rows * columns

    def _synthesis_stage(self, way: _Way) -> float:
        arena = ARENA_FACTOR[self.operating_point] * ELEMENT_SIZE.get((self.operating_point, self.precision), 1.0)
        per_sample = arena * _synthesis_bytes(self.operating_point) + WINDOW_BYTES
        window = way.windows.rows * way.windows.columns * LATENT_GRID**2
        outgrown = way.outgrown * LATENT_GRID**2 * arena * _synthesis_bytes(self.operating_point, (Component.LUMA,))
        return self.networks.synthesis + window * per_sample + outgrown

    def _filters_stage(self) -> float:
        """Of the filters only eICCI has networks."""
        header, picture = self.stream.tools.eicci, self.stream.picture
        if header is None or not self.filters:
            return 0
        rows, columns = (min(length, EICCI_WINDOW * GRID) for length in largest_tile(header, picture))
        return EICCI_BYTES * networks_at_most(header) * rows * columns


@cache
def _synthesis_bytes(operating_point: str, components: tuple[Component, ...] = tuple(Component)) -> float:
    """Bytes of activations per luma sample of a window in float32, together."""
    extent = (256, 256)
    networks = (build("synthesis", component.suffix, operating_point) for component in components)
    return sum(activation_bytes(network, extent) for network in networks) / (extent[0] * extent[1])
