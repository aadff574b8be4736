/* Rounding and clamping, shared by the parts of jai_pixels. */
#ifndef JAI_SAMPLES_H
#define JAI_SAMPLES_H

#include <float.h>

/* The largest sample of a float plane. */
#define JAI_FULL 255.0F

#if defined(FLT_EVAL_METHOD) && FLT_EVAL_METHOD != 0
#error "float arithmetic must be single precision: compile for SSE2, NEON or the like"
#endif

/* For functions that are compiled once more for wider vectors: a call inside would stay as narrow as it was. */
#if defined(__GNUC__)
#define JAI_ALWAYS_INLINE inline __attribute__((always_inline))
#else
#define JAI_ALWAYS_INLINE inline
#endif

#if defined(__GNUC__) && defined(__x86_64__)
#define JAI_AVX2 __attribute__((target("avx2")))
#endif

static JAI_ALWAYS_INLINE float jai_not_below_zero(float sample)
{
    return sample > 0.0F ? sample : 0.0F;
}

static JAI_ALWAYS_INLINE float jai_clamped(float sample, float peak)
{
    sample = jai_not_below_zero(sample);
    return sample < peak ? sample : peak;
}

/* Rounds a sample of 0..2^22 half to even: the sum has no room for a fraction. */
static JAI_ALWAYS_INLINE float jai_rounded(float sample)
{
    const float no_fraction = 8388608.0F;
    return (sample + no_fraction) - no_fraction;
}

#endif
