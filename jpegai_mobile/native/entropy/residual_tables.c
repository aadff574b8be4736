#include "residual_tables.h"

#include "residual_masses.h"

/* Symbols are listed in the order 0, -1, 1, -2, 2, ..., -bound. */
static int32_t symbol_at(unsigned order)
{
    const int32_t magnitude = (int32_t)(order + 1) / 2;
    return order % 2 != 0 ? -magnitude : magnitude;
}

/*
 * Every symbol has one run of slots in each half of the states: with `start` the mass of the symbols before it,
 * [start - start / 2, stop - stop / 2) and [128 + start / 2, 128 + stop / 2).
 */
static jai_tans_slots slots_from(unsigned start, unsigned mass)
{
    const unsigned stop = start + mass;
    jai_tans_slots slots;
    slots.mass = (uint16_t)mass;
    slots.low = (uint16_t)(start - start / 2);
    slots.low_count = (uint16_t)(stop - stop / 2 - slots.low);
    slots.high = (uint16_t)(JAI_TANS_STATES / 2 + start / 2);
    return slots;
}

int32_t jai_residual_bound(unsigned table)
{
    return jai_residual_bounds[table];
}

jai_tans_slots jai_residual_slots(unsigned table, int32_t symbol)
{
    const uint8_t *mass = jai_residual_masses + jai_residual_first_mass[table];
    unsigned order = 0;
    unsigned start = 0;
    while (symbol_at(order) != symbol) {
        start += mass[order++];
    }
    return slots_from(start, mass[order]);
}

void jai_residual_tables_build(jai_tans_table tables[JAI_RESIDUAL_TABLES])
{
    for (unsigned table = 0; table < JAI_RESIDUAL_TABLES; table++) {
        const uint8_t *mass = jai_residual_masses + jai_residual_first_mass[table];
        const int32_t escape = -jai_residual_bound(table);
        unsigned order = 0;
        for (unsigned start = 0; start < JAI_TANS_STATES; start += mass[order++]) {
            const jai_tans_slots slots = slots_from(start, mass[order]);
            const int32_t symbol = symbol_at(order);
            jai_tans_table_add(&tables[table], &slots, (int16_t)symbol, symbol == escape);
        }
    }
}
