/* What every part shares: typed failures with a message, and memory from the caller's allocator under a limit. */
#ifndef JAI_CONTEXT_H
#define JAI_CONTEXT_H

#include "jai_entropy.h"

/* Hands a failure on to the caller. */
#define JAI_TRY(call)                                                                                                  \
    do {                                                                                                               \
        const jai_status jai_try_status = (call);                                                                      \
        if (jai_try_status != JAI_OK) {                                                                                \
            return jai_try_status;                                                                                     \
        }                                                                                                              \
    } while (0)

#if defined(__GNUC__)
#define JAI_PRINTF_LIKE(text, first) __attribute__((format(printf, text, first)))
#else
#define JAI_PRINTF_LIKE(text, first)
#endif

/* Puts a message into the context and returns `status`. The format knows %s, %u, %d, %zu and %04X. */
jai_status jai_fail(jai_context *context, jai_status status, const char *format, ...) JAI_PRINTF_LIKE(3, 4);

/*
 * Blocks that live and die together: an object keeps its memory in a pool, and releasing the pool releases the
 * object, also one that is only half built when a failure is met.
 */
typedef struct jai_block jai_block;

typedef struct jai_pool {
    jai_context *context;
    jai_block *blocks;
} jai_pool;

/* `count` elements of `size` bytes, zeroed, aligned for any integer or pointer. A count of 0 is a valid block. */
jai_status jai_pool_allocate(jai_pool *pool, size_t count, size_t size, void **memory);

/* Gives one block back before its pool is released; NULL is allowed. */
void jai_pool_free(jai_pool *pool, void *memory);

void jai_pool_release(jai_pool *pool);

#endif
