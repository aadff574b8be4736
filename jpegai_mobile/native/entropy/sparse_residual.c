#include "sparse_residual.h"

#include <string.h>

enum { LONG_GAP = 255, LONG_VALUE = 0x80, BYTES_PER_SYMBOL = 4, AT_ONCE = 4 };

static size_t offsets_size(uint32_t rows)
{
    return rows * sizeof(uint32_t);
}

jai_status jai_sparse_open(jai_sparse_residual *sparse, jai_pool *pool, uint32_t channels, uint32_t regions,
                           size_t area)
{
    void *memory = NULL;
    *sparse = (jai_sparse_residual){.channels = channels, .regions = regions};
    JAI_TRY(jai_pool_allocate(pool, (size_t)regions * channels, sizeof *sparse->plane, &memory));
    sparse->plane = memory;
    /* Every position has at most its symbol's bytes, and every row the offset of its end. */
    JAI_TRY(jai_pool_allocate(pool, area, BYTES_PER_SYMBOL + sizeof(uint32_t), &memory));
    sparse->scratch = memory;
    return JAI_OK;
}

void jai_sparse_finish(jai_sparse_residual *sparse, jai_pool *pool)
{
    jai_pool_free(pool, sparse->scratch);
    sparse->scratch = NULL;
}

/* Writes a symbol that lies `gap` columns behind the one before; returns where the next one goes. */
static uint8_t *put_symbol(uint8_t *to, uint32_t gap, int16_t value)
{
    for (; gap >= LONG_GAP; gap -= LONG_GAP) {
        *to++ = LONG_GAP;
    }
    *to++ = (uint8_t)gap;
    if (value > -LONG_VALUE && value < LONG_VALUE) {
        *to++ = (uint8_t)value;
        return to;
    }
    *to++ = LONG_VALUE;
    *to++ = (uint8_t)((uint16_t)value & 0xFF);
    *to++ = (uint8_t)((uint16_t)value >> 8);
    return to;
}

static uint8_t *put_row(uint8_t *to, const int16_t *values, uint32_t columns)
{
    uint32_t written = 0; /* columns that the symbols so far stand for */
    for (uint32_t column = 0; column < columns;) {
        uint64_t several = 1;
        if (columns - column >= AT_ONCE) {
            memcpy(&several, values + column, sizeof several);
        }
        if (several == 0) {
            column += AT_ONCE;
            continue;
        }
        const uint32_t end = columns - column < AT_ONCE ? columns : column + AT_ONCE;
        for (; column < end; column++) {
            if (values[column] != 0) {
                to = put_symbol(to, column - written, values[column]);
                written = column + 1;
            }
        }
    }
    return to;
}

jai_status jai_sparse_store(jai_sparse_residual *sparse, jai_pool *pool, uint32_t region, uint32_t channel,
                            const int16_t *values, uint32_t rows, uint32_t columns)
{
    uint8_t *const start = sparse->scratch + offsets_size(rows);
    uint8_t *end = start;
    void *memory = NULL;
    for (uint32_t row = 0; row < rows; row++) {
        end = put_row(end, values + (size_t)row * columns, columns);
        const uint32_t offset = (uint32_t)(end - start);
        memcpy(sparse->scratch + offsets_size(row), &offset, sizeof offset);
    }
    if (end == start) {
        return JAI_OK;
    }
    const size_t size = (size_t)(end - sparse->scratch);
    JAI_TRY(jai_pool_allocate(pool, size, 1, &memory));
    memcpy(memory, sparse->scratch, size);
    sparse->plane[(size_t)region * sparse->channels + channel] = memory;
    return JAI_OK;
}

/* Columns `first`..`last`-1 of a row of symbols; `step` values lie between neighbours. */
static void read_row(const uint8_t *from, const uint8_t *end, uint32_t first, uint32_t last, size_t step,
                     int16_t *values)
{
    uint32_t column = 0;
    while (from < end) {
        const uint8_t gap = *from++;
        column += gap;
        if (gap == LONG_GAP) {
            continue;
        }
        int16_t value = (int8_t)*from++;
        if (value == -LONG_VALUE) {
            value = (int16_t)(uint16_t)(from[0] | from[1] << 8);
            from += 2;
        }
        if (column >= last) {
            return;
        }
        if (column >= first) {
            values[(column - first) * step] = value;
        }
        column++;
    }
}

static void read_plane(const uint8_t *plane, const jai_rectangle *place, const jai_rectangle *part, size_t step,
                       size_t line, int16_t *values)
{
    const uint8_t *const start = plane + offsets_size(place->bottom - place->top);
    uint32_t ends[2] = {0, 0}; /* of the row before, and of the row */
    if (part->top > place->top) {
        memcpy(&ends[1], plane + offsets_size(part->top - place->top - 1), sizeof ends[1]);
    }
    for (uint32_t row = part->top; row < part->bottom; row++, values += line) {
        ends[0] = ends[1];
        memcpy(&ends[1], plane + offsets_size(row - place->top), sizeof ends[1]);
        read_row(start + ends[0], start + ends[1], part->left - place->left, part->right - place->left, step, values);
    }
}

static uint32_t smaller(uint32_t one, uint32_t other)
{
    return one < other ? one : other;
}

static uint32_t larger(uint32_t one, uint32_t other)
{
    return one > other ? one : other;
}

void jai_sparse_read(const jai_sparse_residual *sparse, uint32_t region, const jai_rectangle *place,
                     const jai_rectangle *window, int16_t *values)
{
    const jai_rectangle part = {larger(place->top, window->top), larger(place->left, window->left),
                                smaller(place->bottom, window->bottom), smaller(place->right, window->right)};
    if (part.top >= part.bottom || part.left >= part.right) {
        return;
    }
    const size_t line = (size_t)(window->right - window->left) * sparse->channels;
    const size_t first = (part.top - window->top) * line + (size_t)(part.left - window->left) * sparse->channels;
    uint8_t *const *plane = sparse->plane + (size_t)region * sparse->channels;
    for (uint32_t channel = 0; channel < sparse->channels; channel++) {
        if (plane[channel] != NULL) {
            read_plane(plane[channel], place, &part, sparse->channels, line, values + first + channel);
        }
    }
}
