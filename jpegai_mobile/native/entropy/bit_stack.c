#include "bit_stack.h"

#include <string.h>

jai_status jai_bit_stack_open(jai_bit_stack *stack, jai_context *context, const jai_substream *bytes)
{
    if (bytes->size == 0 || bytes->payload[bytes->size - 1] == 0) {
        return jai_substream_fail(context, bytes, "the last byte holds no sentinel bit");
    }
    stack->begin = bytes->payload;
    stack->end = bytes->payload + bytes->size - 1;
    unsigned top = *stack->end;
    unsigned bits = 8;
    while ((top & 0x80u) == 0) {
        top <<= 1;
        bits--;
    }
    top = top << 1 & 0xFFu; /* the sentinel itself */
    bits--;
    stack->window = (uint64_t)top << 56;
    stack->count = bits;
    return JAI_OK;
}

static jai_status append_byte(jai_bit_stack_writer *writer, uint8_t byte)
{
    if (writer->size == writer->capacity) {
        void *memory = NULL;
        const size_t capacity = writer->capacity != 0 ? 2 * writer->capacity : 256;
        JAI_TRY(jai_pool_allocate(writer->pool, capacity, 1, &memory));
        if (writer->size != 0) {
            memcpy(memory, writer->bytes, writer->size);
        }
        jai_pool_free(writer->pool, writer->bytes);
        writer->bytes = memory;
        writer->capacity = capacity;
    }
    writer->bytes[writer->size++] = byte;
    return JAI_OK;
}

jai_status jai_bit_stack_push(jai_bit_stack_writer *writer, uint32_t value, unsigned bits)
{
    writer->partial |= value << writer->partial_bits;
    writer->partial_bits += bits;
    while (writer->partial_bits >= 8) {
        JAI_TRY(append_byte(writer, (uint8_t)(writer->partial & 0xFFu)));
        writer->partial >>= 8;
        writer->partial_bits -= 8;
    }
    return JAI_OK;
}

jai_status jai_bit_stack_finish(jai_bit_stack_writer *writer)
{
    JAI_TRY(jai_bit_stack_push(writer, 1, 1));
    return writer->partial_bits != 0 ? append_byte(writer, (uint8_t)writer->partial) : JAI_OK;
}
