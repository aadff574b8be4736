/*
 * jai-trace STREAM ENTROPY.bin OUT
 *
 * Runs the entropy stage, prints the FNV-1a hash of every array, and writes the arrays to OUT ("-": hashes only).
 * The same hashes on two machines mean the same arrays. Exit status: 0 ok, 2 usage or a file that cannot be read or
 * written, 10 + jai_status for an error of the library.
 *
 * OUT: 8 bytes "JAITRAC1", then per array, all integers little endian:
 *
 *     name   24 bytes, padded with zeros ("z_y", "scale_index_uv", ...)
 *     type   u8      bytes of an element: 1 int8 (skip_mask: 0 or 1), 2 int16, 4 int32
 *     rank   u8      2 or 3
 *     shape  u32[rank]
 *     data   elements in C order
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jai_entropy.h"

enum { EXIT_USAGE = 2, EXIT_LIBRARY = 10, NAME_SIZE = 24, MAX_RANK = 3, MEMORY_LIMIT = 1 << 30 };

typedef struct file {
    uint8_t *bytes;
    size_t size;
} file;

static bool read_file(const char *path, file *contents)
{
    FILE *in = fopen(path, "rb");
    size_t capacity = 0;
    *contents = (file){NULL, 0};
    if (in == NULL) {
        return false;
    }
    for (;;) {
        if (contents->size == capacity) {
            capacity = capacity != 0 ? 2 * capacity : 1 << 16;
            uint8_t *grown = realloc(contents->bytes, capacity);
            if (grown == NULL) {
                break;
            }
            contents->bytes = grown;
        }
        const size_t got = fread(contents->bytes + contents->size, 1, capacity - contents->size, in);
        contents->size += got;
        if (got == 0) {
            break;
        }
    }
    const bool complete = feof(in) != 0;
    fclose(in);
    return complete;
}

/* FNV-1a, 64 bits. */
static uint64_t fnv1a(uint64_t hash, const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ bytes[i]) * 0x100000001B3u;
    }
    return hash;
}

static void put_u32(uint8_t bytes[4], uint32_t value)
{
    for (unsigned i = 0; i < 4; i++) {
        bytes[i] = (uint8_t)(value >> (8 * i));
    }
}

/* Element `index` of an array, as little-endian bytes. */
static void get_element(const void *array, unsigned element, size_t index, uint8_t bytes[4])
{
    uint32_t value = 0;
    if (element == 1) {
        value = ((const uint8_t *)array)[index];
    } else if (element == 2) {
        value = (uint32_t)((const int16_t *)array)[index];
    } else {
        value = (uint32_t)((const int32_t *)array)[index];
    }
    put_u32(bytes, value);
}

typedef struct trace {
    FILE *out; /* NULL: hashes only */
    bool failed;
} trace;

static void put(trace *t, const uint8_t *bytes, size_t size)
{
    if (t->out != NULL && fwrite(bytes, 1, size, t->out) != size) {
        t->failed = true;
    }
}

static void put_array(trace *t, const char *name, const char *suffix, const void *array, unsigned element,
                      const uint32_t *shape, unsigned rank)
{
    char title[NAME_SIZE] = {0};
    uint8_t bytes[4];
    size_t count = 1;
    uint64_t hash = 0xCBF29CE484222325u;
    snprintf(title, sizeof title, "%s%s", name, suffix);
    put(t, (const uint8_t *)title, sizeof title);
    put(t, (const uint8_t[]){(uint8_t)element, (uint8_t)rank}, 2);
    for (unsigned i = 0; i < rank; i++) {
        put_u32(bytes, shape[i]);
        put(t, bytes, sizeof bytes);
        count *= shape[i];
    }
    for (size_t i = 0; i < count; i++) {
        get_element(array, element, i, bytes);
        put(t, bytes, element);
        hash = fnv1a(hash, bytes, element);
    }
    printf("%s %08lx%08lx\n", title, (unsigned long)(hash >> 32), (unsigned long)(hash & 0xFFFFFFFFu));
}

static void put_component(trace *t, const jai_component_arrays *a, const char *suffix)
{
    const uint32_t z_shape[MAX_RANK] = {a->channels, a->z_rows, a->z_columns};
    const uint32_t shape[MAX_RANK] = {a->channels, a->rows, a->columns};
    put_array(t, "z", suffix, a->z, 1, z_shape, MAX_RANK);
    put_array(t, "scale_index", suffix, a->scale_index, 4, shape, MAX_RANK);
    put_array(t, "sigma", suffix, a->sigma, 4, shape, MAX_RANK);
    put_array(t, "skip_mask", suffix, a->skip_mask, 1, shape, MAX_RANK);
    put_array(t, "residual", suffix, a->residual, 2, shape, MAX_RANK);
}

static void put_arrays(trace *t, const jai_arrays *arrays)
{
    const jai_component_arrays *luma = &arrays->component[JAI_LUMA];
    put(t, (const uint8_t *)"JAITRAC1", 8);
    put_component(t, luma, "_y");
    put_component(t, &arrays->component[JAI_CHROMA], "_uv");
    if (arrays->quality_map != NULL) {
        put_array(t, "quality_map", "", arrays->quality_map, 1, (const uint32_t[]){luma->rows, luma->columns}, 2);
    }
}

static int fail(const char *what, const char *why)
{
    fprintf(stderr, "jai-trace: %s: %s\n", what, why);
    return EXIT_USAGE;
}

/* Decodes and writes; the library's failures come back as their status. */
static jai_status run(jai_context *context, const file *data, const file *tables, trace *t)
{
    jai_options options;
    jai_stream *stream = NULL;
    jai_model *model = NULL;
    const jai_arrays *arrays = NULL;
    jai_options_init(&options);
    jai_status status = jai_stream_open(context, data->bytes, data->size, &options, &stream);
    if (status == JAI_OK) {
        status = jai_model_open(context, tables->bytes, tables->size, &model);
    }
    if (status == JAI_OK) {
        status = jai_stream_decode(stream, model, &options, &arrays);
    }
    if (status == JAI_OK) {
        put_arrays(t, arrays);
    }
    jai_model_close(model);
    jai_stream_close(stream);
    return status;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: jai-trace STREAM ENTROPY.bin OUT\n");
        return EXIT_USAGE;
    }
    file data = {NULL, 0};
    file tables = {NULL, 0};
    trace t = {NULL, false};
    int result = EXIT_SUCCESS;
    if (!read_file(argv[1], &data)) {
        result = fail(argv[1], "cannot be read");
    } else if (!read_file(argv[2], &tables)) {
        result = fail(argv[2], "cannot be read");
    } else if (strcmp(argv[3], "-") != 0 && (t.out = fopen(argv[3], "wb")) == NULL) {
        result = fail(argv[3], "cannot be written");
    } else {
        jai_context context;
        jai_context_init(&context, NULL, MEMORY_LIMIT);
        const jai_status status = run(&context, &data, &tables, &t);
        if (status != JAI_OK) {
            fail(argv[1], context.message);
            result = EXIT_LIBRARY + (int)status;
        }
    }
    if (t.out != NULL && (fclose(t.out) != 0 || t.failed)) {
        result = fail(argv[3], "cannot be written");
    }
    free(data.bytes);
    free(tables.bytes);
    return result;
}
