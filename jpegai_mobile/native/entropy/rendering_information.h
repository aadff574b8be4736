/* Rendering information (RDI): colour description and luminance data handed on to the caller. */
#ifndef JAI_RENDERING_INFORMATION_H
#define JAI_RENDERING_INFORMATION_H

#include "segments.h"

/* Parses the payload of RDI; JAI_INVALID_STREAM on broken syntax. */
jai_status jai_rendering_information_read(jai_pool *pool, const jai_segment *segment,
                                          jai_rendering_information *information);

#endif
