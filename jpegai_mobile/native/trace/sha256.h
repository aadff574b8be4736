/* SHA-256 (FIPS 180-4): the hash of trace records. */
#ifndef JAI_SHA256_H
#define JAI_SHA256_H

#include <stddef.h>
#include <stdint.h>

enum { SHA256_SIZE = 32, SHA256_BLOCK = 64 };

typedef struct sha256 {
    uint32_t state[8];
    uint64_t length; /* bytes so far */
    uint8_t block[SHA256_BLOCK];
} sha256;

void sha256_begin(sha256 *hash);
void sha256_add(sha256 *hash, const uint8_t *bytes, size_t size);
void sha256_end(sha256 *hash, uint8_t digest[SHA256_SIZE]);

#endif
