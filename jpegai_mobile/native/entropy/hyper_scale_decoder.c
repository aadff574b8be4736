#include "hyper_scale_decoder.h"

#include <string.h>

#include "integer_convolution.h"
#include "z.h"

enum { GROUP = JAI_CONVOLUTION_GROUP, LARGEST_INPUT = JAI_CONVOLUTION_LARGEST_INPUT };

_Static_assert((int)GROUP == JAI_HSD_UPSAMPLING * JAI_HSD_UPSAMPLING,
               "the last layer gives a block of latents a group");

/* Activations of a layer [row][column][channel], with a margin of zeros on all sides where a 3x3 layer reads them. */
typedef struct activations {
    uint8_t *values; /* of row 0, column 0 */
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
    JAI_TRY(jai_pool_allocate(pool, (size_t)(rows + 2 * margin) * a->line, 1, memory));
    a->values = (uint8_t *)*memory + margin * (a->line + channels);
    return JAI_OK;
}

/* The convolution of the group of output channels from `first` on, but for what it reads and where. */
static jai_convolution group_of(const jai_layer *layer, uint32_t first, int32_t *output)
{
    const size_t weights = (size_t)layer->kernel * layer->kernel * layer->in;
    return (jai_convolution){.weight = layer->packed_weight + first * weights,
                             .bias = layer->packed_bias + first,
                             .shift = layer->shift + first,
                             .lines = layer->kernel,
                             .length = (size_t)layer->kernel * layer->in,
                             .step = layer->in,
                             .output = output};
}

static uint8_t rectified(int32_t value)
{
    return (uint8_t)(value < 0 ? 0 : value > LARGEST_INPUT ? LARGEST_INPUT : value);
}

/* A layer with ReLU; the outputs are clamped as the next layer clamps its inputs. */
static void run_layer(const jai_layer *layer, const activations *in, const activations *out, int32_t *output)
{
    const size_t margin = layer->kernel / 2 * (in->line + layer->in);
    for (uint32_t channel = 0; channel < layer->out; channel += GROUP) {
        jai_convolution job = group_of(layer, channel, output);
        job.line = in->line;
        job.positions = in->columns;
        for (uint32_t row = 0; row < in->rows; row++) {
            job.input = in->values + row * in->line - margin;
            jai_convolve(&job);
            uint8_t *to = out->values + row * out->line + channel;
            for (uint32_t column = 0; column < in->columns; column++, to += layer->out) {
                for (uint32_t o = 0; o < GROUP; o++) {
                    to[o] = rectified(output[column * GROUP + o]);
                }
            }
        }
    }
}

/* z, int8 [channel][row][column], as symbols: the packed first layer takes them. */
static void load_z(const int8_t *z, uint32_t channels, const activations *in)
{
    for (uint32_t channel = 0; channel < channels; channel++) {
        for (uint32_t row = 0; row < in->rows; row++) {
            for (uint32_t column = 0; column < in->columns; column++) {
                in->values[row * in->line + (size_t)column * channels + channel] = (uint8_t)(*z++ + JAI_Z_OFFSET);
            }
        }
    }
}

jai_status jai_scale_decoder_open(jai_scale_decoder *decoder, jai_pool *pool, const jai_component_tables *tables,
                                  const int8_t *z, uint32_t rows, uint32_t columns)
{
    const uint32_t channels = tables->channels;
    void *memory = NULL;
    void *input_memory = NULL;
    void *middle_memory = NULL;
    activations input;
    activations middle;
    activations hidden;
    *decoder = (jai_scale_decoder){.tables = tables, .columns = columns};
    JAI_TRY(jai_pool_allocate(pool, (size_t)GROUP * columns, sizeof(int32_t), &memory));
    decoder->output = memory;
    JAI_TRY(allocate_activations(pool, &hidden, channels, rows, columns, 0, &memory));
    decoder->hidden = memory;
    JAI_TRY(allocate_activations(pool, &input, channels, rows, columns, 0, &input_memory));
    JAI_TRY(allocate_activations(pool, &middle, channels, rows, columns, 1, &middle_memory));
    load_z(z, channels, &input);
    run_layer(&tables->layer[0], &input, &middle, decoder->output);
    run_layer(&tables->layer[1], &middle, &hidden, decoder->output);
    jai_pool_free(pool, input_memory);
    jai_pool_free(pool, middle_memory);
    return JAI_OK;
}

void jai_scale_decoder_close(jai_scale_decoder *decoder, jai_pool *pool)
{
    jai_pool_free(pool, decoder->output);
    jai_pool_free(pool, decoder->hidden);
}

/* What the last layer gives, as the sigma index. */
static void take_magnitudes(int32_t *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const int32_t magnitude = values[i] < 0 ? -values[i] : values[i];
        values[i] = magnitude < JAI_MAX_SIGMA_INDEX ? magnitude : JAI_MAX_SIGMA_INDEX;
    }
}

/* A row of latents: in `block` of every z position, one of the four rows of four that belong to it. */
static void store_row(const int32_t *block, uint32_t width, int32_t *to)
{
    for (; width > JAI_HSD_UPSAMPLING; width -= JAI_HSD_UPSAMPLING) {
        memcpy(to, block, JAI_HSD_UPSAMPLING * sizeof *to);
        to += JAI_HSD_UPSAMPLING;
        block += GROUP;
    }
    memcpy(to, block, width * sizeof *to);
}

/* Output channel 16c + 4 dy + dx belongs to latent channel c at row dy, column dx of the z position. */
void jai_scale_decoder_run(jai_scale_decoder *decoder, uint32_t channel, const jai_rectangle *region,
                           int32_t *sigma_index)
{
    const jai_layer *layer = &decoder->tables->layer[JAI_HSD_LAYERS - 1];
    const uint32_t width = region->right - region->left;
    jai_convolution job = group_of(layer, GROUP * channel, decoder->output);
    job.positions = jai_cover(width, JAI_LATENTS_PER_Z);
    for (uint32_t top = region->top; top < region->bottom; top += JAI_LATENTS_PER_Z) {
        const size_t position = (size_t)(top / JAI_LATENTS_PER_Z) * decoder->columns + region->left / JAI_LATENTS_PER_Z;
        job.input = decoder->hidden + position * layer->in;
        jai_convolve(&job);
        take_magnitudes(decoder->output, job.positions * GROUP);
        for (uint32_t dy = 0; dy < JAI_HSD_UPSAMPLING && top + dy < region->bottom; dy++, sigma_index += width) {
            store_row(decoder->output + dy * JAI_HSD_UPSAMPLING, width, sigma_index);
        }
    }
}
