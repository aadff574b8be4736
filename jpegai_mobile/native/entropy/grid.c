#include "grid.h"

enum { REGION_UNIT = 128 };

uint32_t jai_region_step(uint32_t length, uint32_t count)
{
    return jai_cover(length, REGION_UNIT) / count * REGION_UNIT;
}

/* Latents of region `index` of `count` along `length` samples; the last region takes the rest. */
static void region_span(uint32_t length, uint32_t count, uint32_t index, uint32_t *start, uint32_t *stop)
{
    const uint32_t step = jai_region_step(length, count);
    *start = index * step / JAI_LATENT_GRID;
    *stop = index + 1 == count ? jai_cover(length, JAI_LATENT_GRID) : (index + 1) * step / JAI_LATENT_GRID;
}

jai_rectangle jai_region_latents(const jai_picture_header *header, uint32_t region)
{
    const uint32_t rows = header->num_ver_splits_minus1 + 1u;
    const uint32_t columns = header->num_hor_splits_minus1 + 1u;
    jai_rectangle r;
    region_span(jai_picture_height(header), rows, region / columns, &r.top, &r.bottom);
    region_span(jai_picture_width(header), columns, region % columns, &r.left, &r.right);
    return r;
}

uint32_t jai_overlapping_tiles(uint32_t length, uint32_t size, uint32_t overlap)
{
    return length > overlap ? jai_cover(length - overlap, size - overlap) : 1;
}
