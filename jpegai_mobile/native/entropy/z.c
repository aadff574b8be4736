#include "z.h"

#include <string.h>

enum { ESCAPE_BITS = 6, PIECE = 256 };

/* A symbol owns the slots from the count before it to its own. */
static jai_tans_slots slots_of(const uint8_t *cumulative, unsigned symbol)
{
    const unsigned start = symbol == 0 ? 0 : cumulative[symbol - 1];
    const unsigned mass = symbol == JAI_Z_SYMBOLS ? 1 : cumulative[symbol] - start;
    return (jai_tans_slots){(uint16_t)mass, (uint16_t)start, (uint16_t)mass, 0};
}

static void build_table(const uint8_t *cumulative, jai_tans_table *table)
{
    for (unsigned symbol = 0; symbol <= JAI_Z_SYMBOLS; symbol++) {
        const jai_tans_slots slots = slots_of(cumulative, symbol);
        jai_tans_table_add(table, &slots, (int16_t)symbol, symbol == JAI_Z_SYMBOLS);
    }
}

static int32_t read_escape(jai_bit_stack *stack, int16_t symbol)
{
    (void)symbol;
    return (int32_t)jai_bit_stack_pop(stack, ESCAPE_BITS);
}

jai_status jai_z_decode_row(jai_tans_decoder *decoder, const uint8_t *cumulative, int16_t *symbols, size_t count)
{
    static const uint8_t only_table[PIECE] = {0};
    uint8_t all_coded[PIECE];
    jai_tans_table table;
    jai_tans_row row;
    memset(all_coded, 1, sizeof all_coded);
    build_table(cumulative, &table);
    jai_tans_row_begin(&row, decoder, read_escape, count);
    for (size_t start = 0; start < count; start += PIECE) {
        const size_t piece = count - start < PIECE ? count - start : PIECE;
        JAI_TRY(jai_tans_row_decode(&row, &table, only_table, all_coded, symbols + start, piece));
    }
    return jai_tans_row_end(&row);
}

void jai_z_code(const void *row, size_t position, jai_tans_code *code)
{
    const jai_z_row *z = row;
    const unsigned symbol = z->symbol[position];
    code->coded = true;
    code->escape_fields = 0;
    code->slots = slots_of(z->cumulative, symbol);
    if (code->slots.mass == 0 || symbol == JAI_Z_SYMBOLS) {
        code->slots = slots_of(z->cumulative, JAI_Z_SYMBOLS);
        code->escape_fields = 1;
        code->escape[0].value = (uint16_t)symbol;
        code->escape[0].bits = ESCAPE_BITS;
    }
}
