/*
 * Argon2id (RFC 9106) through libsodium: a key from a passphrase.  Floor and
 * ceiling of the cost are compiled in, so that an edited file can neither make
 * guessing cheap nor exhaust the host.
 */
#ifndef PHIFS_CRYPTO_PASSPHRASE_KDF_H
#define PHIFS_CRYPTO_PASSPHRASE_KDF_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define PASSPHRASE_KDF_SALT_LEN 16
#define PASSPHRASE_KDF_OPS_MIN  1u
#define PASSPHRASE_KDF_OPS_MAX  16u
#define PASSPHRASE_KDF_MEM_MIN  (64ull << 20)
#define PASSPHRASE_KDF_MEM_MAX  (1ull << 30)

/* ERR_INVALID: cost out of bounds; ERR_NO_MEMORY. */
enum err passphrase_kdf(const char *passphrase, size_t len,
			const uint8_t salt[PASSPHRASE_KDF_SALT_LEN], uint32_t ops,
			uint64_t mem_bytes, uint8_t out[32]) MUST_CHECK;

#endif
