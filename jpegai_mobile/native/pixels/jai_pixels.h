/*
 * Per-sample work on planes outside the networks, in float32. Every function equals its NumPy twin in
 * jpegai_mobile/image and jpegai_mobile/filters bit for bit, when it is compiled for IEEE single precision without
 * contraction (-ffp-contract=off, /fp:precise).
 *
 * Samples of float planes are on the 0..255 scale. `line` is the number of samples from one row to the next. Nothing
 * allocates, and nothing fails: callers have judged sizes and headers.
 */
#ifndef JAI_PIXELS_H
#define JAI_PIXELS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * What a synthesis transform gives, as samples 0..255: rows x columns values of which neighbours lie `step` apart and
 * rows `raw_line`, to a plane.
 */
void jai_samples(const float *raw, size_t raw_line, size_t step, size_t rows, size_t columns, float *plane,
                 size_t line);

/* Rounds (half to even) and clamps `count` samples to 8 bit, or to 10 bit. */
void jai_quantise8(const float *plane, size_t count, uint8_t *samples);
void jai_quantise10(const float *plane, size_t count, uint16_t *samples);

/* BT.709, full range: `count` samples of each 4:4:4 plane to interleaved R, G, B of 8 bit, or of 10 bit. */
void jai_yuv_to_rgb8(const float *y, const float *u, const float *v, size_t count, uint8_t *rgb);
void jai_yuv_to_rgb10(const float *y, const float *u, const float *v, size_t count, uint16_t *rgb);

/* Resampling along one direction: output i is the sum over k of weight[k][i] * input[index[k][i]], in this order. */
typedef struct jai_taps {
    const int64_t *index; /* [count][outputs], inside the input */
    const float *weight;  /* [count][outputs] */
    size_t count;
    size_t outputs;
} jai_taps;

/* Rows of `source_columns` samples to rows of taps->outputs samples. */
void jai_resample_columns(const jai_taps *taps, const float *source, size_t source_columns, size_t rows, float *target);

/* The output rows start .. stop - 1 from `source`, whose row 0 is input row `first`. */
void jai_resample_rows(const jai_taps *taps, const float *source, size_t first, size_t columns, size_t start,
                       size_t stop, float *target);

/* Sigma of the latent channel that LEF looks at: [rows][columns], stretched over the displayed picture. */
typedef struct jai_lef_sigma {
    const int32_t *values;
    size_t rows;
    size_t columns;
} jai_lef_sigma;

/*
 * LEF for the rows first .. end - 1 of a plane of rows x columns; the rows next to them are read, too. `sharpened` is a
 * whole plane as well, of which these rows are written. `model_id` is 0..3.
 */
void jai_lef(const float *luma, size_t rows, size_t columns, const jai_lef_sigma *sigma, unsigned model_id,
             size_t first, size_t end, float *sharpened);

#ifdef __cplusplus
}
#endif

#endif
