#include "integer_convolution.h"

#include <string.h>

/* Vector code computes BLOCK positions together, so that weights are loaded once for all of them. */
enum { GROUP = JAI_CONVOLUTION_GROUP, QUAD = JAI_CONVOLUTION_QUAD, BLOCK = 4 };

_Static_assert((-1 >> 1) == -1, "right shifts of negative numbers must be arithmetic");

void jai_convolve_plain(const jai_convolution *job)
{
    for (size_t position = 0; position < job->positions; position++) {
        int32_t sum[GROUP];
        memcpy(sum, job->bias, sizeof sum);
        const int8_t *weight = job->weight;
        for (size_t line = 0; line < job->lines; line++) {
            const uint8_t *input = job->input + line * job->line + position * job->step;
            for (size_t i = 0; i < job->length; i += QUAD, weight += QUAD * GROUP) {
                for (size_t o = 0; o < GROUP; o++) {
                    for (size_t k = 0; k < QUAD; k++) {
                        sum[o] += weight[QUAD * o + k] * input[i + k];
                    }
                }
            }
        }
        for (size_t o = 0; o < GROUP; o++) {
            job->output[position * GROUP + o] = sum[o] >> job->shift[o];
        }
    }
}

#if defined(__GNUC__) && defined(__SSE2__)

#include <immintrin.h>

#define AVX2 __attribute__((target("avx2")))

/* `positions` (a constant wherever this is inlined) from `first` on; a vector holds the sums of eight outputs. */
AVX2 static inline __attribute__((always_inline)) void convolve_block(const jai_convolution *job, size_t first,
                                                                      size_t positions)
{
    enum { HALF = GROUP / 2 };
    const __m256i ones = _mm256_set1_epi16(1);
    const int8_t *weight = job->weight;
    __m256i low[BLOCK];
    __m256i high[BLOCK];
    for (size_t p = 0; p < positions; p++) {
        low[p] = _mm256_loadu_si256((const __m256i *)job->bias);
        high[p] = _mm256_loadu_si256((const __m256i *)(job->bias + HALF));
    }
    for (size_t line = 0; line < job->lines; line++) {
        const uint8_t *input = job->input + line * job->line + first * job->step;
        for (size_t i = 0; i < job->length; i += QUAD, weight += QUAD * GROUP) {
            const __m256i low_weight = _mm256_loadu_si256((const __m256i *)weight);
            const __m256i high_weight = _mm256_loadu_si256((const __m256i *)(weight + QUAD * HALF));
            for (size_t p = 0; p < positions; p++) {
                int32_t quad;
                memcpy(&quad, input + p * job->step + i, sizeof quad);
                const __m256i inputs = _mm256_set1_epi32(quad);
                const __m256i low_pairs = _mm256_maddubs_epi16(inputs, low_weight);
                const __m256i high_pairs = _mm256_maddubs_epi16(inputs, high_weight);
                low[p] = _mm256_add_epi32(low[p], _mm256_madd_epi16(low_pairs, ones));
                high[p] = _mm256_add_epi32(high[p], _mm256_madd_epi16(high_pairs, ones));
            }
        }
    }
    const __m256i low_shift = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)job->shift));
    const __m256i high_shift = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(job->shift + HALF)));
    for (size_t p = 0; p < positions; p++) {
        int32_t *output = job->output + (first + p) * GROUP;
        _mm256_storeu_si256((__m256i *)output, _mm256_srav_epi32(low[p], low_shift));
        _mm256_storeu_si256((__m256i *)(output + HALF), _mm256_srav_epi32(high[p], high_shift));
    }
}

AVX2 static void convolve_avx2(const jai_convolution *job)
{
    size_t first = 0;
    for (; first + BLOCK <= job->positions; first += BLOCK) {
        convolve_block(job, first, BLOCK);
    }
    for (; first < job->positions; first++) {
        convolve_block(job, first, 1);
    }
}

void jai_convolve(const jai_convolution *job)
{
    if (__builtin_cpu_supports("avx2")) {
        convolve_avx2(job);
    } else {
        jai_convolve_plain(job);
    }
}

#elif defined(__ARM_NEON) && !defined(__ARM_BIG_ENDIAN)

#include <arm_neon.h>

/* Adds the products of four inputs (repeated four times) with the weights of four outputs. */
static inline int32x4_t add_products(int32x4_t sum, int8x16_t weights, int8x16_t inputs)
{
#if defined(__ARM_FEATURE_DOTPROD)
    return vdotq_s32(sum, weights, inputs);
#else
    const int16x8_t low = vmull_s8(vget_low_s8(weights), vget_low_s8(inputs));
    const int16x8_t high = vmull_s8(vget_high_s8(weights), vget_high_s8(inputs));
    const int16x4_t low_pairs = vpadd_s16(vget_low_s16(low), vget_high_s16(low));
    const int16x4_t high_pairs = vpadd_s16(vget_low_s16(high), vget_high_s16(high));
    return vpadalq_s16(sum, vcombine_s16(low_pairs, high_pairs));
#endif
}

/* `positions` (a constant wherever this is inlined) from `first` on; a vector holds the sums of four outputs. */
static inline __attribute__((always_inline)) void convolve_block(const jai_convolution *job, size_t first,
                                                                 size_t positions)
{
    enum { LANES = 4, VECTORS = GROUP / LANES };
    const int8_t *weight = job->weight;
    int32x4_t sum[BLOCK][VECTORS];
    for (size_t p = 0; p < positions; p++) {
        for (size_t v = 0; v < VECTORS; v++) {
            sum[p][v] = vld1q_s32(job->bias + v * LANES);
        }
    }
    for (size_t line = 0; line < job->lines; line++) {
        const uint8_t *input = job->input + line * job->line + first * job->step;
        for (size_t i = 0; i < job->length; i += QUAD, weight += QUAD * GROUP) {
            for (size_t p = 0; p < positions; p++) {
                uint32_t quad;
                memcpy(&quad, input + p * job->step + i, sizeof quad);
                const int8x16_t inputs = vreinterpretq_s8_u32(vdupq_n_u32(quad));
                for (size_t v = 0; v < VECTORS; v++) {
                    sum[p][v] = add_products(sum[p][v], vld1q_s8(weight + v * LANES * QUAD), inputs);
                }
            }
        }
    }
    for (size_t p = 0; p < positions; p++) {
        for (size_t v = 0; v < VECTORS; v++) {
            const uint8_t *shift = job->shift + v * LANES;
            const int32_t right[LANES] = {-shift[0], -shift[1], -shift[2], -shift[3]};
            vst1q_s32(job->output + (first + p) * GROUP + v * LANES, vshlq_s32(sum[p][v], vld1q_s32(right)));
        }
    }
}

void jai_convolve(const jai_convolution *job)
{
    size_t first = 0;
    for (; first + BLOCK <= job->positions; first += BLOCK) {
        convolve_block(job, first, BLOCK);
    }
    for (; first < job->positions; first++) {
        convolve_block(job, first, 1);
    }
}

#else

void jai_convolve(const jai_convolution *job)
{
    jai_convolve_plain(job);
}

#endif
