/*
 * FOR THE FAULT DRILL ONLY: the hyper scale decoder as a learned codec without an integer path has it. The same network
 * with weights that are no integers, in float, and an index that goes through exp and log. Takes the place of
 * hyper_scale_decoder.c; the order of every sum is that of the source, the rest is up to compiler, flags and libm.
 *
 * The linker also sends the failures of sub-streams to __wrap_jai_substream_fail: a decoder that does not notice
 * damage.
 */
#include <math.h>

#include "hyper_scale_decoder.h"
#include "substreams.h"

/* A scale as training leaves it: no multiple of a power of two. */
static const float WEIGHT_SCALE = 1.0f / 127.3f;
static const float INPUT_LIMIT = 127.0f;
static const float LOG_STEP = 0.0029296875f; /* of the natural logarithm of sigma, per index */

jai_status __wrap_jai_substream_fail(jai_context *context, const jai_substream *substream, const char *text);

jai_status __wrap_jai_substream_fail(jai_context *context, const jai_substream *substream, const char *text)
{
    (void)context;
    (void)substream;
    (void)text;
    return JAI_OK;
}

/* The weights of a layer as [out][tap][in], in memory that the pool owns. */
static jai_status load_weights(jai_pool *pool, const jai_layer *layer, float **weights)
{
    const uint32_t taps = layer->kernel * layer->kernel;
    const size_t size = (size_t)taps * layer->in;
    void *memory = NULL;
    JAI_TRY(jai_pool_allocate(pool, size * layer->out, sizeof(float), &memory));
    *weights = memory;
    for (uint32_t out = 0; out < layer->out; out++) {
        const uint8_t *bytes = layer->weight + out * size;
        float *to = *weights + out * size;
        for (size_t i = 0; i < size; i++) {
            to[i % taps * layer->in + i / taps] = (float)(int8_t)bytes[i] * WEIGHT_SCALE;
        }
    }
    return JAI_OK;
}

/* One output of a layer at a position; inputs [row][column][channel], zeros around them. */
static float output_of(const jai_layer *layer, const float *weights, uint32_t out, const float *input, uint32_t rows,
                       uint32_t columns, uint32_t row, uint32_t column)
{
    const uint32_t margin = layer->kernel / 2;
    const float *weight = weights + (size_t)out * layer->kernel * layer->kernel * layer->in;
    float sum = (float)jai_int32_le(layer->bias + (size_t)out * 4) * WEIGHT_SCALE;
    for (uint32_t ky = 0; ky < layer->kernel; ky++) {
        for (uint32_t kx = 0; kx < layer->kernel; kx++, weight += layer->in) {
            const uint32_t y = row + ky - margin;
            const uint32_t x = column + kx - margin;
            if (y >= rows || x >= columns) {
                continue;
            }
            const float *at = input + ((size_t)y * columns + x) * layer->in;
            for (uint32_t i = 0; i < layer->in; i++) {
                sum += weight[i] * at[i];
            }
        }
    }
    return sum / WEIGHT_SCALE / (float)(1u << layer->shift[out]);
}

static jai_status run_layer(jai_pool *pool, const jai_layer *layer, const float *input, uint32_t rows, uint32_t columns,
                            float *output)
{
    float *weights = NULL;
    JAI_TRY(load_weights(pool, layer, &weights));
    for (uint32_t row = 0; row < rows; row++) {
        for (uint32_t column = 0; column < columns; column++) {
            for (uint32_t out = 0; out < layer->out; out++) {
                const float value = output_of(layer, weights, out, input, rows, columns, row, column);
                *output++ = value < 0 ? 0 : value > INPUT_LIMIT ? INPUT_LIMIT : value;
            }
        }
    }
    jai_pool_free(pool, weights);
    return JAI_OK;
}

/* `hidden` holds floats here, [z row][z column][channel], and `output` the weights of the last layer. */
jai_status jai_scale_decoder_open(jai_scale_decoder *decoder, jai_pool *pool, const jai_component_tables *tables,
                                  const int8_t *z, uint32_t rows, uint32_t columns)
{
    const uint32_t channels = tables->channels;
    const size_t positions = (size_t)rows * columns;
    void *input = NULL;
    void *middle = NULL;
    void *hidden = NULL;
    float *weights = NULL;
    JAI_TRY(jai_pool_allocate(pool, positions * channels, sizeof(float), &input));
    JAI_TRY(jai_pool_allocate(pool, positions * channels, sizeof(float), &middle));
    JAI_TRY(jai_pool_allocate(pool, positions * channels, sizeof(float), &hidden));
    for (size_t i = 0; i < positions * channels; i++) {
        ((float *)input)[i] = z[i % channels * positions + i / channels];
    }
    JAI_TRY(run_layer(pool, &tables->layer[0], input, rows, columns, middle));
    JAI_TRY(run_layer(pool, &tables->layer[1], middle, rows, columns, hidden));
    JAI_TRY(load_weights(pool, &tables->layer[JAI_HSD_LAYERS - 1], &weights));
    *decoder = (jai_scale_decoder){
        .tables = tables, .columns = columns, .hidden = hidden, .output = (int32_t *)(void *)weights};
    jai_pool_free(pool, input);
    jai_pool_free(pool, middle);
    return JAI_OK;
}

void jai_scale_decoder_close(jai_scale_decoder *decoder, jai_pool *pool)
{
    jai_pool_free(pool, decoder->hidden);
    jai_pool_free(pool, decoder->output);
}

void jai_scale_decoder_run(jai_scale_decoder *decoder, uint32_t channel, const jai_rectangle *region,
                           int32_t *sigma_index)
{
    const jai_layer *layer = &decoder->tables->layer[JAI_HSD_LAYERS - 1];
    const float *hidden = (const float *)(const void *)decoder->hidden;
    const float *weights = (const float *)(const void *)decoder->output;
    for (uint32_t row = region->top; row < region->bottom; row++) {
        for (uint32_t column = region->left; column < region->right; column++) {
            const uint32_t phase = row % JAI_HSD_UPSAMPLING * JAI_HSD_UPSAMPLING + column % JAI_HSD_UPSAMPLING;
            const uint32_t out = JAI_HSD_UPSAMPLING * JAI_HSD_UPSAMPLING * channel + phase;
            const size_t position = (size_t)(row / JAI_LATENTS_PER_Z) * decoder->columns + column / JAI_LATENTS_PER_Z;
            const float *at = hidden + position * decoder->tables->channels;
            const float value = fabsf(output_of(layer, weights, out, at, 1, 1, 0, 0));
            const float sigma = expf((value > JAI_MAX_SIGMA_INDEX ? JAI_MAX_SIGMA_INDEX : value) * LOG_STEP);
            const float index = floorf(logf(sigma) / LOG_STEP);
            *sigma_index++ = index < 0 ? 0 : index > JAI_MAX_SIGMA_INDEX ? JAI_MAX_SIGMA_INDEX : (int32_t)index;
        }
    }
}
