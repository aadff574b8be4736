/* Coding of the hyper latents z: luma then chroma in one coder, one row per channel. */
#ifndef JAI_Z_H
#define JAI_Z_H

#include "me_tans.h"

/* Symbols of z; the hyper latent is the symbol - 31. Symbol 63 is the escape. */
enum { JAI_Z_SYMBOLS = 63, JAI_Z_OFFSET = 31 };

/*
 * Decodes a row of `count` symbols 0..63 with the cumulative table [63] of its channel. JAI_INVALID_STREAM when bits
 * run out.
 */
jai_status jai_z_decode_row(jai_tans_decoder *decoder, const uint8_t *cumulative, int16_t *symbols, size_t count);

/* Codes a position of a jai_z_row, for jai_tans_encode_row. */
void jai_z_code(const void *row, size_t position, jai_tans_code *code);

#endif
