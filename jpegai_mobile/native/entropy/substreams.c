#include "substreams.h"

#include <string.h>

jai_status jai_substream_fail(jai_context *context, const jai_substream *substream, const char *text)
{
    return jai_fail(context, JAI_INVALID_STREAM, "%s at byte %zu, region %u: %s", substream->segment, substream->offset,
                    (unsigned)substream->region, text);
}

/* Cuts `size` bytes off the front of `rest`. */
static jai_status cut(jai_context *context, jai_substream *rest, int64_t size, const char *failure, jai_substream *part)
{
    if (size < 0 || (uint64_t)size > rest->size) {
        return jai_substream_fail(context, rest, failure);
    }
    *part = *rest;
    part->size = (size_t)size;
    rest->payload += part->size;
    rest->size -= part->size;
    return JAI_OK;
}

jai_status jai_split_regions(jai_context *context, const jai_substream *whole, jai_substream *regions, uint32_t count)
{
    regions[0] = *whole;
    if (count == 1) {
        return JAI_OK;
    }
    /* The sizes are read twice: where the bytes start is only known behind the last size. */
    jai_bits sizes;
    jai_bits_open(&sizes, context, "region sizes", whole->payload, 0, whole->size);
    uint64_t size = 0;
    for (uint32_t i = 0; i + 1 < count; i++) {
        JAI_TRY(jai_bits_exp_golomb(&sizes, whole->segment, &size));
    }
    JAI_TRY(jai_bits_align(&sizes));
    jai_substream rest = *whole;
    rest.payload += jai_bits_byte(&sizes);
    rest.size -= jai_bits_byte(&sizes);
    jai_bits_open(&sizes, context, "region sizes", whole->payload, 0, whole->size);
    for (uint32_t i = 0; i < count; i++) {
        rest.region = i;
        size = rest.size;
        if (i + 1 < count) {
            JAI_TRY(jai_bits_exp_golomb(&sizes, whole->segment, &size));
        }
        JAI_TRY(cut(context, &rest, (int64_t)size, "the region does not fit into the sub-stream", &regions[i]));
    }
    return JAI_OK;
}

jai_status jai_split_threads(jai_context *context, const jai_substream *whole, unsigned threads,
                             jai_substream parts[JAI_MAX_THREADS])
{
    jai_substream rest = *whole;
    int64_t differences[JAI_MAX_THREADS] = {0};
    if (threads > 1) {
        jai_bits sizes;
        jai_bits_open(&sizes, context, "thread sizes", whole->payload, 0, whole->size);
        for (unsigned i = 0; i + 1 < threads; i++) {
            JAI_TRY(jai_bits_signed_exp_golomb(&sizes, whole->segment, &differences[i]));
        }
        JAI_TRY(jai_bits_align(&sizes));
        rest.payload += jai_bits_byte(&sizes);
        rest.size -= jai_bits_byte(&sizes);
    }
    const int64_t share = (int64_t)(rest.size / threads);
    for (unsigned i = 0; i < threads; i++) {
        const int64_t size = i + 1 < threads ? share - differences[i] : (int64_t)rest.size;
        JAI_TRY(cut(context, &rest, size, "a thread does not fit into the sub-stream", &parts[i]));
    }
    return JAI_OK;
}

jai_status jai_join_threads(jai_pool *pool, const jai_substream *parts, unsigned threads, uint8_t **bytes, size_t *size)
{
    enum { MOST_BYTES_OF_A_SIZE = 17 }; /* 2 * 64 + 1 bits */
    size_t total = 0;
    for (unsigned i = 0; i < threads; i++) {
        total += parts[i].size;
    }
    void *memory = NULL;
    JAI_TRY(jai_pool_allocate(pool, total + (size_t)JAI_MAX_THREADS * MOST_BYTES_OF_A_SIZE, 1, &memory));
    *bytes = memory;
    uint64_t position = 0; /* in bits */
    for (unsigned i = 0; i + 1 < threads; i++) {
        const int64_t difference = (int64_t)(total / threads) - (int64_t)parts[i].size;
        jai_put_signed_exp_golomb(*bytes, &position, difference);
    }
    *size = (size_t)((position + 7) / 8);
    for (unsigned i = 0; i < threads; i++) {
        memcpy(*bytes + *size, parts[i].payload, parts[i].size);
        *size += parts[i].size;
    }
    return JAI_OK;
}
