/* The arrays that a decode hands out. */
#ifndef JAI_ARRAYS_H
#define JAI_ARRAYS_H

#include "code_stream.h"
#include "grid.h"

/* Allocates z, residual and what is `wanted` (JAI_SCALE_INDEX ...) of both components in the stream's arrays pool. */
jai_status jai_arrays_allocate(jai_stream *stream, uint32_t wanted);

/* An array of a whole component, [channels][rows][columns]; NULL values: it is not wanted. */
typedef struct jai_destination {
    void *values;
    size_t element;
    uint32_t rows;
    uint32_t columns;
} jai_destination;

/* Copies a plane of a part of a channel, row by row, to where it lies in the array. */
void jai_store_plane(const jai_destination *array, const void *plane, uint32_t channel, const jai_rectangle *part);

#endif
