#include "samples.h"

#include "jai_pixels.h"

static inline float sample_of(float raw)
{
    return jai_clamped(raw * 128.0F + 127.5F, JAI_FULL);
}

void jai_samples(const float *raw, size_t raw_line, size_t step, size_t rows, size_t columns, float *plane, size_t line)
{
    for (size_t row = 0; row < rows; row++) {
        const float *restrict from = raw + row * raw_line;
        float *restrict to = plane + row * line;
        if (step == 1) {
            for (size_t column = 0; column < columns; column++) {
                to[column] = sample_of(from[column]);
            }
        } else {
            for (size_t column = 0; column < columns; column++) {
                to[column] = sample_of(from[column * step]);
            }
        }
    }
}
