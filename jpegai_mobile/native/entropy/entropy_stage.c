/* The entropy stage: from sub-streams and integer tables to quantised residuals. */
#include <string.h>

#include "arrays.h"
#include "hyper_scale_decoder.h"
#include "quality_map.h"
#include "residual.h"
#include "residual_scaling.h"
#include "skip_mode.h"
#include "sparse_residual.h"
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
    const uint8_t *skipped_regions;
    jai_scale_decoder scale_decoder;
    int32_t *scale_index;
    int32_t *scaled_sigma;
    const int32_t *sigma;    /* scaled_sigma, or scale_index when nothing is scaled */
    int32_t *average;        /* [ceil(rows / 8)][ceil(columns / 8)] */
    int32_t *quality_offset; /* NULL: there is no quality map */
    uint8_t *kept;
    uint8_t *mask;
    uint8_t *table_index;
    jai_sparse_residual *sparse; /* NULL: the residual is stored as an array */
    uint32_t max_channels;
    int16_t *residual; /* planes of the latest channels, channel c in plane c % ring */
    uint32_t ring;
} component_stage;

static size_t region_area(const jai_rectangle *region)
{
    return (size_t)(region->bottom - region->top) * (region->right - region->left);
}

/* Channels of a region of `area` positions whose last escaped values may still be to come, and the next one. */
static uint32_t open_channels(size_t area)
{
    return (uint32_t)((JAI_TANS_GROUP * JAI_MAX_THREADS + area - 1) / area) + 1;
}

static jai_status allocate_residual_planes(component_stage *s)
{
    size_t most = 0;
    for (uint32_t number = 0; number < jai_region_count(&s->stream->picture); number++) {
        const jai_rectangle region = jai_region_latents(&s->stream->picture, number);
        const size_t size = open_channels(region_area(&region)) * region_area(&region);
        most = size > most ? size : most;
    }
    void *memory = NULL;
    JAI_TRY(jai_pool_allocate(&s->stream->arrays_pool, most, sizeof(int16_t), &memory));
    s->residual = memory;
    return JAI_OK;
}

static jai_status allocate_planes(component_stage *s)
{
    jai_pool *pool = &s->stream->arrays_pool;
    const size_t count = (size_t)s->arrays->rows * s->arrays->columns;
    const size_t blocks = (size_t)jai_cover(s->arrays->rows, JAI_BLOCK) * jai_cover(s->arrays->columns, JAI_BLOCK);
    void *memory = NULL;
    JAI_TRY(allocate_residual_planes(s));
    JAI_TRY(jai_pool_allocate(pool, count, sizeof(int32_t), &memory));
    s->scale_index = memory;
    JAI_TRY(jai_pool_allocate(pool, count, sizeof(int32_t), &memory));
    s->scaled_sigma = memory;
    s->sigma = s->header->rvs_enable_flag != 0 || s->header->grfs_enable_flag != 0 ? s->scaled_sigma : s->scale_index;
    JAI_TRY(jai_pool_allocate(pool, blocks, sizeof(int32_t), &memory));
    s->average = memory;
    if (s->stream->arrays.quality_map != NULL) {
        JAI_TRY(jai_pool_allocate(pool, count, sizeof(int32_t), &memory));
        s->quality_offset = memory;
    }
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
    jai_pool_free(pool, s->residual);
}

static void load_quality_offset(component_stage *s, const jai_rectangle *region)
{
    const int8_t *map = s->stream->arrays.quality_map;
    int32_t *offset = s->quality_offset;
    for (uint32_t row = region->top; row < region->bottom; row++) {
        for (uint32_t column = region->left; column < region->right; column++) {
            *offset++ = jai_quality_log_offset(map[(size_t)row * s->arrays->columns + column]);
        }
    }
}

/* Fills the planes of a channel. Plain loops over one plane each are what compilers turn into vector code. */
static void prepare_channel(component_stage *s, uint32_t channel, const jai_rectangle *region)
{
    const jai_picture_header *picture = &s->stream->picture;
    const size_t count = region_area(region);
    const int32_t offset = jai_int16_le(s->tables->gain + (size_t)channel * 2) +
                           picture->beta_displacement_log_plus_2048[s->component] - 2048;
    jai_scale_decoder_run(&s->scale_decoder, channel, region, s->scale_index);
    for (size_t i = 0; i < count; i++) {
        s->scale_index[i] += offset;
    }
    if (s->quality_offset != NULL) {
        for (size_t i = 0; i < count; i++) {
            s->scale_index[i] += s->quality_offset[i];
        }
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
    jai_table_indices(s->sigma, s->table_index, count);
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

/* A region whose residuals are being decoded. */
typedef struct region_stage {
    uint32_t number;
    jai_rectangle place; /* in latents */
    jai_tans_decoder decoder;
    jai_tans_row coder;
    uint32_t decoded; /* channels */
    uint32_t stored;  /* channels */
    uint32_t kept;    /* channels */
} region_stage;

static int16_t *residual_plane(const component_stage *s, const region_stage *region, uint32_t channel)
{
    return s->residual + channel % s->ring * region_area(&region->place);
}

static jai_status store_residual(const component_stage *s, const region_stage *region, uint32_t channel)
{
    const jai_component_arrays *a = s->arrays;
    const jai_rectangle *place = &region->place;
    const int16_t *plane = residual_plane(s, region, channel);
    if (channel >= region->kept) {
        return JAI_OK;
    }
    if (s->sparse != NULL) {
        return jai_sparse_store(s->sparse, &s->stream->arrays_pool, region->number, channel, plane,
                                place->bottom - place->top, place->right - place->left);
    }
    const jai_destination residual = {a->residual, sizeof *a->residual, a->rows, a->columns};
    jai_store_plane(&residual, plane, channel, place);
    return JAI_OK;
}

/* Stores the channels that lie before `position` of the region's row. */
static jai_status store_residuals(const component_stage *s, region_stage *region, uint64_t position)
{
    const size_t area = region_area(&region->place);
    for (; (region->stored + (uint64_t)1) * area <= position; region->stored++) {
        JAI_TRY(store_residual(s, region, region->stored));
    }
    return JAI_OK;
}

static jai_status decode_channel(const component_stage *s, region_stage *region)
{
    const size_t area = region_area(&region->place);
    int16_t *plane = residual_plane(s, region, region->decoded);
    memset(plane, 0, area * sizeof *plane);
    region->decoded++;
    JAI_TRY(jai_tans_row_decode(&region->coder, s->model->residual_table, s->table_index, s->mask, plane, area));
    return store_residuals(s, region, jai_tans_row_settled(&region->coder));
}

/* Whether anything but residuals is wanted of the channels. */
static bool stores_scales(const component_stage *s)
{
    const jai_component_arrays *a = s->arrays;
    return a->scale_index != NULL || a->sigma != NULL || a->skip_mask != NULL || a->block_average != NULL ||
           (s->component == JAI_LUMA && s->stream->arrays.lef_sigma != NULL);
}

static jai_status decode_channels(component_stage *s, region_stage *region, bool present)
{
    const uint32_t coded = present ? s->header->num_chs : 0;
    const uint32_t needed = stores_scales(s) ? s->arrays->channels : coded;
    for (uint32_t channel = 0; channel < needed; channel++) {
        prepare_channel(s, channel, &region->place);
        store_channel(s, channel, &region->place);
        if (channel < coded) {
            JAI_TRY(decode_channel(s, region));
        }
    }
    return JAI_OK;
}

/* The last escaped values of a region, then the channels that they complete; of damaged data, all that there is. */
static jai_status finish_residuals(const component_stage *s, region_stage *region, jai_status status)
{
    if (status == JAI_OK) {
        status = jai_tans_row_end(&region->coder);
    }
    if (status == JAI_OK || status == JAI_INVALID_STREAM) {
        JAI_TRY(store_residuals(s, region, region->decoded * (uint64_t)region_area(&region->place)));
    }
    return status == JAI_OK ? jai_tans_close(&region->decoder) : status;
}

/*
 * Residual channels of a region that are kept for the limit: progressive decoding stops where the symbols of whole
 * channels fill whole groups of every thread.
 */
static uint32_t kept_channels(const component_stage *s, const jai_rectangle *region, unsigned threads)
{
    const uint32_t limit = s->max_channels;
    const uint64_t area = region_area(region);
    for (uint32_t block = 1; block <= limit; block++) {
        if (block * area % (JAI_TANS_GROUP * threads) == 0) {
            const uint32_t rounded = jai_cover(limit, block) * block;
            return rounded < s->header->num_chs ? rounded : s->header->num_chs;
        }
    }
    return limit < s->header->num_chs ? limit : s->header->num_chs;
}

static jai_status decode_region(component_stage *s, uint32_t number)
{
    const jai_picture_header *picture = &s->stream->picture;
    const jai_substream *substream = &s->stream->residual[s->component][number];
    /* Only independent regions are few enough to have a bit each. */
    const bool skipped = picture->region_residual_in_its_own_substream_flag != 0 &&
                         (s->skipped_regions[number / 8] >> number % 8 & 1) != 0;
    const bool present = substream->payload != NULL && !skipped;
    region_stage region = {.number = number, .place = jai_region_latents(picture, number)};
    s->ring = open_channels(region_area(&region.place));
    if (present) {
        const unsigned threads = jai_threads(s->header->multi_threading_r, s->header->log2_num_threads_r_minus1);
        region.kept = kept_channels(s, &region.place, threads);
        JAI_TRY(jai_tans_open(&region.decoder, s->stream->pool.context, substream, threads));
        jai_tans_row_begin(&region.coder, &region.decoder, jai_residual_read_escape,
                           (uint64_t)region_area(&region.place) * s->header->num_chs);
    }
    if (s->quality_offset != NULL) {
        load_quality_offset(s, &region.place);
    }
    jai_kept_positions(s->header, &region.place, s->kept);
    const jai_status status = decode_channels(s, &region, present);
    return present ? finish_residuals(s, &region, status) : status;
}

static jai_status decode_component(jai_stream *stream, const jai_model *model, unsigned component,
                                   const jai_options *options)
{
    jai_pool *pool = &stream->arrays_pool;
    const jai_component_arrays *a = &stream->arrays.component[component];
    component_stage s = {.stream = stream,
                         .model = model,
                         .component = component,
                         .header = &stream->picture.component[component],
                         .tables = &model->component[component],
                         .arrays = a,
                         .skipped_regions = options->skipped_regions,
                         .max_channels = options->max_channels[component]};
    JAI_TRY(jai_scale_decoder_open(&s.scale_decoder, pool, s.tables, a->z, a->z_rows, a->z_columns));
    JAI_TRY(allocate_planes(&s));
    if (a->residual == NULL) {
        s.sparse = &stream->sparse_residual[component];
        JAI_TRY(jai_sparse_open(s.sparse, pool, a->channels, jai_region_count(&stream->picture),
                                (size_t)a->rows * a->columns));
    }
    for (uint32_t region = 0; region < jai_region_count(&stream->picture); region++) {
        JAI_TRY(decode_region(&s, region));
    }
    if (s.sparse != NULL) {
        jai_sparse_finish(s.sparse, pool);
    }
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
    JAI_TRY(decode_component(stream, model, JAI_LUMA, options));
    return decode_component(stream, model, JAI_CHROMA, options);
}

/* Of the decode before. */
static void release_arrays(jai_stream *stream)
{
    jai_pool_release(&stream->arrays_pool);
    memset(stream->sparse_residual, 0, sizeof stream->sparse_residual);
}

jai_status jai_stream_decode(jai_stream *stream, const jai_model *model, const jai_options *options,
                             const jai_arrays **arrays)
{
    *arrays = NULL;
    release_arrays(stream);
    const jai_status status = decode_stage(stream, model, options);
    const bool wanted = status == JAI_INVALID_STREAM && (options->arrays & JAI_UNTIL_DAMAGE) != 0;
    if (status == JAI_OK || wanted) {
        *arrays = &stream->arrays;
    } else {
        release_arrays(stream);
    }
    return status;
}

void jai_residual_window(const jai_stream *stream, unsigned component, uint32_t top, uint32_t left, uint32_t rows,
                         uint32_t columns, int16_t *values)
{
    const jai_sparse_residual *sparse = &stream->sparse_residual[component];
    const jai_rectangle window = {top, left, top + rows, left + columns};
    memset(values, 0, (size_t)rows * columns * stream->arrays.component[component].channels * sizeof *values);
    for (uint32_t region = 0; region < sparse->regions; region++) {
        const jai_rectangle place = jai_region_latents(&stream->picture, region);
        jai_sparse_read(sparse, region, &place, &window, values);
    }
}
