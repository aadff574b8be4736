/* me-tANS by itself: rows of residuals or hyper latents as one sub-stream. */
#include "residual.h"
#include "z.h"

struct jai_encoding {
    jai_pool pool;
    uint8_t *bytes;
    size_t size;
};

static jai_substream whole(const uint8_t *data, size_t size)
{
    return (jai_substream){data, size, "sub-stream", 0, 0};
}

/* --- residuals ------------------------------------------------------------------------------------------------- */

static jai_status decode_residual_rows(jai_context *context, const jai_tans_table *tables, const jai_substream *bytes,
                                       unsigned threads, const jai_residual_row *rows, size_t row_count)
{
    jai_tans_decoder decoder;
    jai_tans_row coder;
    JAI_TRY(jai_tans_open(&decoder, context, bytes, threads));
    for (size_t i = 0; i < row_count; i++) {
        const jai_residual_row *row = &rows[i];
        jai_tans_row_begin(&coder, &decoder, jai_residual_read_escape, row->count);
        JAI_TRY(jai_tans_row_decode(&coder, tables, row->table_index, row->mask, row->value, row->count));
        JAI_TRY(jai_tans_row_end(&coder));
    }
    return jai_tans_close(&decoder);
}

jai_status jai_decode_residual_rows(jai_context *context, const uint8_t *data, size_t size, unsigned threads,
                                    const jai_residual_row *rows, size_t row_count)
{
    jai_pool pool = {context, NULL};
    const jai_substream bytes = whole(data, size);
    void *tables = NULL;
    JAI_TRY(jai_pool_allocate(&pool, JAI_RESIDUAL_TABLES, sizeof(jai_tans_table), &tables));
    jai_residual_tables_build(tables);
    const jai_status status = decode_residual_rows(context, tables, &bytes, threads, rows, row_count);
    jai_pool_release(&pool);
    return status;
}

static jai_status encode_residual_rows(jai_tans_encoder *encoder, const void *rows, size_t row_count)
{
    const jai_residual_row *row = rows;
    for (size_t i = row_count; i-- != 0;) {
        JAI_TRY(jai_tans_encode_row(encoder, jai_residual_code, &row[i], row[i].count));
    }
    return JAI_OK;
}

/* --- hyper latents --------------------------------------------------------------------------------------------- */

static jai_status decode_z_row(jai_tans_decoder *decoder, jai_pool *pool, const jai_z_row *row)
{
    void *memory = NULL;
    JAI_TRY(jai_pool_allocate(pool, row->count, sizeof(int16_t), &memory));
    int16_t *symbols = memory;
    JAI_TRY(jai_z_decode_row(decoder, row->cumulative, symbols, row->count));
    for (size_t i = 0; i < row->count; i++) {
        row->symbol[i] = (uint8_t)symbols[i];
    }
    jai_pool_free(pool, symbols);
    return JAI_OK;
}

static jai_status decode_z_rows(jai_pool *pool, const jai_substream *bytes, unsigned threads, const jai_z_row *rows,
                                size_t row_count)
{
    jai_tans_decoder decoder;
    JAI_TRY(jai_tans_open(&decoder, pool->context, bytes, threads));
    for (size_t i = 0; i < row_count; i++) {
        JAI_TRY(decode_z_row(&decoder, pool, &rows[i]));
    }
    return jai_tans_close(&decoder);
}

jai_status jai_decode_z_rows(jai_context *context, const uint8_t *data, size_t size, unsigned threads,
                             const jai_z_row *rows, size_t row_count)
{
    jai_pool pool = {context, NULL};
    const jai_substream bytes = whole(data, size);
    const jai_status status = decode_z_rows(&pool, &bytes, threads, rows, row_count);
    jai_pool_release(&pool);
    return status;
}

static jai_status encode_z_rows(jai_tans_encoder *encoder, const void *rows, size_t row_count)
{
    const jai_z_row *row = rows;
    for (size_t i = row_count; i-- != 0;) {
        JAI_TRY(jai_tans_encode_row(encoder, jai_z_code, &row[i], row[i].count));
    }
    return JAI_OK;
}

/* --- encodings ------------------------------------------------------------------------------------------------- */

typedef jai_status (*rows_encoder)(jai_tans_encoder *encoder, const void *rows, size_t row_count);

static jai_status encode(jai_encoding *encoding, rows_encoder encode_rows, unsigned threads, const void *rows,
                         size_t row_count)
{
    jai_tans_encoder encoder;
    jai_tans_encoder_init(&encoder, &encoding->pool, threads);
    JAI_TRY(encode_rows(&encoder, rows, row_count));
    return jai_tans_encoder_finish(&encoder, &encoding->bytes, &encoding->size);
}

static jai_status open_encoding(jai_context *context, rows_encoder encode_rows, unsigned threads, const void *rows,
                                size_t row_count, jai_encoding **encoding)
{
    jai_pool pool = {context, NULL};
    void *memory = NULL;
    *encoding = NULL;
    JAI_TRY(jai_pool_allocate(&pool, 1, sizeof **encoding, &memory));
    jai_encoding *opened = memory;
    opened->pool = pool;
    const jai_status status = encode(opened, encode_rows, threads, rows, row_count);
    if (status != JAI_OK) {
        jai_encoding_close(opened);
        return status;
    }
    *encoding = opened;
    return JAI_OK;
}

jai_status jai_encode_residual_rows(jai_context *context, unsigned threads, const jai_residual_row *rows,
                                    size_t row_count, jai_encoding **encoding)
{
    return open_encoding(context, encode_residual_rows, threads, rows, row_count, encoding);
}

jai_status jai_encode_z_rows(jai_context *context, unsigned threads, const jai_z_row *rows, size_t row_count,
                             jai_encoding **encoding)
{
    return open_encoding(context, encode_z_rows, threads, rows, row_count, encoding);
}

const uint8_t *jai_encoding_bytes(const jai_encoding *encoding, size_t *size)
{
    *size = encoding->size;
    return encoding->bytes;
}

void jai_encoding_close(jai_encoding *encoding)
{
    if (encoding != NULL) {
        jai_pool pool = encoding->pool;
        jai_pool_release(&pool);
    }
}
