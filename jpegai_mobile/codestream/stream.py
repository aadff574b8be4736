"""A whole code stream: headers and sub-streams, read and written."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..errors import InvalidStream, LimitExceeded
from .components import Component
from .fields import Field
from .picture_header import PictureHeader, read_picture_header, write_picture_header
from .rendering_information import (
    RenderingInformation,
    read_rendering_information,
    write_rendering_information,
)
from .segments import RESIDUALS, Marker, Segment, read_segments, write_segments
from .substreams import SubStream, join_regions, split_regions
from .tool_header import ToolHeader, read_tool_header, write_tool_header

DEFAULT_MAX_SAMPLES = 1 << 27
"""Default ceiling on coded luma samples (134 million): judged before anything is allocated."""
ANY_SAMPLES = 1 << 62
"""A ceiling above what headers can announce."""


@dataclass
class CodeStream:
    """Headers and sub-streams of one picture."""

    picture: PictureHeader
    tools: ToolHeader
    z: SubStream
    residuals: tuple[list[SubStream | None], list[SubStream | None]]
    """Per component one sub-stream per region in raster order; None where an independent region is missing."""
    quality_map: SubStream | None = None
    rendering: RenderingInformation | None = None
    user_data: bytes | None = None
    segments: list[Segment] = field(default_factory=list)
    """The segments as they were read."""
    fields: dict[str, list[Field]] = field(default_factory=dict)
    """Header fields in coding order, by segment name, as they were read."""


def read_code_stream(
    data: bytes,
    *,
    max_samples: int = DEFAULT_MAX_SAMPLES,
    allow_missing_regions: bool = False,
    allow_cut: bool = False,
) -> CodeStream:
    """Parse a code stream without decoding any symbol.

    Raises InvalidStream (broken syntax, with the place), Unsupported (a reserved value, named) or
    LimitExceeded (more than `max_samples` coded luma samples). With `allow_missing_regions` independent regions
    may be absent; with `allow_cut` the data may end where all is there but some of them (see `read_segments`).
    """
    segments = read_segments(data, allow_cut=allow_cut)
    if not segments or segments[0].marker != Marker.PIH:
        raise InvalidStream("the first segment is not the picture header PIH (byte 2)")
    picture, picture_fields = read_picture_header(segments[0].payload)
    if picture.width * picture.height > max_samples:
        raise LimitExceeded(
            f"picture of {picture.width} x {picture.height} samples is above the limit of {max_samples} samples "
            "(max_samples)"
        )
    by_marker = _collect(segments, picture)
    tools, tool_fields = ToolHeader(), list[Field]()  # all tools off
    if Marker.TON in by_marker:
        tools, tool_fields = read_tool_header(by_marker[Marker.TON][0].payload, picture)
    rendering, rendering_fields = None, list[Field]()
    if Marker.RDI in by_marker:
        rendering, rendering_fields = read_rendering_information(by_marker[Marker.RDI][0].payload)
    user_data = by_marker[Marker.UDI][0].payload if Marker.UDI in by_marker else None
    z = _sub_stream(_required(by_marker, Marker.SOZ))
    quality_map = None
    if picture.gain_3D_enable_flag:
        quality_map = _sub_stream(_required(by_marker, Marker.SOQ))
    elif Marker.SOQ in by_marker:
        raise InvalidStream(f"{by_marker[Marker.SOQ][0].place}: the picture header announces no quality map")
    luma, chroma = (_residuals(by_marker, picture, i, allow_missing_regions) for i in Component)
    fields = {
        "picture_header": picture_fields,
        "tool_header": tool_fields,
        "rendering_information": rendering_fields,
    }
    return CodeStream(picture, tools, z, (luma, chroma), quality_map, rendering, user_data, segments, fields)


def write_code_stream(stream: CodeStream) -> bytes:
    """Serialise in the order PIH, TON, UDI, RDI, SORP, SORS, SOZ, SOQ; raises ValueError on an unfit field.

    TON and RDI are written also where the stream that was read had none.
    """
    picture = stream.picture
    segments = [
        Segment(Marker.PIH, write_picture_header(picture)),
        Segment(Marker.TON, write_tool_header(stream.tools, picture)),
    ]
    if stream.user_data is not None:
        segments.append(Segment(Marker.UDI, stream.user_data))
    segments.append(Segment(Marker.RDI, write_rendering_information(stream.rendering or RenderingInformation())))
    for i in Component:
        segments += _residual_segments(picture, i, stream.residuals[i])
    segments.append(Segment(Marker.SOZ, stream.z.payload))
    if stream.quality_map is not None:
        segments.append(Segment(Marker.SOQ, stream.quality_map.payload))
    return write_segments(segments)


def _collect(segments: list[Segment], picture: PictureHeader) -> dict[Marker, list[Segment]]:
    """Segments by marker; only the residuals of independent regions may repeat."""
    by_marker: dict[Marker, list[Segment]] = {}
    for segment in segments:
        same = by_marker.setdefault(segment.marker, [])
        if same and not picture.independent_regions:
            raise InvalidStream(f"{segment.place}: segment 2 of this kind")
        same.append(segment)
    return by_marker


def _required(by_marker: dict[Marker, list[Segment]], marker: Marker) -> Segment:
    if marker not in by_marker:
        raise InvalidStream(f"segment {marker.name} is missing")
    return by_marker[marker][0]


def _sub_stream(segment: Segment) -> SubStream:
    return SubStream(segment.payload, segment.place)


def _residuals(
    by_marker: dict[Marker, list[Segment]], picture: PictureHeader, component: Component, allow_missing: bool
) -> list[SubStream | None]:
    """The residual sub-stream of every region of a component."""
    marker = RESIDUALS[component]
    rows, columns = picture.region_counts
    if not picture.independent_regions:
        return list(split_regions(_sub_stream(_required(by_marker, marker)), rows * columns))
    regions: list[SubStream | None] = [None] * (rows * columns)
    for segment in by_marker.get(marker, []):
        number = segment.payload[0] if segment.payload else len(regions)
        if number >= len(regions) or regions[number] is not None:
            raise InvalidStream(f"{segment.place}: region number is missing, too large or repeated")
        regions[number] = SubStream(segment.payload[1:], f"{segment.place}, region {number}")
    if None in regions and not allow_missing:
        raise InvalidStream(f"{marker.name} of region {regions.index(None)} is missing")
    return regions


def _residual_segments(picture: PictureHeader, component: Component, regions: list[SubStream | None]) -> list[Segment]:
    marker = RESIDUALS[component]
    present = {number: region.payload for number, region in enumerate(regions) if region is not None}
    if picture.independent_regions:
        return [Segment(marker, bytes([number]) + payload) for number, payload in present.items()]
    return [Segment(marker, join_regions(list(present.values())))]
