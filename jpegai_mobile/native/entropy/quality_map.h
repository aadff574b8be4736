/* The quality map: one value per latent position that shifts the step size of both components. */
#ifndef JAI_QUALITY_MAP_H
#define JAI_QUALITY_MAP_H

#include "residual.h"

enum { JAI_MAX_QUALITY = 8 };

/*
 * Decodes the map, int8 [rows][columns], -8..8, in memory of `pool`. JAI_INVALID_STREAM when the sub-stream is damaged
 * or a value is out of range.
 */
jai_status jai_quality_map_decode(jai_pool *pool, const jai_tans_table *tables, const jai_substream *substream,
                                  unsigned threads, unsigned entropy_index, uint32_t rows, uint32_t columns,
                                  int8_t **quality_map);

/* What a value -8..8 adds to sigma in the log domain. */
int32_t jai_quality_log_offset(int8_t quality);

#endif
