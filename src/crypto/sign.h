/* Ed25519 signatures (RFC 8032) through libsodium. */
#ifndef PHIFS_CRYPTO_SIGN_H
#define PHIFS_CRYPTO_SIGN_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define SIGN_PUBLIC_LEN    32
#define SIGN_SECRET_LEN    64 /* seed 32 || public key 32; a secret */
#define SIGN_SEED_LEN      32
#define SIGN_SIGNATURE_LEN 64

void sign_keypair(uint8_t pub[SIGN_PUBLIC_LEN], uint8_t sec[SIGN_SECRET_LEN]);
void sign_keypair_from_seed(const uint8_t seed[SIGN_SEED_LEN], uint8_t pub[SIGN_PUBLIC_LEN],
			    uint8_t sec[SIGN_SECRET_LEN]);
void sign_detached(const uint8_t sec[SIGN_SECRET_LEN], const void *data, size_t len,
		   uint8_t signature[SIGN_SIGNATURE_LEN]);
/* ERR_TAMPERED if it is not `pub`'s signature of the data. */
enum err sign_verify(const uint8_t pub[SIGN_PUBLIC_LEN], const void *data, size_t len,
		     const uint8_t signature[SIGN_SIGNATURE_LEN]) MUST_CHECK;

#endif
