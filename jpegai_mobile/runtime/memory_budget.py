"""How much memory a decode needs, and the largest patches that keep it under a limit.

An estimate counts what is allocated above the idle interpreter: models, symbols, the arenas of the networks for one
window, the strip of latents behind a band, and the band itself. Arenas follow from the networks' description; how much
more than that LiteRT takes was measured.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from ..codestream.components import LATENT_GRID, Component, grid_size
from ..codestream.picture_header import PictureHeader
from ..codestream.stream import CodeStream
from ..errors import LimitExceeded
from ..networks.catalogue import build
from ..networks.measure import activation_bytes
from .latent_source import COLUMNS_AT_ONCE, holds_all_latents
from .patches import largest_window, plan_bands

MEBI = 1 << 20
FIXED = 22 * MEBI
"""Runtime libraries and Python objects that a first decode brings in."""
MODEL_COPIES = 2.2
"""A graph is held as a file and once more with its weights packed for the processor."""
WORKER_COPIES = 0.6
"""What every further worker adds: the synthesis networks once more."""
ARENA_FACTOR = {"sop": 2.1, "bop": 1.5, "hop": 1.9}
"""Arena of the float synthesis networks relative to the tensors that are alive at once."""
ELEMENT_SIZE = {"int8": 0.55, "int8mixed": 1.2}
"""Size of synthesis activations relative to float32, by precision (1 for those not listed)."""
SYMBOL_BYTES = 2.2
"""Residual symbols, hyper latents and their decoding, per luma sample of the picture."""
WINDOW_BYTES = 30
"""Latents going in and samples coming out, per luma sample of a window."""
LATENT_BYTES = 8
"""Latents of a strip with a copy, per luma sample."""
STRIP_BYTES = 17
"""Residuals, psi and what the networks need to make latents of them, per luma sample."""
STRIP_COLUMNS = (COLUMNS_AT_ONCE + 28) * LATENT_GRID
"""Luma samples, margins included, that latents are decoded of at a time."""
STRIP_MARGIN = 26
"""Latents above and below a strip that the context model and the hyper decoder read."""
HELD_LATENT_BYTES = 12
"""Latents and psi of a whole picture, per luma sample."""
BAND_BYTES = 22
"""Samples of a band in float and as they are written, per luma sample."""
PICTURE_BYTES = 64
"""Whole planes and their copies, per luma sample, where filters or resampling look at the whole picture."""
WINDOW_SIZES = ((72, 512), (72, 136), (72, 72), (40, 512), (40, 136), (40, 72), (40, 40), (32, 32), (24, 24), (16, 16))
"""Largest (rows, columns) of a window in latents, from the fastest to the smallest."""
DEFAULT_WINDOW = (40, 136)
"""What is used when nobody sets a limit."""


@dataclass(frozen=True)
class DecodePlan:
    """How a picture is decoded, and what that takes."""

    patch: tuple[int, int]
    """Largest (rows, columns) of latents in one run."""
    workers: int
    """Patches that are computed at a time."""
    bytes_needed: int
    """Estimate above the idle interpreter."""


def plan_decode(
    stream: CodeStream,
    operating_point: str,
    precision: str,
    model_bytes: int,
    workers: int,
    limit: int | None,
    patch: tuple[int, int] | None = None,
    filters: bool = True,
) -> DecodePlan:
    """The fastest plan within `limit` bytes above the idle interpreter.

    `model_bytes` is the size of the model's files, `workers` the most patches at a time, `patch` a window that the
    caller insists on. Raises LimitExceeded when nothing fits, before anything is allocated.
    """
    least = None
    for window, most in _candidates(workers, limit, patch):
        windows = _Windows.of(stream.picture, operating_point, window)
        count = min(most, windows.abreast)
        needed = _estimate(stream, operating_point, precision, model_bytes, count, windows, filters)
        if limit is None or needed <= limit:
            return DecodePlan(window, count, needed)
        least = min(needed, least or needed)
    raise LimitExceeded(
        f"decoding needs about {grid_size(least or 0, MEBI)} MiB above the idle interpreter, "
        f"the limit is {(limit or 0) / MEBI:.4g} MiB"
    )


def _candidates(
    workers: int, limit: int | None, patch: tuple[int, int] | None
) -> Iterator[tuple[tuple[int, int], int]]:
    """Windows with numbers of workers, best first: parallel patches before large ones."""
    sizes = (patch,) if patch else (DEFAULT_WINDOW,) if limit is None else WINDOW_SIZES
    for count in (workers, 1) if workers > 1 else (1,):
        for window in sizes:
            yield window, count


@dataclass(frozen=True)
class _Windows:
    """The windows of a picture that is cut up in a certain way."""

    rows: int
    """Of the largest one, in latents."""
    columns: int
    abreast: int
    """Patches in a band: what can be computed at the same time."""

    @classmethod
    def of(cls, picture: PictureHeader, operating_point: str, patch: tuple[int, int]) -> _Windows:
        first = next(plan_bands(picture, operating_point, patch))
        abreast = sum(len(strip.patches) for strip in first.strips)
        return cls(*largest_window(picture, operating_point, patch), abreast)


def _estimate(
    stream: CodeStream,
    operating_point: str,
    precision: str,
    model_bytes: int,
    workers: int,
    windows: _Windows,
    filters: bool,
) -> int:
    picture = stream.picture
    window = windows.rows * windows.columns * LATENT_GRID**2
    arena = ARENA_FACTOR[operating_point] * ELEMENT_SIZE.get(precision, 1.0) * _synthesis_bytes(operating_point)
    strip_rows = min((windows.rows + STRIP_MARGIN) * LATENT_GRID, picture.height)
    whole = picture.coded_subsampling != picture.source_subsampling or (filters and stream.tools.filters)
    output = PICTURE_BYTES * picture.height if whole else BAND_BYTES * min(windows.rows * LATENT_GRID, picture.height)
    return int(
        FIXED
        + (MODEL_COPIES + WORKER_COPIES * (workers - 1)) * model_bytes
        + SYMBOL_BYTES * picture.height * picture.width
        + workers * window * (arena + WINDOW_BYTES)
        + strip_rows * (LATENT_BYTES * picture.width + STRIP_BYTES * min(picture.width, STRIP_COLUMNS))
        + (HELD_LATENT_BYTES * picture.height * picture.width if holds_all_latents(picture) else 0)
        + output * picture.width
    )


@cache
def _synthesis_bytes(operating_point: str) -> float:
    """Bytes of activations per luma sample of a window, both components, in float32."""
    extent = (256, 256)
    networks = (build("synthesis", component.suffix, operating_point) for component in Component)
    return sum(activation_bytes(network, extent) for network in networks) / (extent[0] * extent[1])
