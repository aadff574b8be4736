"""The picture header of a stream that the encoder writes."""

from __future__ import annotations

from ..codestream.components import LATENT_CHANNELS, Z_GRID
from ..codestream.picture_header import (
    BETA_OFFSET,
    BIT_DEPTHS,
    CHROMA_FORMATS,
    MIN_SIZE,
    TILE_UNIT,
    ComponentHeader,
    PictureHeader,
)
from ..codestream.tiling import REGION_UNIT, region_step
from ..errors import PictureError
from ..image.chroma import FORMAT_444
from ..image.layout import RGB, YUV
from ..image.planes import Subsampling
from .coded_planes import Picture
from .options import MAX_BETA, MIN_BETA, OPERATING_POINTS, EncodeOptions

LEVEL_AREAS = (6220800, 24883200, 99532800, 149817600, 398131200)
"""Largest number of coded samples of levels 1.x to 5.x."""
MODELS_OF_LEVEL_1 = (2, 3)
"""Models that levels x.1 allow; levels x.2 allow all."""
TILED_ABOVE = 1 << 20
"""Coded samples above which synthesis tiles are signalled, so that no decoder must hold a whole large picture."""
TILE_SIZE, TILE_OVERLAP = 1024, 64


def picture_header(picture: Picture, model: int, options: EncodeOptions) -> PictureHeader:
    """The header of a picture, with beta displacement 0; raises PictureError when it is above every level."""
    # What is beyond the picture is not displayed.
    rows, columns = (max(length, MIN_SIZE) for length in picture.size)
    profile, transforms = OPERATING_POINTS[options.operating_point]
    _check_regions(picture.size, options)
    coded = _coded_subsampling(picture, options)
    # The reference does not get along a side that the overlap covers.
    tiled = rows * columns > TILED_ABOVE and min(rows, columns) > TILE_OVERLAP
    luma, chroma = (_component_header(tiled, i, options) for i in LATENT_CHANNELS)
    return PictureHeader(
        decoder_profile_id=profile,
        num_synthesis_transforms_minus1=len(transforms) - 1,
        synthesis_transform_id=list(transforms),
        level_idc=level(rows * columns, model) if options.level is None else options.level,
        img_width_minus64=columns - MIN_SIZE,
        img_height_minus64=rows - MIN_SIZE,
        diff_display_img_width=columns - picture.size[1],
        diff_display_img_height=rows - picture.size[0],
        bit_depth_idc=BIT_DEPTHS.index(picture.bit_depth),
        s_ver_minus1=picture.subsampling[0] - 1,
        s_hor_minus1=picture.subsampling[1] - 1,
        c_ver_minus1=coded[0] - 1,
        c_hor_minus1=coded[1] - 1,
        colour_transform_idx=RGB if picture.is_rgb else YUV,
        model_id=model,
        multi_threading_z=int(options.coder_threads > 1),
        log2_num_threads_z_minus1=_log2_minus1(options.coder_threads),
        region_partitioning_flag=int(options.regions != (1, 1)),
        num_ver_splits_minus1=options.regions[0] - 1,
        num_hor_splits_minus1=options.regions[1] - 1,
        region_residual_in_its_own_substream_flag=int(options.regions != (1, 1) and not options.region_overlap),
        hyper_decoder_overlap_in_latent_samples=options.region_overlap,
        mcm_overlap_in_latent_samples=4 * options.region_overlap,
        independent_beta_uv=int(options.chroma_beta_displacement is not None),
        components=(luma, chroma),
    )


def set_beta_displacement(header: PictureHeader, beta: int, options: EncodeOptions) -> None:
    """Give a header its rate."""
    chroma = chroma_displacement(beta, options)
    header.beta_displacement_log_plus_2048 = [BETA_OFFSET + beta, BETA_OFFSET + chroma]


def chroma_displacement(beta: int, options: EncodeOptions) -> int:
    """The displacement of chroma: that of luma, or its own, relative to that of luma unless luma's was given."""
    chroma = options.chroma_beta_displacement
    if chroma is None:
        return beta
    if options.beta_displacement is not None:
        return chroma
    return min(max(beta + chroma, MIN_BETA), MAX_BETA)


def level(samples: int, model: int) -> int:
    """level_idc of the lowest level for a picture of so many coded samples; raises PictureError above the highest."""
    for number, area in enumerate(LEVEL_AREAS, start=1):
        if samples <= area:
            return 10 * number + (1 if model in MODELS_OF_LEVEL_1 else 2)
    raise PictureError(f"{samples} samples: the highest level of the standard allows {LEVEL_AREAS[-1]}")


def set_quality_map(header: PictureHeader, entropy_index: int, options: EncodeOptions) -> None:
    """Announce a quality map."""
    header.gain_3D_enable_flag = 1
    header.quality_map_entropy_index = entropy_index
    header.multi_threading_q = int(options.coder_threads > 1)
    header.log2_num_threads_q_minus1 = _log2_minus1(options.coder_threads)


def _coded_subsampling(picture: Picture, options: EncodeOptions) -> Subsampling:
    """The chroma format that is coded; raises PictureError for one that a source in another format cannot have."""
    coded = picture.subsampling if options.chroma is None else options.chroma
    if picture.subsampling not in (coded, FORMAT_444):
        names = CHROMA_FORMATS[picture.subsampling], CHROMA_FORMATS[coded]
        raise PictureError(f"a {names[0]} picture cannot be coded as {names[1]}")
    return coded


def _check_regions(size: tuple[int, int], options: EncodeOptions) -> None:
    """Where a side is split, a region spans at least 128 samples of it, and as many as the next one reaches over."""
    reach = max(2 * options.region_overlap * Z_GRID, REGION_UNIT)
    splits = zip(size, options.regions, strict=True)
    if not all(count == 1 or region_step(length, count) >= reach for length, count in splits):
        overlap = f" with an overlap of {options.region_overlap}" if options.region_overlap else ""
        regions = f"{options.regions[0]} x {options.regions[1]} regions{overlap}"
        raise PictureError(f"{regions} do not fit a picture of {size[1]} x {size[0]}")


def _component_header(tiled: bool, channels: int, options: EncodeOptions) -> ComponentHeader:
    return ComponentHeader(
        multi_threading_r=int(options.coder_threads > 1),
        log2_num_threads_r_minus1=_log2_minus1(options.coder_threads),
        num_chs=channels,
        rvs_enable_flag=int(options.adapts_steps),
        synthesis_tile_enable=int(tiled),
        synthesis_tile_size=TILE_SIZE // TILE_UNIT if tiled else 0,
        synthesis_tile_overlap=TILE_OVERLAP // TILE_UNIT if tiled else 0,
    )


def _log2_minus1(threads: int) -> int:
    return max(threads.bit_length() - 2, 0)
