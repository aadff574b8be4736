#include "trace_headers.h"

#include <stdarg.h>

/* A record whose name is made like printf's text. */
static void open_list(trace_writer *t, char type, uint32_t count, const char *format, va_list arguments)
{
    char name[TRACE_MAX_NAME + 1];
    vsnprintf(name, sizeof name, format, arguments);
    trace_open(t, name, type, &count, 1);
}

static void number(trace_writer *t, uint32_t value, const char *prefix, const char *field)
{
    char name[TRACE_MAX_NAME + 1];
    snprintf(name, sizeof name, "%s.%s", prefix, field);
    trace_open(t, name, 'I', NULL, 0);
    trace_value(t, value);
    trace_close(t);
}

static void list8(trace_writer *t, const uint8_t *values, uint32_t count, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    open_list(t, 'I', count, format, arguments);
    va_end(arguments);
    for (uint32_t i = 0; i < count; i++) {
        trace_value(t, values[i]);
    }
    trace_close(t);
}

static void list16(trace_writer *t, const uint16_t *values, uint32_t count, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    open_list(t, 'I', count, format, arguments);
    va_end(arguments);
    for (uint32_t i = 0; i < count; i++) {
        trace_value(t, values[i]);
    }
    trace_close(t);
}

static void byte_string(trace_writer *t, const uint8_t *bytes, uint32_t size, const char *name)
{
    trace_open(t, name, 'B', &size, 1);
    for (uint32_t i = 0; i < size; i++) {
        trace_value(t, bytes[i]);
    }
    trace_close(t);
}

/* --- picture header -------------------------------------------------------------------------------------------- */

/* Cube flags as [phase][row][column]; a list without elements where they are not used. */
static void cube_flags(trace_writer *t, const jai_component_header *c, const char *prefix)
{
    enum { PHASES = 4 };
    const uint32_t shape[TRACE_MAX_RANK] = {PHASES, c->cube_rows, c->cube_columns};
    char name[TRACE_MAX_NAME + 1];
    list8(t, c->cube_group_flag, c->cube_groups, "%s.cube_group_flag", prefix);
    if (c->cube_flags == 0) {
        list8(t, NULL, 0, "%s.cube_flag", prefix);
        return;
    }
    snprintf(name, sizeof name, "%s.cube_flag", prefix);
    trace_open(t, name, 'I', shape, TRACE_MAX_RANK);
    for (uint32_t i = 0; i < c->cube_flags; i++) {
        trace_value(t, c->cube_flag[i]);
    }
    trace_close(t);
}

static void component_header(trace_writer *t, const jai_picture_header *h, unsigned component)
{
    const jai_component_header *c = &h->component[component];
    char prefix[TRACE_MAX_NAME / 2];
    snprintf(prefix, sizeof prefix, "picture_header.components[%u]", component);
    number(t, c->multi_threading_r, prefix, "multi_threading_r");
    number(t, c->log2_num_threads_r_minus1, prefix, "log2_num_threads_r_minus1");
    number(t, c->num_chs, prefix, "num_chs");
    number(t, c->use_cube_flags, prefix, "use_cube_flags");
    cube_flags(t, c, prefix);
    number(t, c->rvs_enable_flag, prefix, "rvs_enable_flag");
    number(t, c->grfs_enable_flag, prefix, "grfs_enable_flag");
    list8(t, c->grfs_channel_flag, c->grfs_enable_flag ? c->num_chs : 0, "%s.grfs_channel_flag", prefix);
    number(t, c->synthesis_tile_enable, prefix, "synthesis_tile_enable");
    number(t, c->synthesis_tile_size, prefix, "synthesis_tile_size");
    number(t, c->synthesis_tile_overlap, prefix, "synthesis_tile_overlap");
}

static void picture_header(trace_writer *t, const jai_picture_header *h)
{
    static const char P[] = "picture_header";
    const bool matrix = h->colour_transform_idx == 2;
    number(t, h->decoder_profile_id, P, "decoder_profile_id");
    number(t, h->num_synthesis_transforms_minus1, P, "num_synthesis_transforms_minus1");
    list8(t, h->synthesis_transform_id, h->num_synthesis_transforms_minus1 + 1u, "%s.synthesis_transform_id", P);
    number(t, h->level_idc, P, "level_idc");
    number(t, h->img_width_minus64, P, "img_width_minus64");
    number(t, h->img_height_minus64, P, "img_height_minus64");
    number(t, h->diff_display_img_width, P, "diff_display_img_width");
    number(t, h->diff_display_img_height, P, "diff_display_img_height");
    number(t, h->bit_depth_idc, P, "bit_depth_idc");
    number(t, h->s_ver_minus1, P, "s_ver_minus1");
    number(t, h->s_hor_minus1, P, "s_hor_minus1");
    number(t, h->c_ver_minus1, P, "c_ver_minus1");
    number(t, h->c_hor_minus1, P, "c_hor_minus1");
    number(t, h->colour_transform_idx, P, "colour_transform_idx");
    list8(t, h->colour_transform_matrix, matrix ? 9 : 0, "%s.colour_transform_matrix", P);
    list8(t, h->colour_transform_offset, matrix ? 3 : 0, "%s.colour_transform_offset", P);
    number(t, h->model_id, P, "model_id");
    number(t, h->multi_threading_z, P, "multi_threading_z");
    number(t, h->log2_num_threads_z_minus1, P, "log2_num_threads_z_minus1");
    list16(t, h->beta_displacement_log_plus_2048, JAI_COMPONENTS, "%s.beta_displacement_log_plus_2048", P);
    number(t, h->region_partitioning_flag, P, "region_partitioning_flag");
    number(t, h->num_ver_splits_minus1, P, "num_ver_splits_minus1");
    number(t, h->num_hor_splits_minus1, P, "num_hor_splits_minus1");
    number(t, h->region_residual_in_its_own_substream_flag, P, "region_residual_in_its_own_substream_flag");
    number(t, h->hyper_decoder_overlap_in_latent_samples, P, "hyper_decoder_overlap_in_latent_samples");
    number(t, h->mcm_overlap_in_latent_samples, P, "mcm_overlap_in_latent_samples");
    number(t, h->independent_beta_uv, P, "independent_beta_uv");
    component_header(t, h, JAI_LUMA);
    component_header(t, h, JAI_CHROMA);
    number(t, h->gain_3D_enable_flag, P, "gain_3D_enable_flag");
    number(t, h->multi_threading_q, P, "multi_threading_q");
    number(t, h->log2_num_threads_q_minus1, P, "log2_num_threads_q_minus1");
    number(t, h->quality_map_entropy_index, P, "quality_map_entropy_index");
}

/* --- tool header ----------------------------------------------------------------------------------------------- */

static void efe_linear_set(trace_writer *t, const jai_efe_linear_set *s, const char *name)
{
    char prefix[TRACE_MAX_NAME / 2];
    for (unsigned i = 0; i < 2; i++) {
        const jai_efe_linear_plane *p = &s->plane[i];
        const uint32_t area = (uint32_t)p->fL * p->fL;
        const uint32_t size = area * p->kernels;
        snprintf(prefix, sizeof prefix, "tool_header.efe_linear.%s.planes[%u]", name, i);
        number(t, p->best_cand_idx, prefix, "best_cand_idx");
        number(t, p->fL, prefix, "fL");
        for (uint32_t r = 0; r < p->regions; r++) {
            list16(t, p->weights + (size_t)r * size, size, "%s.weights[%u]", prefix, (unsigned)r);
        }
        for (uint32_t r = 0; r < p->regions; r++) {
            list16(t, p->weights2 + (size_t)r * area, area, "%s.weights2[%u]", prefix, (unsigned)r);
        }
    }
    snprintf(prefix, sizeof prefix, "tool_header.efe_linear.%s", name);
    number(t, s->minSymbol, prefix, "minSymbol");
    number(t, s->maxSymbol, prefix, "maxSymbol");
}

static void eicci(trace_writer *t, const jai_tool_header *h)
{
    static const char P[] = "tool_header.eicci";
    char prefix[TRACE_MAX_NAME / 2];
    number(t, h->icci_tile_manager_enabled, P, "tile_manager_enabled");
    number(t, h->icci_tile_size, P, "tile_size");
    number(t, h->icci_tile_overlap, P, "tile_overlap");
    for (uint32_t i = 0; i < h->icci_tiles; i++) {
        const jai_eicci_tile *tile = &h->icci_tile[i];
        snprintf(prefix, sizeof prefix, "%s.tiles[%u]", P, (unsigned)i);
        list8(t, tile->icci_use, 3, "%s.icci_use", prefix);
        number(t, tile->icci_use_shortList, prefix, "icci_use_shortList");
        list8(t, tile->icci_model_signalled_idx, 2, "%s.icci_model_signalled_idx", prefix);
    }
}

static void efe_nonlinear(trace_writer *t, const jai_tool_header *h)
{
    static const char P[] = "tool_header.efe_nonlinear";
    char prefix[TRACE_MAX_NAME / 2];
    const uint32_t area = (uint32_t)h->len_mask_y * h->len_mask_x;
    number(t, h->minSymbol, P, "minSymbol");
    number(t, h->maxSymbol, P, "maxSymbol");
    list8(t, h->mask_enabled_flag, 2, "%s.mask_enabled_flag", P);
    number(t, h->bS, P, "bS");
    number(t, h->len_mask_y, P, "len_mask_y");
    number(t, h->len_mask_x, P, "len_mask_x");
    for (unsigned i = 0; i < 2; i++) {
        list16(t, h->W5[i], h->mask_enabled_flag[i] ? area : 0, "%s.W5[%u]", P, i);
    }
    for (unsigned i = 0; i < 2; i++) {
        const jai_efe_nonlinear_plane *p = &h->nonlinear[i];
        snprintf(prefix, sizeof prefix, "%s.planes[%u]", P, i);
        number(t, p->enabled_flag, prefix, "enabled_flag");
        number(t, p->candNum, prefix, "candNum");
        list16(t, p->A1, p->candNum, "%s.A1", prefix);
    }
    number(t, h->nonlinearW, P, "nonlinearW");
    number(t, h->nonlinearH, P, "nonlinearH");
    number(t, h->numTiles, P, "numTiles");
    list16(t, h->minLuma, h->numTiles, "%s.minLuma", P);
    list16(t, h->maxLuma, h->numTiles, "%s.maxLuma", P);
}

static void tool_header(trace_writer *t, const jai_tool_header *h)
{
    list8(t, h->lsbs_enable_flag, JAI_COMPONENTS, "tool_header.lsbs_enable_flag");
    if (h->EFE_linear_filter_enabled_flag != 0) {
        list16(t, h->B1, 2, "tool_header.efe_linear.B1");
        efe_linear_set(t, &h->efe_set[0], "set_a");
        efe_linear_set(t, &h->efe_set[1], "set_b");
    }
    if (h->icci_enable_flag != 0) {
        eicci(t, h);
    }
    if (h->EFE_nonlinear_filter_enabled_flag != 0) {
        efe_nonlinear(t, h);
    }
    if (h->LEF_enabled_flag != 0) {
        number(t, h->LEF_chIdx, "tool_header", "LEF_chIdx");
    }
}

/* --- rendering information ------------------------------------------------------------------------------------- */

static void rendering_information(trace_writer *t, const jai_rendering_information *h)
{
    static const char CICP[] = "rendering_information.cicp";
    static const char MDCV[] = "rendering_information.mdcv";
    static const char CLLI[] = "rendering_information.clli";
    static const char DM[] = "rendering_information.dm";
    if (h->cicp_present_flag != 0) {
        number(t, h->colour_primaries, CICP, "colour_primaries");
        number(t, h->transfer_characteristics, CICP, "transfer_characteristics");
        number(t, h->matrix_coefficients, CICP, "matrix_coefficients");
        number(t, h->image_full_range_flag, CICP, "image_full_range_flag");
        number(t, h->chroma420_sample_loc_type, CICP, "chroma420_sample_loc_type");
    }
    if (h->mdcv_present_flag != 0) {
        list16(t, h->primaries, 6, "%s.primaries", MDCV);
        list16(t, h->white_point_chromaticity, 2, "%s.white_point_chromaticity", MDCV);
        number(t, h->maximum_luminance, MDCV, "maximum_luminance");
        number(t, h->minimum_luminance, MDCV, "minimum_luminance");
    }
    if (h->clli_present_flag != 0) {
        number(t, h->maximum_content_light_level, CLLI, "maximum_content_light_level");
        number(t, h->maximum_frame_average_light_level, CLLI, "maximum_frame_average_light_level");
    }
    if (h->dm_present_flag != 0) {
        number(t, h->dm_type, DM, "dm_type");
        byte_string(t, h->dm_data, h->dm_size, "rendering_information.dm.data");
    }
}

void trace_headers(trace_writer *t, const jai_stream *stream)
{
    const jai_rendering_information *rendering = jai_stream_rendering_information(stream);
    size_t size = 0;
    const uint8_t *user_data = jai_stream_user_data(stream, &size);
    picture_header(t, jai_stream_picture_header(stream));
    tool_header(t, jai_stream_tool_header(stream));
    if (rendering != NULL) {
        rendering_information(t, rendering);
    }
    if (user_data != NULL) {
        byte_string(t, user_data, (uint32_t)size, "user_data");
    }
}
