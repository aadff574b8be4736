/* The inner loops of the hyper scale decoder: the only place where time is spent on arithmetic. */
#ifndef JAI_INTEGER_CONVOLUTION_H
#define JAI_INTEGER_CONVOLUTION_H

#include "context.h"

/* Output channels that are computed together. */
enum { JAI_CONVOLUTION_GROUP = 4 };

/*
 * Four output channels at `positions` neighbouring positions:
 *
 *     output[p][o] = (bias[o] + sum over t, i of weight[o][t][i] * input[t * line + p * step + i]) >> shift[o]
 *
 * with t below `lines` and i below `length`. The sums fit 32 bits because |bias| <= 2^30, |weight| <= 128 and
 * 0 <= |input| <= 128. `length` is channels * kernel width: one of 96, 160, 288, 480.
 */
typedef struct jai_convolution {
    const int16_t *weight; /* [4][lines][length] */
    const int32_t *bias;   /* [4] */
    const uint8_t *shift;  /* [4] */
    const int16_t *input;
    size_t lines;
    size_t length;
    size_t line;
    size_t step;
    size_t positions;
    int32_t *output; /* [positions][4] */
} jai_convolution;

/* The plain kernel: what every other kernel equals. */
void jai_convolve_plain(const jai_convolution *job);

/* The fastest kernel of this processor. */
void jai_convolve(const jai_convolution *job);

#endif
