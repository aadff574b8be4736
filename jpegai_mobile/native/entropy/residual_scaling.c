#include "residual_scaling.h"

enum { BLOCK = JAI_BLOCK, OUTSIDE = 1411, MAX_AVERAGE = 4351, MODELS = 4, INTERVALS = 4, GROUPS = 3 };

/* Block averages at which the scale changes. */
static const int16_t BREAKPOINT[MODELS][INTERVALS - 1] = {
    {1004, 1353, 1938}, {1004, 1271, 1909}, {1004, 1379, 1935}, {1004, 1297, 1909}};

/* Log offsets with RVS: [model][GRFS off, flag set, flag clear][interval]. */
static const int16_t RVS_OFFSET[MODELS][GROUPS][INTERVALS] = {
    {{-68, -15, 84, 143}, {-31, 20, 122, 181}, {-80, -31, 71, 130}},
    {{-68, -31, -15, 143}, {-31, 5, 20, 181}, {-80, -41, -31, 130}},
    {{-68, 10, 126, 200}, {-31, 48, 162, 239}, {-80, -5, 114, 189}},
    {{-68, 10, 126, 143}, {-31, 48, 162, 181}, {-80, -5, 114, 130}}};

/* Log offsets without RVS: GRFS off, flag set, flag clear. */
static const int16_t GRFS_OFFSET[GROUPS] = {0, 39, -15};

jai_scale_group jai_scale_group_of(const jai_component_header *header, uint32_t channel)
{
    if (header->grfs_enable_flag == 0) {
        return JAI_GRFS_OFF;
    }
    return header->grfs_channel_flag[channel] != 0 ? JAI_GRFS_FLAG_SET : JAI_GRFS_FLAG_CLEAR;
}

int32_t jai_scale_log_offset(unsigned model_id, bool rvs, jai_scale_group group, int32_t average)
{
    if (!rvs) {
        return GRFS_OFFSET[group];
    }
    unsigned interval = 0;
    while (interval < INTERVALS - 1 && average >= BREAKPOINT[model_id][interval]) {
        interval++;
    }
    return RVS_OFFSET[model_id][group][interval];
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* Mean over a block of which `rows` x `columns` positions lie inside the latent. */
static int32_t block_average(const int32_t *block, size_t line, uint32_t rows, uint32_t columns)
{
    int32_t sum = OUTSIDE * (int32_t)(BLOCK * BLOCK - rows * columns);
    for (uint32_t row = 0; row < rows; row++) {
        for (uint32_t column = 0; column < columns; column++) {
            sum += block[row * line + column];
        }
    }
    const int32_t average = (sum + BLOCK * BLOCK / 2) >> 6;
    return average < 0 ? 0 : average > MAX_AVERAGE ? MAX_AVERAGE : average;
}

static void add_offset(const int32_t *from, int32_t *to, size_t line, uint32_t rows, uint32_t columns, int32_t offset)
{
    for (uint32_t row = 0; row < rows; row++) {
        for (uint32_t column = 0; column < columns; column++) {
            to[row * line + column] = from[row * line + column] + offset;
        }
    }
}

void jai_block_averages(const int32_t *scale_index, uint32_t rows, uint32_t columns, int32_t *average)
{
    for (uint32_t row = 0; row < rows; row += BLOCK) {
        for (uint32_t column = 0; column < columns; column += BLOCK) {
            *average++ = block_average(scale_index + (size_t)row * columns + column, columns, least(BLOCK, rows - row),
                                       least(BLOCK, columns - column));
        }
    }
}

void jai_scale_sigma(const jai_component_header *header, unsigned model_id, uint32_t channel,
                     const int32_t *scale_index, const int32_t *average, uint32_t rows, uint32_t columns,
                     int32_t *sigma)
{
    const bool rvs = header->rvs_enable_flag != 0;
    const jai_scale_group group = jai_scale_group_of(header, channel);
    for (uint32_t row = 0; row < rows; row += BLOCK) {
        for (uint32_t column = 0; column < columns; column += BLOCK) {
            const size_t at = (size_t)row * columns + column;
            add_offset(scale_index + at, sigma + at, columns, least(BLOCK, rows - row), least(BLOCK, columns - column),
                       jai_scale_log_offset(model_id, rvs, group, *average++));
        }
    }
}
