/* Compares the kernel that this processor selects with the plain one on random and extreme data. */
#include <stdio.h>
#include <string.h>

#include "integer_convolution.h"

enum { GROUP = JAI_CONVOLUTION_GROUP, MAX_LENGTH = 480, MAX_POSITIONS = 9, MAX_STEP = 160, CASES = 200 };

static uint32_t state = 1;

static uint32_t random_bits(void)
{
    state = state * 1664525u + 1013904223u;
    return state >> 8;
}

/* A number of [low, 127]; extremes are frequent. */
static int8_t random_from(int32_t low)
{
    const uint32_t bits = random_bits();
    const int32_t between = (int32_t)(bits / 4 % (uint32_t)(128 - low)) + low;
    return (int8_t)(bits % 4 == 0 ? low : bits % 4 == 1 ? 127 : between);
}

int main(void)
{
    static const size_t lengths[] = {96, 160, 288, 480};
    static int8_t weight[GROUP * 3 * MAX_LENGTH];
    static uint8_t input[3 * (MAX_LENGTH + MAX_POSITIONS * MAX_STEP)];
    int32_t expected[GROUP * MAX_POSITIONS];
    int32_t output[GROUP * MAX_POSITIONS];
    for (unsigned i = 0; i < CASES; i++) {
        int32_t bias[GROUP];
        uint8_t shift[GROUP];
        for (unsigned o = 0; o < GROUP; o++) {
            bias[o] = (int32_t)(random_bits() % 3) * (1 << 30) - (1 << 30);
            shift[o] = (uint8_t)(random_bits() % 32);
        }
        for (size_t k = 0; k < sizeof weight / sizeof *weight; k++) {
            weight[k] = random_from(-128);
        }
        for (size_t k = 0; k < sizeof input / sizeof *input; k++) {
            input[k] = (uint8_t)random_from(0);
        }
        const size_t length = lengths[i % 4];
        jai_convolution job = {.weight = weight, .bias = bias, .shift = shift, .input = input};
        job.lines = length > MAX_STEP ? 3 : 1;
        job.length = length;
        job.step = length > MAX_STEP ? length / 3 : length;
        job.line = length + MAX_POSITIONS * job.step;
        job.positions = 1 + random_bits() % MAX_POSITIONS;
        job.output = expected;
        jai_convolve_plain(&job);
        job.output = output;
        jai_convolve(&job);
        if (memcmp(output, expected, job.positions * GROUP * sizeof *output) != 0) {
            printf("case %u differs\n", i);
            return 1;
        }
    }
    printf("%d cases equal\n", CASES);
    return 0;
}
