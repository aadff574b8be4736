#include "integer_convolution.h"

_Static_assert((-1 >> 1) == -1, "right shifts of negative numbers must be arithmetic");

#if defined(__GNUC__)
#define ALWAYS_INLINE inline __attribute__((always_inline))
#else
#define ALWAYS_INLINE inline
#endif

/* `length` is a constant wherever this is inlined, so that compilers turn the inner loop into vector code. */
static ALWAYS_INLINE void convolve(const jai_convolution *job, size_t length)
{
    const size_t channel = job->lines * length;
    for (size_t position = 0; position < job->positions; position++) {
        int32_t sum0 = job->bias[0];
        int32_t sum1 = job->bias[1];
        int32_t sum2 = job->bias[2];
        int32_t sum3 = job->bias[3];
        for (size_t line = 0; line < job->lines; line++) {
            const int16_t *restrict input = job->input + line * job->line + position * job->step;
            const int16_t *restrict weight = job->weight + line * length;
            for (size_t i = 0; i < length; i++) {
                const int32_t x = input[i];
                sum0 += x * weight[i];
                sum1 += x * weight[channel + i];
                sum2 += x * weight[2 * channel + i];
                sum3 += x * weight[3 * channel + i];
            }
        }
        int32_t *output = job->output + position * JAI_CONVOLUTION_GROUP;
        output[0] = sum0 >> job->shift[0];
        output[1] = sum1 >> job->shift[1];
        output[2] = sum2 >> job->shift[2];
        output[3] = sum3 >> job->shift[3];
    }
}

static ALWAYS_INLINE void convolve_known_length(const jai_convolution *job)
{
    switch (job->length) {
    case JAI_LUMA_CHANNELS:
        convolve(job, JAI_LUMA_CHANNELS);
        break;
    case JAI_CHROMA_CHANNELS:
        convolve(job, JAI_CHROMA_CHANNELS);
        break;
    case 3 * JAI_LUMA_CHANNELS:
        convolve(job, 3 * JAI_LUMA_CHANNELS);
        break;
    default:
        convolve(job, 3 * JAI_CHROMA_CHANNELS);
        break;
    }
}

void jai_convolve_plain(const jai_convolution *job)
{
    convolve_known_length(job);
}

#if defined(__GNUC__) && (defined(__x86_64__) || defined(__i386__))

/* The same code, compiled for 256-bit vectors. */
__attribute__((target("avx2"))) static void convolve_avx2(const jai_convolution *job)
{
    convolve_known_length(job);
}

void jai_convolve(const jai_convolution *job)
{
    if (__builtin_cpu_supports("avx2")) {
        convolve_avx2(job);
    } else {
        jai_convolve_plain(job);
    }
}

#else

void jai_convolve(const jai_convolution *job)
{
    jai_convolve_plain(job);
}

#endif
