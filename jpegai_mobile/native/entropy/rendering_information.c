#include "rendering_information.h"

#include "bits.h"

/* Coding-independent code points of ITU-T H.273. */
static void read_cicp(jai_bits *bits, jai_rendering_information *h)
{
    h->colour_primaries = jai_bits_u8(bits, "colour_primaries", 8);
    h->transfer_characteristics = jai_bits_u8(bits, "transfer_characteristics", 8);
    h->matrix_coefficients = jai_bits_u8(bits, "matrix_coefficients", 8);
    h->image_full_range_flag = jai_bits_u8(bits, "image_full_range_flag", 1);
    h->chroma420_sample_loc_type = jai_bits_u8(bits, "chroma420_sample_loc_type", 3);
    jai_bits_read(bits, "ri_reserved_zero_4bits", 4);
}

/* The display on which the picture was mastered. */
static void read_mdcv(jai_bits *bits, jai_rendering_information *h)
{
    for (unsigned i = 0; i < 6; i++) {
        h->primaries[i] = jai_bits_u16(bits, "mastering_display_colour_primaries", 16);
    }
    for (unsigned i = 0; i < 2; i++) {
        h->white_point_chromaticity[i] = jai_bits_u16(bits, "mastering_display_white_point_chromaticity", 16);
    }
    h->maximum_luminance = jai_bits_read(bits, "mastering_display_maximum_luminance", 32);
    h->minimum_luminance = jai_bits_read(bits, "mastering_display_minimum_luminance", 32);
}

/* Opaque dynamic metadata. */
static jai_status read_dm(jai_pool *pool, jai_bits *bits, jai_rendering_information *h)
{
    void *memory = NULL;
    h->dm_type = jai_bits_u8(bits, "dm_type", 8);
    h->dm_size = jai_bits_u16(bits, "dm_size", 16);
    JAI_TRY(jai_pool_allocate(pool, h->dm_size, 1, &memory));
    h->dm_data = memory;
    for (unsigned i = 0; i < h->dm_size; i++) {
        h->dm_data[i] = jai_bits_u8(bits, "dm_data_byte", 8);
    }
    return JAI_OK;
}

jai_status jai_rendering_information_read(jai_pool *pool, const jai_segment *segment, jai_rendering_information *h)
{
    jai_bits bits;
    jai_bits_open(&bits, pool->context, "rendering information", segment->payload, 0, segment->size);
    h->cicp_present_flag = jai_bits_u8(&bits, "cicp_info_present_flag", 1);
    h->mdcv_present_flag = jai_bits_u8(&bits, "mdcv_info_present_flag", 1);
    h->clli_present_flag = jai_bits_u8(&bits, "clli_info_present_flag", 1);
    h->dm_present_flag = jai_bits_u8(&bits, "dm_present_flag", 1);
    jai_bits_read(&bits, "ri_reserved_zero_4bits", 4);
    if (h->cicp_present_flag != 0) {
        read_cicp(&bits, h);
    }
    if (h->mdcv_present_flag != 0) {
        read_mdcv(&bits, h);
    }
    if (h->clli_present_flag != 0) {
        h->maximum_content_light_level = jai_bits_u16(&bits, "maximum_content_light_level", 16);
        h->maximum_frame_average_light_level = jai_bits_u16(&bits, "maximum_frame_average_light_level", 16);
    }
    if (h->dm_present_flag != 0) {
        JAI_TRY(read_dm(pool, &bits, h));
    }
    return jai_bits_finish(&bits);
}
