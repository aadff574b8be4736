"""Rendering information (RDI): colour description and luminance data handed on to the caller."""

from __future__ import annotations

from dataclasses import dataclass, field

from .bits import BitReader, BitWriter
from .fields import Field, FieldReader, Fields, FieldWriter

PLACE = "rendering information"


@dataclass
class CodingIndependentCodePoints:
    """cicp: code points of ITU-T H.273."""

    colour_primaries: int = 2
    transfer_characteristics: int = 2
    matrix_coefficients: int = 2
    image_full_range_flag: int = 1
    chroma420_sample_loc_type: int = 0


@dataclass
class MasteringDisplayColourVolume:
    """mdcv: the display on which the picture was mastered."""

    primaries: list[int] = field(default_factory=lambda: [0] * 6)
    """x_0, y_0, x_1, y_1, x_2, y_2."""
    white_point_chromaticity: list[int] = field(default_factory=lambda: [0, 0])
    maximum_luminance: int = 0
    minimum_luminance: int = 0


@dataclass
class ContentLightLevel:
    """clli: light levels in candela per square metre."""

    maximum_content_light_level: int = 0
    maximum_frame_average_light_level: int = 0


@dataclass
class DynamicMetadata:
    """dm: opaque metadata of a given type."""

    dm_type: int = 0
    data: bytes = b""


@dataclass
class RenderingInformation:
    """The rendering information; absent parts are None."""

    cicp: CodingIndependentCodePoints | None = None
    mdcv: MasteringDisplayColourVolume | None = None
    clli: ContentLightLevel | None = None
    dm: DynamicMetadata | None = None


def read_rendering_information(payload: bytes) -> tuple[RenderingInformation, list[Field]]:
    """Parse the payload of RDI; returns the information and its fields in coding order. Raises InvalidStream."""
    reader = BitReader(payload, PLACE)
    information, fields = RenderingInformation(), FieldReader(reader, PLACE)
    _rendering_syntax(fields, information)
    reader.finish()
    return information, fields.record


def write_rendering_information(information: RenderingInformation) -> bytes:
    """The payload of RDI; raises ValueError when a value does not fit its field."""
    writer = BitWriter()
    _rendering_syntax(FieldWriter(writer), information)
    return writer.to_bytes()


def _rendering_syntax(f: Fields, h: RenderingInformation) -> None:
    present = [
        f.u(f"{name}_present_flag", 1, int(part is not None))
        for name, part in (("cicp_info", h.cicp), ("mdcv_info", h.mdcv), ("clli_info", h.clli), ("dm", h.dm))
    ]
    f.u("ri_reserved_zero_4bits", 4, 0)
    if present[0]:
        h.cicp = h.cicp or CodingIndependentCodePoints()
        _cicp_syntax(f, h.cicp)
    if present[1]:
        h.mdcv = h.mdcv or MasteringDisplayColourVolume()
        _mdcv_syntax(f, h.mdcv)
    if present[2]:
        h.clli = h.clli or ContentLightLevel()
        for name in ("maximum_content_light_level", "maximum_frame_average_light_level"):
            setattr(h.clli, name, f.u(name, 16, getattr(h.clli, name)))
    if present[3]:
        h.dm = h.dm or DynamicMetadata()
        h.dm.dm_type = f.u("dm_type", 8, h.dm.dm_type)
        size = f.u("dm_size", 16, len(h.dm.data))
        h.dm.data = bytes(f.array("dm_data_byte", 8, size, h.dm.data))


def _cicp_syntax(f: Fields, h: CodingIndependentCodePoints) -> None:
    h.colour_primaries = f.u("colour_primaries", 8, h.colour_primaries)
    h.transfer_characteristics = f.u("transfer_characteristics", 8, h.transfer_characteristics)
    h.matrix_coefficients = f.u("matrix_coefficients", 8, h.matrix_coefficients)
    h.image_full_range_flag = f.u("image_full_range_flag", 1, h.image_full_range_flag)
    h.chroma420_sample_loc_type = f.u("chroma420_sample_loc_type", 3, h.chroma420_sample_loc_type)
    f.u("ri_reserved_zero_4bits", 4, 0)


def _mdcv_syntax(f: Fields, h: MasteringDisplayColourVolume) -> None:
    for i in range(6):
        name = f"mastering_display_colour_primaries_{'xy'[i % 2]}_{i // 2}"
        h.primaries[i] = f.u(name, 16, h.primaries[i])
    for i in range(2):
        name = f"mastering_display_white_point_chromaticity_{'xy'[i]}"
        h.white_point_chromaticity[i] = f.u(name, 16, h.white_point_chromaticity[i])
    h.maximum_luminance = f.u("mastering_display_maximum_luminance", 32, h.maximum_luminance)
    h.minimum_luminance = f.u("mastering_display_minimum_luminance", 32, h.minimum_luminance)
