/* Marker segments: SOC, then (marker, exp-Golomb size, payload) ..., then EOC. */
#ifndef JAI_SEGMENTS_H
#define JAI_SEGMENTS_H

#include "context.h"

enum {
    JAI_SOC = 0xFF80,
    JAI_EOC = 0xFF81,
    JAI_PIH = 0xFF82,
    JAI_TON = 0xFF83,
    JAI_RDI = 0xFF84,
    JAI_SOZ = 0xFF88,
    JAI_SORP = 0xFF89,
    JAI_SORS = 0xFF8A,
    JAI_SOQ = 0xFF8B,
    JAI_UDI = 0xFF8C
};

typedef struct jai_segment {
    unsigned marker;
    size_t offset; /* of the marker in the code stream */
    const uint8_t *payload;
    size_t size;
} jai_segment;

typedef struct jai_segments {
    jai_segment *list;
    size_t count;
} jai_segments;

/* The standard's name of a marker. */
const char *jai_marker_name(unsigned marker);

/* Splits a code stream; JAI_INVALID_STREAM when a marker, its number or a size is wrong, or EOC is
 * missing. With `allow_cut` the end of data stands for EOC where it lies between segments, in a marker, or in a
 * residual, which is left out. */
jai_status jai_segments_read(jai_pool *pool, const uint8_t *data, size_t size, bool allow_cut, jai_segments *segments);

/* The first segment with this marker, or NULL. */
const jai_segment *jai_segments_find(const jai_segments *segments, unsigned marker);

#endif
