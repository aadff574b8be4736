/*
 * The trace container: named arrays with a hash each, all integers little endian, written front to back.
 *
 *     magic     8 bytes      "JAITRAC3"
 *     records
 *       size    u8           of the name, not 0
 *       name    u8[size]     ASCII
 *       type    u8           'b' int8, 'B' uint8, 'h' int16, 'i' int32, 'I' uint32
 *       rank    u8           0..3
 *       shape   u32[rank]
 *       data    elements in C order
 *       hash    u8[32]       SHA-256 of the record before it, from `size` on
 *     end
 *       size    u8           0
 *       count   u32          of records
 *       hash    u8[32]       SHA-256 of the hashes of all records: the identity of the trace
 */
#ifndef JAI_TRACE_WRITER_H
#define JAI_TRACE_WRITER_H

#include <stdbool.h>
#include <stdio.h>

#include "sha256.h"

enum { TRACE_MAX_RANK = 3, TRACE_MAX_NAME = 255, TRACE_BUFFER = 4096 };

typedef struct trace_writer {
    FILE *out; /* NULL: hashes only */
    FILE *log; /* where "name hash" lines go */
    bool failed;
    uint32_t records;
    sha256 all;
    /* the open record */
    char name[TRACE_MAX_NAME + 1];
    unsigned element; /* bytes */
    sha256 hash;
    size_t held;
    uint8_t buffer[TRACE_BUFFER];
} trace_writer;

void trace_begin(trace_writer *t, FILE *out, FILE *log);

/* A record is opened, given as many values as its shape says, and closed. */
void trace_open(trace_writer *t, const char *name, char type, const uint32_t *shape, unsigned rank);
void trace_value(trace_writer *t, uint32_t value); /* its lowest bytes are stored */
void trace_close(trace_writer *t);

/* False when something could not be written. */
bool trace_end(trace_writer *t);

#endif
