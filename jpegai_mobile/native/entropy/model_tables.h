/* The integer tables of one model: what `entropy_<model>.bin` holds. */
#ifndef JAI_MODEL_TABLES_H
#define JAI_MODEL_TABLES_H

#include "residual_tables.h"

enum { JAI_HSD_LAYERS = 3, JAI_HSD_UPSAMPLING = 4 };

/*
 * One layer of the hyper scale decoder: (sum of weight * input + bias) >> shift per output channel. The first layer
 * reads z, from -31 up; packed, its bias makes up for reading symbols, from 0 up.
 */
typedef struct jai_layer {
    uint32_t out;
    uint32_t in;
    uint32_t kernel;
    const uint8_t *weight;       /* int8 [out][in][kernel][kernel] */
    const uint8_t *bias;         /* int32 [out], little endian, magnitude at most 2^30 */
    const uint8_t *shift;        /* [out], 0..31 */
    const int8_t *packed_weight; /* for jai_convolve: [out / 16][kernel][kernel * in / 4][16][4] */
    const int32_t *packed_bias;  /* [out] */
} jai_layer;

typedef struct jai_component_tables {
    uint32_t channels;
    const uint8_t *gain;         /* int16 [channels], little endian; log domain, 7 fractional bits */
    const uint8_t *z_cumulative; /* [channels][63] */
    jai_layer layer[JAI_HSD_LAYERS];
} jai_component_tables;

struct jai_model {
    jai_pool pool;
    jai_component_tables component[JAI_COMPONENTS];
    jai_tans_table residual_table[JAI_RESIDUAL_TABLES];
};

static inline int32_t jai_int16_le(const uint8_t *bytes)
{
    const int32_t value = bytes[0] | bytes[1] << 8;
    return value < 0x8000 ? value : value - 0x10000;
}

static inline uint32_t jai_uint32_le(const uint8_t *bytes)
{
    return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static inline int32_t jai_int32_le(const uint8_t *bytes)
{
    const uint32_t value = jai_uint32_le(bytes);
    return value <= INT32_MAX ? (int32_t)value : -(int32_t)(UINT32_MAX - value) - 1;
}

#endif
