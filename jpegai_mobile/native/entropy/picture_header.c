#include "picture_header.h"

#include "bits.h"
#include "grid.h"
#include "skip_mode.h"

enum {
    PROFILES = 3,
    SYNTHESIS_TRANSFORMS = 3,
    BIT_DEPTHS = 2,
    COLOUR_TRANSFORMS = 3,
    MODELS = 4,
    MATRIX_TRANSFORM = 2,
    CUBE_GROUP = 8,
    MAX_INDEPENDENT_REGIONS = 256 /* the number of an independent region is one byte */
};

static jai_status read_profile(jai_bits *bits, jai_picture_header *h)
{
    h->decoder_profile_id = jai_bits_u8(bits, "decoder_profile_id", 4);
    JAI_BITS_CHECK(bits, h->decoder_profile_id < PROFILES, JAI_UNSUPPORTED, "decoder_profile_id",
                   h->decoder_profile_id);
    h->num_synthesis_transforms_minus1 = jai_bits_u8(bits, "num_synthesis_transforms_minus1", 4);
    for (unsigned i = 0; i <= h->num_synthesis_transforms_minus1; i++) {
        h->synthesis_transform_id[i] = jai_bits_u8(bits, "synthesis_transform_id", 4);
        JAI_BITS_CHECK(bits, h->synthesis_transform_id[i] < SYNTHESIS_TRANSFORMS, JAI_UNSUPPORTED,
                       "synthesis_transform_id", h->synthesis_transform_id[i]);
    }
    h->level_idc = jai_bits_u8(bits, "level_idc", 8);
    return JAI_OK;
}

static jai_status read_size(jai_bits *bits, jai_picture_header *h)
{
    h->img_width_minus64 = jai_bits_u16(bits, "img_width_minus64", 16);
    h->img_height_minus64 = jai_bits_u16(bits, "img_height_minus64", 16);
    h->diff_display_img_width = jai_bits_u8(bits, "diff_display_img_width", 6);
    h->diff_display_img_height = jai_bits_u8(bits, "diff_display_img_height", 6);
    h->bit_depth_idc = jai_bits_u8(bits, "bit_depth_idc", 3);
    JAI_BITS_CHECK(bits, h->bit_depth_idc < BIT_DEPTHS, JAI_UNSUPPORTED, "bit_depth_idc", h->bit_depth_idc);
    return JAI_OK;
}

/* Chroma formats and colour transform; a subsampled source can only be coded subsampled. */
static jai_status read_colour(jai_bits *bits, jai_picture_header *h)
{
    h->s_ver_minus1 = jai_bits_u8(bits, "s_ver_minus1", 1);
    h->s_hor_minus1 = jai_bits_u8(bits, "s_hor_minus1", 1);
    h->c_ver_minus1 = h->s_ver_minus1 != 0 ? 1 : jai_bits_u8(bits, "c_ver_minus1", 1);
    h->c_hor_minus1 = h->s_hor_minus1 != 0 ? 1 : jai_bits_u8(bits, "c_hor_minus1", 1);
    h->colour_transform_idx = jai_bits_u8(bits, "colour_transform_idx", 2);
    JAI_BITS_CHECK(bits, h->colour_transform_idx < COLOUR_TRANSFORMS, JAI_UNSUPPORTED, "colour_transform_idx",
                   h->colour_transform_idx);
    if (h->colour_transform_idx == MATRIX_TRANSFORM) {
        for (unsigned i = 0; i < sizeof h->colour_transform_matrix; i++) {
            h->colour_transform_matrix[i] = jai_bits_u8(bits, "colour_transform_matrix", 8);
        }
        for (unsigned i = 0; i < sizeof h->colour_transform_offset; i++) {
            h->colour_transform_offset[i] = jai_bits_u8(bits, "colour_transform_offset", 8);
        }
    }
    return JAI_OK;
}

static jai_status read_regions(jai_bits *bits, jai_picture_header *h)
{
    h->region_partitioning_flag = jai_bits_u8(bits, "region_partitioning_flag", 1);
    if (h->region_partitioning_flag == 0) {
        return JAI_OK;
    }
    h->num_ver_splits_minus1 = jai_bits_u8(bits, "num_ver_splits_minus1", 7);
    h->num_hor_splits_minus1 = jai_bits_u8(bits, "num_hor_splits_minus1", 7);
    h->region_residual_in_its_own_substream_flag = jai_bits_u8(bits, "region_residual_in_its_own_substream_flag", 1);
    JAI_BITS_CHECK(bits, jai_region_step(jai_picture_height(h), h->num_ver_splits_minus1 + 1u) != 0, JAI_INVALID_STREAM,
                   "the picture is too low for num_ver_splits_minus1", h->num_ver_splits_minus1);
    JAI_BITS_CHECK(bits, jai_region_step(jai_picture_width(h), h->num_hor_splits_minus1 + 1u) != 0, JAI_INVALID_STREAM,
                   "the picture is too narrow for num_hor_splits_minus1", h->num_hor_splits_minus1);
    if (h->region_residual_in_its_own_substream_flag != 0) {
        JAI_BITS_CHECK(bits, jai_region_count(h) <= MAX_INDEPENDENT_REGIONS, JAI_INVALID_STREAM,
                       "more independent regions than can be numbered:", jai_region_count(h));
        return JAI_OK;
    }
    h->hyper_decoder_overlap_in_latent_samples = jai_bits_u8(bits, "hyper_decoder_overlap_in_latent_samples", 2);
    h->mcm_overlap_in_latent_samples = jai_bits_u8(bits, "mcm_overlap_in_latent_samples", 4);
    return JAI_OK;
}

/* Cube flags in groups of eight; a group whose flag is 0 is all ones and its flags are not coded. */
static jai_status read_cube_flags(jai_pool *pool, jai_bits *bits, const jai_picture_header *h, jai_component_header *c)
{
    c->use_cube_flags = jai_bits_u8(bits, "use_cube_flags", 1);
    if (c->use_cube_flags == 0) {
        return JAI_OK;
    }
    void *memory = NULL;
    c->cube_rows = jai_cubes(jai_picture_height(h));
    c->cube_columns = jai_cubes(jai_picture_width(h));
    c->cube_flags = 4 * c->cube_rows * c->cube_columns;
    c->cube_groups = jai_cover(c->cube_flags, CUBE_GROUP);
    JAI_TRY(jai_pool_allocate(pool, (size_t)c->cube_flags + c->cube_groups, 1, &memory));
    uint8_t *flag = memory;
    uint8_t *group = flag + c->cube_flags;
    c->cube_flag = flag;
    c->cube_group_flag = group;
    for (uint32_t i = 0; i < c->cube_flags; i++) {
        if (i % CUBE_GROUP == 0) {
            group[i / CUBE_GROUP] = jai_bits_u8(bits, "cube_group_flag", 1);
        }
        flag[i] = group[i / CUBE_GROUP] != 0 ? jai_bits_u8(bits, "cube_flag", 1) : 1;
    }
    return jai_bits_status(bits);
}

static jai_status read_component(jai_pool *pool, jai_bits *bits, const jai_picture_header *h, uint32_t channels,
                                 jai_component_header *c)
{
    c->multi_threading_r = jai_bits_u8(bits, "multi_threading_r", 1);
    if (c->multi_threading_r != 0) {
        c->log2_num_threads_r_minus1 = jai_bits_u8(bits, "log2_num_threads_r_minus1", 2);
    }
    c->num_chs = jai_bits_u8(bits, "num_chs", 8);
    JAI_BITS_CHECK(bits, c->num_chs <= channels, JAI_INVALID_STREAM, "more channels than the component has: num_chs",
                   c->num_chs);
    JAI_TRY(read_cube_flags(pool, bits, h, c));
    c->rvs_enable_flag = jai_bits_u8(bits, "rvs_enable_flag", 1);
    c->grfs_enable_flag = jai_bits_u8(bits, "grfs_enable_flag", 1);
    if (c->grfs_enable_flag != 0) {
        for (unsigned i = 0; i < c->num_chs; i++) {
            c->grfs_channel_flag[i] = jai_bits_u8(bits, "grfs_channel_flag", 1);
        }
    }
    c->synthesis_tile_enable = jai_bits_u8(bits, "synthesis_tile_enable", 1);
    if (c->synthesis_tile_enable != 0) {
        c->synthesis_tile_size = jai_bits_u8(bits, "synthesis_tile_size", 8);
        c->synthesis_tile_overlap = jai_bits_u8(bits, "synthesis_tile_overlap", 5);
        JAI_BITS_CHECK(bits, c->synthesis_tile_size > c->synthesis_tile_overlap, JAI_INVALID_STREAM,
                       "synthesis_tile_size is not above synthesis_tile_overlap", c->synthesis_tile_overlap);
    }
    return JAI_OK;
}

/* Chroma is synthesised with the luma latent of the same tile, so both must have the same tiles. */
static jai_status check_synthesis_tiles(const jai_bits *bits, const jai_component_header *luma,
                                        const jai_component_header *chroma)
{
    JAI_BITS_CHECK(bits,
                   luma->synthesis_tile_enable == chroma->synthesis_tile_enable &&
                       luma->synthesis_tile_size == chroma->synthesis_tile_size &&
                       luma->synthesis_tile_overlap == chroma->synthesis_tile_overlap,
                   JAI_INVALID_STREAM, "chroma has other synthesis tiles than luma: synthesis_tile_size",
                   chroma->synthesis_tile_size);
    return JAI_OK;
}

static void read_quality_map(jai_bits *bits, jai_picture_header *h)
{
    h->gain_3D_enable_flag = jai_bits_u8(bits, "gain_3D_enable_flag", 1);
    if (h->gain_3D_enable_flag == 0) {
        return;
    }
    h->multi_threading_q = jai_bits_u8(bits, "multi_threading_q", 1);
    if (h->multi_threading_q != 0) {
        h->log2_num_threads_q_minus1 = jai_bits_u8(bits, "log2_num_threads_q_minus1", 2);
    }
    h->quality_map_entropy_index = jai_bits_u8(bits, "quality_map_entropy_index", 3);
}

jai_status jai_picture_header_read(jai_pool *pool, const jai_segment *segment, jai_picture_header *h)
{
    jai_bits bits;
    jai_bits_open(&bits, pool->context, "picture header", segment->payload, 0, segment->size);
    JAI_TRY(read_profile(&bits, h));
    JAI_TRY(read_size(&bits, h));
    JAI_TRY(read_colour(&bits, h));
    h->model_id = jai_bits_u8(&bits, "model_id", 4);
    JAI_BITS_CHECK(&bits, h->model_id < MODELS, JAI_UNSUPPORTED, "model_id", h->model_id);
    h->multi_threading_z = jai_bits_u8(&bits, "multi_threading_z", 1);
    if (h->multi_threading_z != 0) {
        h->log2_num_threads_z_minus1 = jai_bits_u8(&bits, "log2_num_threads_z_minus1", 2);
    }
    h->beta_displacement_log_plus_2048[JAI_LUMA] = jai_bits_u16(&bits, "beta_displacement_log_plus_2048[0]", 12);
    JAI_TRY(read_regions(&bits, h));
    h->independent_beta_uv = jai_bits_u8(&bits, "independent_beta_uv", 1);
    h->beta_displacement_log_plus_2048[JAI_CHROMA] = h->independent_beta_uv != 0
                                                         ? jai_bits_u16(&bits, "beta_displacement_log_plus_2048[1]", 12)
                                                         : h->beta_displacement_log_plus_2048[JAI_LUMA];
    JAI_TRY(read_component(pool, &bits, h, JAI_LUMA_CHANNELS, &h->component[JAI_LUMA]));
    JAI_TRY(read_component(pool, &bits, h, JAI_CHROMA_CHANNELS, &h->component[JAI_CHROMA]));
    JAI_TRY(check_synthesis_tiles(&bits, &h->component[JAI_LUMA], &h->component[JAI_CHROMA]));
    read_quality_map(&bits, h);
    return jai_bits_finish(&bits);
}
