/* Coding of quantised residuals: every coded position with the table that its sigma selects. */
#ifndef JAI_RESIDUAL_H
#define JAI_RESIDUAL_H

#include "residual_tables.h"

/* The coding table of every position, chosen by its sigma in the log domain (7 fractional bits). */
void jai_table_indices(const int32_t *sigma, uint8_t *table_index, size_t count);

/* Reads an escaped residual, for jai_tans_row_begin. */
int32_t jai_residual_read_escape(jai_bit_stack *stack, int16_t symbol);

/* Codes a position of a jai_residual_row, for jai_tans_encode_row. */
void jai_residual_code(const void *row, size_t position, jai_tans_code *code);

#endif
