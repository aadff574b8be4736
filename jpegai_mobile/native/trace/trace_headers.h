/* The headers of a code stream as trace records. */
#ifndef JAI_TRACE_HEADERS_H
#define JAI_TRACE_HEADERS_H

#include "jai_entropy.h"
#include "trace_writer.h"

/*
 * Every header field, one record each, in the order of the headers' descriptions: picture_header.*, tool_header.*,
 * rendering_information.*, user_data. Parts that the stream does not have give no records.
 */
void trace_headers(trace_writer *t, const jai_stream *stream);

#endif
