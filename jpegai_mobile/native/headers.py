"""The headers as the native core parses them, in the types of `codestream`."""

from __future__ import annotations

import ctypes as c
from dataclasses import dataclass, fields
from typing import Any

from ..codestream.picture_header import ComponentHeader, PictureHeader
from ..codestream.rendering_information import (
    CodingIndependentCodePoints,
    ContentLightLevel,
    DynamicMetadata,
    MasteringDisplayColourVolume,
    RenderingInformation,
)
from ..codestream.stream import DEFAULT_MAX_SAMPLES
from ..codestream.tool_header import (
    EfeLinearHeader,
    EfeLinearPlane,
    EfeLinearSet,
    EfeNonlinearHeader,
    EfeNonlinearPlane,
    EicciHeader,
    EicciTile,
    ToolHeader,
)
from .binding import NativeContext
from .stage import stream_options

_U8 = c.c_uint8
_U16_ARRAY = c.POINTER(c.c_uint16)


def _bytes(names: str) -> list[tuple[str, Any]]:
    return [(name, _U8) for name in names.split()]


class _Component(c.Structure):
    """jai_component_header."""

    _fields_ = (
        *_bytes(
            "multi_threading_r log2_num_threads_r_minus1 num_chs use_cube_flags rvs_enable_flag "
            "grfs_enable_flag synthesis_tile_enable synthesis_tile_size synthesis_tile_overlap"
        ),
        ("grfs_channel_flag", _U8 * 160),
        ("cube_groups", c.c_uint32),
        ("cube_group_flag", c.POINTER(_U8)),
        ("cube_rows", c.c_uint32),
        ("cube_columns", c.c_uint32),
        ("cube_flags", c.c_uint32),
        ("cube_flag", c.POINTER(_U8)),
    )


class _Picture(c.Structure):
    """jai_picture_header."""

    _fields_ = (
        *_bytes("decoder_profile_id num_synthesis_transforms_minus1"),
        ("synthesis_transform_id", _U8 * 16),
        ("level_idc", _U8),
        ("img_width_minus64", c.c_uint16),
        ("img_height_minus64", c.c_uint16),
        *_bytes(
            "diff_display_img_width diff_display_img_height bit_depth_idc s_ver_minus1 s_hor_minus1 "
            "c_ver_minus1 c_hor_minus1 colour_transform_idx"
        ),
        ("colour_transform_matrix", _U8 * 9),
        ("colour_transform_offset", _U8 * 3),
        *_bytes("model_id multi_threading_z log2_num_threads_z_minus1"),
        ("beta_displacement_log_plus_2048", c.c_uint16 * 2),
        *_bytes(
            "region_partitioning_flag num_ver_splits_minus1 num_hor_splits_minus1 "
            "region_residual_in_its_own_substream_flag hyper_decoder_overlap_in_latent_samples "
            "mcm_overlap_in_latent_samples independent_beta_uv"
        ),
        ("component", _Component * 2),
        *_bytes("gain_3D_enable_flag multi_threading_q log2_num_threads_q_minus1 quality_map_entropy_index"),
    )


class _EfeLinearPlane(c.Structure):
    """jai_efe_linear_plane."""

    _fields_ = (
        *_bytes("best_cand_idx fL regions kernels"),
        ("weights", _U16_ARRAY),
        ("weights2", _U16_ARRAY),
    )


class _EfeLinearSet(c.Structure):
    """jai_efe_linear_set."""

    _fields_ = (("minSymbol", c.c_uint16), ("maxSymbol", c.c_uint16), ("plane", _EfeLinearPlane * 2))


class _EicciTile(c.Structure):
    """jai_eicci_tile."""

    _fields_ = (("icci_use", _U8 * 3), ("icci_use_shortList", _U8), ("icci_model_signalled_idx", _U8 * 2))


class _EfeNonlinearPlane(c.Structure):
    """jai_efe_nonlinear_plane."""

    _fields_ = (("enabled_flag", _U8), ("candNum", c.c_uint16), ("A1", _U16_ARRAY))


class _Tools(c.Structure):
    """jai_tool_header."""

    _fields_ = (
        ("lsbs_enable_flag", _U8 * 2),
        ("EFE_linear_filter_enabled_flag", _U8),
        ("B1", c.c_uint16 * 2),
        ("efe_set", _EfeLinearSet * 2),
        *_bytes("icci_enable_flag icci_tile_manager_enabled icci_tile_size icci_tile_overlap"),
        ("icci_tiles", c.c_uint32),
        ("icci_tile", c.POINTER(_EicciTile)),
        ("EFE_nonlinear_filter_enabled_flag", _U8),
        ("minSymbol", c.c_uint16),
        ("maxSymbol", c.c_uint16),
        ("mask_enabled_flag", _U8 * 2),
        ("bS", c.c_uint16),
        ("len_mask_y", c.c_uint16),
        ("len_mask_x", c.c_uint16),
        ("W5", _U16_ARRAY * 2),
        ("nonlinear", _EfeNonlinearPlane * 2),
        ("nonlinearW", c.c_uint16),
        ("nonlinearH", c.c_uint16),
        ("numTiles", c.c_uint16),
        ("minLuma", _U16_ARRAY),
        ("maxLuma", _U16_ARRAY),
        ("LEF_enabled_flag", _U8),
        ("LEF_chIdx", _U8),
    )


class _Rendering(c.Structure):
    """jai_rendering_information."""

    _fields_ = (
        *_bytes(
            "cicp_present_flag colour_primaries transfer_characteristics matrix_coefficients "
            "image_full_range_flag chroma420_sample_loc_type mdcv_present_flag"
        ),
        ("primaries", c.c_uint16 * 6),
        ("white_point_chromaticity", c.c_uint16 * 2),
        ("maximum_luminance", c.c_uint32),
        ("minimum_luminance", c.c_uint32),
        ("clli_present_flag", _U8),
        ("maximum_content_light_level", c.c_uint16),
        ("maximum_frame_average_light_level", c.c_uint16),
        *_bytes("dm_present_flag dm_type"),
        ("dm_size", c.c_uint16),
        ("dm_data", c.POINTER(_U8)),
    )


@dataclass(frozen=True)
class Headers:
    """Everything that the native core parses before the first symbol."""

    picture: PictureHeader
    tools: ToolHeader
    rendering: RenderingInformation | None
    user_data: bytes | None


def read_headers(data: bytes, *, max_samples: int = DEFAULT_MAX_SAMPLES) -> Headers:
    """The headers of a code stream; raises InvalidStream, Unsupported or LimitExceeded."""
    context = NativeContext()
    options = stream_options(context, max_samples)
    stream = context.open("stream", "jai_stream_open", data, len(data), c.byref(options))
    functions = context.functions
    picture = _Picture.from_address(functions.jai_stream_picture_header(stream))
    tools = _Tools.from_address(functions.jai_stream_tool_header(stream))
    rendering = functions.jai_stream_rendering_information(stream)
    size = c.c_size_t()
    user_data = functions.jai_stream_user_data(stream, c.byref(size))
    return Headers(
        _picture(picture),
        _tools(tools),
        _rendering(_Rendering.from_address(rendering)) if rendering else None,
        c.string_at(user_data, size.value) if user_data else None,
    )


def _scalars(structure: c.Structure, header: type) -> dict[str, Any]:
    """The plain numbers that a C structure and a header dataclass have in common, by name."""
    names = {field.name for field in fields(header)}
    values = {name: getattr(structure, name) for name, *_ in structure._fields_ if name in names}
    return {name: value for name, value in values.items() if isinstance(value, int)}


def _picture(p: _Picture) -> PictureHeader:
    matrix = p.colour_transform_idx == 2
    luma, chroma = (_component(component) for component in p.component)
    return PictureHeader(
        **_scalars(p, PictureHeader),
        synthesis_transform_id=p.synthesis_transform_id[: p.num_synthesis_transforms_minus1 + 1],
        colour_transform_matrix=p.colour_transform_matrix[:] if matrix else [],
        colour_transform_offset=p.colour_transform_offset[:] if matrix else [],
        beta_displacement_log_plus_2048=p.beta_displacement_log_plus_2048[:],
        components=(luma, chroma),
    )


def _component(h: _Component) -> ComponentHeader:
    return ComponentHeader(
        **_scalars(h, ComponentHeader),
        cube_group_flag=h.cube_group_flag[: h.cube_groups],
        cube_flag=h.cube_flag[: h.cube_flags],
        grfs_channel_flag=h.grfs_channel_flag[: h.num_chs] if h.grfs_enable_flag else [],
    )


def _tools(t: _Tools) -> ToolHeader:
    return ToolHeader(
        lsbs_enable_flag=t.lsbs_enable_flag[:],
        efe_linear=_efe_linear(t) if t.EFE_linear_filter_enabled_flag else None,
        eicci=_eicci(t) if t.icci_enable_flag else None,
        efe_nonlinear=_efe_nonlinear(t) if t.EFE_nonlinear_filter_enabled_flag else None,
        LEF_chIdx=t.LEF_chIdx if t.LEF_enabled_flag else None,
    )


def _efe_linear(t: _Tools) -> EfeLinearHeader:
    set_a, set_b = (_efe_linear_set(filter_set) for filter_set in t.efe_set)
    return EfeLinearHeader(t.B1[:], set_a, set_b)


def _efe_linear_set(s: _EfeLinearSet) -> EfeLinearSet:
    u, v = (_efe_linear_plane(plane) for plane in s.plane)
    return EfeLinearSet((u, v), s.minSymbol, s.maxSymbol)


def _efe_linear_plane(p: _EfeLinearPlane) -> EfeLinearPlane:
    area = p.fL * p.fL
    return EfeLinearPlane(
        p.best_cand_idx,
        p.fL,
        _rows(p.weights, p.regions, p.kernels * area),
        _rows(p.weights2, p.regions, area),
    )


def _rows(values: Any, rows: int, length: int) -> list[list[int]]:
    return [values[row * length : (row + 1) * length] for row in range(rows)]


def _eicci(t: _Tools) -> EicciHeader:
    tiles = [
        EicciTile(tile.icci_use[:], tile.icci_use_shortList, tile.icci_model_signalled_idx[:])
        for tile in t.icci_tile[: t.icci_tiles]
    ]
    return EicciHeader(t.icci_tile_manager_enabled, t.icci_tile_size, t.icci_tile_overlap, tiles)


def _efe_nonlinear(t: _Tools) -> EfeNonlinearHeader:
    length = t.len_mask_y * t.len_mask_x
    u, v = (EfeNonlinearPlane(p.enabled_flag, p.candNum, p.A1[: p.candNum]) for p in t.nonlinear)
    return EfeNonlinearHeader(
        **_scalars(t, EfeNonlinearHeader),
        mask_enabled_flag=t.mask_enabled_flag[:],
        W5=[mask[:length] if enabled else [] for mask, enabled in zip(t.W5, t.mask_enabled_flag, strict=True)],
        planes=(u, v),
        minLuma=t.minLuma[: t.numTiles],
        maxLuma=t.maxLuma[: t.numTiles],
    )


def _rendering(r: _Rendering) -> RenderingInformation:
    return RenderingInformation(
        cicp=CodingIndependentCodePoints(**_scalars(r, CodingIndependentCodePoints)) if r.cicp_present_flag else None,
        mdcv=_mdcv(r) if r.mdcv_present_flag else None,
        clli=ContentLightLevel(**_scalars(r, ContentLightLevel)) if r.clli_present_flag else None,
        dm=DynamicMetadata(r.dm_type, bytes(r.dm_data[: r.dm_size])) if r.dm_present_flag else None,
    )


def _mdcv(r: _Rendering) -> MasteringDisplayColourVolume:
    return MasteringDisplayColourVolume(
        r.primaries[:], r.white_point_chromaticity[:], r.maximum_luminance, r.minimum_luminance
    )
