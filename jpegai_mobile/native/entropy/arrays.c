#include "arrays.h"

#include <string.h>

#include "residual_scaling.h"

static jai_status allocate_latents(jai_pool *pool, const jai_component_arrays *a, size_t element, void **memory)
{
    return jai_pool_allocate(pool, (size_t)a->rows * a->columns, a->channels * element, memory);
}

static jai_status allocate_component(jai_stream *stream, unsigned component, uint32_t channels, uint32_t wanted)
{
    jai_pool *pool = &stream->arrays_pool;
    jai_component_arrays *a = &stream->arrays.component[component];
    const uint32_t height = jai_picture_height(&stream->picture);
    const uint32_t width = jai_picture_width(&stream->picture);
    void *memory = NULL;
    *a = (jai_component_arrays){.channels = channels,
                                .rows = jai_cover(height, JAI_LATENT_GRID),
                                .columns = jai_cover(width, JAI_LATENT_GRID),
                                .z_rows = jai_cover(height, JAI_Z_GRID),
                                .z_columns = jai_cover(width, JAI_Z_GRID)};
    JAI_TRY(jai_pool_allocate(pool, (size_t)a->z_rows * a->z_columns, channels, &memory));
    a->z = memory;
    if ((wanted & JAI_SPARSE_RESIDUAL) == 0) {
        JAI_TRY(allocate_latents(pool, a, sizeof *a->residual, &memory));
        a->residual = memory;
    }
    if ((wanted & JAI_SCALE_INDEX) != 0) {
        JAI_TRY(allocate_latents(pool, a, sizeof *a->scale_index, &memory));
        a->scale_index = memory;
    }
    if ((wanted & JAI_SIGMA) != 0) {
        JAI_TRY(allocate_latents(pool, a, sizeof *a->sigma, &memory));
        a->sigma = memory;
    }
    if ((wanted & JAI_SKIP_MASK) != 0) {
        JAI_TRY(allocate_latents(pool, a, sizeof *a->skip_mask, &memory));
        a->skip_mask = memory;
    }
    if ((wanted & JAI_BLOCK_AVERAGE) != 0) {
        const size_t blocks = (size_t)jai_cover(a->rows, JAI_BLOCK) * jai_cover(a->columns, JAI_BLOCK);
        JAI_TRY(jai_pool_allocate(pool, blocks, channels * sizeof *a->block_average, &memory));
        a->block_average = memory;
    }
    return JAI_OK;
}

static jai_status allocate_lef_sigma(jai_stream *stream, uint32_t wanted)
{
    const jai_component_arrays *luma = &stream->arrays.component[JAI_LUMA];
    const jai_tool_header *tools = &stream->tools;
    void *memory = NULL;
    if ((wanted & JAI_LEF_SIGMA) != 0 && tools->LEF_enabled_flag != 0 && tools->LEF_chIdx < luma->channels) {
        JAI_TRY(jai_pool_allocate(&stream->arrays_pool, (size_t)luma->rows * luma->columns, sizeof(int32_t), &memory));
    }
    stream->arrays.lef_sigma = memory;
    return JAI_OK;
}

jai_status jai_arrays_allocate(jai_stream *stream, uint32_t wanted)
{
    stream->arrays.quality_map = NULL;
    JAI_TRY(allocate_component(stream, JAI_LUMA, JAI_LUMA_CHANNELS, wanted));
    JAI_TRY(allocate_component(stream, JAI_CHROMA, JAI_CHROMA_CHANNELS, wanted));
    return allocate_lef_sigma(stream, wanted);
}

void jai_store_plane(const jai_destination *array, const void *plane, uint32_t channel, const jai_rectangle *part)
{
    if (array->values == NULL) {
        return;
    }
    const size_t width = (part->right - part->left) * array->element;
    const size_t line = array->columns * array->element;
    const size_t first_row = (size_t)channel * array->rows + part->top;
    uint8_t *to = (uint8_t *)array->values + first_row * line + part->left * array->element;
    const uint8_t *from = plane;
    for (uint32_t row = part->top; row < part->bottom; row++, to += line, from += width) {
        memcpy(to, from, width);
    }
}
