/*
 * Start-up of the crypto layer.  This directory is the only one that includes
 * <gcrypt.h> and <sodium.h> (base/secmem.c and base/buf.c excepted).
 */
#ifndef PHIFS_CRYPTO_CRYPTO_H
#define PHIFS_CRYPTO_CRYPTO_H

#include "base/err.h"

/*
 * Initialises libgcrypt and libsodium (secmem_init included) and checks
 * AES-256-GCM, SHA-256, HMAC and HKDF against one known answer each before
 * they are trusted.  Call once before any other function of this layer.
 */
enum err crypto_init(void) MUST_CHECK;

#endif
