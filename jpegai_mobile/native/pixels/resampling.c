#include "jai_pixels.h"

void jai_resample_columns(const jai_taps *taps, const float *source, size_t source_columns, size_t rows, float *target)
{
    for (size_t row = 0; row < rows; row++) {
        const float *restrict from = source + row * source_columns;
        float *restrict to = target + row * taps->outputs;
        for (size_t i = 0; i < taps->outputs; i++) {
            float total = from[taps->index[i]] * taps->weight[i];
            for (size_t k = i + taps->outputs; k < taps->count * taps->outputs; k += taps->outputs) {
                total += from[taps->index[k]] * taps->weight[k];
            }
            to[i] = total;
        }
    }
}

void jai_resample_rows(const jai_taps *taps, const float *source, size_t first, size_t columns, size_t start,
                       size_t stop, float *target)
{
    for (size_t i = start; i < stop; i++) {
        float *restrict to = target + (i - start) * columns;
        for (size_t k = 0; k < taps->count; k++) {
            const size_t at = k * taps->outputs + i;
            const float *restrict from = source + ((size_t)taps->index[at] - first) * columns;
            const float weight = taps->weight[at];
            for (size_t column = 0; column < columns; column++) {
                to[column] = k == 0 ? from[column] * weight : to[column] + from[column] * weight;
            }
        }
    }
}
