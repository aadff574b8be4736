#include "trace_writer.h"

#include <string.h>

static void write_bytes(trace_writer *t, const uint8_t *bytes, size_t size)
{
    if (t->out != NULL && fwrite(bytes, 1, size, t->out) != size) {
        t->failed = true;
    }
}

static void flush(trace_writer *t)
{
    sha256_add(&t->hash, t->buffer, t->held);
    write_bytes(t, t->buffer, t->held);
    t->held = 0;
}

static void put(trace_writer *t, uint32_t value, unsigned size)
{
    if (t->held + size > TRACE_BUFFER) {
        flush(t);
    }
    for (unsigned i = 0; i < size; i++) {
        t->buffer[t->held++] = (uint8_t)(value >> (8 * i));
    }
}

static unsigned element_size(char type)
{
    return type == 'b' || type == 'B' ? 1 : type == 'h' ? 2 : 4;
}

static void put_log(trace_writer *t, const char *name, const uint8_t digest[SHA256_SIZE])
{
    fprintf(t->log, "%s ", name);
    for (unsigned i = 0; i < SHA256_SIZE; i++) {
        fprintf(t->log, "%02x", digest[i]);
    }
    fprintf(t->log, "\n");
}

void trace_begin(trace_writer *t, FILE *out, FILE *log)
{
    *t = (trace_writer){.out = out, .log = log};
    sha256_begin(&t->all);
    write_bytes(t, (const uint8_t *)"JAITRAC3", 8);
}

void trace_open(trace_writer *t, const char *name, char type, const uint32_t *shape, unsigned rank)
{
    const size_t size = strlen(name);
    memcpy(t->name, name, size + 1);
    t->element = element_size(type);
    sha256_begin(&t->hash);
    put(t, (uint32_t)size, 1);
    for (size_t i = 0; i < size; i++) {
        put(t, (uint8_t)name[i], 1);
    }
    put(t, (uint8_t)type, 1);
    put(t, rank, 1);
    for (unsigned i = 0; i < rank; i++) {
        put(t, shape[i], 4);
    }
}

void trace_value(trace_writer *t, uint32_t value)
{
    put(t, value, t->element);
}

void trace_close(trace_writer *t)
{
    uint8_t digest[SHA256_SIZE];
    flush(t);
    sha256_end(&t->hash, digest);
    write_bytes(t, digest, sizeof digest);
    sha256_add(&t->all, digest, sizeof digest);
    put_log(t, t->name, digest);
    t->records++;
}

bool trace_end(trace_writer *t)
{
    uint8_t digest[SHA256_SIZE];
    put(t, 0, 1);
    put(t, t->records, 4);
    flush(t);
    sha256_end(&t->all, digest);
    write_bytes(t, digest, sizeof digest);
    put_log(t, "=", digest);
    return !t->failed;
}
