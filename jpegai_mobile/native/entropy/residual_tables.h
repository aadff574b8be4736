/* The 32 coding tables of residuals. */
#ifndef JAI_RESIDUAL_TABLES_H
#define JAI_RESIDUAL_TABLES_H

#include "me_tans.h"

enum { JAI_RESIDUAL_TABLES = 32 };

/* Builds the decoding tables from the masses of the standard. */
void jai_residual_tables_build(jai_tans_table tables[JAI_RESIDUAL_TABLES]);

/* Values of this magnitude and more are escaped. */
int32_t jai_residual_bound(unsigned table);

/* The slots of a symbol of a table, -bound (the escape) to bound - 1. */
jai_tans_slots jai_residual_slots(unsigned table, int32_t symbol);

#endif
