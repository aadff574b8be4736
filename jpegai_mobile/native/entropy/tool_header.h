/* The tool header (TON): latent scaling (LSBS) and the post-filters EFE linear, eICCI, EFE non-linear and LEF. */
#ifndef JAI_TOOL_HEADER_H
#define JAI_TOOL_HEADER_H

#include "segments.h"

/* Parses the payload of TON; JAI_INVALID_STREAM on broken syntax. */
jai_status jai_tool_header_read(jai_pool *pool, const jai_segment *segment, const jai_picture_header *picture,
                                jai_tool_header *header);

#endif
