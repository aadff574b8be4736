#include "model_tables.h"

#include "integer_convolution.h"
#include "z.h"

enum { MAGIC_SIZE = 8, CRC_SIZE = 4, LEAST_GAIN = -2048, LARGEST_BIAS = 1 << 30, LARGEST_SHIFT = 31 };

static const uint8_t MAGIC[MAGIC_SIZE] = {'J', 'A', 'I', 'E', 'N', 'T', 'R', '1'};

typedef struct reader {
    jai_pool *pool; /* of the model */
    const uint8_t *next;
    size_t left;
} reader;

static jai_status damaged(jai_context *context, const char *what)
{
    return jai_fail(context, JAI_BUNDLE_ERROR, "integer tables: %s", what);
}

/* CRC-32 with the polynomial of zlib. */
static uint32_t crc32(const uint8_t *bytes, size_t size)
{
    uint32_t table[256];
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t value = i;
        for (unsigned bit = 0; bit < 8; bit++) {
            value = (value & 1) != 0 ? value >> 1 ^ 0xEDB88320u : value >> 1;
        }
        table[i] = value;
    }
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < size; i++) {
        crc = crc >> 8 ^ table[(crc ^ bytes[i]) & 0xFF];
    }
    return crc ^ UINT32_MAX;
}

/* Hands out the next `size` bytes. */
static jai_status take(reader *r, size_t size, const uint8_t **bytes)
{
    if (size > r->left) {
        return damaged(r->pool->context, "truncated");
    }
    *bytes = r->next;
    r->next += size;
    r->left -= size;
    return JAI_OK;
}

static jai_status expect(reader *r, uint32_t value, const char *failure)
{
    const uint8_t *bytes = NULL;
    JAI_TRY(take(r, 4, &bytes));
    return jai_uint32_le(bytes) == value ? JAI_OK : damaged(r->pool->context, failure);
}

/* Weights and biases as the convolution wants them; the inputs of the layer will be larger by `input_offset`. */
static jai_status pack_layer(jai_pool *pool, jai_layer *layer, int32_t input_offset)
{
    enum { GROUP = JAI_CONVOLUTION_GROUP, QUAD = JAI_CONVOLUTION_QUAD };
    const size_t taps = (size_t)layer->kernel * layer->kernel;
    const size_t weights = taps * layer->in; /* of an output channel */
    void *memory = NULL;
    JAI_TRY(jai_pool_allocate(pool, layer->out * weights, 1, &memory));
    int8_t *packed_weight = memory;
    JAI_TRY(jai_pool_allocate(pool, layer->out, sizeof(int32_t), &memory));
    int32_t *packed_bias = memory;
    for (uint32_t out = 0; out < layer->out; out++) {
        const uint8_t *from = layer->weight + out * weights;
        int8_t *to = packed_weight + out / GROUP * GROUP * weights + out % GROUP * QUAD;
        int32_t sum = 0;
        for (size_t tap = 0; tap < taps; tap++) {
            for (size_t i = 0; i < layer->in; i++) {
                const size_t at = tap * layer->in + i;
                const int8_t weight = (int8_t)from[i * taps + tap];
                to[at / QUAD * QUAD * GROUP + at % QUAD] = weight;
                sum += weight;
            }
        }
        packed_bias[out] = jai_int32_le(layer->bias + (size_t)out * 4) - input_offset * sum;
    }
    layer->packed_weight = packed_weight;
    layer->packed_bias = packed_bias;
    return JAI_OK;
}

static jai_status read_layer(reader *r, uint32_t out, uint32_t in, uint32_t kernel, int32_t input_offset,
                             jai_layer *layer)
{
    static const char wrong_shape[] = "a hyper scale decoder layer has a wrong shape";
    *layer = (jai_layer){.out = out, .in = in, .kernel = kernel};
    JAI_TRY(expect(r, out, wrong_shape));
    JAI_TRY(expect(r, in, wrong_shape));
    JAI_TRY(expect(r, kernel, wrong_shape));
    JAI_TRY(take(r, (size_t)out * in * kernel * kernel, &layer->weight));
    JAI_TRY(take(r, (size_t)out * 4, &layer->bias));
    JAI_TRY(take(r, out, &layer->shift));
    for (uint32_t i = 0; i < out; i++) {
        const int32_t bias = jai_int32_le(layer->bias + (size_t)i * 4);
        if (bias > LARGEST_BIAS || bias < -LARGEST_BIAS) {
            return damaged(r->pool->context, "a bias is larger than 2^30");
        }
        if (layer->shift[i] > LARGEST_SHIFT) {
            return damaged(r->pool->context, "a shift is larger than 31");
        }
    }
    return pack_layer(r->pool, layer, input_offset);
}

static jai_status read_gain(reader *r, jai_component_tables *tables)
{
    JAI_TRY(take(r, (size_t)tables->channels * 2, &tables->gain));
    for (uint32_t c = 0; c < tables->channels; c++) {
        if (jai_int16_le(tables->gain + (size_t)c * 2) < LEAST_GAIN) {
            return damaged(r->pool->context, "a gain is below -2048");
        }
    }
    return JAI_OK;
}

static jai_status read_z_tables(reader *r, jai_component_tables *tables)
{
    JAI_TRY(take(r, (size_t)tables->channels * JAI_Z_SYMBOLS, &tables->z_cumulative));
    for (uint32_t c = 0; c < tables->channels; c++) {
        const uint8_t *cumulative = tables->z_cumulative + (size_t)c * JAI_Z_SYMBOLS;
        for (unsigned i = 1; i < JAI_Z_SYMBOLS; i++) {
            if (cumulative[i] < cumulative[i - 1]) {
                return damaged(r->pool->context, "a z table decreases");
            }
        }
        if (cumulative[JAI_Z_SYMBOLS - 1] != JAI_TANS_STATES - 1) {
            return damaged(r->pool->context, "a z table does not end at 255");
        }
    }
    return JAI_OK;
}

static jai_status read_component(reader *r, uint32_t channels, jai_component_tables *tables)
{
    tables->channels = channels;
    JAI_TRY(expect(r, channels, "a component has a wrong number of channels"));
    JAI_TRY(read_gain(r, tables));
    JAI_TRY(read_z_tables(r, tables));
    JAI_TRY(read_layer(r, channels, channels, 1, JAI_Z_OFFSET, &tables->layer[0]));
    JAI_TRY(read_layer(r, channels, channels, 3, 0, &tables->layer[1]));
    return read_layer(r, channels * JAI_HSD_UPSAMPLING * JAI_HSD_UPSAMPLING, channels, 1, 0, &tables->layer[2]);
}

static jai_status read_model(reader *r, jai_model *model)
{
    for (unsigned i = 0; i < MAGIC_SIZE; i++) {
        if (i >= r->left || r->next[i] != MAGIC[i]) {
            return damaged(r->pool->context, "not an entropy model file (wrong magic)");
        }
    }
    if (r->left < MAGIC_SIZE + CRC_SIZE ||
        crc32(r->next, r->left - CRC_SIZE) != jai_uint32_le(r->next + r->left - CRC_SIZE)) {
        return damaged(r->pool->context, "checksum does not match (truncated or damaged)");
    }
    r->next += MAGIC_SIZE;
    r->left -= MAGIC_SIZE + CRC_SIZE;
    JAI_TRY(expect(r, JAI_COMPONENTS, "expected two components"));
    JAI_TRY(read_component(r, JAI_LUMA_CHANNELS, &model->component[JAI_LUMA]));
    JAI_TRY(read_component(r, JAI_CHROMA_CHANNELS, &model->component[JAI_CHROMA]));
    if (r->left != 0) {
        return damaged(r->pool->context, "bytes left over at the end");
    }
    jai_residual_tables_build(model->residual_table);
    return JAI_OK;
}

jai_status jai_model_open(jai_context *context, const uint8_t *data, size_t size, jai_model **model)
{
    jai_pool pool = {context, NULL};
    void *memory = NULL;
    *model = NULL;
    JAI_TRY(jai_pool_allocate(&pool, 1, sizeof **model, &memory));
    jai_model *opened = memory;
    opened->pool = pool;
    reader r = {&opened->pool, data, size};
    const jai_status status = read_model(&r, opened);
    if (status != JAI_OK) {
        jai_model_close(opened);
        return status;
    }
    *model = opened;
    return JAI_OK;
}

void jai_model_close(jai_model *model)
{
    if (model != NULL) {
        jai_pool pool = model->pool;
        jai_pool_release(&pool);
    }
}
