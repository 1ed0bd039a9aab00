#include "crypto/box.h"

#include <sodium.h>

void box_keypair(uint8_t pub[BOX_PUBLIC_LEN], uint8_t sec[BOX_SECRET_LEN])
{
	crypto_box_keypair(pub, sec);
}

void box_public_from_secret(const uint8_t sec[BOX_SECRET_LEN], uint8_t pub[BOX_PUBLIC_LEN])
{
	crypto_scalarmult_base(pub, sec);
}

enum err box_seal(const uint8_t pub[BOX_PUBLIC_LEN], const void *message, size_t len, uint8_t *out)
{
	return crypto_box_seal(out, message, len, pub) == 0 ? ERR_OK : ERR_INVALID;
}

enum err box_open(const uint8_t pub[BOX_PUBLIC_LEN], const uint8_t sec[BOX_SECRET_LEN],
		  const uint8_t *box, size_t len, void *out)
{
	if (len < BOX_SEAL_OVERHEAD || crypto_box_seal_open(out, box, len, pub, sec) != 0)
		return ERR_TAMPERED;
	return ERR_OK;
}
