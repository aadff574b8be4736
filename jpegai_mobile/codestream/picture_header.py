"""The picture header (PIH): everything needed before the first sub-stream can be decoded."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..errors import InvalidStream, Unsupported
from .bits import BitReader, BitWriter
from .components import LATENT_CHANNELS, Component, LatentSizes, grid_size
from .fields import Field, FieldReader, Fields, FieldWriter
from .tiling import Rectangle, region_grid, region_step

PLACE = "picture header"
MIN_SIZE = 64
BETA_OFFSET = 2048
CUBE_SIZE = 8
CUBE_GROUP = 8
TILE_UNIT = 16
PROFILES = ("simple", "main", "high")
SYNTHESIS_TRANSFORMS = ("sop", "bop", "hop")
BIT_DEPTHS = (8, 10)
CHROMA_FORMATS = {(1, 1): "4:4:4", (1, 2): "4:2:2", (2, 2): "4:2:0", (2, 1): "4:4:0"}
"""Names by (vertical, horizontal) chroma subsampling."""
MAX_INDEPENDENT_REGIONS = 256
"""The number of an independent region is one byte."""


@dataclass
class ComponentHeader:
    """The part of the picture header that is coded once per component."""

    multi_threading_r: int = 0
    log2_num_threads_r_minus1: int = 0
    num_chs: int = 0
    use_cube_flags: int = 0
    cube_group_flag: list[int] = field(default_factory=list)
    cube_flag: list[int] = field(default_factory=list)
    rvs_enable_flag: int = 0
    grfs_enable_flag: int = 0
    grfs_channel_flag: list[int] = field(default_factory=list)
    synthesis_tile_enable: int = 0
    synthesis_tile_size: int = 0
    synthesis_tile_overlap: int = 0

    @property
    def residual_threads(self) -> int:
        """me-tANS threads of the residual sub-stream: 1, 2, 4, 8 or 16."""
        return _threads(self.multi_threading_r, self.log2_num_threads_r_minus1)


@dataclass
class PictureHeader:
    """The picture header; attributes carry the standard's names and hold the coded values."""

    decoder_profile_id: int = 1
    num_synthesis_transforms_minus1: int = 1
    synthesis_transform_id: list[int] = field(default_factory=lambda: [1, 0])
    level_idc: int = 52
    img_width_minus64: int = 0
    img_height_minus64: int = 0
    diff_display_img_width: int = 0
    diff_display_img_height: int = 0
    bit_depth_idc: int = 0
    s_ver_minus1: int = 0
    s_hor_minus1: int = 0
    c_ver_minus1: int = 0
    c_hor_minus1: int = 0
    colour_transform_idx: int = 1
    colour_transform_matrix: list[int] = field(default_factory=list)
    colour_transform_offset: list[int] = field(default_factory=list)
    model_id: int = 1
    multi_threading_z: int = 0
    log2_num_threads_z_minus1: int = 0
    beta_displacement_log_plus_2048: list[int] = field(default_factory=lambda: [BETA_OFFSET, BETA_OFFSET])
    region_partitioning_flag: int = 0
    num_ver_splits_minus1: int = 0
    num_hor_splits_minus1: int = 0
    region_residual_in_its_own_substream_flag: int = 0
    hyper_decoder_overlap_in_latent_samples: int = 0
    mcm_overlap_in_latent_samples: int = 0
    independent_beta_uv: int = 0
    components: tuple[ComponentHeader, ComponentHeader] = field(
        default_factory=lambda: (
            ComponentHeader(num_chs=LATENT_CHANNELS[Component.LUMA]),
            ComponentHeader(num_chs=LATENT_CHANNELS[Component.CHROMA]),
        )
    )
    gain_3D_enable_flag: int = 0
    multi_threading_q: int = 0
    log2_num_threads_q_minus1: int = 0
    quality_map_entropy_index: int = 0

    @property
    def width(self) -> int:
        """Coded width in luma samples, at least 64."""
        return self.img_width_minus64 + MIN_SIZE

    @property
    def height(self) -> int:
        """Coded height in luma samples, at least 64."""
        return self.img_height_minus64 + MIN_SIZE

    @property
    def display_size(self) -> tuple[int, int]:
        """(height, width) of the picture that is output."""
        return self.height - self.diff_display_img_height, self.width - self.diff_display_img_width

    @property
    def bit_depth(self) -> int:
        """Bits per output sample: 8 or 10."""
        return BIT_DEPTHS[self.bit_depth_idc]

    @property
    def sizes(self) -> LatentSizes:
        """Sizes of the coded tensors."""
        return LatentSizes.of_picture(self.height, self.width)

    @property
    def source_subsampling(self) -> tuple[int, int]:
        """(vertical, horizontal) chroma subsampling of the source and of YUV output: 1 or 2."""
        return self.s_ver_minus1 + 1, self.s_hor_minus1 + 1

    @property
    def coded_subsampling(self) -> tuple[int, int]:
        """(vertical, horizontal) chroma subsampling at which the picture was coded: 1 or 2."""
        return self.c_ver_minus1 + 1, self.c_hor_minus1 + 1

    @property
    def z_threads(self) -> int:
        """me-tANS threads of the hyper latents."""
        return _threads(self.multi_threading_z, self.log2_num_threads_z_minus1)

    @property
    def quality_map_threads(self) -> int:
        """me-tANS threads of the quality map."""
        return _threads(self.multi_threading_q, self.log2_num_threads_q_minus1)

    @property
    def region_counts(self) -> tuple[int, int]:
        """(vertical, horizontal) number of regions; (1, 1) without partitioning."""
        return self.num_ver_splits_minus1 + 1, self.num_hor_splits_minus1 + 1

    @property
    def regions(self) -> list[Rectangle]:
        """The regions in luma samples, raster order; one that is the whole picture without partitioning."""
        return region_grid(self.height, self.width, *self.region_counts)

    @property
    def independent_regions(self) -> bool:
        """True when every region has sub-streams of its own and is decoded on its own."""
        return bool(self.region_residual_in_its_own_substream_flag)

    def beta_displacement_log(self, component: Component) -> int:
        """Beta displacement of a component in the log domain: -2048..2047, 7 fractional bits."""
        return self.beta_displacement_log_plus_2048[component] - BETA_OFFSET


def _threads(enabled: int, log2_minus1: int) -> int:
    return 2 << log2_minus1 if enabled else 1


def cube_counts(header: PictureHeader) -> tuple[int, int]:
    """(rows, columns) of cubes in each 2x2 phase of the latent."""
    rows, columns = header.sizes.latent
    return grid_size(grid_size(rows, 2), CUBE_SIZE), grid_size(grid_size(columns, 2), CUBE_SIZE)


def read_picture_header(payload: bytes) -> tuple[PictureHeader, list[Field]]:
    """Parse the payload of PIH; returns the header and its fields in coding order.

    Raises InvalidStream (broken syntax) or Unsupported (a reserved value, named).
    """
    reader = BitReader(payload, PLACE)
    header, fields = PictureHeader(), FieldReader(reader, PLACE)
    _picture_syntax(fields, header)
    reader.finish()
    return header, fields.record


def write_picture_header(header: PictureHeader) -> bytes:
    """The payload of PIH; raises ValueError when a value does not fit its field."""
    writer = BitWriter()
    _picture_syntax(FieldWriter(writer), header)
    return writer.to_bytes()


def _picture_syntax(f: Fields, h: PictureHeader) -> None:
    _profile_syntax(f, h)
    _size_syntax(f, h)
    _colour_syntax(f, h)
    h.model_id = f.u("model_id", 4, h.model_id)
    if h.model_id > 3:
        raise Unsupported(f"{PLACE}: model_id {h.model_id}")
    h.multi_threading_z = f.u("multi_threading_z", 1, h.multi_threading_z)
    if h.multi_threading_z:
        h.log2_num_threads_z_minus1 = f.u("log2_num_threads_z_minus1", 2, h.log2_num_threads_z_minus1)
    beta = h.beta_displacement_log_plus_2048
    beta[0] = f.u("beta_displacement_log_plus_2048[0]", 12, beta[0])
    _region_syntax(f, h)
    h.independent_beta_uv = f.u("independent_beta_uv", 1, h.independent_beta_uv)
    beta[1] = f.u("beta_displacement_log_plus_2048[1]", 12, beta[1]) if h.independent_beta_uv else beta[0]
    for i in Component:
        _component_syntax(f, h, i)
    _check_synthesis_tiles(h)
    _quality_map_syntax(f, h)


def _profile_syntax(f: Fields, h: PictureHeader) -> None:
    h.decoder_profile_id = f.u("decoder_profile_id", 4, h.decoder_profile_id)
    if h.decoder_profile_id >= len(PROFILES):
        raise Unsupported(f"{PLACE}: decoder_profile_id {h.decoder_profile_id}")
    h.num_synthesis_transforms_minus1 = f.u("num_synthesis_transforms_minus1", 4, h.num_synthesis_transforms_minus1)
    transforms = h.synthesis_transform_id[: h.num_synthesis_transforms_minus1 + 1]
    transforms += [0] * (h.num_synthesis_transforms_minus1 + 1 - len(transforms))
    for i, transform in enumerate(transforms):
        transforms[i] = f.u(f"synthesis_transform_id[{i}]", 4, transform)
        if transforms[i] >= len(SYNTHESIS_TRANSFORMS):
            raise Unsupported(f"{PLACE}: synthesis_transform_id {transforms[i]}")
    h.synthesis_transform_id = transforms
    h.level_idc = f.u("level_idc", 8, h.level_idc)


def _size_syntax(f: Fields, h: PictureHeader) -> None:
    h.img_width_minus64 = f.u("img_width_minus64", 16, h.img_width_minus64)
    h.img_height_minus64 = f.u("img_height_minus64", 16, h.img_height_minus64)
    h.diff_display_img_width = f.u("diff_display_img_width", 6, h.diff_display_img_width)
    h.diff_display_img_height = f.u("diff_display_img_height", 6, h.diff_display_img_height)
    h.bit_depth_idc = f.u("bit_depth_idc", 3, h.bit_depth_idc)
    if h.bit_depth_idc >= len(BIT_DEPTHS):
        raise Unsupported(f"{PLACE}: bit_depth_idc {h.bit_depth_idc}")


def _colour_syntax(f: Fields, h: PictureHeader) -> None:
    """Chroma formats and colour transform; a subsampled source can only be coded subsampled."""
    h.s_ver_minus1 = f.u("s_ver_minus1", 1, h.s_ver_minus1)
    h.s_hor_minus1 = f.u("s_hor_minus1", 1, h.s_hor_minus1)
    h.c_ver_minus1 = 1 if h.s_ver_minus1 else f.u("c_ver_minus1", 1, h.c_ver_minus1)
    h.c_hor_minus1 = 1 if h.s_hor_minus1 else f.u("c_hor_minus1", 1, h.c_hor_minus1)
    h.colour_transform_idx = f.u("colour_transform_idx", 2, h.colour_transform_idx)
    if h.colour_transform_idx > 2:
        raise Unsupported(f"{PLACE}: colour_transform_idx {h.colour_transform_idx}")
    if h.colour_transform_idx == 2:
        h.colour_transform_matrix = f.array("colour_transform_matrix", 8, 9, h.colour_transform_matrix)
        h.colour_transform_offset = f.array("colour_transform_offset", 8, 3, h.colour_transform_offset)


def _region_syntax(f: Fields, h: PictureHeader) -> None:
    h.region_partitioning_flag = f.u("region_partitioning_flag", 1, h.region_partitioning_flag)
    if not h.region_partitioning_flag:
        return
    h.num_ver_splits_minus1 = f.u("num_ver_splits_minus1", 7, h.num_ver_splits_minus1)
    h.num_hor_splits_minus1 = f.u("num_hor_splits_minus1", 7, h.num_hor_splits_minus1)
    h.region_residual_in_its_own_substream_flag = f.u(
        "region_residual_in_its_own_substream_flag", 1, h.region_residual_in_its_own_substream_flag
    )
    rows, columns = h.region_counts
    if not region_step(h.height, rows) or not region_step(h.width, columns):
        raise InvalidStream(f"{PLACE}: {rows} x {columns} regions do not fit a {h.width} x {h.height} picture")
    if h.independent_regions:
        if rows * columns > MAX_INDEPENDENT_REGIONS:
            raise InvalidStream(
                f"{PLACE}: {rows * columns} independent regions, at most {MAX_INDEPENDENT_REGIONS} can be numbered"
            )
        return
    h.hyper_decoder_overlap_in_latent_samples = f.u(
        "hyper_decoder_overlap_in_latent_samples", 2, h.hyper_decoder_overlap_in_latent_samples
    )
    h.mcm_overlap_in_latent_samples = f.u("mcm_overlap_in_latent_samples", 4, h.mcm_overlap_in_latent_samples)


def _component_syntax(f: Fields, h: PictureHeader, i: Component) -> None:
    c = h.components[i]
    c.multi_threading_r = f.u(f"multi_threading_r[{i}]", 1, c.multi_threading_r)
    if c.multi_threading_r:
        c.log2_num_threads_r_minus1 = f.u(f"log2_num_threads_r_minus1[{i}]", 2, c.log2_num_threads_r_minus1)
    c.num_chs = f.u(f"num_chs[{i}]", 8, c.num_chs)
    if c.num_chs > i.channels:
        raise InvalidStream(f"{PLACE}: num_chs[{i}] is {c.num_chs}, the component has {i.channels} channels")
    _cube_syntax(f, h, i)
    c.rvs_enable_flag = f.u(f"rvs_enable_flag[{i}]", 1, c.rvs_enable_flag)
    c.grfs_enable_flag = f.u(f"grfs_enable_flag[{i}]", 1, c.grfs_enable_flag)
    if c.grfs_enable_flag:
        c.grfs_channel_flag = f.array(f"grfs_channel_flag[{i}]", 1, c.num_chs, c.grfs_channel_flag)
    c.synthesis_tile_enable = f.u(f"synthesis_tile_enable[{i}]", 1, c.synthesis_tile_enable)
    if c.synthesis_tile_enable:
        c.synthesis_tile_size = f.u("synthesis_tile_size", 8, c.synthesis_tile_size)
        c.synthesis_tile_overlap = f.u("synthesis_tile_overlap", 5, c.synthesis_tile_overlap)
        if c.synthesis_tile_size <= c.synthesis_tile_overlap:
            raise InvalidStream(
                f"{PLACE}: synthesis_tile_size {c.synthesis_tile_size} is not above the overlap "
                f"{c.synthesis_tile_overlap}"
            )


def _cube_syntax(f: Fields, h: PictureHeader, i: Component) -> None:
    """Cube flags in groups of eight; a group whose flag is 0 is all ones and its flags are not coded."""
    c = h.components[i]
    c.use_cube_flags = f.u(f"use_cube_flags[{i}]", 1, c.use_cube_flags)
    if not c.use_cube_flags:
        return
    rows, columns = cube_counts(h)
    count = 4 * rows * columns
    groups, flags = list(c.cube_group_flag), list(c.cube_flag)
    c.cube_group_flag, c.cube_flag = [], []
    for start in range(0, count, CUBE_GROUP):
        size = min(CUBE_GROUP, count - start)
        group = f.u(f"cube_group_flag[{i}]", 1, groups[start // CUBE_GROUP] if groups else 0)
        c.cube_group_flag.append(group)
        c.cube_flag += f.array(f"cube_flag[{i}]", 1, size, flags[start : start + size]) if group else [1] * size


def _check_synthesis_tiles(h: PictureHeader) -> None:
    """Chroma is synthesised with the luma latent of the same tile, so both must have the same tiles."""
    tiles = [(c.synthesis_tile_enable, c.synthesis_tile_size, c.synthesis_tile_overlap) for c in h.components]
    if tiles[0] != tiles[1]:
        raise InvalidStream(f"{PLACE}: luma and chroma have different synthesis tiles")


def _quality_map_syntax(f: Fields, h: PictureHeader) -> None:
    h.gain_3D_enable_flag = f.u("gain_3D_enable_flag", 1, h.gain_3D_enable_flag)
    if not h.gain_3D_enable_flag:
        return
    h.multi_threading_q = f.u("multi_threading_q", 1, h.multi_threading_q)
    if h.multi_threading_q:
        h.log2_num_threads_q_minus1 = f.u("log2_num_threads_q_minus1", 2, h.log2_num_threads_q_minus1)
    h.quality_map_entropy_index = f.u("quality_map_entropy_index", 3, h.quality_map_entropy_index)
