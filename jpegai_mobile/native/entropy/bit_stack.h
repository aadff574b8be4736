/* The bits of one me-tANS thread: a stack whose top is the last bit that was written. */
#ifndef JAI_BIT_STACK_H
#define JAI_BIT_STACK_H

#include "substreams.h"

/*
 * Reads bytes as one little-endian number, from below the sentinel (its highest set bit) downwards. Reading past the
 * bottom gives zeros and makes `count` negative, which stays so: it is enough to check once after many reads.
 */
typedef struct jai_bit_stack {
    uint64_t window; /* the next bits, left aligned; `count` of them are accounted for */
    int64_t count;
    const uint8_t *begin; /* bytes [begin, end) are not in the window yet */
    const uint8_t *end;
} jai_bit_stack;

/* JAI_INVALID_STREAM when the sentinel is missing. */
jai_status jai_bit_stack_open(jai_bit_stack *stack, jai_context *context, const jai_substream *bytes);

/* Fills the window from the bytes below it. */
static inline void jai_bit_stack_refill(jai_bit_stack *stack)
{
    if (stack->end - stack->begin >= 8) {
        const uint8_t *low = stack->end - 8;
        uint64_t bytes = 0;
        for (unsigned i = 0; i < 8; i++) {
            bytes |= (uint64_t)low[i] << (8 * i);
        }
        /* Whole bytes are counted as taken; the bits of a further byte are put there again by the next refill. */
        const int64_t taken = (63 - stack->count) / 8;
        stack->window |= bytes >> stack->count;
        stack->end -= taken;
        stack->count += 8 * taken;
    } else {
        while (stack->end > stack->begin && stack->count <= 56) {
            stack->window |= (uint64_t)*--stack->end << (56 - stack->count);
            stack->count += 8;
        }
    }
}

/* The next `bits` (0..16) bits, most significant first. */
static inline uint32_t jai_bit_stack_pop(jai_bit_stack *stack, unsigned bits)
{
    if (stack->count < 16) {
        jai_bit_stack_refill(stack);
    }
    const uint32_t value = (uint32_t)(stack->window >> 1 >> (63 - bits));
    stack->window <<= bits;
    stack->count -= bits;
    return value;
}

static inline bool jai_bit_stack_overrun(const jai_bit_stack *stack)
{
    return stack->count < 0;
}

static inline bool jai_bit_stack_empty(const jai_bit_stack *stack)
{
    return stack->count == 0 && stack->begin == stack->end;
}

/* The inverse: what is pushed last is read first. The memory grows in the pool. */
typedef struct jai_bit_stack_writer {
    jai_pool *pool;
    uint8_t *bytes;
    size_t size; /* whole bytes written */
    size_t capacity;
    uint32_t partial; /* bits that do not fill a byte yet */
    unsigned partial_bits;
} jai_bit_stack_writer;

/* Puts the `bits` (0..16) low bits of `value` on top; higher bits must be zero. */
jai_status jai_bit_stack_push(jai_bit_stack_writer *writer, uint32_t value, unsigned bits);

/* Puts the sentinel on top; `bytes` and `size` are then the sub-stream. */
jai_status jai_bit_stack_finish(jai_bit_stack_writer *writer);

#endif
