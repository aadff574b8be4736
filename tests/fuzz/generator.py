"""Random legal code streams: every integer coding tool in combinations that no encoder would choose."""

from __future__ import annotations

import random
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from jpegai_mobile.codestream.components import Component
from jpegai_mobile.codestream.picture_header import ComponentHeader, PictureHeader, cube_counts
from jpegai_mobile.codestream.rendering_information import (
    CodingIndependentCodePoints,
    ContentLightLevel,
    DynamicMetadata,
    MasteringDisplayColourVolume,
    RenderingInformation,
)
from jpegai_mobile.codestream.stream import CodeStream, write_code_stream
from jpegai_mobile.codestream.substreams import SubStream
from jpegai_mobile.codestream.tiling import overlapping_spans
from jpegai_mobile.codestream.tool_header import (
    EFE_SPLIT_REGIONS,
    EfeLinearHeader,
    EfeLinearPlane,
    EfeLinearSet,
    EfeNonlinearHeader,
    EfeNonlinearPlane,
    EicciHeader,
    EicciTile,
    ToolHeader,
)
from jpegai_mobile.entropy.residual import encode_residual
from jpegai_mobile.entropy.z import encode_z
from jpegai_mobile.latent.entropy_stage import ComponentArrays, decode_entropy_stage, latent_regions
from jpegai_mobile.latent.model_tables import EntropyModel

QUALITY_MAP_TABLES = (0, 4, 5, 6, 8, 10, 14, 18)
Part = TypeVar("Part")


def random_stream(rng: random.Random, model: EntropyModel) -> bytes:
    """A legal code stream of random symbols for `model`."""
    picture = random_picture(rng)
    z = [_random_z(rng, component, picture) for component in Component]
    stream = CodeStream(
        picture=picture,
        tools=_random_tools(rng, picture),
        z=SubStream(encode_z(z, picture.z_threads, [t.z_cumulative for t in model.components]), "z"),
        residuals=_no_residuals(picture),
        quality_map=_random_quality_map(rng, picture) if picture.gain_3D_enable_flag else None,
        rendering=_random_rendering(rng),
        user_data=_maybe(rng, rng.randbytes(rng.randrange(40))),
    )
    arrays = decode_entropy_stage(stream, model)  # without residuals it gives their tables and mask
    luma, chroma = (_random_residuals(rng, picture, i, arrays.components[i]) for i in Component)
    stream.residuals = (luma, chroma)
    return write_code_stream(stream)


def _maybe(rng: random.Random, part: Part, chance: float = 0.3) -> Part | None:
    return part if rng.random() < chance else None


def _flag(rng: random.Random, chance: float = 0.3) -> int:
    return int(rng.random() < chance)


def random_picture(rng: random.Random) -> PictureHeader:
    """A random picture header of a small picture."""
    width, height = rng.choice([(64, 64), (67, 65), (80, 97), (129, 66), (70, 200), (260, 140), (190, 270)])
    picture = PictureHeader(
        decoder_profile_id=rng.randrange(3),
        num_synthesis_transforms_minus1=0,
        synthesis_transform_id=[rng.randrange(3)],
        level_idc=rng.randrange(256),
        img_width_minus64=width - 64,
        img_height_minus64=height - 64,
        diff_display_img_width=rng.choice([0, 0, 63, rng.randrange(64)]),
        diff_display_img_height=rng.choice([0, 0, rng.randrange(64)]),
        bit_depth_idc=rng.randrange(2),
        model_id=rng.randrange(4),
    )
    _randomise_colour(rng, picture)
    picture.multi_threading_z, picture.log2_num_threads_z_minus1 = _random_threads(rng)
    beta = rng.randrange(800, 3000)
    picture.independent_beta_uv = _flag(rng)
    other = rng.randrange(800, 3000) if picture.independent_beta_uv else beta
    picture.beta_displacement_log_plus_2048 = [beta, other]
    _randomise_regions(rng, picture)
    for component in Component:
        _randomise_component(rng, picture, component)
    picture.gain_3D_enable_flag = _flag(rng)
    if picture.gain_3D_enable_flag:
        picture.multi_threading_q, picture.log2_num_threads_q_minus1 = _random_threads(rng)
        picture.quality_map_entropy_index = rng.randrange(8)
    return picture


def _random_threads(rng: random.Random) -> tuple[int, int]:
    enabled = _flag(rng, 0.5)
    return enabled, rng.randrange(4) if enabled else 0


def _randomise_colour(rng: random.Random, picture: PictureHeader) -> None:
    picture.s_ver_minus1, picture.s_hor_minus1 = rng.choice([(0, 0), (0, 1), (1, 0), (1, 1)])
    picture.c_ver_minus1 = max(picture.s_ver_minus1, _flag(rng))
    picture.c_hor_minus1 = max(picture.s_hor_minus1, _flag(rng))
    picture.colour_transform_idx = rng.randrange(3)
    if picture.colour_transform_idx == 2:
        picture.colour_transform_matrix = list(rng.randbytes(9))
        picture.colour_transform_offset = list(rng.randbytes(3))


def _randomise_regions(rng: random.Random, picture: PictureHeader) -> None:
    picture.region_partitioning_flag = _flag(rng, 0.5)
    if picture.region_partitioning_flag:
        picture.num_ver_splits_minus1 = rng.randrange(-(-picture.height // 128))
        picture.num_hor_splits_minus1 = rng.randrange(-(-picture.width // 128))
        picture.region_residual_in_its_own_substream_flag = _flag(rng, 0.5)
        if not picture.independent_regions:
            picture.hyper_decoder_overlap_in_latent_samples = rng.randrange(4)
            picture.mcm_overlap_in_latent_samples = rng.randrange(16)


def _randomise_component(rng: random.Random, picture: PictureHeader, component: Component) -> None:
    header: ComponentHeader = picture.components[component]
    header.multi_threading_r, header.log2_num_threads_r_minus1 = _random_threads(rng)
    header.num_chs = rng.choice([component.channels, component.channels, rng.randrange(component.channels), 1, 0])
    header.use_cube_flags = _flag(rng)
    if header.use_cube_flags:
        rows, columns = cube_counts(picture)
        header.cube_group_flag = [_flag(rng, 0.7) for _ in range(-(-4 * rows * columns // 8))]
        header.cube_flag = [_flag(rng, 0.7) if header.cube_group_flag[i // 8] else 1 for i in range(4 * rows * columns)]
    header.rvs_enable_flag = _flag(rng, 0.5)
    header.grfs_enable_flag = _flag(rng, 0.5)
    if header.grfs_enable_flag:
        header.grfs_channel_flag = [_flag(rng, 0.5) for _ in range(header.num_chs)]
    if component == Component.LUMA:
        header.synthesis_tile_enable = _flag(rng)
        if header.synthesis_tile_enable:
            header.synthesis_tile_overlap = rng.randrange(32)
            header.synthesis_tile_size = rng.randrange(header.synthesis_tile_overlap + 1, 256)
    else:
        for name in ("synthesis_tile_enable", "synthesis_tile_size", "synthesis_tile_overlap"):
            setattr(header, name, getattr(picture.components[Component.LUMA], name))


def _no_residuals(picture: PictureHeader) -> tuple[list[SubStream | None], list[SubStream | None]]:
    rows, columns = picture.region_counts
    return [None] * (rows * columns), [None] * (rows * columns)


def _symbols(rng: random.Random, shape: tuple[int, ...], scale: float, limit: int) -> NDArray[np.int64]:
    generator = np.random.default_rng(rng.getrandbits(64))
    return np.clip(np.rint(generator.laplace(0, scale, shape)), -limit, limit).astype(np.int64)


def _random_z(rng: random.Random, component: Component, picture: PictureHeader) -> NDArray[np.int8]:
    shape = (component.channels, *picture.sizes.z)
    return _symbols(rng, shape, rng.choice([0.5, 4, 30]), 31).astype(np.int8)


def _random_residuals(
    rng: random.Random, picture: PictureHeader, component: Component, arrays: ComponentArrays
) -> list[SubStream | None]:
    header = picture.components[component]
    scale = rng.choice([0.5, 3, 3, 200, 10_000])
    regions: list[SubStream | None] = []
    for region in latent_regions(picture):
        part = (slice(0, header.num_chs), *region.slices)
        residual = _symbols(rng, arrays.sigma[part].shape, scale, 2**15 - 1).astype(np.int16)
        payload = encode_residual(residual, header.residual_threads, arrays.sigma[part], arrays.skip_mask[part])
        regions.append(SubStream(payload, "residual"))
    return regions


def _random_quality_map(rng: random.Random, picture: PictureHeader) -> SubStream:
    rows, columns = picture.sizes.latent
    quality = _symbols(rng, (rows, columns), 3, 8)
    prediction = np.zeros_like(quality)
    prediction[0, 1:] = quality[0, :-1]
    prediction[1:, 0] = quality[:-1, 0]
    prediction[1:, 1:] = (quality[1:, :-1] + quality[:-1, 1:]) >> 1
    sigma = np.full((rows, columns), 128 * QUALITY_MAP_TABLES[picture.quality_map_entropy_index], np.int32)
    residual = (quality - prediction).astype(np.int16)
    payload = encode_residual(residual, picture.quality_map_threads, sigma, np.ones(sigma.shape, bool))
    return SubStream(payload, "quality map")


def _random_tools(rng: random.Random, picture: PictureHeader) -> ToolHeader:
    eicci_is_coded = picture.source_subsampling != (2, 2)
    return ToolHeader(
        lsbs_enable_flag=[_flag(rng), _flag(rng)],
        efe_linear=_maybe(rng, _random_efe_linear(rng, picture)),
        eicci=_maybe(rng, _random_eicci(rng, picture)) if eicci_is_coded else None,
        efe_nonlinear=_maybe(rng, _random_efe_nonlinear(rng)),
        LEF_chIdx=_maybe(rng, rng.randrange(256)),
    )


def _codes(rng: random.Random, count: int, largest: int) -> list[int]:
    return [rng.getrandbits(largest.bit_length()) if largest else 0 for _ in range(count)]


def _random_efe_linear(rng: random.Random, picture: PictureHeader) -> EfeLinearHeader:
    kernels = 1 if picture.coded_subsampling == picture.source_subsampling else 4
    set_a, set_b = (_random_efe_set(rng, kernels) for _ in range(2))
    return EfeLinearHeader(_codes(rng, 2, 2**15 - 1), set_a, set_b)


def _random_efe_set(rng: random.Random, kernels: int) -> EfeLinearSet:
    largest = rng.choice([0, 1, 100, 65535])
    planes = []
    for _ in range(2):
        best = rng.randrange(9)
        regions = EFE_SPLIT_REGIONS[best - 1] if best else 0
        side = rng.randrange(6) if best else 0
        weights = [_codes(rng, kernels * side * side, largest) for _ in range(regions)]
        weights2 = [_codes(rng, side * side, largest) for _ in range(regions)]
        planes.append(EfeLinearPlane(best, side, weights, weights2))
    return EfeLinearSet((planes[0], planes[1]), rng.getrandbits(16), largest)


def _random_eicci(rng: random.Random, picture: PictureHeader) -> EicciHeader:
    header, count = EicciHeader(), 1
    if _flag(rng, 0.5):
        overlap = rng.randrange(4)
        header = EicciHeader(1, rng.randrange(overlap + 1, 16), overlap)
        size = 16 * header.tile_size
        spans = [overlapping_spans(length, size, 16 * overlap) for length in (picture.height, picture.width)]
        count = len(spans[0]) * len(spans[1])
    header.tiles = [_random_eicci_tile(rng) for _ in range(count)]
    return header


def _random_eicci_tile(rng: random.Random) -> EicciTile:
    tile = EicciTile([_flag(rng, 0.5) for _ in range(3)])
    if any(tile.icci_use):
        tile.icci_use_shortList = _flag(rng, 0.5)
        largest = 3 if tile.icci_use_shortList else 15
        used = tile.icci_use[0], any(tile.icci_use[1:])
        tile.icci_model_signalled_idx = [rng.randint(0, largest) if use else 0 for use in used]
    return tile


def _random_efe_nonlinear(rng: random.Random) -> EfeNonlinearHeader:
    header = EfeNonlinearHeader(minSymbol=rng.getrandbits(16), maxSymbol=rng.choice([0, 7, 1000, 65535]))
    header.mask_enabled_flag = [_flag(rng), _flag(rng)]
    if any(header.mask_enabled_flag):
        header.bS, header.len_mask_y, header.len_mask_x = (
            rng.getrandbits(10),
            rng.randrange(9),
            rng.randrange(9),
        )
        size = header.len_mask_y * header.len_mask_x
        header.W5 = [_codes(rng, size, 3) if enabled else [] for enabled in header.mask_enabled_flag]
    flags = [_flag(rng, 0.5) for _ in range(2)]
    planes = []
    for flag in flags:
        count = rng.randrange(20) if flag else 0
        planes.append(EfeNonlinearPlane(flag, count, _codes(rng, count, header.maxSymbol)))
    header.planes = planes[0], planes[1]
    if any(flags):
        header.nonlinearW, header.nonlinearH = rng.getrandbits(16), rng.getrandbits(16)
        header.numTiles = rng.randrange(5)
        header.minLuma, header.maxLuma = (_codes(rng, header.numTiles, 65535) for _ in range(2))
    return header


def _random_rendering(rng: random.Random) -> RenderingInformation:
    return RenderingInformation(
        cicp=_maybe(rng, CodingIndependentCodePoints(*rng.randbytes(3), _flag(rng), rng.randrange(8))),
        mdcv=_maybe(
            rng,
            MasteringDisplayColourVolume(
                _codes(rng, 6, 65535), _codes(rng, 2, 65535), rng.getrandbits(32), rng.getrandbits(32)
            ),
        ),
        clli=_maybe(rng, ContentLightLevel(rng.getrandbits(16), rng.getrandbits(16))),
        dm=_maybe(rng, DynamicMetadata(rng.getrandbits(8), rng.randbytes(rng.randrange(30)))),
    )
