#include "jai_pixels.h"
#include "samples.h"

void jai_efe_curve(const jai_curve *curve, const float *luma, size_t luma_line, size_t step, float *chroma, size_t line,
                   size_t rows, size_t columns)
{
    const double minimum = curve->min_luma / 100.0;
    const double segment = (curve->max_luma - curve->min_luma) / 100.0 / JAI_CURVE_SEGMENTS;
    float knot[JAI_CURVE_SEGMENTS];
    for (int k = 0; k < JAI_CURVE_SEGMENTS; k++) {
        knot[k] = (float)(minimum + k * segment);
    }
    for (size_t row = 0; row < rows; row++) {
        for (size_t column = 0; column < columns; column++) {
            const float y = luma[row * luma_line + column * step];
            float *sample = chroma + row * line + column;
            float total = jai_not_below_zero(*sample + curve->weight[0] * (y - knot[0]));
            for (int k = 1; k < JAI_CURVE_SEGMENTS; k++) {
                total += curve->weight[k] * jai_not_below_zero(y - knot[k]);
            }
            *sample = total;
        }
    }
}

void jai_efe_switch(unsigned value, const float *alternative, float *chroma, size_t line, size_t rows, size_t columns)
{
    const float taken = (float)value;
    const float kept = 2.0F - taken;
    for (size_t row = 0; row < rows; row++) {
        for (size_t column = 0; column < columns; column++) {
            const size_t i = row * line + column;
            chroma[i] = (alternative[i] * taken + chroma[i] * kept) / 2.0F;
        }
    }
}
