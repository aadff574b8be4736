#include "segments.h"

#include "bits.h"

enum {
    MARKER_BYTES = 2,
    MAX_REGION_SEGMENTS = 256 /* of residuals, where each region has one: its number is a byte */
};

const char *jai_marker_name(unsigned marker)
{
    switch (marker) {
    case JAI_SOC:
        return "SOC";
    case JAI_EOC:
        return "EOC";
    case JAI_PIH:
        return "PIH";
    case JAI_TON:
        return "TON";
    case JAI_RDI:
        return "RDI";
    case JAI_SOZ:
        return "SOZ";
    case JAI_SORP:
        return "SORP";
    case JAI_SORS:
        return "SORS";
    case JAI_SOQ:
        return "SOQ";
    case JAI_UDI:
        return "UDI";
    default:
        return NULL;
    }
}

static bool is_residual(unsigned marker)
{
    return marker == JAI_SORP || marker == JAI_SORS;
}

/* The end of data in the place of EOC. */
static jai_status end_of_cut(size_t offset, size_t size, size_t *position, jai_segment *segment)
{
    *segment = (jai_segment){JAI_EOC, offset, NULL, 0};
    *position = size;
    return JAI_OK;
}

/* Reads the segment at `*position` and steps behind it; `payload` of EOC is empty. */
static jai_status next_segment(jai_context *context, const uint8_t *data, size_t size, bool allow_cut, size_t *position,
                               jai_segment *segment)
{
    const size_t offset = *position;
    if (size - offset < MARKER_BYTES) {
        if (allow_cut) {
            return end_of_cut(offset, size, position, segment);
        }
        return jai_fail(context, JAI_INVALID_STREAM, "truncated: a marker was expected at byte %zu", offset);
    }
    const unsigned marker = (unsigned)data[offset] << 8 | data[offset + 1];
    const char *name = jai_marker_name(marker);
    if (name == NULL || marker == JAI_SOC) {
        return jai_fail(context, JAI_INVALID_STREAM, "unknown marker %04X at byte %zu", marker, offset);
    }
    *segment = (jai_segment){marker, offset, NULL, 0};
    *position = offset + MARKER_BYTES;
    if (marker == JAI_EOC) {
        return JAI_OK;
    }
    jai_bits bits;
    uint64_t payload_size = 0;
    jai_bits_open(&bits, context, "segment size", data, *position, size);
    const jai_status status = jai_bits_exp_golomb(&bits, name, &payload_size);
    const bool may_be_cut = allow_cut && is_residual(marker);
    if (may_be_cut && bits.cut_field != NULL) {
        return end_of_cut(offset, size, position, segment);
    }
    JAI_TRY(status);
    JAI_TRY(jai_bits_align(&bits));
    const size_t start = jai_bits_byte(&bits);
    if (payload_size > size - start) {
        if (may_be_cut) {
            return end_of_cut(offset, size, position, segment);
        }
        return jai_fail(context, JAI_INVALID_STREAM, "truncated: %s at byte %zu is longer than the %zu bytes left",
                        name, offset, size - start);
    }
    segment->payload = data + start;
    segment->size = (size_t)payload_size;
    *position = start + segment->size;
    return JAI_OK;
}

/* Walks all segments, counting them and, when `list` is there, storing them. */
static jai_status walk(jai_context *context, const uint8_t *data, size_t size, bool allow_cut, jai_segment *list,
                       size_t *count)
{
    size_t position = MARKER_BYTES;
    unsigned counts[JAI_UDI - JAI_SOC + 1] = {0};
    *count = 0;
    for (;;) {
        jai_segment segment;
        JAI_TRY(next_segment(context, data, size, allow_cut, &position, &segment));
        if (segment.marker == JAI_EOC) {
            break;
        }
        /* Judged here, so that a list of empty segments does not grow with the stream. */
        const unsigned number = ++counts[segment.marker - JAI_SOC];
        if (number > (is_residual(segment.marker) ? MAX_REGION_SEGMENTS : 1)) {
            return jai_fail(context, JAI_INVALID_STREAM, "%s at byte %zu: segment %u of this kind",
                            jai_marker_name(segment.marker), segment.offset, number);
        }
        if (list != NULL) {
            list[*count] = segment;
        }
        ++*count;
    }
    if (position != size) {
        return jai_fail(context, JAI_INVALID_STREAM, "%zu bytes after marker EOC at byte %zu", size - position,
                        position - MARKER_BYTES);
    }
    return JAI_OK;
}

jai_status jai_segments_read(jai_pool *pool, const uint8_t *data, size_t size, bool allow_cut, jai_segments *segments)
{
    if (size < MARKER_BYTES || data[0] != JAI_SOC >> 8 || data[1] != (JAI_SOC & 0xFF)) {
        return jai_fail(pool->context, JAI_INVALID_STREAM,
                        "not a JPEG AI code stream: marker SOC (FF80) missing at byte 0");
    }
    void *memory = NULL;
    JAI_TRY(walk(pool->context, data, size, allow_cut, NULL, &segments->count));
    JAI_TRY(jai_pool_allocate(pool, segments->count, sizeof(jai_segment), &memory));
    segments->list = memory;
    return walk(pool->context, data, size, allow_cut, segments->list, &segments->count);
}

const jai_segment *jai_segments_find(const jai_segments *segments, unsigned marker)
{
    for (size_t i = 0; i < segments->count; i++) {
        if (segments->list[i].marker == marker) {
            return &segments->list[i];
        }
    }
    return NULL;
}
