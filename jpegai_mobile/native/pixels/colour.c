#include "jai_pixels.h"
#include "samples.h"

/* Weights of chroma in R, G and B: ranges of R - Y and B - Y, and what of them the luma weights leave to green. */
static const float V_IN_RED = 1.5748F;
static const float U_IN_GREEN = (float)(0.0722 * 1.8556 / 0.7152);
static const float V_IN_GREEN = (float)(0.2126 * 1.5748 / 0.7152);
static const float U_IN_BLUE = 1.8556F;

static JAI_ALWAYS_INLINE uint8_t quantised8(float sample)
{
    return (uint8_t)jai_rounded(jai_clamped(sample, 255.0F));
}

static inline uint16_t quantised10(float sample)
{
    return (uint16_t)jai_rounded(jai_clamped(sample / JAI_FULL * 1023.0F, 1023.0F));
}

/* Pixels that are converted together: as planes, which compilers turn into vector code, then interleaved. */
enum { BLOCK = 64 };

static JAI_ALWAYS_INLINE float red_of(float y, float v)
{
    return (y / JAI_FULL + V_IN_RED * (v / JAI_FULL - 0.5F)) * JAI_FULL;
}

static JAI_ALWAYS_INLINE float green_of(float y, float u, float v)
{
    return (y / JAI_FULL - U_IN_GREEN * (u / JAI_FULL - 0.5F) - V_IN_GREEN * (v / JAI_FULL - 0.5F)) * JAI_FULL;
}

static JAI_ALWAYS_INLINE float blue_of(float y, float u)
{
    return (y / JAI_FULL + U_IN_BLUE * (u / JAI_FULL - 0.5F)) * JAI_FULL;
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

static JAI_ALWAYS_INLINE void convert_block8(const float *restrict y, const float *restrict u, const float *restrict v,
                                             size_t count, uint8_t *restrict rgb)
{
    uint8_t red[BLOCK];
    uint8_t green[BLOCK];
    uint8_t blue[BLOCK];
    for (size_t i = 0; i < count; i++) {
        red[i] = quantised8(red_of(y[i], v[i]));
        green[i] = quantised8(green_of(y[i], u[i], v[i]));
        blue[i] = quantised8(blue_of(y[i], u[i]));
    }
    for (size_t i = 0; i < count; i++) {
        rgb[3 * i] = red[i];
        rgb[3 * i + 1] = green[i];
        rgb[3 * i + 2] = blue[i];
    }
}

static JAI_ALWAYS_INLINE void convert8(const float *y, const float *u, const float *v, size_t count, uint8_t *rgb)
{
    for (size_t i = 0; i < count; i += BLOCK) {
        convert_block8(y + i, u + i, v + i, count - i < BLOCK ? count - i : BLOCK, rgb + 3 * i);
    }
}

#if defined(JAI_AVX2)

/* The same code, compiled for vectors of eight samples. */
JAI_AVX2 static void convert8_avx2(const float *y, const float *u, const float *v, size_t count, uint8_t *rgb)
{
    convert8(y, u, v, count, rgb);
}

void jai_yuv_to_rgb8(const float *y, const float *u, const float *v, size_t count, uint8_t *rgb)
{
    if (__builtin_cpu_supports("avx2")) {
        convert8_avx2(y, u, v, count, rgb);
    } else {
        convert8(y, u, v, count, rgb);
    }
}

#else

void jai_yuv_to_rgb8(const float *y, const float *u, const float *v, size_t count, uint8_t *rgb)
{
    convert8(y, u, v, count, rgb);
}

#endif

void jai_yuv_to_rgb10(const float *y, const float *u, const float *v, size_t count, uint16_t *rgb)
{
    for (size_t i = 0; i < count; i++) {
        rgb[3 * i] = quantised10(red_of(y[i], v[i]));
        rgb[3 * i + 1] = quantised10(green_of(y[i], u[i], v[i]));
        rgb[3 * i + 2] = quantised10(blue_of(y[i], u[i]));
    }
}
