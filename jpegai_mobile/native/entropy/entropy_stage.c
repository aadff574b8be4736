/* The entropy stage: from sub-streams and integer tables to quantised residuals. */
#include <string.h>

#include "arrays.h"
#include "hyper_scale_decoder.h"
#include "quality_map.h"
#include "residual.h"
#include "residual_scaling.h"
#include "skip_mode.h"
#include "z.h"

/* --- hyper latents --------------------------------------------------------------------------------------------- */

static jai_status decode_z_component(jai_tans_decoder *decoder, const jai_component_tables *tables, int16_t *symbols,
                                     const jai_component_arrays *a)
{
    const size_t count = (size_t)a->z_rows * a->z_columns;
    int8_t *z = a->z;
    for (uint32_t channel = 0; channel < a->channels; channel++) {
        JAI_TRY(jai_z_decode_row(decoder, tables->z_cumulative + (size_t)channel * JAI_Z_SYMBOLS, symbols, count));
        for (size_t i = 0; i < count; i++) {
            if (symbols[i] >= JAI_Z_SYMBOLS) {
                return jai_substream_fail(decoder->context, &decoder->substream, "a hyper latent is out of range");
            }
            *z++ = (int8_t)(symbols[i] - JAI_Z_OFFSET);
        }
    }
    return JAI_OK;
}

static jai_status decode_z(jai_stream *stream, const jai_model *model)
{
    const jai_component_arrays *a = stream->arrays.component;
    const unsigned threads = jai_threads(stream->picture.multi_threading_z, stream->picture.log2_num_threads_z_minus1);
    jai_tans_decoder decoder;
    void *symbols = NULL;
    JAI_TRY(jai_pool_allocate(&stream->arrays_pool, (size_t)a->z_rows * a->z_columns, sizeof(int16_t), &symbols));
    JAI_TRY(jai_tans_open(&decoder, stream->pool.context, &stream->z, threads));
    for (unsigned component = 0; component < JAI_COMPONENTS; component++) {
        JAI_TRY(decode_z_component(&decoder, &model->component[component], symbols, &a[component]));
    }
    JAI_TRY(jai_tans_close(&decoder));
    jai_pool_free(&stream->arrays_pool, symbols);
    return JAI_OK;
}

/* --- residual -------------------------------------------------------------------------------------------------- */

/* A component that is being decoded, and the planes of one channel of a region, [rows][columns] of the region. */
typedef struct component_stage {
    jai_stream *stream;
    const jai_model *model;
    unsigned component;
    const jai_component_header *header;
    const jai_component_tables *tables;
    const jai_component_arrays *arrays;
    jai_scale_decoder scale_decoder;
    int32_t *scale_index;
    int32_t *scaled_sigma;
    const int32_t *sigma; /* scaled_sigma, or scale_index when nothing is scaled */
    int32_t *average;     /* [ceil(rows / 8)][ceil(columns / 8)] */
    int32_t *quality_offset;
    uint8_t *kept;
    uint8_t *mask;
    uint8_t *table_index;
} component_stage;

static jai_status allocate_planes(component_stage *s)
{
    jai_pool *pool = &s->stream->arrays_pool;
    const size_t count = (size_t)s->arrays->rows * s->arrays->columns;
    void *memory = NULL;
    JAI_TRY(jai_pool_allocate(pool, count, sizeof(int32_t), &memory));
    s->scale_index = memory;
    JAI_TRY(jai_pool_allocate(pool, count, sizeof(int32_t), &memory));
    s->scaled_sigma = memory;
    s->sigma = s->header->rvs_enable_flag != 0 || s->header->grfs_enable_flag != 0 ? s->scaled_sigma : s->scale_index;
    JAI_TRY(jai_pool_allocate(pool, count, sizeof(int32_t), &memory));
    s->average = memory;
    JAI_TRY(jai_pool_allocate(pool, count, sizeof(int32_t), &memory));
    s->quality_offset = memory;
    JAI_TRY(jai_pool_allocate(pool, count, 1, &memory));
    s->kept = memory;
    JAI_TRY(jai_pool_allocate(pool, count, 1, &memory));
    s->mask = memory;
    JAI_TRY(jai_pool_allocate(pool, count, 1, &memory));
    s->table_index = memory;
    return JAI_OK;
}

static void free_planes(component_stage *s)
{
    jai_pool *pool = &s->stream->arrays_pool;
    jai_pool_free(pool, s->scale_index);
    jai_pool_free(pool, s->scaled_sigma);
    jai_pool_free(pool, s->average);
    jai_pool_free(pool, s->quality_offset);
    jai_pool_free(pool, s->kept);
    jai_pool_free(pool, s->mask);
    jai_pool_free(pool, s->table_index);
}

static size_t region_area(const jai_rectangle *region)
{
    return (size_t)(region->bottom - region->top) * (region->right - region->left);
}

static void load_quality_offset(component_stage *s, const jai_rectangle *region)
{
    const int8_t *map = s->stream->arrays.quality_map;
    int32_t *offset = s->quality_offset;
    for (uint32_t row = region->top; row < region->bottom; row++) {
        for (uint32_t column = region->left; column < region->right; column++) {
            *offset++ = map != NULL ? jai_quality_log_offset(map[(size_t)row * s->arrays->columns + column]) : 0;
        }
    }
}

/* Fills the planes of a channel. */
static void prepare_channel(component_stage *s, uint32_t channel, const jai_rectangle *region)
{
    const jai_picture_header *picture = &s->stream->picture;
    const size_t count = region_area(region);
    const int32_t offset = jai_int16_le(s->tables->gain + (size_t)channel * 2) +
                           picture->beta_displacement_log_plus_2048[s->component] - 2048;
    jai_scale_decoder_run(&s->scale_decoder, channel, region, s->scale_index);
    for (size_t i = 0; i < count; i++) {
        s->scale_index[i] += offset + s->quality_offset[i];
    }
    jai_skip_mask(s->scale_index, s->kept, s->mask, count);
    const uint32_t rows = region->bottom - region->top;
    const uint32_t columns = region->right - region->left;
    if (s->sigma == s->scaled_sigma || s->arrays->block_average != NULL) {
        jai_block_averages(s->scale_index, rows, columns, s->average);
    }
    if (s->sigma == s->scaled_sigma) {
        jai_scale_sigma(s->header, picture->model_id, channel, s->scale_index, s->average, rows, columns,
                        s->scaled_sigma);
    }
    for (size_t i = 0; i < count; i++) {
        s->table_index[i] = jai_table_index(s->sigma[i]);
    }
}

static void store_channel(const component_stage *s, uint32_t channel, const jai_rectangle *region)
{
    const jai_component_arrays *a = s->arrays;
    const jai_tool_header *tools = &s->stream->tools;
    const jai_rectangle blocks = {region->top / JAI_BLOCK, region->left / JAI_BLOCK,
                                  jai_cover(region->bottom, JAI_BLOCK), jai_cover(region->right, JAI_BLOCK)};
    const jai_destination scale_index = {a->scale_index, sizeof *a->scale_index, a->rows, a->columns};
    const jai_destination sigma = {a->sigma, sizeof *a->sigma, a->rows, a->columns};
    const jai_destination skip_mask = {a->skip_mask, sizeof *a->skip_mask, a->rows, a->columns};
    const jai_destination average = {a->block_average, sizeof *a->block_average, jai_cover(a->rows, JAI_BLOCK),
                                     jai_cover(a->columns, JAI_BLOCK)};
    jai_store_plane(&scale_index, s->scale_index, channel, region);
    jai_store_plane(&sigma, s->sigma, channel, region);
    jai_store_plane(&skip_mask, s->mask, channel, region);
    jai_store_plane(&average, s->average, channel, &blocks);
    if (s->component == JAI_LUMA && tools->LEF_enabled_flag != 0 && tools->LEF_chIdx == channel) {
        const jai_destination lef_sigma = {s->stream->arrays.lef_sigma, sizeof(int32_t), a->rows, a->columns};
        jai_store_plane(&lef_sigma, s->sigma, 0, region);
    }
}

/* Decodes the residuals of a channel in place; neighbouring rows of a region as wide as the picture are one piece. */
static jai_status decode_channel(const component_stage *s, jai_tans_row *coder, uint32_t channel,
                                 const jai_rectangle *region)
{
    const size_t width = region->right - region->left;
    const size_t piece = width == s->arrays->columns ? region_area(region) : width;
    const size_t first = ((size_t)channel * s->arrays->rows + region->top) * s->arrays->columns + region->left;
    int16_t *residual = s->arrays->residual + first;
    for (size_t done = 0; done < region_area(region); done += piece, residual += s->arrays->columns) {
        JAI_TRY(jai_tans_row_decode(coder, s->model->residual_table, s->table_index + done, s->mask + done, residual,
                                    piece));
    }
    return JAI_OK;
}

static jai_status decode_region(component_stage *s, uint32_t number)
{
    const jai_picture_header *picture = &s->stream->picture;
    const jai_substream *substream = &s->stream->residual[s->component][number];
    const bool present = substream->payload != NULL;
    const jai_rectangle region = jai_region_latents(picture, number);
    jai_tans_decoder decoder;
    jai_tans_row coder;
    if (present) {
        const unsigned threads = jai_threads(s->header->multi_threading_r, s->header->log2_num_threads_r_minus1);
        JAI_TRY(jai_tans_open(&decoder, s->stream->pool.context, substream, threads));
        jai_tans_row_begin(&coder, &decoder, jai_residual_read_escape,
                           (uint64_t)region_area(&region) * s->header->num_chs);
    }
    load_quality_offset(s, &region);
    jai_kept_positions(picture, s->header, &region, s->kept);
    for (uint32_t channel = 0; channel < s->arrays->channels; channel++) {
        prepare_channel(s, channel, &region);
        store_channel(s, channel, &region);
        if (present && channel < s->header->num_chs) {
            JAI_TRY(decode_channel(s, &coder, channel, &region));
        }
    }
    if (present) {
        JAI_TRY(jai_tans_row_end(&coder));
        JAI_TRY(jai_tans_close(&decoder));
    }
    return JAI_OK;
}

/*
 * Residual channels that are kept for a limit: progressive decoding stops where the symbols of whole channels fill
 * whole groups of every thread.
 */
static uint32_t kept_channels(const component_stage *s, uint32_t limit)
{
    const unsigned threads = jai_threads(s->header->multi_threading_r, s->header->log2_num_threads_r_minus1);
    const uint64_t area = (uint64_t)s->arrays->rows * s->arrays->columns;
    for (uint32_t block = 1; block <= limit; block++) {
        if (block * area % (JAI_TANS_GROUP * threads) == 0) {
            const uint32_t rounded = jai_cover(limit, block) * block;
            return rounded < s->header->num_chs ? rounded : s->header->num_chs;
        }
    }
    return limit < s->header->num_chs ? limit : s->header->num_chs;
}

static void drop_channels(const component_stage *s, uint32_t limit)
{
    const size_t area = (size_t)s->arrays->rows * s->arrays->columns;
    const uint32_t kept = kept_channels(s, limit);
    memset(s->arrays->residual + kept * area, 0, (s->arrays->channels - kept) * area * sizeof(int16_t));
}

static jai_status decode_component(jai_stream *stream, const jai_model *model, unsigned component, uint32_t limit)
{
    jai_pool *pool = &stream->arrays_pool;
    const jai_component_arrays *a = &stream->arrays.component[component];
    component_stage s = {.stream = stream,
                         .model = model,
                         .component = component,
                         .header = &stream->picture.component[component],
                         .tables = &model->component[component],
                         .arrays = a};
    JAI_TRY(jai_scale_decoder_open(&s.scale_decoder, pool, s.tables, a->z, a->z_rows, a->z_columns));
    JAI_TRY(allocate_planes(&s));
    for (uint32_t region = 0; region < jai_region_count(&stream->picture); region++) {
        JAI_TRY(decode_region(&s, region));
    }
    drop_channels(&s, limit);
    free_planes(&s);
    jai_scale_decoder_close(&s.scale_decoder, pool);
    return JAI_OK;
}

/* --- the whole stage ------------------------------------------------------------------------------------------- */

static jai_status decode_stage(jai_stream *stream, const jai_model *model, const jai_options *options)
{
    const jai_picture_header *picture = &stream->picture;
    JAI_TRY(jai_arrays_allocate(stream, options->arrays));
    JAI_TRY(decode_z(stream, model));
    if (picture->gain_3D_enable_flag != 0) {
        const jai_component_arrays *a = stream->arrays.component;
        JAI_TRY(jai_quality_map_decode(&stream->arrays_pool, model->residual_table, &stream->quality_map,
                                       jai_threads(picture->multi_threading_q, picture->log2_num_threads_q_minus1),
                                       picture->quality_map_entropy_index, a->rows, a->columns,
                                       &stream->arrays.quality_map));
    }
    JAI_TRY(decode_component(stream, model, JAI_LUMA, options->max_channels[JAI_LUMA]));
    return decode_component(stream, model, JAI_CHROMA, options->max_channels[JAI_CHROMA]);
}

jai_status jai_stream_decode(jai_stream *stream, const jai_model *model, const jai_options *options,
                             const jai_arrays **arrays)
{
    *arrays = NULL;
    jai_pool_release(&stream->arrays_pool);
    const jai_status status = decode_stage(stream, model, options);
    const bool wanted = status == JAI_INVALID_STREAM && (options->arrays & JAI_UNTIL_DAMAGE) != 0;
    if (status == JAI_OK || wanted) {
        *arrays = &stream->arrays;
    } else {
        jai_pool_release(&stream->arrays_pool);
    }
    return status;
}
