/*
 * replay CORPUS: runs the entropy stage on every case of a corpus and prints the status of each, one per line.
 *
 * CORPUS is a sequence of cases: u32 size, stream bytes, u32 size, model bytes, sizes in little endian. No model bytes
 * stand for the model of the case before. Every input lies in a block of exactly its size, so that a sanitizer sees any
 * access beyond it.
 */
#include <stdio.h>
#include <stdlib.h>

#include "jai_entropy.h"

enum { MAX_SAMPLES = 1 << 20, BYTE_LIMIT = 1 << 28 };

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

static jai_status run(const input *data, const input *tables)
{
    jai_context context;
    jai_options options;
    jai_stream *stream = NULL;
    jai_model *model = NULL;
    const jai_arrays *arrays = NULL;
    jai_context_init(&context, NULL, BYTE_LIMIT);
    jai_options_init(&options);
    options.max_samples = MAX_SAMPLES;
    jai_status status = jai_stream_open(&context, data->bytes, data->size, &options, &stream);
    if (status == JAI_OK) {
        status = jai_model_open(&context, tables->bytes, tables->size, &model);
    }
    if (status == JAI_OK) {
        status = jai_stream_decode(stream, model, &options, &arrays);
    }
    jai_model_close(model);
    jai_stream_close(stream);
    if (context.bytes_held != 0) {
        printf("%zu bytes were not given back\n", context.bytes_held);
    }
    return status;
}

int main(int argc, char **argv)
{
    FILE *corpus = argc == 2 ? fopen(argv[1], "rb") : NULL;
    if (corpus == NULL) {
        fprintf(stderr, "usage: replay CORPUS\n");
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
        printf("%d\n", (int)run(&data, &tables));
        free(data.bytes);
    }
    free(data.bytes);
    free(tables.bytes);
    fclose(corpus);
    return 0;
}
