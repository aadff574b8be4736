/* The inner loops of the hyper scale decoder: the only place where time is spent on arithmetic. */
#ifndef JAI_INTEGER_CONVOLUTION_H
#define JAI_INTEGER_CONVOLUTION_H

#include "context.h"

/* Output channels that are computed together, and inputs whose weights for one output lie side by side. */
enum { JAI_CONVOLUTION_GROUP = 16, JAI_CONVOLUTION_QUAD = 4, JAI_CONVOLUTION_LARGEST_INPUT = 127 };

/*
 * A group of output channels at `positions` neighbouring positions:
 *
 *     output[p][o] = (bias[o] + sum over t, i of weight[t][i / 4][o][i % 4] * input[t * line + p * step + i]) >>
 * shift[o]
 *
 * with t below `lines` and i below `length`, a multiple of 4. Inputs are 0..127, so that the sum of two products fits
 * 16 bits. The sums fit 32 bits as |bias| <= 2^30 + 2^22 and lines * length <= 1440.
 */
typedef struct jai_convolution {
    const int8_t *weight; /* [lines][length / 4][16][4] */
    const int32_t *bias;  /* [16] */
    const uint8_t *shift; /* [16], 0..31 */
    const uint8_t *input;
    size_t lines;
    size_t length;
    size_t line;
    size_t step;
    size_t positions;
    int32_t *output; /* [positions][16] */
} jai_convolution;

/* The plain kernel: what every other kernel equals. */
void jai_convolve_plain(const jai_convolution *job);

/* The fastest kernel of this processor. */
void jai_convolve(const jai_convolution *job);

#endif
