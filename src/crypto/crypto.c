#include "crypto/crypto.h"

#include <gcrypt.h>
#include <string.h>

#include "base/secmem.h"
#include "crypto/aead.h"
#include "crypto/hash.h"

#define GCRYPT_VERSION_MIN "1.10.0"

/* NIST CAVP gcmEncryptExtIV256, test case 14 of "The Galois/Counter Mode of Operation" (GCM spec). */
static bool aead_is_right(void)
{
	static const uint8_t key[AEAD_KEY_LEN], nonce[AEAD_NONCE_LEN], plain[16];
	static const uint8_t cipher_expected[16] = {0xce, 0xa7, 0x40, 0x3d, 0x4d, 0x60, 0x6b, 0x6e,
						    0x07, 0x4e, 0xc5, 0xd3, 0xba, 0xf3, 0x9d, 0x18};
	static const uint8_t tag_expected[16] = {0xd0, 0xd1, 0xc8, 0xa7, 0x99, 0x99, 0x6b, 0xf0,
						 0x26, 0x5b, 0x98, 0xb5, 0xd4, 0x8a, 0xb9, 0x19};
	uint8_t cipher[16], tag[AEAD_TAG_LEN];
	struct aead *aead;
	bool right;

	if (aead_new(&aead) != ERR_OK)
		return false;
	right = aead_seal(aead, key, nonce, NULL, 0, plain, sizeof(plain), cipher, tag) == ERR_OK &&
		memcmp(cipher, cipher_expected, sizeof(cipher)) == 0 &&
		memcmp(tag, tag_expected, sizeof(tag)) == 0;
	aead_free(aead);
	return right;
}

/* RFC 5869, test case 1. */
static bool hkdf_is_right(void)
{
	static const uint8_t key[22] = {0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b,
					0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b,
					0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b};
	static const uint8_t salt[13] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
	static const uint8_t info[10] = {0xf0, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9};
	static const uint8_t expected[8] = {0x3c, 0xb2, 0x5f, 0x25, 0xfa, 0xac, 0xd5, 0x7a};
	const struct hash_part part = {info, sizeof(info)};
	uint8_t out[42];

	return hkdf_sha256(key, sizeof(key), salt, sizeof(salt), &part, 1, out, sizeof(out)) ==
		       ERR_OK &&
	       memcmp(out, expected, sizeof(expected)) == 0;
}

/* FIPS 180-4: "abc". */
static bool sha256_is_right(void)
{
	static const uint8_t expected[8] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea};
	const struct hash_part part = {"abc", 3};
	uint8_t out[SHA256_LEN];

	sha256(&part, 1, out);
	return memcmp(out, expected, sizeof(expected)) == 0;
}

enum err crypto_init(void)
{
	enum err err = secmem_init();

	if (err != ERR_OK)
		return err;
	if (!gcry_control(GCRYCTL_INITIALIZATION_FINISHED_P)) {
		if (gcry_check_version(GCRYPT_VERSION_MIN) == NULL)
			return ERR_UNSUPPORTED;
		/* Our keys lie in our own locked memory; libgcrypt's pool is for its own. */
		gcry_control(GCRYCTL_SUSPEND_SECMEM_WARN);
		gcry_control(GCRYCTL_INIT_SECMEM, 65536, 0);
		gcry_control(GCRYCTL_RESUME_SECMEM_WARN);
		gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
	}
	return aead_is_right() && sha256_is_right() && hkdf_is_right() ? ERR_OK : ERR_UNSUPPORTED;
}
