/* Skip mode: which latent positions are coded at all. */
#ifndef JAI_SKIP_MODE_H
#define JAI_SKIP_MODE_H

#include "grid.h"

/* Positions with a smaller or equal scale index are not coded: their residual is 0. */
enum { JAI_SKIP_THRESHOLD = 382 };

/* Cubes along `length` luma samples, in each of the four 2x2 phases. */
uint32_t jai_cubes(uint32_t length);

/*
 * Writes 1 for every position of the region that is coded in all channels, because it lies in a cube whose flag is 0,
 * and 0 for the others. A cube is a block of 8x8 positions of one 2x2 phase over all channels.
 */
void jai_kept_positions(const jai_component_header *component, const jai_rectangle *region, uint8_t *kept);

/* mask[i] = 1 where scale_index[i] is above the threshold or kept[i] is 1. */
void jai_skip_mask(const int32_t *scale_index, const uint8_t *kept, uint8_t *mask, size_t count);

#endif
