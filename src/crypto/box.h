/* X25519 sealed boxes (libsodium crypto_box_seal): anyone seals, the key's owner opens. */
#ifndef PHIFS_CRYPTO_BOX_H
#define PHIFS_CRYPTO_BOX_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define BOX_PUBLIC_LEN    32
#define BOX_SECRET_LEN    32
#define BOX_SEAL_OVERHEAD 48

void box_keypair(uint8_t pub[BOX_PUBLIC_LEN], uint8_t sec[BOX_SECRET_LEN]);
void box_public_from_secret(const uint8_t sec[BOX_SECRET_LEN], uint8_t pub[BOX_PUBLIC_LEN]);
/* `out` gets len + BOX_SEAL_OVERHEAD bytes.  ERR_INVALID: not a public key. */
enum err box_seal(const uint8_t pub[BOX_PUBLIC_LEN], const void *message, size_t len,
		  uint8_t *out) MUST_CHECK;
/* `len` counts the box; `out` gets len - BOX_SEAL_OVERHEAD bytes.  ERR_TAMPERED. */
enum err box_open(const uint8_t pub[BOX_PUBLIC_LEN], const uint8_t sec[BOX_SECRET_LEN],
		  const uint8_t *box, size_t len, void *out) MUST_CHECK;

#endif
