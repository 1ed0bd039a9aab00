#include "crypto/sign.h"

#include <sodium.h>

void sign_keypair(uint8_t pub[SIGN_PUBLIC_LEN], uint8_t sec[SIGN_SECRET_LEN])
{
	crypto_sign_keypair(pub, sec);
}

void sign_keypair_from_seed(const uint8_t seed[SIGN_SEED_LEN], uint8_t pub[SIGN_PUBLIC_LEN],
			    uint8_t sec[SIGN_SECRET_LEN])
{
	crypto_sign_seed_keypair(pub, sec, seed);
}

void sign_detached(const uint8_t sec[SIGN_SECRET_LEN], const void *data, size_t len,
		   uint8_t signature[SIGN_SIGNATURE_LEN])
{
	crypto_sign_detached(signature, NULL, data, len, sec);
}

enum err sign_verify(const uint8_t pub[SIGN_PUBLIC_LEN], const void *data, size_t len,
		     const uint8_t signature[SIGN_SIGNATURE_LEN])
{
	return crypto_sign_verify_detached(signature, data, len, pub) == 0 ? ERR_OK : ERR_TAMPERED;
}
