/* Sizes of the latent tensors and the region grid. */
#ifndef JAI_GRID_H
#define JAI_GRID_H

#include "context.h"

enum { JAI_LATENT_GRID = 16, JAI_Z_GRID = 64, JAI_LATENTS_PER_Z = JAI_Z_GRID / JAI_LATENT_GRID };

/* Rows top..bottom-1 and columns left..right-1. */
typedef struct jai_rectangle {
    uint32_t top;
    uint32_t left;
    uint32_t bottom;
    uint32_t right;
} jai_rectangle;

/* Elements that cover `length` when one element stands for `grid`. */
static inline uint32_t jai_cover(uint32_t length, uint32_t grid)
{
    return (length + grid - 1) / grid;
}

static inline uint32_t jai_picture_width(const jai_picture_header *header)
{
    return header->img_width_minus64 + 64u;
}

static inline uint32_t jai_picture_height(const jai_picture_header *header)
{
    return header->img_height_minus64 + 64u;
}

/* me-tANS threads of a sub-stream: 1, 2, 4, 8 or 16. */
static inline unsigned jai_threads(unsigned multi_threading, unsigned log2_minus1)
{
    return multi_threading != 0 ? 2u << log2_minus1 : 1u;
}

static inline uint32_t jai_region_count(const jai_picture_header *header)
{
    return (header->num_ver_splits_minus1 + 1u) * (header->num_hor_splits_minus1 + 1u);
}

/* Samples of all but the last of `count` regions along `length`; 0 when there are too many regions. */
uint32_t jai_region_step(uint32_t length, uint32_t count);

/* Latents of a region; the regions are numbered in raster order. */
jai_rectangle jai_region_latents(const jai_picture_header *header, uint32_t region);

/* Tiles that start every size - overlap and cover `length`; needs overlap < size. */
uint32_t jai_overlapping_tiles(uint32_t length, uint32_t size, uint32_t overlap);

#endif
