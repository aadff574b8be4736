"""A code stream described in plain words and numbers: what `jpegai info` and the Python API show."""

from __future__ import annotations

from typing import Any

from .components import Component
from .picture_header import CHROMA_FORMATS, PROFILES, SYNTHESIS_TRANSFORMS, PictureHeader
from .stream import CodeStream
from .tool_header import ToolHeader

COLOURS = ("YUV", "RGB", "user matrix")


def describe(stream: CodeStream) -> dict[str, Any]:
    """JSON-ready description: `summary`, `segments`, `fields` by header, `user_data` and `sub_streams`."""
    return {
        "summary": _summary(stream),
        "segments": [{"marker": s.marker.name, "offset": s.offset, "size": len(s.payload)} for s in stream.segments],
        "sub_streams": _sub_streams(stream),
        "fields": {
            header: [{"name": f.name, "bits": f.bits, "value": f.value} for f in fields]
            for header, fields in stream.fields.items()
        },
        "user_data": None if stream.user_data is None else stream.user_data.hex(),
    }


def operating_points(picture: PictureHeader) -> tuple[str, ...]:
    """Synthesis transforms that may decode the stream, by name; the first is the default."""
    return tuple(SYNTHESIS_TRANSFORMS[i] for i in picture.synthesis_transform_id)


def tools_in_use(picture: PictureHeader, tools: ToolHeader) -> tuple[str, ...]:
    """Names of the optional coding tools that the stream uses."""
    components = picture.components
    latent_tools = {
        "quality map": picture.gain_3D_enable_flag,
        "RVS": any(c.rvs_enable_flag for c in components),
        "GRFS": any(c.grfs_enable_flag for c in components),
        "LSBS": any(tools.lsbs_enable_flag),
        "cube flags": any(c.use_cube_flags for c in components),
        "independent chroma beta": picture.independent_beta_uv,
        "fewer channels": any(c.num_chs < i.channels for i, c in zip(Component, components, strict=True)),
        "regions": picture.region_partitioning_flag,
        "synthesis tiles": components[0].synthesis_tile_enable,
    }
    return tuple(name for name, used in latent_tools.items() if used) + tools.filters


def _summary(stream: CodeStream) -> dict[str, Any]:
    picture = stream.picture
    height, width = picture.display_size
    coded_bytes = sum(len(s.payload) for s in stream.segments)
    beta = tuple(picture.beta_displacement_log(i) for i in Component)
    threads = tuple(c.residual_threads for c in picture.components)
    return {
        "size": f"{width} x {height}",
        "coded size": f"{picture.width} x {picture.height}",
        "samples": f"{picture.bit_depth} bit {COLOURS[picture.colour_transform_idx]}",
        "chroma format": f"{CHROMA_FORMATS[picture.source_subsampling]} source, "
        f"{CHROMA_FORMATS[picture.coded_subsampling]} coded",
        "profile": PROFILES[picture.decoder_profile_id],
        "level": f"{picture.level_idc // 10}.{picture.level_idc % 10}",
        "operating points": ", ".join(operating_points(picture)),
        "model": picture.model_id,
        "beta displacement": f"{beta[0]} luma, {beta[1]} chroma",
        "threads": f"{picture.z_threads} z, {threads[0]} luma, {threads[1]} chroma",
        "coding tools": ", ".join(tools_in_use(picture, stream.tools)) or "none",
        "rate": f"{8 * coded_bytes / (width * height):.3f} bits per pixel in segments",
    }


def _sub_streams(stream: CodeStream) -> dict[str, Any]:
    """Bytes of every sub-stream; residuals per region (null where an independent region is missing)."""
    return {
        "z": len(stream.z.payload),
        "residual_y": [None if r is None else len(r.payload) for r in stream.residuals[Component.LUMA]],
        "residual_uv": [None if r is None else len(r.payload) for r in stream.residuals[Component.CHROMA]],
        "quality_map": None if stream.quality_map is None else len(stream.quality_map.payload),
    }
