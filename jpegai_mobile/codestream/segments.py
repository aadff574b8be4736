"""Marker segments: SOC, then (marker, exp-Golomb size, payload) ..., then EOC."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from ..errors import InvalidStream
from .bits import BitReader, BitWriter


class Marker(IntEnum):
    """Markers of the code stream, by the standard's names."""

    SOC = 0xFF80
    EOC = 0xFF81
    PIH = 0xFF82
    TON = 0xFF83
    RDI = 0xFF84
    SOZ = 0xFF88
    SORP = 0xFF89
    SORS = 0xFF8A
    SOQ = 0xFF8B
    UDI = 0xFF8C


RESIDUALS = (Marker.SORP, Marker.SORS)
"""Segments of luma and chroma residuals; those of independent regions may repeat, and may be missing."""
_KNOWN_MARKERS = frozenset(Marker) - {Marker.SOC}
MAX_REGION_SEGMENTS = 256
"""Of residuals, where each region has a segment: their number is a byte. Of other kinds there is one."""


@dataclass(frozen=True)
class Segment:
    """A marker segment; `offset` is where its marker lies in the code stream (0 in one that is being written)."""

    marker: Marker
    payload: bytes
    offset: int = 0

    @property
    def place(self) -> str:
        """How errors name this segment."""
        return f"{self.marker.name} at byte {self.offset}"


def read_segments(data: bytes, *, allow_cut: bool = False) -> list[Segment]:
    """Split a code stream; raises InvalidStream when a marker, its number or a size is wrong or EOC is missing.

    With `allow_cut` the end of data stands for EOC where it lies between segments, in a marker, or in a residual, which
    is left out.
    """
    if data[:2] != Marker.SOC.to_bytes(2, "big"):
        raise InvalidStream("not a JPEG AI code stream: marker SOC (FF80) missing at byte 0")
    segments: list[Segment] = []
    counts: Counter[Marker] = Counter()
    position = 2
    while not (allow_cut and len(data) - position < 2):
        marker = _read_marker(data, position)
        if marker == Marker.EOC:
            if position + 2 != len(data):
                raise InvalidStream(f"{len(data) - position - 2} bytes after marker EOC at byte {position}")
            break
        payload = _payload(data, marker, position, allow_cut and marker in RESIDUALS)
        if payload is None:
            break
        segment = Segment(marker, data[payload], position)
        # Judged here, so that a list of empty segments does not grow with the stream.
        counts[marker] += 1
        if counts[marker] > (MAX_REGION_SEGMENTS if marker in RESIDUALS else 1):
            raise InvalidStream(f"{segment.place}: segment {counts[marker]} of this kind")
        segments.append(segment)
        position = payload.stop
    return segments


def _payload(data: bytes, marker: Marker, position: int, allow_cut: bool) -> slice | None:
    """Where the payload of the segment at `position` lies; None where it is cut, which raises unless allowed."""
    reader = BitReader(data, f"size of {marker.name} at byte {position}", position + 2)
    try:
        size = reader.read_exp_golomb()
        reader.align()
    except InvalidStream:
        if reader.cut and allow_cut:
            return None
        raise
    start = reader.byte_position
    if size <= len(data) - start:
        return slice(start, start + size)
    if allow_cut:
        return None
    raise InvalidStream(
        f"truncated: {marker.name} at byte {position} announces {size} bytes, {len(data) - start} are left"
    )


def _read_marker(data: bytes, position: int) -> Marker:
    if position + 2 > len(data):
        raise InvalidStream(f"truncated: a marker was expected at byte {position}")
    marker = int.from_bytes(data[position : position + 2], "big")
    if marker not in _KNOWN_MARKERS:
        raise InvalidStream(f"unknown marker {marker:04X} at byte {position}")
    return Marker(marker)


def write_segments(segments: Iterable[Segment]) -> bytes:
    """The code stream that holds `segments` in the given order."""
    parts = [Marker.SOC.to_bytes(2, "big")]
    for segment in segments:
        size = BitWriter()
        size.write_exp_golomb(len(segment.payload))
        parts += [segment.marker.to_bytes(2, "big"), size.to_bytes(), segment.payload]
    parts.append(Marker.EOC.to_bytes(2, "big"))
    return b"".join(parts)
