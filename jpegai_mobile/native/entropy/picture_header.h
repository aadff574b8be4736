/* The picture header (PIH): everything needed before the first sub-stream can be decoded. */
#ifndef JAI_PICTURE_HEADER_H
#define JAI_PICTURE_HEADER_H

#include "segments.h"

/* Parses the payload of PIH: JAI_INVALID_STREAM (broken syntax) or JAI_UNSUPPORTED (a reserved value, named). */
jai_status jai_picture_header_read(jai_pool *pool, const jai_segment *segment, jai_picture_header *header);

#endif
