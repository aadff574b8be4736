#include "hyper_scale_decoder.h"

#include "integer_convolution.h"

enum { GROUP = JAI_CONVOLUTION_GROUP, LARGEST_INPUT = 127, PHASES = JAI_HSD_UPSAMPLING * JAI_HSD_UPSAMPLING };

/* Four output channels of a layer, ready for the convolution: weights as [4][kernel row][kernel column][channel]. */
typedef struct filter_group {
    int32_t bias[GROUP];
    const uint8_t *shift;
} filter_group;

static void load_filters(const jai_layer *layer, uint32_t first, int16_t *weight, filter_group *group)
{
    const uint32_t taps = layer->kernel * layer->kernel;
    for (uint32_t o = 0; o < GROUP; o++) {
        const uint8_t *bytes = layer->weight + (size_t)(first + o) * layer->in * taps;
        int16_t *widened = weight + (size_t)o * layer->in * taps;
        for (uint32_t tap = 0; tap < taps; tap++) {
            for (uint32_t i = 0; i < layer->in; i++) {
                widened[(size_t)tap * layer->in + i] = (int8_t)bytes[(size_t)i * taps + tap];
            }
        }
        group->bias[o] = jai_int32_le(layer->bias + (size_t)(first + o) * 4);
    }
    group->shift = layer->shift + first;
}

/* Activations of a layer [row][column][channel], with a margin of zeros on all sides where a 3x3 layer reads them. */
typedef struct activations {
    int16_t *values; /* of row 0, column 0 */
    uint32_t rows;
    uint32_t columns;
    size_t line; /* elements from row to row */
} activations;

static jai_status allocate_activations(jai_pool *pool, activations *a, uint32_t channels, uint32_t rows,
                                       uint32_t columns, uint32_t margin, void **memory)
{
    a->rows = rows;
    a->columns = columns;
    a->line = (size_t)(columns + 2 * margin) * channels;
    JAI_TRY(jai_pool_allocate(pool, (size_t)(rows + 2 * margin) * a->line, sizeof(int16_t), memory));
    a->values = (int16_t *)*memory + margin * (a->line + channels);
    return JAI_OK;
}

static int16_t rectified(int32_t value)
{
    return (int16_t)(value < 0 ? 0 : value > LARGEST_INPUT ? LARGEST_INPUT : value);
}

/* A layer with ReLU; the outputs are clamped as the next layer clamps its inputs. */
static void run_layer(jai_scale_decoder *decoder, const jai_layer *layer, const activations *in, const activations *out)
{
    const size_t margin = layer->kernel / 2 * (in->line + layer->in);
    filter_group group;
    jai_convolution job = {.weight = decoder->weight,
                           .bias = group.bias,
                           .lines = layer->kernel,
                           .line = in->line,
                           .step = layer->in,
                           .positions = in->columns,
                           .output = decoder->output};
    job.length = (size_t)layer->kernel * layer->in;
    for (uint32_t channel = 0; channel < layer->out; channel += GROUP) {
        load_filters(layer, channel, decoder->weight, &group);
        job.shift = group.shift;
        for (uint32_t row = 0; row < in->rows; row++) {
            job.input = in->values + row * in->line - margin;
            jai_convolve(&job);
            int16_t *to = out->values + row * out->line + channel;
            for (uint32_t column = 0; column < in->columns; column++, to += layer->out) {
                for (uint32_t o = 0; o < GROUP; o++) {
                    to[o] = rectified(job.output[column * GROUP + o]);
                }
            }
        }
    }
}

/* z, int8 [channel][row][column], as activations. */
static void load_z(const int8_t *z, uint32_t channels, const activations *in)
{
    for (uint32_t channel = 0; channel < channels; channel++) {
        for (uint32_t row = 0; row < in->rows; row++) {
            for (uint32_t column = 0; column < in->columns; column++) {
                in->values[row * in->line + (size_t)column * channels + channel] = *z++;
            }
        }
    }
}

jai_status jai_scale_decoder_open(jai_scale_decoder *decoder, jai_pool *pool, const jai_component_tables *tables,
                                  const int8_t *z, uint32_t rows, uint32_t columns)
{
    enum { LARGEST_KERNEL_AREA = 9 };
    const uint32_t channels = tables->channels;
    void *memory = NULL;
    void *input_memory = NULL;
    void *middle_memory = NULL;
    activations input;
    activations middle;
    activations hidden;
    *decoder = (jai_scale_decoder){.tables = tables, .columns = columns};
    JAI_TRY(jai_pool_allocate(pool, (size_t)GROUP * LARGEST_KERNEL_AREA * channels, sizeof(int16_t), &memory));
    decoder->weight = memory;
    JAI_TRY(jai_pool_allocate(pool, (size_t)GROUP * columns, sizeof(int32_t), &memory));
    decoder->output = memory;
    JAI_TRY(allocate_activations(pool, &hidden, channels, rows, columns, 0, &memory));
    decoder->hidden = memory;
    JAI_TRY(allocate_activations(pool, &input, channels, rows, columns, 0, &input_memory));
    JAI_TRY(allocate_activations(pool, &middle, channels, rows, columns, 1, &middle_memory));
    load_z(z, channels, &input);
    run_layer(decoder, &tables->layer[0], &input, &middle);
    run_layer(decoder, &tables->layer[1], &middle, &hidden);
    jai_pool_free(pool, input_memory);
    jai_pool_free(pool, middle_memory);
    return JAI_OK;
}

void jai_scale_decoder_close(jai_scale_decoder *decoder, jai_pool *pool)
{
    jai_pool_free(pool, decoder->weight);
    jai_pool_free(pool, decoder->output);
    jai_pool_free(pool, decoder->hidden);
}

static int32_t magnitude(int32_t value)
{
    value = value < -JAI_MAX_SIGMA_INDEX ? -JAI_MAX_SIGMA_INDEX : value;
    value = value > JAI_MAX_SIGMA_INDEX ? JAI_MAX_SIGMA_INDEX : value;
    return value < 0 ? -value : value;
}

/*
 * Output channel 16c + 4 dy + dx belongs to latent channel c at row dy, column dx of the z position: four output
 * channels of a line of z positions are one row of latents.
 */
void jai_scale_decoder_run(jai_scale_decoder *decoder, uint32_t channel, const jai_rectangle *region,
                           int32_t *sigma_index)
{
    const jai_layer *layer = &decoder->tables->layer[JAI_HSD_LAYERS - 1];
    const uint32_t channels = decoder->tables->channels;
    const uint32_t width = region->right - region->left;
    const uint32_t first_column = region->left / JAI_LATENTS_PER_Z;
    filter_group group;
    jai_convolution job = {.weight = decoder->weight,
                           .bias = group.bias,
                           .lines = 1,
                           .length = channels,
                           .step = channels,
                           .output = decoder->output};
    job.positions = jai_cover(width, JAI_LATENTS_PER_Z);
    for (uint32_t dy = 0; dy < JAI_HSD_UPSAMPLING; dy++) {
        load_filters(layer, PHASES * channel + JAI_HSD_UPSAMPLING * dy, decoder->weight, &group);
        job.shift = group.shift;
        for (uint32_t row = region->top + dy; row < region->bottom; row += JAI_LATENTS_PER_Z) {
            const size_t position = (size_t)(row / JAI_LATENTS_PER_Z) * decoder->columns + first_column;
            int32_t *to = sigma_index + (size_t)(row - region->top) * width;
            job.input = decoder->hidden + position * channels;
            jai_convolve(&job);
            for (uint32_t column = 0; column < width; column++) {
                to[column] = magnitude(job.output[column]);
            }
        }
    }
}
