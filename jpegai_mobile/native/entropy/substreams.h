/* How a sub-stream is divided: among dependent regions, and among me-tANS threads. */
#ifndef JAI_SUBSTREAMS_H
#define JAI_SUBSTREAMS_H

#include "bits.h"

enum { JAI_MAX_THREADS = 16 };

/* Bytes for one me-tANS coder, and how messages name them. `payload` NULL: an independent region that is missing. */
typedef struct jai_substream {
    const uint8_t *payload;
    size_t size;
    const char *segment; /* name of the marker */
    size_t offset;       /* of the marker in the code stream */
    uint32_t region;
} jai_substream;

/* Fails with JAI_INVALID_STREAM and "<place of the sub-stream>: <text>". */
jai_status jai_substream_fail(jai_context *context, const jai_substream *substream, const char *text);

/*
 * Cuts a residual sub-stream that holds `count` (dependent) regions; it starts with the sizes of all but the last as
 * unsigned exp-Golomb numbers.
 */
jai_status jai_split_regions(jai_context *context, const jai_substream *whole, jai_substream *regions, uint32_t count);

/*
 * Cuts a sub-stream into the bytes of its threads: with several threads it starts with signed exp-Golomb differences
 * between an equal share and the size of each thread but the last, which takes the rest.
 */
jai_status jai_split_threads(jai_context *context, const jai_substream *whole, unsigned threads,
                             jai_substream parts[JAI_MAX_THREADS]);

/* The inverse of jai_split_threads; the bytes are in memory of the pool. */
jai_status jai_join_threads(jai_pool *pool, const jai_substream *parts, unsigned threads, uint8_t **bytes,
                            size_t *size);

#endif
