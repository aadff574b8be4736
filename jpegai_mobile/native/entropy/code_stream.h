/* A parsed code stream: headers and sub-streams. */
#ifndef JAI_CODE_STREAM_H
#define JAI_CODE_STREAM_H

#include "sparse_residual.h"
#include "substreams.h"

struct jai_stream {
    jai_pool pool;
    jai_picture_header picture;
    jai_tool_header tools;
    jai_rendering_information rendering;
    bool has_rendering;
    const uint8_t *user_data;
    size_t user_data_size;
    jai_substream z;
    jai_substream quality_map;
    jai_substream *residual[JAI_COMPONENTS]; /* one per region in raster order; payload NULL where one is missing */
    jai_pool arrays_pool;                    /* of the last decode */
    jai_arrays arrays;
    jai_sparse_residual sparse_residual[JAI_COMPONENTS]; /* where the residual is not an array */
};

#endif
