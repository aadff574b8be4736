#include "bits.h"

/* Longer prefixes would announce more than 2^32 bytes. */
enum { MAX_EXP_GOLOMB_PREFIX = 32 };

void jai_bits_open(jai_bits *bits, jai_context *context, const char *place, const uint8_t *data, size_t start,
                   size_t end)
{
    bits->context = context;
    bits->place = place;
    bits->data = data;
    bits->position = 8 * (uint64_t)start;
    bits->end = 8 * (uint64_t)end;
    bits->cut_field = NULL;
}

static unsigned read_bit(jai_bits *bits)
{
    const unsigned byte = bits->data[bits->position / 8];
    return byte >> (7 - bits->position++ % 8) & 1u;
}

uint32_t jai_bits_read(jai_bits *bits, const char *field, unsigned count)
{
    if (bits->cut_field != NULL || count > bits->end - bits->position) {
        if (bits->cut_field == NULL) {
            bits->cut_field = field;
        }
        return 0;
    }
    uint32_t value = 0;
    for (unsigned i = 0; i < count; i++) {
        value = value << 1 | read_bit(bits);
    }
    return value;
}

jai_status jai_bits_array(jai_bits *bits, jai_pool *pool, const char *field, unsigned width, uint32_t count,
                          uint16_t **values)
{
    void *memory = NULL;
    if (bits->cut_field == NULL && (uint64_t)count * width > jai_bits_remaining(bits)) {
        bits->cut_field = field;
    }
    JAI_TRY(jai_bits_status(bits));
    JAI_TRY(jai_pool_allocate(pool, count, sizeof **values, &memory));
    *values = memory;
    for (uint32_t i = 0; i < count; i++) {
        (*values)[i] = (uint16_t)jai_bits_read(bits, field, width);
    }
    return JAI_OK;
}

jai_status jai_bits_exp_golomb(jai_bits *bits, const char *field, uint64_t *value)
{
    unsigned prefix = 0;
    while (jai_bits_read(bits, field, 1) == 0) {
        prefix++;
        JAI_BITS_CHECK(bits, prefix <= MAX_EXP_GOLOMB_PREFIX, JAI_INVALID_STREAM, "a size is out of range at byte",
                       jai_bits_byte(bits));
    }
    const uint64_t offset = jai_bits_read(bits, field, prefix);
    *value = ((uint64_t)1 << prefix) - 1 + offset;
    return jai_bits_status(bits);
}

jai_status jai_bits_signed_exp_golomb(jai_bits *bits, const char *field, int64_t *value)
{
    uint64_t code = 0;
    JAI_TRY(jai_bits_exp_golomb(bits, field, &code));
    *value = code % 2 != 0 ? (int64_t)(code / 2) + 1 : -(int64_t)(code / 2);
    return JAI_OK;
}

jai_status jai_bits_status(const jai_bits *bits)
{
    if (bits->cut_field == NULL) {
        return JAI_OK;
    }
    return jai_fail(bits->context, JAI_INVALID_STREAM, "%s: ends inside %s (byte %zu)", bits->place, bits->cut_field,
                    (size_t)(bits->end / 8));
}

uint64_t jai_bits_remaining(const jai_bits *bits)
{
    return bits->end - bits->position;
}

size_t jai_bits_byte(const jai_bits *bits)
{
    return (size_t)((bits->position + 7) / 8);
}

jai_status jai_bits_align(jai_bits *bits)
{
    const unsigned padding = (unsigned)(-bits->position % 8);
    const uint32_t value = jai_bits_read(bits, "padding", padding);
    JAI_BITS_CHECK(bits, value == 0, JAI_INVALID_STREAM, "padding bits are not zero before byte", jai_bits_byte(bits));
    return JAI_OK;
}

jai_status jai_bits_finish(jai_bits *bits)
{
    JAI_TRY(jai_bits_align(bits));
    JAI_BITS_CHECK(bits, jai_bits_remaining(bits) == 0, JAI_INVALID_STREAM, "bytes left over at byte",
                   jai_bits_byte(bits));
    return JAI_OK;
}

void jai_put_signed_exp_golomb(uint8_t *bytes, uint64_t *position, int64_t value)
{
    const uint64_t code = value > 0 ? 2 * (uint64_t)value : 1 + 2 * (uint64_t)-value; /* with the leading one */
    unsigned prefix = 0;
    while (code >> prefix > 1) {
        prefix++;
    }
    *position += prefix;
    for (unsigned bit = prefix + 1; bit-- != 0; ++*position) {
        const uint64_t set = code >> bit & 1;
        bytes[*position / 8] = (uint8_t)(bytes[*position / 8] | set << (7 - *position % 8));
    }
}
