#include "residual.h"

/* An escaped value is one bit that tells its length, then (magnitude above the bound) << 1 | sign. */
enum { SHORT_BITS = 3, LONG_BITS = 16 };

void jai_table_indices(const int32_t *restrict sigma, uint8_t *restrict table_index, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const int32_t index = (sigma[i] + 64) >> 7;
        table_index[i] = (uint8_t)(index < 0 ? 0 : index >= JAI_RESIDUAL_TABLES ? JAI_RESIDUAL_TABLES - 1 : index);
    }
}

int32_t jai_residual_read_escape(jai_bit_stack *stack, int16_t symbol)
{
    const unsigned bits = jai_bit_stack_pop(stack, 1) != 0 ? SHORT_BITS : LONG_BITS;
    const uint32_t code = jai_bit_stack_pop(stack, bits);
    const int32_t magnitude = (int32_t)(code >> 1) - symbol; /* the escape's symbol is -bound */
    return (code & 1) != 0 ? -magnitude : magnitude;
}

void jai_residual_code(const void *row, size_t position, jai_tans_code *code)
{
    const jai_residual_row *residual = row;
    code->coded = residual->mask[position] != 0;
    code->escape_fields = 0;
    if (!code->coded) {
        return;
    }
    const unsigned table = residual->table_index[position];
    const int32_t value = residual->value[position];
    const int32_t magnitude = value < 0 ? -value : value;
    const int32_t bound = jai_residual_bound(table);
    if (magnitude < bound) {
        code->slots = jai_residual_slots(table, value);
        return;
    }
    const uint32_t escaped = (uint32_t)(magnitude - bound) << 1 | (value < 0);
    const bool is_short = escaped < 1u << SHORT_BITS;
    code->slots = jai_residual_slots(table, -bound);
    code->escape_fields = 2;
    code->escape[0].value = is_short;
    code->escape[0].bits = 1;
    code->escape[1].value = (uint16_t)escaped;
    code->escape[1].bits = is_short ? SHORT_BITS : LONG_BITS;
}
