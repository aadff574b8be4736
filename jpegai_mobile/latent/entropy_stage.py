"""The entropy stage: from a code stream and the integer tables of its model to quantised residuals.

Integers only; this plain form is the contract that the native core equals symbol for symbol.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..codestream.components import LATENT_GRID, Component, grid_size
from ..codestream.picture_header import ComponentHeader, PictureHeader
from ..codestream.stream import CodeStream
from ..codestream.substreams import SubStream
from ..codestream.tiling import Rectangle
from ..entropy.me_tans import GROUP
from ..entropy.residual import decode_residual
from ..entropy.z import decode_z
from . import quality_map as quality
from . import residual_scaling
from .block_average import block_average, spread_blocks
from .hyper_scale_decoder import hyper_scale_decoder
from .model_tables import ComponentTables, EntropyModel
from .skip_mode import skip_mask


@dataclass(frozen=True, eq=False)
class ComponentArrays:
    """What the entropy stage gives for luma ([160, h, w]) or chroma ([96, h, w])."""

    z: NDArray[np.int8]
    """Hyper latents [C, ceil(H/64), ceil(W/64)], -31..31."""
    scale_index: NDArray[np.int32]
    """Sigma in the log domain (7 fractional bits) after gain, beta displacement and quality map."""
    sigma: NDArray[np.int32]
    """After RVS and GRFS: what selects the coding table."""
    skip_mask: NDArray[np.bool_]
    """True where a residual is coded."""
    residual: NDArray[np.int16]
    """Quantised residual, 0 where it is not coded."""


@dataclass(frozen=True, eq=False)
class EntropyArrays:
    """All arrays of the entropy stage."""

    components: tuple[ComponentArrays, ComponentArrays]
    quality_map: NDArray[np.int8] | None
    """[h, w], -8..8, shared by both components; None when the stream has none."""

    def named(self) -> dict[str, NDArray[np.generic]]:
        """The arrays by their trace names (`z_y`, `sigma_uv`, ...)."""
        arrays: dict[str, NDArray[np.generic]] = {}
        for name in ("z", "scale_index", "sigma", "skip_mask", "residual"):
            for component in Component:
                arrays[f"{name}_{component.suffix}"] = getattr(self.components[component], name)
        if self.quality_map is not None:
            arrays["quality_map"] = self.quality_map
        return arrays


def decode_entropy_stage(
    stream: CodeStream, model: EntropyModel, max_channels: tuple[int, int] | None = None
) -> EntropyArrays:
    """Run the entropy stage; raises InvalidStream on damaged sub-streams.

    `max_channels` (luma, chroma) keeps only the first residual channels of every region, rounded up as the
    standard's progressive decoding rounds them.
    """
    picture = stream.picture
    z = decode_z(stream.z, picture.z_threads, [t.z_cumulative for t in model.components], picture.sizes.z)
    quality_map = None
    if stream.quality_map is not None:
        quality_map = quality.decode_quality_map(
            stream.quality_map,
            picture.quality_map_threads,
            picture.quality_map_entropy_index,
            picture.sizes.latent,
        )
    luma, chroma = (
        _decode_component(stream, i, model.components[i], z[i], quality_map, max_channels and max_channels[i])
        for i in Component
    )
    return EntropyArrays((luma, chroma), quality_map)


def _decode_component(
    stream: CodeStream,
    component: Component,
    tables: ComponentTables,
    z: NDArray[np.int8],
    quality_map: NDArray[np.int8] | None,
    max_channels: int | None,
) -> ComponentArrays:
    picture = stream.picture
    header = picture.components[component]
    hyper_scale = hyper_scale_decoder(z, tables, picture.sizes.latent)
    scales = component_scales(picture, component, tables, hyper_scale, quality_map)
    limit = header.num_chs if max_channels is None else max_channels
    residual = _decode_regions(stream.residuals[component], picture, component, scales, limit)
    return ComponentArrays(z, scales.scale_index, scales.sigma, scales.skip_mask, residual)


@dataclass(frozen=True, eq=False)
class ComponentScales:
    """What is known of a component before its residual is decoded; arrays as in `ComponentArrays`."""

    scale_index: NDArray[np.int32]
    sigma: NDArray[np.int32]
    """The same array as the scale index where neither RVS nor GRFS is on."""
    skip_mask: NDArray[np.bool_]
    residual_scale: NDArray[np.int32] | None
    """Scale of RVS and GRFS per block (see `residual_scaling.residual_scale`); None when neither is on."""


def component_scales(
    picture: PictureHeader,
    component: Component,
    tables: ComponentTables,
    hyper_scale: NDArray[np.int32] | NDArray[np.int16],
    quality_map: NDArray[np.int8] | None,
) -> ComponentScales:
    """The scales of a component from the output of the hyper scale decoder [C, h, w]."""
    header = picture.components[component]
    scale_index = hyper_scale + (tables.gain[:, None, None].astype(np.int32) + picture.beta_displacement_log(component))
    if quality_map is not None:
        scale_index += quality.log_offset(quality_map)
    mask = skip_mask(scale_index, header)
    scale = None
    if residual_scaling.scales_residual(header):
        scale = residual_scaling.residual_scale(block_average(scale_index), header, picture.model_id)
    if scale is None:
        return ComponentScales(scale_index, scale_index, mask, None)
    rows, columns = (range(length) for length in picture.sizes.latent)
    sigma = scale_index + spread_blocks(residual_scaling.log_offset(scale), rows, columns)
    return ComponentScales(scale_index, sigma, mask, scale)


def _decode_regions(
    sub_streams: list[SubStream | None],
    picture: PictureHeader,
    component: Component,
    scales: ComponentScales,
    limit: int,
) -> NDArray[np.int16]:
    """Residual [C, h, w] from the sub-stream of every region; 0 where a region is missing, or beyond the limit."""
    header = picture.components[component]
    residual = np.zeros(scales.sigma.shape, np.int16)
    for sub_stream, region in zip(sub_streams, latent_regions(picture), strict=True):
        if sub_stream is not None:
            part = (slice(0, header.num_chs), *region.slices)
            decoded = decode_residual(sub_stream, header.residual_threads, scales.sigma[part], scales.skip_mask[part])
            kept = _kept_channels(limit, header, region)
            residual[:kept, *region.slices] = decoded[:kept]
    return residual


def latent_regions(picture: PictureHeader) -> list[Rectangle]:
    """The regions in latent samples, raster order; one region that is the whole latent without partitioning."""
    return [region.on_grid(LATENT_GRID) for region in picture.regions]


def _kept_channels(limit: int, header: ComponentHeader, region: Rectangle) -> int:
    """Channels of a region kept for a limit: a multiple of the smallest count whose symbols fill whole groups."""
    area, group = region.height * region.width, GROUP * header.residual_threads
    block = next((k for k in range(1, limit + 1) if k * area % group == 0), None)
    return min(limit if block is None else grid_size(limit, block) * block, header.num_chs)
