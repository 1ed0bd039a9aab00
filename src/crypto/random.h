/* Random bytes from getrandom(2), through libsodium.  Never fails. */
#ifndef PHIFS_CRYPTO_RANDOM_H
#define PHIFS_CRYPTO_RANDOM_H

#include <stddef.h>
#include <stdint.h>

void random_bytes(void *out, size_t len);
uint64_t random_u64(void);

#endif
