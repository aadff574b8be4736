#include "context.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* --- messages -------------------------------------------------------------------------------------------------- */

typedef struct message {
    char *text;
    size_t length;
} message;

static void append_char(message *m, char c)
{
    if (m->length + 1 < JAI_MESSAGE_SIZE) {
        m->text[m->length++] = c;
    }
}

static void append_text(message *m, const char *text)
{
    while (*text != '\0') {
        append_char(m, *text++);
    }
}

static void append_number(message *m, uint64_t value, unsigned base, unsigned least_digits)
{
    char digits[24];
    unsigned count = 0;
    do {
        digits[count++] = "0123456789ABCDEF"[value % base];
        value /= base;
    } while (value != 0 || count < least_digits);
    while (count != 0) {
        append_char(m, digits[--count]);
    }
}

static void append_signed(message *m, int value)
{
    if (value < 0) {
        append_char(m, '-');
    }
    append_number(m, value < 0 ? (uint64_t)(-(int64_t)value) : (uint64_t)value, 10, 1);
}

/* Handles one conversion; returns the rest of the format behind it. */
static const char *append_conversion(message *m, const char *format, va_list *arguments)
{
    switch (*format) {
    case 's':
        append_text(m, va_arg(*arguments, const char *));
        return format + 1;
    case 'u':
        append_number(m, va_arg(*arguments, unsigned), 10, 1);
        return format + 1;
    case 'd':
        append_signed(m, va_arg(*arguments, int));
        return format + 1;
    case 'z':
        append_number(m, va_arg(*arguments, size_t), 10, 1);
        return format + sizeof "zu" - 1;
    default:
        append_number(m, va_arg(*arguments, unsigned), 16, 4);
        return format + sizeof "04X" - 1;
    }
}

jai_status jai_fail(jai_context *context, jai_status status, const char *format, ...)
{
    message m = {context->message, 0};
    va_list arguments;
    va_start(arguments, format);
    while (*format != '\0') {
        if (*format == '%') {
            format = append_conversion(&m, format + 1, &arguments);
        } else {
            append_char(&m, *format++);
        }
    }
    va_end(arguments);
    m.text[m.length] = '\0';
    return status;
}

/* --- memory ---------------------------------------------------------------------------------------------------- */

/* Precedes the memory of a block; its size keeps the memory aligned for any integer or pointer. */
struct jai_block {
    jai_block *previous;
    jai_block *next;
    uint64_t size; /* of the whole block, this header included */
    uint64_t alignment;
};

static void *default_allocate(void *user, size_t size)
{
    (void)user;
    return malloc(size);
}

static void default_release(void *user, void *memory, size_t size)
{
    (void)user;
    (void)size;
    free(memory);
}

const char *jai_entropy_version(void)
{
    return JAI_ENTROPY_VERSION;
}

void jai_context_init(jai_context *context, const jai_allocator *allocator, size_t byte_limit)
{
    static const jai_allocator c_library = {default_allocate, default_release, NULL};
    memset(context, 0, sizeof *context);
    context->allocator = allocator != NULL ? *allocator : c_library;
    context->byte_limit = byte_limit;
}

jai_status jai_pool_allocate(jai_pool *pool, size_t count, size_t size, void **memory)
{
    jai_context *context = pool->context;
    *memory = NULL;
    if (count > (SIZE_MAX - sizeof(jai_block)) / size ||
        count * size + sizeof(jai_block) > context->byte_limit - context->bytes_held) {
        return jai_fail(context, JAI_LIMIT_EXCEEDED, "more than the allowed %zu bytes of memory would be needed",
                        context->byte_limit);
    }
    const size_t bytes = count * size + sizeof(jai_block);
    jai_block *block = context->allocator.allocate(context->allocator.user, bytes);
    if (block == NULL) {
        return jai_fail(context, JAI_OUT_OF_MEMORY, "out of memory: %zu bytes refused", bytes);
    }
    memset(block, 0, bytes);
    context->bytes_held += bytes;
    if (context->bytes_held > context->bytes_peak) {
        context->bytes_peak = context->bytes_held;
    }
    block->size = bytes;
    block->next = pool->blocks;
    if (pool->blocks != NULL) {
        pool->blocks->previous = block;
    }
    pool->blocks = block;
    *memory = block + 1;
    return JAI_OK;
}

void jai_pool_free(jai_pool *pool, void *memory)
{
    if (memory == NULL) {
        return;
    }
    jai_block *block = (jai_block *)memory - 1;
    if (block->previous != NULL) {
        block->previous->next = block->next;
    } else {
        pool->blocks = block->next;
    }
    if (block->next != NULL) {
        block->next->previous = block->previous;
    }
    jai_context *context = pool->context;
    context->bytes_held -= (size_t)block->size;
    context->allocator.release(context->allocator.user, block, (size_t)block->size);
}

void jai_pool_release(jai_pool *pool)
{
    while (pool->blocks != NULL) {
        jai_pool_free(pool, pool->blocks + 1);
    }
}
