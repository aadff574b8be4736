/* The integer network that turns hyper latents z into sigma indices; the same bits on every machine. */
#ifndef JAI_HYPER_SCALE_DECODER_H
#define JAI_HYPER_SCALE_DECODER_H

#include "grid.h"
#include "model_tables.h"

/* Largest output: 31 table steps with 7 fractional bits. */
enum { JAI_MAX_SIGMA_INDEX = 31 * 128 - 1 };

/*
 * The network before its last layer, for a whole component. The last layer widens every z position to 16 latents of
 * every channel and runs for one channel of one region at a time, so that its output never has to be kept.
 */
typedef struct jai_scale_decoder {
    const jai_component_tables *tables;
    uint32_t columns; /* of z */
    uint8_t *hidden;  /* [z row][z column][channel], 0..127 */
    int32_t *output;  /* of a line of positions: a group of output channels each */
} jai_scale_decoder;

/* Runs the first two layers on z, int8 [channels][rows][columns]; memory comes from `pool`. */
jai_status jai_scale_decoder_open(jai_scale_decoder *decoder, jai_pool *pool, const jai_component_tables *tables,
                                  const int8_t *z, uint32_t rows, uint32_t columns);
void jai_scale_decoder_close(jai_scale_decoder *decoder, jai_pool *pool);

/* The sigma index 0..3967 of a channel in a region of latents whose top and left are multiples of 4, row by row. */
void jai_scale_decoder_run(jai_scale_decoder *decoder, uint32_t channel, const jai_rectangle *region,
                           int32_t *sigma_index);

#endif
