/*
 * jai-trace STREAM ENTROPY.bin OUT     the trace of a code stream
 * jai-trace --about                    what this program is and runs on
 *
 * Runs the entropy stage and writes headers and arrays to OUT ("-": hashes only) in the container of trace_writer.h; of
 * a stream that turns out to be damaged, what was decoded before; where nothing was, OUT is left alone. A new file that
 * cannot be written to its end is removed. Prints a line "name hash" for every record, "= hash" for the whole trace,
 * and facts as "# name value". Exit status: 0 ok, 2 usage or a file that cannot be read or written, 10 + jai_status for
 * an error of the library.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "jai_entropy.h"
#include "trace_headers.h"
#include "trace_writer.h"

enum { EXIT_USAGE = 2, EXIT_LIBRARY = 10 };

typedef struct file {
    const char *path;
    uint8_t *bytes;
    size_t size;
} file;

static bool read_file(const char *path, file *contents)
{
    FILE *in = fopen(path, "rb");
    size_t capacity = 0;
    *contents = (file){path, NULL, 0};
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

static void put_array(trace_writer *t, const char *name, const char *suffix, char type, const void *array,
                      const uint32_t *shape, unsigned rank)
{
    char title[TRACE_MAX_NAME + 1];
    size_t count = 1;
    for (unsigned i = 0; i < rank; i++) {
        count *= shape[i];
    }
    snprintf(title, sizeof title, "%s%s", name, suffix);
    trace_open(t, title, type, shape, rank);
    for (size_t i = 0; i < count; i++) {
        trace_value(t, type == 'i'   ? (uint32_t)((const int32_t *)array)[i]
                       : type == 'h' ? (uint32_t)((const int16_t *)array)[i]
                                     : ((const uint8_t *)array)[i]);
    }
    trace_close(t);
}

static void put_z(trace_writer *t, const jai_component_arrays *a, const char *suffix)
{
    put_array(t, "z", suffix, 'b', a->z, (const uint32_t[]){a->channels, a->z_rows, a->z_columns}, 3);
}

static void put_component(trace_writer *t, const jai_component_arrays *a, const char *suffix)
{
    const uint32_t shape[TRACE_MAX_RANK] = {a->channels, a->rows, a->columns};
    put_array(t, "scale_index", suffix, 'i', a->scale_index, shape, 3);
    put_array(t, "sigma", suffix, 'i', a->sigma, shape, 3);
    put_array(t, "skip_mask", suffix, 'B', a->skip_mask, shape, 3);
    put_array(t, "residual", suffix, 'h', a->residual, shape, 3);
}

/* In the order of decoding, so that the first difference between two traces is the cause of the others. */
static void put_arrays(trace_writer *t, const jai_arrays *arrays)
{
    const jai_component_arrays *luma = &arrays->component[JAI_LUMA];
    const jai_component_arrays *chroma = &arrays->component[JAI_CHROMA];
    put_z(t, luma, "_y");
    put_z(t, chroma, "_uv");
    if (arrays->quality_map != NULL) {
        put_array(t, "quality_map", "", 'b', arrays->quality_map, (const uint32_t[]){luma->rows, luma->columns}, 2);
    }
    put_component(t, luma, "_y");
    put_component(t, chroma, "_uv");
}

static int fail(const char *what, const char *why)
{
    fprintf(stderr, "jai-trace: %s: %s\n", what, why);
    return EXIT_USAGE;
}

/* Whether all could be written; if not, a file that was made for it is removed, but no device nor older file. */
static bool write_trace(const jai_stream *stream, const jai_arrays *arrays, const char *output)
{
    const bool hashes_only = strcmp(output, "-") == 0;
    FILE *out = hashes_only ? NULL : fopen(output, "wbx");
    const bool made = out != NULL;
    trace_writer t;
    if (!made && !hashes_only) {
        out = fopen(output, "wb");
    }
    if (out == NULL && !hashes_only) {
        return false;
    }
    trace_begin(&t, out, stdout);
    trace_headers(&t, stream);
    put_arrays(&t, arrays);
    bool written = trace_end(&t);
    written = (out == NULL || fclose(out) == 0) && written;
    if (!written && made) {
        remove(output);
    }
    return written;
}

/* Decodes and writes; returns the exit status. */
static int run(const file *data, const file *tables, const char *output)
{
    jai_context context;
    jai_options options;
    jai_stream *stream = NULL;
    jai_model *model = NULL;
    const jai_arrays *arrays = NULL;
    int result = EXIT_SUCCESS;
    jai_context_init(&context, NULL, SIZE_MAX);
    jai_options_init(&options);
    options.arrays |= JAI_UNTIL_DAMAGE;
    const clock_t start = clock();
    jai_status status = jai_stream_open(&context, data->bytes, data->size, &options, &stream);
    if (status == JAI_OK) {
        status = jai_model_open(&context, tables->bytes, tables->size, &model);
    }
    if (status == JAI_OK) {
        status = jai_stream_decode(stream, model, &options, &arrays);
    }
    if (status != JAI_OK) {
        fail(status == JAI_BUNDLE_ERROR ? tables->path : data->path, context.message);
        result = EXIT_LIBRARY + (int)status;
    }
    if (arrays != NULL) {
        printf("# milliseconds %lu\n", (unsigned long)((clock() - start) / (CLOCKS_PER_SEC / 1000)));
        printf("# peak_bytes %lu\n", (unsigned long)context.bytes_peak);
        if (!write_trace(stream, arrays, output)) {
            result = fail(output, "cannot be written");
        }
    }
    jai_model_close(model);
    jai_stream_close(stream);
    return result;
}

static int trace_stream(const char *stream, const char *model, const char *output)
{
    file data;
    file tables = {NULL, NULL, 0};
    int result;
    if (!read_file(stream, &data)) {
        result = fail(stream, "cannot be read");
    } else if (!read_file(model, &tables)) {
        result = fail(model, "cannot be read");
    } else {
        result = run(&data, &tables, output);
    }
    free(data.bytes);
    free(tables.bytes);
    return result;
}

static int about(void)
{
    static const uint32_t ONE = 1;
#if defined(__VERSION__)
    const char *compiler = __VERSION__;
#else
    const char *compiler = "unknown";
#endif
#if defined(__clang__)
    const char *family = "clang";
#elif defined(__GNUC__)
    const char *family = "gcc";
#else
    const char *family = "other";
#endif
    printf("# version %s\n", jai_entropy_version());
    printf("# compiler %s %s\n", family, compiler);
    printf("# pointer_bits %u\n", (unsigned)(8 * sizeof(void *)));
    printf("# byte_order %s\n", *(const uint8_t *)&ONE != 0 ? "little" : "big");
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--about") == 0) {
        return about();
    }
    if (argc != 4) {
        fprintf(stderr, "usage: jai-trace STREAM ENTROPY.bin OUT, or jai-trace --about\n");
        return EXIT_USAGE;
    }
    return trace_stream(argv[1], argv[2], argv[3]);
}
