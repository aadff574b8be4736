#include "jai_pixels.h"
#include "samples.h"

/* Weights of chroma in R, G and B: ranges of R - Y and B - Y, and what of them the luma weights leave to green. */
static const float V_IN_RED = 1.5748F;
static const float U_IN_GREEN = (float)(0.0722 * 1.8556 / 0.7152);
static const float V_IN_GREEN = (float)(0.2126 * 1.5748 / 0.7152);
static const float U_IN_BLUE = 1.8556F;

static inline uint8_t quantised8(float sample)
{
    return (uint8_t)jai_rounded(jai_clamped(sample, 255.0F));
}

static inline uint16_t quantised10(float sample)
{
    return (uint16_t)jai_rounded(jai_clamped(sample / JAI_FULL * 1023.0F, 1023.0F));
}

/* One pixel as float samples, 0..255 where they are in range. */
static inline void converted(float y, float u, float v, float rgb[3])
{
    y = y / JAI_FULL;
    u = u / JAI_FULL - 0.5F;
    v = v / JAI_FULL - 0.5F;
    rgb[0] = (y + V_IN_RED * v) * JAI_FULL;
    rgb[1] = (y - U_IN_GREEN * u - V_IN_GREEN * v) * JAI_FULL;
    rgb[2] = (y + U_IN_BLUE * u) * JAI_FULL;
}

void jai_quantise8(const float *plane, size_t count, uint8_t *samples)
{
    for (size_t i = 0; i < count; i++) {
        samples[i] = quantised8(plane[i]);
    }
}

void jai_quantise10(const float *plane, size_t count, uint16_t *samples)
{
    for (size_t i = 0; i < count; i++) {
        samples[i] = quantised10(plane[i]);
    }
}

void jai_yuv_to_rgb8(const float *y, const float *u, const float *v, size_t count, uint8_t *rgb)
{
    for (size_t i = 0; i < count; i++) {
        float pixel[3];
        converted(y[i], u[i], v[i], pixel);
        for (size_t channel = 0; channel < 3; channel++) {
            rgb[3 * i + channel] = quantised8(pixel[channel]);
        }
    }
}

void jai_yuv_to_rgb10(const float *y, const float *u, const float *v, size_t count, uint16_t *rgb)
{
    for (size_t i = 0; i < count; i++) {
        float pixel[3];
        converted(y[i], u[i], v[i], pixel);
        for (size_t channel = 0; channel < 3; channel++) {
            rgb[3 * i + channel] = quantised10(pixel[channel]);
        }
    }
}
