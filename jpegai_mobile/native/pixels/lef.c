#include "jai_pixels.h"
#include "samples.h"

enum { MODELS = 4, THRESHOLDS = 3 };

/* Sigma from which each gain holds. */
static const int32_t THRESHOLD[MODELS][THRESHOLDS] = {
    {600, 1200, 2000}, {800, 1400, 2400}, {1000, 1600, 2800}, {1200, 2000, 3200}};

/* Gain of what the blur takes away: below the first threshold, and from each threshold on. */
static const float GAIN[MODELS][THRESHOLDS + 1] = {
    {1.0F, 1.10F, 1.13F, 1.16F}, {1.0F, 1.07F, 1.09F, 1.11F}, {1.0F, 1.03F, 1.04F, 1.05F}, {1.0F, 1.01F, 1.02F, 1.03F}};

static const float BLUR_CENTRE = 24.0F / 64.0F;
static const float BLUR_NEIGHBOUR = 5.0F / 64.0F;

static float gain_of(int32_t sigma, unsigned model_id)
{
    unsigned interval = 0;
    while (interval < THRESHOLDS && sigma >= THRESHOLD[model_id][interval]) {
        interval++;
    }
    return GAIN[model_id][interval];
}

/* The latent that holds for a sample when `latents` are stretched over `samples`. */
static size_t nearest(size_t sample, size_t latents, size_t samples)
{
    const size_t latent = (size_t)((float)sample * ((float)latents / (float)samples));
    return latent < latents ? latent : latents - 1;
}

static float sharpened_sample(const float *sample, size_t line, float gain)
{
    const float *above = sample - line;
    const float *below = sample + line;
    float neighbours = above[-1];
    neighbours += above[0];
    neighbours += above[1];
    neighbours += sample[-1];
    neighbours += sample[1];
    neighbours += below[-1];
    neighbours += below[0];
    neighbours += below[1];
    const float blurred = *sample * BLUR_CENTRE + neighbours * BLUR_NEIGHBOUR;
    return blurred + (*sample - blurred) * gain;
}

void jai_lef(const float *luma, size_t rows, size_t columns, const jai_lef_sigma *sigma, unsigned model_id,
             size_t first, size_t end, float *sharpened)
{
    for (size_t row = first; row < end; row++) {
        const float *from = luma + row * columns;
        float *to = sharpened + row * columns;
        const int32_t *line = sigma->values + nearest(row, sigma->rows, rows) * sigma->columns;
        for (size_t column = 0; column < columns; column++) {
            const int border = row == 0 || row + 1 == rows || column == 0 || column + 1 == columns;
            float sample = from[column];
            if (!border) {
                const float gain = gain_of(line[nearest(column, sigma->columns, columns)], model_id);
                sample = sharpened_sample(from + column, columns, gain);
            }
            to[column] = jai_clamped(sample, JAI_FULL);
        }
    }
}
