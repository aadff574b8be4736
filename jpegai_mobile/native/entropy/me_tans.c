#include "me_tans.h"

enum { STATE_BITS = 8, BITS_SHIFT = 8, BITS_MASK = 15, ESCAPE_FLAG = 1 << 12, SYMBOL_SHIFT = 16, PIECE = 256 };

static const char DAMAGED[] = "coder does not end in state 0 (damaged, or made for other weights)";
static const char RUN_OUT[] = "runs out of bits (damaged, or made for other weights)";

static unsigned log2_floor(uint32_t value)
{
    unsigned log2 = 0;
    while (value > 1) {
        value >>= 1;
        log2++;
    }
    return log2;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* One thread has two lanes that take turns, several threads have a lane each. */
static unsigned lane_mask(unsigned threads)
{
    return threads == 1 ? 1 : threads - 1;
}

static unsigned lane_count(unsigned threads)
{
    return lane_mask(threads) + 1;
}

static unsigned slot(const jai_tans_slots *slots, unsigned index)
{
    return index < slots->low_count ? slots->low + index : (unsigned)slots->high + index - slots->low_count;
}

void jai_tans_table_add(jai_tans_table *table, const jai_tans_slots *slots, int16_t symbol, bool escape)
{
    const jai_tans_entry common = (uint32_t)(uint16_t)symbol << SYMBOL_SHIFT | (escape ? (uint32_t)ESCAPE_FLAG : 0);
    for (unsigned i = 0; i < slots->mass; i++) {
        const unsigned x = slots->mass + i;
        const unsigned bits = STATE_BITS - log2_floor(x);
        const unsigned next = (x << bits) - JAI_TANS_STATES;
        table->entry[slot(slots, i)] = common | bits << BITS_SHIFT | next;
    }
}

/* --- decoder --------------------------------------------------------------------------------------------------- */

static jai_status check_bits_left(const jai_tans_decoder *decoder)
{
    for (unsigned thread = 0; thread < decoder->threads; thread++) {
        if (jai_bit_stack_overrun(&decoder->stack[thread])) {
            return jai_substream_fail(decoder->context, &decoder->substream, RUN_OUT);
        }
    }
    return JAI_OK;
}

jai_status jai_tans_open(jai_tans_decoder *decoder, jai_context *context, const jai_substream *substream,
                         unsigned threads)
{
    jai_substream parts[JAI_MAX_THREADS];
    decoder->context = context;
    decoder->substream = *substream;
    decoder->threads = threads;
    JAI_TRY(jai_split_threads(context, substream, threads, parts));
    for (unsigned thread = 0; thread < threads; thread++) {
        JAI_TRY(jai_bit_stack_open(&decoder->stack[thread], context, &parts[thread]));
    }
    for (unsigned lane = 0; lane < lane_count(threads); lane++) {
        decoder->lane[lane] = (uint8_t)jai_bit_stack_pop(&decoder->stack[lane & (threads - 1)], STATE_BITS);
    }
    return check_bits_left(decoder);
}

jai_status jai_tans_close(const jai_tans_decoder *decoder)
{
    bool at_start = true;
    for (unsigned lane = 0; lane < lane_count(decoder->threads); lane++) {
        at_start = at_start && decoder->lane[lane] == 0;
    }
    for (unsigned thread = 0; thread < decoder->threads; thread++) {
        at_start = at_start && jai_bit_stack_empty(&decoder->stack[thread]);
    }
    return at_start ? JAI_OK : jai_substream_fail(decoder->context, &decoder->substream, DAMAGED);
}

void jai_tans_row_begin(jai_tans_row *row, jai_tans_decoder *decoder, jai_tans_escape_reader read_escape,
                        uint64_t count)
{
    row->decoder = decoder;
    row->read_escape = read_escape;
    row->position = 0;
    row->block_bits = log2_floor(JAI_TANS_GROUP * decoder->threads);
    row->grouped = count >> row->block_bits << row->block_bits;
    row->escaped_block = 0;
    row->escaped = 0;
    row->out_of_range = false;
}

/* Reads the escaped values of the current group of every thread. */
static void read_escaped(jai_tans_row *row)
{
    for (unsigned i = 0; i < row->escaped; i++) {
        jai_bit_stack *stack = &row->decoder->stack[row->escaped_thread[i]];
        const int32_t value = row->read_escape(stack, *row->escaped_value[i]);
        const bool fits = value >= INT16_MIN && value <= INT16_MAX;
        row->out_of_range = row->out_of_range || !fits;
        *row->escaped_value[i] = fits ? (int16_t)value : 0;
    }
    row->escaped = 0;
}

static void remember_escaped(jai_tans_row *row, uint64_t position, unsigned thread, int16_t *value)
{
    row->escaped_block = position >> row->block_bits;
    row->escaped_value[row->escaped] = value;
    row->escaped_thread[row->escaped] = (uint8_t)thread;
    row->escaped++;
    if (position >= row->grouped) {
        read_escaped(row);
    }
}

static bool all_coded(const uint8_t *mask, size_t count)
{
    uint8_t all = 1;
    for (size_t i = 0; i < count; i++) {
        all &= mask[i] != 0;
    }
    return all != 0;
}

/*
 * Decodes with one thread while all positions are coded and none is escaped; returns how many positions that was. The
 * coder stays in registers, where the two lanes take turns without delay.
 */
static size_t decode_dense(jai_tans_row *row, const jai_tans_table *tables, const uint8_t *restrict table_index,
                           int16_t *restrict value, size_t count)
{
    jai_tans_decoder *decoder = row->decoder;
    jai_bit_stack stack = decoder->stack[0];
    const unsigned first = (unsigned)row->position & 1;
    uint32_t state = decoder->lane[first];
    uint32_t next_state = decoder->lane[first ^ 1];
    size_t i = 0;
    for (; i < count; i++) {
        const jai_tans_entry entry = tables[table_index[i]].entry[state];
        if ((entry & ESCAPE_FLAG) != 0) {
            break;
        }
        const uint32_t bits = jai_bit_stack_pop(&stack, entry >> BITS_SHIFT & BITS_MASK);
        value[i] = (int16_t)(entry >> SYMBOL_SHIFT);
        state = next_state;
        next_state = (entry + bits) & (JAI_TANS_STATES - 1);
    }
    decoder->lane[first ^ (i & 1)] = (uint8_t)state;
    decoder->lane[first ^ (i & 1) ^ 1] = (uint8_t)next_state;
    decoder->stack[0] = stack;
    row->position += i;
    return i;
}

/* Stores the indices of the coded positions of a piece; returns how many there are. */
static size_t coded_positions(const uint8_t *mask, size_t count, uint8_t index[PIECE])
{
    size_t coded = 0;
    for (size_t i = 0; i < count; i++) {
        index[coded] = (uint8_t)i;
        coded += mask[i] != 0;
    }
    return coded;
}

static void decode_piece(jai_tans_row *row, const jai_tans_table *tables, const uint8_t *table_index,
                         const uint8_t *mask, int16_t *value, size_t count)
{
    jai_tans_decoder *decoder = row->decoder;
    const unsigned threads = decoder->threads;
    const unsigned lanes = lane_mask(threads);
    uint8_t index[PIECE];
    const size_t coded = coded_positions(mask, count, index);
    for (size_t i = 0; i < coded; i++) {
        const size_t at = index[i];
        const uint64_t position = row->position + at;
        if (row->escaped != 0 && position >> row->block_bits != row->escaped_block) {
            read_escaped(row);
        }
        const unsigned lane = (unsigned)position & lanes;
        const unsigned thread = (unsigned)position & (threads - 1);
        const jai_tans_entry entry = tables[table_index[at]].entry[decoder->lane[lane]];
        const uint32_t bits = jai_bit_stack_pop(&decoder->stack[thread], entry >> BITS_SHIFT & BITS_MASK);
        decoder->lane[lane] = (uint8_t)(entry + bits);
        value[at] = (int16_t)(entry >> SYMBOL_SHIFT);
        if ((entry & ESCAPE_FLAG) != 0) {
            remember_escaped(row, position, thread, &value[at]);
        }
    }
    row->position += count;
}

jai_status jai_tans_row_decode(jai_tans_row *row, const jai_tans_table *tables, const uint8_t *table_index,
                               const uint8_t *mask, int16_t *value, size_t count)
{
    while (count != 0) {
        const size_t piece = least(count, PIECE);
        const bool dense = row->decoder->threads == 1 && all_coded(mask, piece);
        size_t done = dense && row->escaped == 0 ? decode_dense(row, tables, table_index, value, piece) : 0;
        if (done == 0) {
            done = dense ? least(piece, JAI_TANS_GROUP - (size_t)row->position % JAI_TANS_GROUP) : piece;
            decode_piece(row, tables, table_index, mask, value, done);
        }
        table_index += done;
        mask += done;
        value += done;
        count -= done;
    }
    return check_bits_left(row->decoder);
}

uint64_t jai_tans_row_settled(jai_tans_row *row)
{
    if (row->escaped != 0 && row->position >> row->block_bits != row->escaped_block) {
        read_escaped(row);
    }
    return row->escaped != 0 ? row->escaped_block << row->block_bits : row->position;
}

jai_status jai_tans_row_end(jai_tans_row *row)
{
    const jai_tans_decoder *decoder = row->decoder;
    read_escaped(row);
    JAI_TRY(check_bits_left(decoder));
    if (row->out_of_range) {
        return jai_substream_fail(decoder->context, &decoder->substream, "a value is out of range");
    }
    return JAI_OK;
}

/* --- encoder --------------------------------------------------------------------------------------------------- */

void jai_tans_encoder_init(jai_tans_encoder *encoder, jai_pool *pool, unsigned threads)
{
    *encoder = (jai_tans_encoder){.pool = pool, .threads = threads};
    for (unsigned thread = 0; thread < threads; thread++) {
        encoder->stack[thread].pool = pool;
    }
}

/* Undoes a decoding step: from the state that the decoder reached back to the one it came from. */
static jai_status step_back(jai_tans_encoder *encoder, size_t position, const jai_tans_slots *slots)
{
    uint8_t *state = &encoder->lane[position & lane_mask(encoder->threads)];
    const unsigned next = *state + (unsigned)JAI_TANS_STATES;
    unsigned bits = 0;
    while (next >> bits >= 2u * slots->mass) {
        bits++;
    }
    *state = (uint8_t)slot(slots, (next >> bits) - slots->mass);
    jai_bit_stack_writer *stack = &encoder->stack[position & (encoder->threads - 1)];
    return jai_bit_stack_push(stack, next & ((1u << bits) - 1), bits);
}

static jai_status push_escaped(jai_tans_encoder *encoder, size_t position, const jai_tans_code *code)
{
    jai_bit_stack_writer *stack = &encoder->stack[position & (encoder->threads - 1)];
    for (unsigned field = code->escape_fields; field-- != 0;) {
        JAI_TRY(jai_bit_stack_push(stack, code->escape[field].value, code->escape[field].bits));
    }
    return JAI_OK;
}

/* Encodes `count` positions that are decoded together: their escaped values come after all their symbols. */
static jai_status encode_block(jai_tans_encoder *encoder, jai_tans_coder coder, const void *source, size_t start,
                               size_t count)
{
    jai_tans_code code[JAI_TANS_GROUP * JAI_MAX_THREADS];
    for (size_t i = count; i-- != 0;) {
        coder(source, start + i, &code[i]);
        if (code[i].coded) {
            JAI_TRY(push_escaped(encoder, start + i, &code[i]));
        }
    }
    for (size_t i = count; i-- != 0;) {
        if (code[i].coded) {
            JAI_TRY(step_back(encoder, start + i, &code[i].slots));
        }
    }
    return JAI_OK;
}

jai_status jai_tans_encode_row(jai_tans_encoder *encoder, jai_tans_coder coder, const void *source, size_t count)
{
    const size_t block = (size_t)JAI_TANS_GROUP * encoder->threads;
    const size_t grouped = count / block * block;
    for (size_t position = count; position-- != grouped;) {
        JAI_TRY(encode_block(encoder, coder, source, position, 1));
    }
    for (size_t start = grouped; start != 0; start -= block) {
        JAI_TRY(encode_block(encoder, coder, source, start - block, block));
    }
    return JAI_OK;
}

jai_status jai_tans_encoder_finish(jai_tans_encoder *encoder, uint8_t **bytes, size_t *size)
{
    jai_substream parts[JAI_MAX_THREADS] = {{0}};
    for (unsigned lane = lane_count(encoder->threads); lane-- != 0;) {
        JAI_TRY(jai_bit_stack_push(&encoder->stack[lane & (encoder->threads - 1)], encoder->lane[lane], STATE_BITS));
    }
    for (unsigned thread = 0; thread < encoder->threads; thread++) {
        JAI_TRY(jai_bit_stack_finish(&encoder->stack[thread]));
        parts[thread].payload = encoder->stack[thread].bytes;
        parts[thread].size = encoder->stack[thread].size;
    }
    return jai_join_threads(encoder->pool, parts, encoder->threads, bytes, size);
}
