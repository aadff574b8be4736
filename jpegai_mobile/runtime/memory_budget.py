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
from .patches import BandOutline, last_latent_row, outline_bands
from .reconstruction import EICCI_WINDOW, streams_rows
from .synthesis import ROWS_AT_ONCE

MEBI = 1 << 20
DEFAULT_LIMIT = 64 * MEBI
"""What a decode keeps to, where it can, when nobody says how much memory there is."""
NO_LIMIT = 1 << 62
"""More than any machine has: the fastest way of decoding."""
FIXED = 12 * MEBI
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
PART_BYTES = dict.fromkeys(PRECISIONS, 22.0) | {"int8mixed": 24.0}
"""What the hyper decoder and the context model compute in, per luma sample of a part with its margin, by precision."""
ARENA_FACTOR = {"sop": 1.75, "bop": 1.4, "hop": 1.3}
"""What the float synthesis networks compute in, relative to the tensors that are alive at once."""
ELEMENT_SIZE = {
    ("sop", "int8"): 0.6,
    ("bop", "int8"): 0.46,
    ("sop", "int8mixed"): 0.85,
    ("bop", "int8mixed"): 0.85,
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
class _Way:
    """A way of decoding a picture."""

    patch: tuple[int, int]
    rows: int
    """Of the largest window, in latents."""
    columns: int
    width: int
    """Columns of the widest band, in latents."""
    outgrown: int
    """Latents in the largest window of a band that is followed by a band with larger ones."""
    lean: bool
    parts: LatentParts
    cost: float
    """Time, relative to windows without margins."""


def _ways(
    picture: PictureHeader, operating_point: str, patch: tuple[int, int] | None, wanted: Rectangle
) -> Iterator[_Way]:
    """Everything that may be chosen."""
    known = set()
    for window in (patch,) if patch else _unlike_windows(picture, operating_point, wanted):
        bands = list(outline_bands(picture, operating_point, window, wanted))
        rows, columns = _largest_patch(bands)
        if (rows, columns) in known:
            continue
        known.add((rows, columns))
        width = max(band.latents.width for band in bands)
        outgrown = _outgrown(bands)
        samples = wanted.height * wanted.width
        computed = sum(band.computed for band in bands)
        prepared = {
            ahead: _times_latents_are_made(picture, operating_point, wanted, bands, ahead) for ahead in LATENT_ROWS
        }
        for latent_columns in LATENT_COLUMNS:
            synthesis = computed / samples
            cost = synthesis + LATENTS_COST * _latents_cost(wanted, len(bands), latent_columns)
            yield _Way(window, rows, columns, width, outgrown, False, LatentParts(latent_columns), cost)
            for ahead, times in prepared.items():
                grows = outgrown if ahead else 0  # else every band has networks of its own
                for at_once, runs in {0: len(bands), ahead: times}.items():
                    parts = LatentParts(latent_columns, at_once, ahead)
                    cost = synthesis + PREPARING_COST * times / samples
                    cost += LATENTS_COST * _latents_cost(wanted, runs, latent_columns)
                    yield _Way(window, rows, columns, width, grows, True, parts, cost)


def _unlike_windows(picture: PictureHeader, operating_point: str, wanted: Rectangle) -> Iterable[tuple[int, int]]:
    """Those of WINDOW_SIZES of which no other covers as much of every tile."""
    rows, columns = _largest_patch(list(outline_bands(picture, operating_point, None, wanted)))
    unlike: dict[tuple[int, int], tuple[int, int]] = {}
    for size in WINDOW_SIZES:
        unlike.setdefault((min(size[0], rows), min(size[1], columns)), size)
    return unlike.values()


def _largest_patch(bands: list[BandOutline]) -> tuple[int, int]:
    """Most rows and most columns of a patch, in latents."""
    return max(band.rows for band in bands), max(band.columns for band in bands)


def _outgrown(bands: list[BandOutline]) -> int:
    """Latents in the largest window before the one that is larger than all before it."""
    largest = outgrown = 0
    for band in bands:
        if band.largest > largest:
            largest, outgrown = band.largest, largest
    return outgrown


def _times_latents_are_made(
    picture: PictureHeader, operating_point: str, wanted: Rectangle, bands: list[BandOutline], ahead: int
) -> int:
    """How often decoding changes from synthesis to latents when so many rows are decoded ahead."""
    if holds_all_latents(picture):
        return 1
    last = last_latent_row(picture, operating_point, wanted)
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
        return DecodePlan(way.patch, way.lean, way.parts, int(needed))

    def _symbols(self) -> float:
        picture = self.stream.picture
        averaged = sum(reads_block_averages(self.stream, i) for i in Component)
        per_sample = PICTURE_BYTES + averaged * BLOCK_AVERAGE_BYTES
        return STREAM_COPIES * self.stream_bytes + per_sample * picture.height * picture.width

    def _rows(self, way: _Way) -> float:
        """Latents on their way to the synthesis, and samples on their way out."""
        picture = self.stream.picture
        samples = picture.height * picture.width
        rows = min(way.rows * LATENT_GRID, picture.height)
        width = min(way.width * LATENT_GRID, picture.width)
        if holds_all_latents(picture):
            latents: float = WHOLE_LATENT_BYTES * samples
        else:
            held = min(max(way.rows, way.parts.rows_ahead) * LATENT_GRID, picture.height)
            latents = (LATENT_BYTES * held + PSI_BYTES) * width
        if not streams_rows(self.stream, self.filters):
            return latents + WHOLE_PICTURE_BYTES * samples
        as_rgb = self.as_rgb and picture.source_subsampling == FORMAT_444
        return latents + (ROW_BYTES[as_rgb] * rows + WRITING_BYTES[as_rgb] * ROWS_AT_ONCE) * width

    def _latents_stage(self, way: _Way) -> float:
        picture = self.stream.picture
        rows = min((max(way.rows, way.parts.rows) + PART_MARGIN) * LATENT_GRID, picture.height)
        columns = min((min(way.parts.columns, way.width) + PART_MARGIN) * LATENT_GRID, picture.width)
        return self.networks.latents + PART_BYTES[self.precision] * rows * columns

    def _synthesis_stage(self, way: _Way) -> float:
        arena = ARENA_FACTOR[self.operating_point] * ELEMENT_SIZE.get((self.operating_point, self.precision), 1.0)
        per_sample = arena * _synthesis_bytes(self.operating_point) + WINDOW_BYTES
        window = way.rows * way.columns * LATENT_GRID**2
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
