/* Coding of quantised residuals: every coded position with the table that its sigma selects. */
#ifndef JAI_RESIDUAL_H
#define JAI_RESIDUAL_H

#include "residual_tables.h"

/* Index of the coding table for sigma in the log domain (7 fractional bits). */
static inline uint8_t jai_table_index(int32_t sigma)
{
    const int32_t index = (sigma + 64) >> 7;
    return (uint8_t)(index < 0 ? 0 : index >= JAI_RESIDUAL_TABLES ? JAI_RESIDUAL_TABLES - 1 : index);
}

/* Reads an escaped residual, for jai_tans_row_begin. */
int32_t jai_residual_read_escape(jai_bit_stack *stack, int16_t symbol);

/* Codes a position of a jai_residual_row, for jai_tans_encode_row. */
void jai_residual_code(const void *row, size_t position, jai_tans_code *code);

#endif
