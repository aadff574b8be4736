/* Plain bits, most significant first: headers, segment sizes and thread sizes. */
#ifndef JAI_BITS_H
#define JAI_BITS_H

#include "context.h"

/*
 * A reader over bytes [start, end) of `data`. `place` names the bytes in messages. Reading past the end gives zeros and
 * is remembered: every judgement on a value that was read must go through jai_bits_status or JAI_BITS_CHECK first, so
 * that a truncated header is reported as such.
 */
typedef struct jai_bits {
    jai_context *context;
    const char *place;
    const uint8_t *data;
    uint64_t position; /* in bits */
    uint64_t end;
    const char *cut_field; /* the first field that was not there, or NULL */
} jai_bits;

void jai_bits_open(jai_bits *bits, jai_context *context, const char *place, const uint8_t *data, size_t start,
                   size_t end);

/* The next `count` (0..32) bits as an unsigned number. */
uint32_t jai_bits_read(jai_bits *bits, const char *field, unsigned count);

static inline uint8_t jai_bits_u8(jai_bits *bits, const char *field, unsigned count)
{
    return (uint8_t)jai_bits_read(bits, field, count);
}

static inline uint16_t jai_bits_u16(jai_bits *bits, const char *field, unsigned count)
{
    return (uint16_t)jai_bits_read(bits, field, count);
}

/*
 * `count` unsigned fields of `width` (0..16) bits, in memory of the pool; that the bytes can hold them is checked
 * before anything is allocated.
 */
jai_status jai_bits_array(jai_bits *bits, jai_pool *pool, const char *field, unsigned width, uint32_t count,
                          uint16_t **values);

/* An unsigned exp-Golomb number (k = 0) below 2^33. */
jai_status jai_bits_exp_golomb(jai_bits *bits, const char *field, uint64_t *value);

/* A signed one: codes 0, 1, 2, 3, 4 stand for 0, 1, -1, 2, -2. */
jai_status jai_bits_signed_exp_golomb(jai_bits *bits, const char *field, int64_t *value);

/* JAI_INVALID_STREAM when something was read past the end. */
jai_status jai_bits_status(const jai_bits *bits);

uint64_t jai_bits_remaining(const jai_bits *bits);

/* Offset of the first byte that has not been touched. */
size_t jai_bits_byte(const jai_bits *bits);

/* Skips to the next byte; the padding must be zero. */
jai_status jai_bits_align(jai_bits *bits);

/* Checks that nothing but zero padding of the last byte is left. */
jai_status jai_bits_finish(jai_bits *bits);

/* Fails with `status` and "<place>: <text> <value>" unless `condition` holds. */
#define JAI_BITS_CHECK(bits, condition, status, text, value)                                                           \
    do {                                                                                                               \
        JAI_TRY(jai_bits_status(bits));                                                                                \
        if (!(condition)) {                                                                                            \
            return jai_fail((bits)->context, status, "%s: " text " %u", (bits)->place, (unsigned)(value));             \
        }                                                                                                              \
    } while (0)

/* Writes a signed exp-Golomb number at bit `*position` of `bytes`, which must be zero there, and steps behind it. */
void jai_put_signed_exp_golomb(uint8_t *bytes, uint64_t *position, int64_t value);

#endif
