/*
 * Nonces of the store: 64-bit random salt || 32-bit counter (the deterministic
 * construction of SP 800-38D 8.2.1 with a random fixed field).  The salt is
 * drawn anew for each write request and each transaction, so that a cloned or
 * resumed virtual machine repeats nothing but an identical request; the
 * counter is one atomic of the process and is never reset.
 */
#ifndef PHIFS_CRYPTO_NONCE_H
#define PHIFS_CRYPTO_NONCE_H

#include <stdint.h>

#include "base/err.h"
#include "crypto/aead.h"

struct nonce_source {
	uint8_t salt[8];
};

/* Draws a fresh salt (getrandom, 0.4 us). */
enum err nonce_source_init(struct nonce_source *source) MUST_CHECK;

/* The next nonce; never the same twice for one salt below 2^32 calls. */
void nonce_next(const struct nonce_source *source, uint8_t nonce[AEAD_NONCE_LEN]);

#endif
