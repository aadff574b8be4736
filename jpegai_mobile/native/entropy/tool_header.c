#include "tool_header.h"

#include "bits.h"
#include "grid.h"

enum { TILE_UNIT = 16, PHASES = 4, EFE_SPLITS = 8, SHORT_LIST_BITS = 2, LONG_LIST_BITS = 4, LEAST_TILE_BITS = 3 };

/* Regions of each way to split the picture for EFE linear, by best_cand_idx. */
static const uint8_t EFE_REGIONS[EFE_SPLITS + 1] = {0, 1, 2, 2, 3, 3, 4, 6, 6};

/* Bits of a field whose largest value is `value`. */
static unsigned bits_for_largest(unsigned value)
{
    unsigned count = 0;
    while (value >> count != 0) {
        count++;
    }
    return count;
}

static jai_status read_efe_linear_set(jai_pool *pool, jai_bits *bits, uint8_t kernels, jai_efe_linear_set *set)
{
    for (unsigned i = 0; i < 2; i++) {
        jai_efe_linear_plane *plane = &set->plane[i];
        plane->best_cand_idx = jai_bits_u8(bits, "best_cand_idx", 4);
        JAI_BITS_CHECK(bits, plane->best_cand_idx <= EFE_SPLITS, JAI_INVALID_STREAM,
                       "best_cand_idx is above 8:", plane->best_cand_idx);
        plane->regions = EFE_REGIONS[plane->best_cand_idx];
        plane->kernels = kernels;
    }
    for (unsigned i = 0; i < 2; i++) {
        if (set->plane[i].best_cand_idx != 0) {
            set->plane[i].fL = jai_bits_u8(bits, "fL", 4);
        }
    }
    set->minSymbol = jai_bits_u16(bits, "minSymbol", 16);
    set->maxSymbol = jai_bits_u16(bits, "maxSymbol", 16);
    const unsigned width = bits_for_largest(set->maxSymbol);
    for (unsigned i = 0; i < 2; i++) {
        jai_efe_linear_plane *plane = &set->plane[i];
        const uint32_t weights = (uint32_t)plane->regions * plane->fL * plane->fL;
        JAI_TRY(
            jai_bits_array(bits, pool, i == 0 ? "weightsU" : "weightsV", width, weights * kernels, &plane->weights));
        JAI_TRY(jai_bits_array(bits, pool, i == 0 ? "weightsU2" : "weightsV2", width, weights, &plane->weights2));
    }
    return JAI_OK;
}

static jai_status read_efe_linear(jai_pool *pool, jai_bits *bits, const jai_picture_header *picture, jai_tool_header *h)
{
    h->EFE_linear_filter_enabled_flag = jai_bits_u8(bits, "EFE_linear_filter_enabled_flag", 1);
    if (h->EFE_linear_filter_enabled_flag == 0) {
        return JAI_OK;
    }
    h->B1[0] = jai_bits_u16(bits, "B1[0]", 15);
    h->B1[1] = jai_bits_u16(bits, "B1[1]", 15);
    const bool coded_at_source_resolution =
        picture->c_ver_minus1 == picture->s_ver_minus1 && picture->c_hor_minus1 == picture->s_hor_minus1;
    const uint8_t kernels = coded_at_source_resolution ? 1 : PHASES;
    JAI_TRY(read_efe_linear_set(pool, bits, kernels, &h->efe_set[0]));
    return read_efe_linear_set(pool, bits, kernels, &h->efe_set[1]);
}

static void read_eicci_tile(jai_bits *bits, jai_eicci_tile *tile)
{
    for (unsigned i = 0; i < 3; i++) {
        tile->icci_use[i] = jai_bits_u8(bits, "icci_use", 1);
    }
    const bool chroma = tile->icci_use[1] != 0 || tile->icci_use[2] != 0;
    if (tile->icci_use[0] == 0 && !chroma) {
        return;
    }
    tile->icci_use_shortList = jai_bits_u8(bits, "icci_use_shortList", 1);
    const unsigned width = tile->icci_use_shortList != 0 ? SHORT_LIST_BITS : LONG_LIST_BITS;
    if (tile->icci_use[0] != 0) {
        tile->icci_model_signalled_idx[0] = jai_bits_u8(bits, "icci_model_signalled_idx[Y]", width);
    }
    if (chroma) {
        tile->icci_model_signalled_idx[1] = jai_bits_u8(bits, "icci_model_signalled_idx[UV]", width);
    }
}

/* Reads the tile size and counts the tiles: their grid is that of the coded picture, not of the displayed part. */
static jai_status read_eicci_tiling(jai_bits *bits, const jai_picture_header *picture, jai_tool_header *h)
{
    h->icci_tiles = 1;
    h->icci_tile_manager_enabled = jai_bits_u8(bits, "tile_manager_enabled", 1);
    if (h->icci_tile_manager_enabled == 0) {
        return JAI_OK;
    }
    h->icci_tile_size = jai_bits_u8(bits, "tile_size", 8);
    h->icci_tile_overlap = jai_bits_u8(bits, "tile_overlap", 5);
    JAI_BITS_CHECK(bits, h->icci_tile_size > h->icci_tile_overlap, JAI_INVALID_STREAM,
                   "eICCI tile size is not above the overlap", h->icci_tile_overlap);
    const uint32_t size = (uint32_t)h->icci_tile_size * TILE_UNIT;
    const uint32_t overlap = (uint32_t)h->icci_tile_overlap * TILE_UNIT;
    h->icci_tiles = jai_overlapping_tiles(jai_picture_height(picture), size, overlap) *
                    jai_overlapping_tiles(jai_picture_width(picture), size, overlap);
    return JAI_OK;
}

static jai_status read_eicci(jai_pool *pool, jai_bits *bits, const jai_picture_header *picture, jai_tool_header *h)
{
    if (picture->s_ver_minus1 != 0 && picture->s_hor_minus1 != 0) {
        return JAI_OK; /* never for 4:2:0 sources */
    }
    h->icci_enable_flag = jai_bits_u8(bits, "icci_enable_flag", 1);
    if (h->icci_enable_flag == 0) {
        return JAI_OK;
    }
    JAI_TRY(read_eicci_tiling(bits, picture, h));
    JAI_BITS_CHECK(bits, (uint64_t)h->icci_tiles * LEAST_TILE_BITS <= jai_bits_remaining(bits), JAI_INVALID_STREAM,
                   "ends inside the eICCI tiles, announced:", h->icci_tiles);
    void *memory = NULL;
    JAI_TRY(jai_pool_allocate(pool, h->icci_tiles, sizeof *h->icci_tile, &memory));
    h->icci_tile = memory;
    for (uint32_t i = 0; i < h->icci_tiles; i++) {
        read_eicci_tile(bits, &h->icci_tile[i]);
    }
    return JAI_OK;
}

static jai_status read_switch_masks(jai_pool *pool, jai_bits *bits, jai_tool_header *h)
{
    h->mask_enabled_flag[0] = jai_bits_u8(bits, "mask1_enabled_flag", 1);
    h->mask_enabled_flag[1] = jai_bits_u8(bits, "mask2_enabled_flag", 1);
    if (h->mask_enabled_flag[0] == 0 && h->mask_enabled_flag[1] == 0) {
        return JAI_OK;
    }
    h->bS = jai_bits_u16(bits, "bS", 10);
    h->len_mask_y = jai_bits_u16(bits, "len_mask_y", 10);
    h->len_mask_x = jai_bits_u16(bits, "len_mask_x", 10);
    for (unsigned i = 0; i < 2; i++) {
        if (h->mask_enabled_flag[i] != 0) {
            JAI_TRY(jai_bits_array(bits, pool, "W5", 2, (uint32_t)h->len_mask_y * h->len_mask_x, &h->W5[i]));
        }
    }
    return JAI_OK;
}

static jai_status read_efe_nonlinear(jai_pool *pool, jai_bits *bits, jai_tool_header *h)
{
    h->EFE_nonlinear_filter_enabled_flag = jai_bits_u8(bits, "EFE_nonlinear_filter_enabled_flag", 1);
    if (h->EFE_nonlinear_filter_enabled_flag == 0) {
        return JAI_OK;
    }
    h->minSymbol = jai_bits_u16(bits, "minSymbol", 16);
    h->maxSymbol = jai_bits_u16(bits, "maxSymbol", 16);
    JAI_TRY(read_switch_masks(pool, bits, h));
    h->nonlinear[0].enabled_flag = jai_bits_u8(bits, "nonLinear_enabled_U_flag", 1);
    h->nonlinear[1].enabled_flag = jai_bits_u8(bits, "nonLinear_enabled_V_flag", 1);
    if (h->nonlinear[0].enabled_flag == 0 && h->nonlinear[1].enabled_flag == 0) {
        return JAI_OK;
    }
    h->nonlinearW = jai_bits_u16(bits, "nonlinearW", 16);
    h->nonlinearH = jai_bits_u16(bits, "nonlinearH", 16);
    h->numTiles = jai_bits_u16(bits, "numTiles", 16);
    JAI_TRY(jai_bits_array(bits, pool, "minLuma", 16, h->numTiles, &h->minLuma));
    JAI_TRY(jai_bits_array(bits, pool, "maxLuma", 16, h->numTiles, &h->maxLuma));
    for (unsigned i = 0; i < 2; i++) {
        jai_efe_nonlinear_plane *plane = &h->nonlinear[i];
        if (plane->enabled_flag != 0) {
            plane->candNum = jai_bits_u16(bits, "candNum", 16);
            JAI_TRY(jai_bits_array(bits, pool, "A1", bits_for_largest(h->maxSymbol), plane->candNum, &plane->A1));
        }
    }
    return JAI_OK;
}

jai_status jai_tool_header_read(jai_pool *pool, const jai_segment *segment, const jai_picture_header *picture,
                                jai_tool_header *h)
{
    jai_bits bits;
    jai_bits_open(&bits, pool->context, "tool header", segment->payload, 0, segment->size);
    h->lsbs_enable_flag[JAI_LUMA] = jai_bits_u8(&bits, "lsbs_enable_flag[0]", 1);
    h->lsbs_enable_flag[JAI_CHROMA] = jai_bits_u8(&bits, "lsbs_enable_flag[1]", 1);
    JAI_TRY(read_efe_linear(pool, &bits, picture, h));
    JAI_TRY(read_eicci(pool, &bits, picture, h));
    JAI_TRY(read_efe_nonlinear(pool, &bits, h));
    h->LEF_enabled_flag = jai_bits_u8(&bits, "LEF_enabled_flag", 1);
    if (h->LEF_enabled_flag != 0) {
        h->LEF_chIdx = jai_bits_u8(&bits, "LEF_chIdx", 8);
    }
    return jai_bits_finish(&bits);
}
