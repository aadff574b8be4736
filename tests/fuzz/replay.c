/*
 * replay CORPUS MAX_SAMPLES: runs the entropy stage on every case of a corpus, with every way to hand out arrays, and
 * prints a line for each: its status, or what is wrong with it in words.
 *
 * CORPUS is a sequence of cases: u32 size, stream bytes, u32 size, model bytes, sizes in little endian. No model bytes
 * stand for the model of the case before. Every input lies in a block of exactly its size, so that a sanitizer sees any
 * access beyond it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jai_entropy.h"

enum { BYTE_LIMIT = 1 << 28 };

typedef struct input {
    uint8_t *bytes;
    size_t size;
} input;

static bool read_input(FILE *corpus, input *in)
{
    uint8_t size[4];
    *in = (input){NULL, 0};
    if (fread(size, 1, sizeof size, corpus) != sizeof size) {
        return false;
    }
    in->size = size[0] | (size_t)size[1] << 8 | (size_t)size[2] << 16 | (size_t)size[3] << 24;
    in->bytes = malloc(in->size);
    return in->bytes != NULL && fread(in->bytes, 1, in->size, corpus) == in->size;
}

/* All residuals of a component after a decode with JAI_SPARSE_RESIDUAL, [row][column][channel]; NULL: no memory. */
static int16_t *whole_window(const jai_stream *stream, unsigned component, const jai_component_arrays *a)
{
    const size_t size = (size_t)a->rows * a->columns * a->channels * sizeof(int16_t);
    int16_t *values = malloc(size);
    if (values != NULL) {
        memset(values, 0x55, size); /* every value must be written */
        jai_residual_window(stream, component, 0, 0, a->rows, a->columns, values);
    }
    return values;
}

static bool window_equals(const int16_t *values, const jai_component_arrays *a)
{
    const size_t area = (size_t)a->rows * a->columns;
    for (size_t position = 0; position < area; position++) {
        for (size_t channel = 0; channel < a->channels; channel++) {
            if (*values++ != a->residual[channel * area + position]) {
                return false;
            }
        }
    }
    return true;
}

/* Decodes twice, as pictures are decoded and into all arrays; returns what is wrong, NULL when nothing is. */
static const char *decode(jai_stream *stream, const jai_model *model, jai_options *options, jai_status *status)
{
    const jai_arrays *arrays = NULL;
    int16_t *window[JAI_COMPONENTS] = {NULL, NULL};
    const char *complaint = NULL;
    options->arrays = JAI_SPARSE_RESIDUAL | JAI_LEF_SIGMA | JAI_BLOCK_AVERAGE | JAI_UNTIL_DAMAGE;
    const jai_status sparse = jai_stream_decode(stream, model, options, &arrays);
    const bool windows = arrays != NULL;
    for (unsigned component = 0; component < JAI_COMPONENTS && windows; component++) {
        window[component] = whole_window(stream, component, &arrays->component[component]);
    }
    options->arrays = JAI_SCALE_INDEX | JAI_SIGMA | JAI_SKIP_MASK | JAI_UNTIL_DAMAGE;
    *status = jai_stream_decode(stream, model, options, &arrays);
    if (*status != sparse || (arrays != NULL) != windows) {
        complaint = "the decode without an array of residuals ends otherwise";
    }
    for (unsigned component = 0; component < JAI_COMPONENTS && complaint == NULL && windows; component++) {
        if (window[component] == NULL || !window_equals(window[component], &arrays->component[component])) {
            complaint = "residuals without their zeros differ from the array";
        }
    }
    for (unsigned component = 0; component < JAI_COMPONENTS; component++) {
        free(window[component]);
    }
    return complaint;
}

/* Prints the line of a case. */
static void run(const input *data, const input *tables, uint64_t max_samples)
{
    jai_context context;
    jai_options options;
    jai_stream *stream = NULL;
    jai_model *model = NULL;
    const char *complaint = NULL;
    jai_context_init(&context, NULL, BYTE_LIMIT);
    jai_options_init(&options);
    options.max_samples = max_samples;
    jai_status status = jai_stream_open(&context, data->bytes, data->size, &options, &stream);
    if (status == JAI_OK) {
        status = jai_model_open(&context, tables->bytes, tables->size, &model);
    }
    if (status == JAI_OK) {
        complaint = decode(stream, model, &options, &status);
    }
    jai_model_close(model);
    jai_stream_close(stream);
    if (context.bytes_held != 0) {
        complaint = "memory was not given back";
    }
    if (complaint != NULL) {
        puts(complaint);
    } else {
        printf("%d\n", (int)status);
    }
}

int main(int argc, char **argv)
{
    FILE *corpus = argc == 3 ? fopen(argv[1], "rb") : NULL;
    if (corpus == NULL) {
        fprintf(stderr, "usage: replay CORPUS MAX_SAMPLES\n");
        return 2;
    }
    input data;
    input tables = {NULL, 0};
    input next;
    while (read_input(corpus, &data) && read_input(corpus, &next)) {
        if (next.size != 0) {
            free(tables.bytes);
            tables = next;
        } else {
            free(next.bytes);
        }
        run(&data, &tables, strtoull(argv[2], NULL, 10));
        free(data.bytes);
    }
    free(data.bytes);
    free(tables.bytes);
    fclose(corpus);
    return 0;
}
