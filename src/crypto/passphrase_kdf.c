#include "crypto/passphrase_kdf.h"

#include <sodium.h>

enum err passphrase_kdf(const char *passphrase, size_t len,
			const uint8_t salt[PASSPHRASE_KDF_SALT_LEN], uint32_t ops,
			uint64_t mem_bytes, uint8_t out[32])
{
	if (ops < PASSPHRASE_KDF_OPS_MIN || ops > PASSPHRASE_KDF_OPS_MAX ||
	    mem_bytes < PASSPHRASE_KDF_MEM_MIN || mem_bytes > PASSPHRASE_KDF_MEM_MAX)
		return ERR_INVALID;
	return crypto_pwhash(out, 32, passphrase, len, salt, ops, (size_t)mem_bytes,
			     crypto_pwhash_ALG_ARGON2ID13) == 0
		       ? ERR_OK
		       : ERR_NO_MEMORY;
}
