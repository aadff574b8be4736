#include "code_stream.h"

#include "grid.h"
#include "picture_header.h"
#include "rendering_information.h"
#include "segments.h"
#include "tool_header.h"

static const unsigned RESIDUAL_MARKER[JAI_COMPONENTS] = {JAI_SORP, JAI_SORS};

void jai_options_init(jai_options *options)
{
    *options = (jai_options){.max_samples = (uint64_t)1 << 27,
                             .max_channels = {JAI_LUMA_CHANNELS, JAI_CHROMA_CHANNELS},
                             .arrays = JAI_SCALE_INDEX | JAI_SIGMA | JAI_SKIP_MASK};
}

static jai_status fail_at(jai_context *context, const jai_segment *segment, const char *text)
{
    return jai_fail(context, JAI_INVALID_STREAM, "%s at byte %zu: %s", jai_marker_name(segment->marker),
                    segment->offset, text);
}

static jai_status require(jai_context *context, const jai_segments *segments, unsigned marker,
                          const jai_segment **segment)
{
    *segment = jai_segments_find(segments, marker);
    if (*segment == NULL) {
        return jai_fail(context, JAI_INVALID_STREAM, "segment %s is missing", jai_marker_name(marker));
    }
    return JAI_OK;
}

/* Only the residuals of independent regions may repeat, which are all that `jai_segments_read` lets repeat. */
static jai_status check_repeated(jai_context *context, const jai_segments *segments)
{
    for (size_t i = 0; i < segments->count; i++) {
        const jai_segment *segment = &segments->list[i];
        if (segment != jai_segments_find(segments, segment->marker)) {
            return fail_at(context, segment, "segment 2 of this kind");
        }
    }
    return JAI_OK;
}

static jai_substream substream_of(const jai_segment *segment)
{
    return (jai_substream){segment->payload, segment->size, jai_marker_name(segment->marker), segment->offset, 0};
}

static jai_status read_headers(jai_stream *stream, const jai_segments *segments, const jai_options *options)
{
    jai_context *context = stream->pool.context;
    jai_picture_header *picture = &stream->picture;
    if (segments->count == 0 || segments->list[0].marker != JAI_PIH) {
        return jai_fail(context, JAI_INVALID_STREAM, "the first segment is not the picture header PIH (byte 2)");
    }
    JAI_TRY(jai_picture_header_read(&stream->pool, &segments->list[0], picture));
    const uint32_t width = jai_picture_width(picture);
    const uint32_t height = jai_picture_height(picture);
    if ((uint64_t)width * height > options->max_samples) {
        return jai_fail(context, JAI_LIMIT_EXCEEDED, "picture of %u x %u samples is above the limit on samples",
                        (unsigned)width, (unsigned)height);
    }
    if (picture->region_residual_in_its_own_substream_flag == 0) {
        JAI_TRY(check_repeated(context, segments));
    }
    const jai_segment *segment = jai_segments_find(segments, JAI_TON);
    if (segment != NULL) { /* else all tools are off */
        JAI_TRY(jai_tool_header_read(&stream->pool, segment, picture, &stream->tools));
    }
    segment = jai_segments_find(segments, JAI_RDI);
    stream->has_rendering = segment != NULL;
    if (segment != NULL) {
        JAI_TRY(jai_rendering_information_read(&stream->pool, segment, &stream->rendering));
    }
    segment = jai_segments_find(segments, JAI_UDI);
    if (segment != NULL) {
        stream->user_data = segment->payload;
        stream->user_data_size = segment->size;
    }
    return JAI_OK;
}

/* Finds the sub-streams of independent regions: their first byte is the number of the region. */
static jai_status find_regions(jai_context *context, const jai_segments *segments, unsigned marker, uint32_t count,
                               bool allow_missing, jai_substream *regions)
{
    for (size_t i = 0; i < segments->count; i++) {
        const jai_segment *segment = &segments->list[i];
        if (segment->marker != marker) {
            continue;
        }
        if (segment->size == 0 || segment->payload[0] >= count || regions[segment->payload[0]].payload != NULL) {
            return fail_at(context, segment, "region number is missing, too large or repeated");
        }
        jai_substream *region = &regions[segment->payload[0]];
        *region = substream_of(segment);
        region->region = *region->payload++;
        region->size--;
    }
    for (uint32_t i = 0; i < count && !allow_missing; i++) {
        if (regions[i].payload == NULL) {
            return jai_fail(context, JAI_INVALID_STREAM, "%s of region %u is missing", jai_marker_name(marker),
                            (unsigned)i);
        }
    }
    return JAI_OK;
}

static jai_status find_residual(jai_stream *stream, const jai_segments *segments, unsigned component,
                                bool allow_missing)
{
    jai_context *context = stream->pool.context;
    const uint32_t count = jai_region_count(&stream->picture);
    void *memory = NULL;
    JAI_TRY(jai_pool_allocate(&stream->pool, count, sizeof(jai_substream), &memory));
    stream->residual[component] = memory;
    if (stream->picture.region_residual_in_its_own_substream_flag != 0) {
        return find_regions(context, segments, RESIDUAL_MARKER[component], count, allow_missing,
                            stream->residual[component]);
    }
    const jai_segment *segment = NULL;
    JAI_TRY(require(context, segments, RESIDUAL_MARKER[component], &segment));
    const jai_substream whole = substream_of(segment);
    return jai_split_regions(context, &whole, stream->residual[component], count);
}

static jai_status find_substreams(jai_stream *stream, const jai_segments *segments, const jai_options *options)
{
    jai_context *context = stream->pool.context;
    const jai_segment *segment = NULL;
    JAI_TRY(require(context, segments, JAI_SOZ, &segment));
    stream->z = substream_of(segment);
    if (stream->picture.gain_3D_enable_flag != 0) {
        JAI_TRY(require(context, segments, JAI_SOQ, &segment));
        stream->quality_map = substream_of(segment);
    } else if ((segment = jai_segments_find(segments, JAI_SOQ)) != NULL) {
        return fail_at(context, segment, "the picture header announces no quality map");
    }
    JAI_TRY(find_residual(stream, segments, JAI_LUMA, options->allow_missing_regions));
    return find_residual(stream, segments, JAI_CHROMA, options->allow_missing_regions);
}

static jai_status read_stream(jai_stream *stream, const uint8_t *data, size_t size, const jai_options *options)
{
    jai_segments segments;
    JAI_TRY(jai_segments_read(&stream->pool, data, size, options->allow_missing_regions, &segments));
    JAI_TRY(read_headers(stream, &segments, options));
    JAI_TRY(find_substreams(stream, &segments, options));
    jai_pool_free(&stream->pool, segments.list);
    return JAI_OK;
}

jai_status jai_stream_open(jai_context *context, const uint8_t *data, size_t size, const jai_options *options,
                           jai_stream **stream)
{
    jai_pool pool = {context, NULL};
    void *memory = NULL;
    *stream = NULL;
    JAI_TRY(jai_pool_allocate(&pool, 1, sizeof **stream, &memory));
    jai_stream *opened = memory;
    opened->pool = pool;
    opened->arrays_pool.context = context;
    const jai_status status = read_stream(opened, data, size, options);
    if (status != JAI_OK) {
        jai_stream_close(opened);
        return status;
    }
    *stream = opened;
    return JAI_OK;
}

void jai_stream_close(jai_stream *stream)
{
    if (stream != NULL) {
        jai_pool pool = stream->pool;
        jai_pool_release(&stream->arrays_pool);
        jai_pool_release(&pool);
    }
}

const jai_picture_header *jai_stream_picture_header(const jai_stream *stream)
{
    return &stream->picture;
}

const jai_tool_header *jai_stream_tool_header(const jai_stream *stream)
{
    return &stream->tools;
}

const jai_rendering_information *jai_stream_rendering_information(const jai_stream *stream)
{
    return stream->has_rendering ? &stream->rendering : NULL;
}

const uint8_t *jai_stream_user_data(const jai_stream *stream, size_t *size)
{
    *size = stream->user_data_size;
    return stream->user_data;
}
