/*
 * me-tANS: several coder states ("lanes") over one or more bit stacks.
 *
 * One thread: one stack, two lanes that take turns. T threads: one stack and one lane each; thread t codes the
 * positions t, t + T, t + 2T, ... of a row. Positions are coded in groups of four (of a thread's own positions): first
 * the symbols of the group, then its escaped values; what is left at the end of the row is coded one by one. The states
 * go on from row to row.
 */
#ifndef JAI_ME_TANS_H
#define JAI_ME_TANS_H

#include "bit_stack.h"

enum { JAI_TANS_STATES = 256, JAI_TANS_GROUP = 4 };

/* --- coding tables --------------------------------------------------------------------------------------------- */

/*
 * The states of a symbol of probability mass p, numbered x = p, p + 1, ..., 2p - 1: first the `low_count` states from
 * `low` on, then those from `high` on.
 */
typedef struct jai_tans_slots {
    uint16_t mass;
    uint16_t low;
    uint16_t low_count;
    uint16_t high;
} jai_tans_slots;

/* A decoding entry: symbol << 16 | escape << 12 | number of bits << 8 | next state before the bits are added. */
typedef uint32_t jai_tans_entry;

typedef struct jai_tans_table {
    jai_tans_entry entry[JAI_TANS_STATES]; /* by state */
} jai_tans_table;

/* Gives the states of `slots` to `symbol`. */
void jai_tans_table_add(jai_tans_table *table, const jai_tans_slots *slots, int16_t symbol, bool escape);

/* --- decoder --------------------------------------------------------------------------------------------------- */

typedef struct jai_tans_decoder {
    jai_context *context;
    jai_substream substream;
    unsigned threads;
    uint8_t lane[JAI_MAX_THREADS]; /* states; two are used when there is one thread */
    jai_bit_stack stack[JAI_MAX_THREADS];
} jai_tans_decoder;

/* Divides the bytes among the threads and reads the first states. */
jai_status jai_tans_open(jai_tans_decoder *decoder, jai_context *context, const jai_substream *substream,
                         unsigned threads);

/* The encoder starts from state 0 with empty stacks: there the decoder must end. */
jai_status jai_tans_close(const jai_tans_decoder *decoder);

/* Reads an escaped value; `symbol` is what the escape's entry holds. */
typedef int32_t (*jai_tans_escape_reader)(jai_bit_stack *stack, int16_t symbol);

/* A row of `count` positions that is being decoded, in pieces of any size. */
typedef struct jai_tans_row {
    jai_tans_decoder *decoder;
    jai_tans_escape_reader read_escape;
    uint64_t position;      /* of the next piece */
    uint64_t grouped;       /* positions below are coded in groups */
    unsigned block_bits;    /* log2 of the positions of a group of every thread */
    uint64_t escaped_block; /* where the escaped values below lie */
    unsigned escaped;
    int16_t *escaped_value[JAI_TANS_GROUP * JAI_MAX_THREADS]; /* hold the escape symbol until they are read */
    uint8_t escaped_thread[JAI_TANS_GROUP * JAI_MAX_THREADS];
    bool out_of_range; /* a value did not fit 16 bits */
} jai_tans_row;

void jai_tans_row_begin(jai_tans_row *row, jai_tans_decoder *decoder, jai_tans_escape_reader read_escape,
                        uint64_t count);

/*
 * Decodes the next `count` positions: with tables[table_index[i]] into value[i] where mask[i] is not 0; where it
 * is, nothing is coded and value[i] is left alone. `value` must stay in place until it is settled
 * (jai_tans_row_settled) or the row has ended. JAI_INVALID_STREAM when bits ran out.
 */
jai_status jai_tans_row_decode(jai_tans_row *row, const jai_tans_table *tables, const uint8_t *table_index,
                               const uint8_t *mask, int16_t *value, size_t count);

/* Reads what escaped values can be read by now; values of positions before the result are final. */
uint64_t jai_tans_row_settled(jai_tans_row *row);

/* Reads the last escaped values. JAI_INVALID_STREAM when bits ran out or a value of the row does not fit 16 bits. */
jai_status jai_tans_row_end(jai_tans_row *row);

/* --- encoder --------------------------------------------------------------------------------------------------- */

typedef struct jai_tans_encoder {
    jai_pool *pool;
    unsigned threads;
    uint8_t lane[JAI_MAX_THREADS];
    jai_bit_stack_writer stack[JAI_MAX_THREADS];
} jai_tans_encoder;

/* How a position is coded: the slots of its symbol and, when that is the escape, the bits of the value. */
typedef struct jai_tans_code {
    bool coded; /* false: the position is masked out */
    jai_tans_slots slots;
    unsigned escape_fields;
    struct {
        uint16_t value;
        uint8_t bits;
    } escape[2]; /* in decoding order */
} jai_tans_code;

/* Gives the code of a position; `source` is what jai_tans_encode_row was handed. */
typedef void (*jai_tans_coder)(const void *source, size_t position, jai_tans_code *code);

void jai_tans_encoder_init(jai_tans_encoder *encoder, jai_pool *pool, unsigned threads);

/* Encodes a row of `count` positions. Rows are encoded from the last to the first. */
jai_status jai_tans_encode_row(jai_tans_encoder *encoder, jai_tans_coder coder, const void *source, size_t count);

/* The sub-stream of all rows, with its thread sizes, in memory of the pool. */
jai_status jai_tans_encoder_finish(jai_tans_encoder *encoder, uint8_t **bytes, size_t *size);

#endif
