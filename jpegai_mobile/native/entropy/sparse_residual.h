/* Residual symbols of a component without their zeros: a tenth of what a dense array takes. */
#ifndef JAI_SPARSE_RESIDUAL_H
#define JAI_SPARSE_RESIDUAL_H

#include "grid.h"

/*
 * Planes of [rows][columns] of a region, one per channel. A plane is the offsets at which its rows end, then two bytes
 * per symbol that is not zero: the columns since the one before, and the value. 255 columns are skipped without a
 * symbol, and -128 stands before a value in 16 bits.
 */
typedef struct jai_sparse_residual {
    uint32_t channels;
    uint32_t regions;
    uint8_t **plane;  /* [regions][channels]; NULL: all zero */
    uint8_t *scratch; /* a plane that is being made */
} jai_sparse_residual;

/* All zero, for regions of at most `area` positions; memory comes from `pool`. */
jai_status jai_sparse_open(jai_sparse_residual *sparse, jai_pool *pool, uint32_t channels, uint32_t regions,
                           size_t area);

/* Gives back what is needed only while planes are stored. */
void jai_sparse_finish(jai_sparse_residual *sparse, jai_pool *pool);

/* Stores the plane of a channel of a region. */
jai_status jai_sparse_store(jai_sparse_residual *sparse, jai_pool *pool, uint32_t region, uint32_t channel,
                            const int16_t *values, uint32_t rows, uint32_t columns);

/*
 * Adds the symbols of a region, which lies at `place` of the picture, to those of a window that was zeroed,
 * [row][column][channel].
 */
void jai_sparse_read(const jai_sparse_residual *sparse, uint32_t region, const jai_rectangle *place,
                     const jai_rectangle *window, int16_t *values);

#endif
