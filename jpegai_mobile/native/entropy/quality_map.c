#include "quality_map.h"

#include <string.h>

/* Coding table by quality_map_entropy_index. */
static const uint8_t TABLE[8] = {0, 4, 5, 6, 8, 10, 14, 18};

static const int16_t LOG_OFFSET[2 * JAI_MAX_QUALITY + 1] = {-886, -775, -664, -554, -443, -332, -221, -111, 0,
                                                            111,  221,  332,  443,  554,  664,  775,  886};

int32_t jai_quality_log_offset(int8_t quality)
{
    return LOG_OFFSET[quality + JAI_MAX_QUALITY];
}

static int32_t floor_half(int32_t value)
{
    return value >= 0 ? value / 2 : -((1 - value) / 2);
}

/* Left in the first row, above in the first column, else the floor of their mean. */
static int32_t prediction(const int8_t *at, uint32_t row, uint32_t column, uint32_t columns)
{
    const int32_t left = column != 0 ? at[-1] : 0;
    const int32_t above = row != 0 ? at[-(ptrdiff_t)columns] : 0;
    return row != 0 && column != 0 ? floor_half(left + above) : left + above;
}

static jai_status add_prediction(jai_context *context, const jai_substream *substream, const int16_t *residual,
                                 uint32_t rows, uint32_t columns, int8_t *map)
{
    for (uint32_t row = 0; row < rows; row++) {
        for (uint32_t column = 0; column < columns; column++) {
            const int32_t value = *residual++ + prediction(map, row, column, columns);
            if (value < -JAI_MAX_QUALITY || value > JAI_MAX_QUALITY) {
                return jai_substream_fail(context, substream, "a quality map value is out of range");
            }
            *map++ = (int8_t)value;
        }
    }
    return JAI_OK;
}

jai_status jai_quality_map_decode(jai_pool *pool, const jai_tans_table *tables, const jai_substream *substream,
                                  unsigned threads, unsigned entropy_index, uint32_t rows, uint32_t columns,
                                  int8_t **quality_map)
{
    const size_t count = (size_t)rows * columns;
    void *map = NULL;
    void *residual = NULL;
    void *table_index = NULL;
    void *mask = NULL;
    jai_tans_decoder decoder;
    jai_tans_row row;
    JAI_TRY(jai_pool_allocate(pool, count, sizeof(int8_t), &map));
    JAI_TRY(jai_pool_allocate(pool, count, sizeof(int16_t), &residual));
    JAI_TRY(jai_pool_allocate(pool, count, 1, &table_index));
    JAI_TRY(jai_pool_allocate(pool, count, 1, &mask));
    memset(table_index, TABLE[entropy_index], count);
    memset(mask, 1, count);
    JAI_TRY(jai_tans_open(&decoder, pool->context, substream, threads));
    jai_tans_row_begin(&row, &decoder, jai_residual_read_escape, count);
    JAI_TRY(jai_tans_row_decode(&row, tables, table_index, mask, residual, count));
    JAI_TRY(jai_tans_row_end(&row));
    JAI_TRY(jai_tans_close(&decoder));
    JAI_TRY(add_prediction(pool->context, substream, residual, rows, columns, map));
    jai_pool_free(pool, residual);
    jai_pool_free(pool, table_index);
    jai_pool_free(pool, mask);
    *quality_map = map;
    return JAI_OK;
}
