/* Signatures and sealed boxes. */
#include "crypto_unit.h"

#include "crypto/box.h"
#include "crypto/sign.h"

/* RFC 8032 section 7.1, tests 1, 2, 3 and SHA(abc). */
static const struct {
	const char *seed, *public, *message, *signature;
} sign_vectors[] = {
	{"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
	 "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
	 "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
	 "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"},
	{"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
	 "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
	 "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
	 "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"},
	{"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
	 "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
	 "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
	 "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"},
	{"833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
	 "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
	 "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
	 "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
	 "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b589"
	 "09351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704"},
};

START_TEST(test_ed25519)
{
	ck_assert_ok(crypto_init());
	for (size_t i = 0; i < sizeof(sign_vectors) / sizeof(sign_vectors[0]); i++) {
		uint8_t seed[SIGN_SEED_LEN], pub[SIGN_PUBLIC_LEN], sec[SIGN_SECRET_LEN];
		uint8_t message[64], signature[SIGN_SIGNATURE_LEN];
		size_t len = from_hex(sign_vectors[i].message, message, sizeof(message));

		from_hex(sign_vectors[i].seed, seed, sizeof(seed));
		sign_keypair_from_seed(seed, pub, sec);
		assert_hex(pub, sizeof(pub), sign_vectors[i].public);
		sign_detached(sec, message, len, signature);
		assert_hex(signature, sizeof(signature), sign_vectors[i].signature);
		ck_assert_ok(sign_verify(pub, message, len, signature));
	}
}
END_TEST

static void flip(uint8_t *data, size_t bit)
{
	data[bit / 8] ^= (uint8_t)(1u << bit % 8);
}

START_TEST(test_edited_signatures)
{
	uint8_t pub[SIGN_PUBLIC_LEN], other[SIGN_PUBLIC_LEN], sec[SIGN_SECRET_LEN];
	uint8_t signature[SIGN_SIGNATURE_LEN], message[24] = "generation 7 of slots";

	ck_assert_ok(crypto_init());
	sign_keypair(other, sec);
	sign_keypair(pub, sec);
	ck_assert_mem_ne(pub, other, sizeof(pub));
	sign_detached(sec, message, sizeof(message), signature);
	for (size_t bit = 0; bit < 8 * sizeof(signature); bit++) {
		flip(signature, bit);
		ck_assert_int_eq(sign_verify(pub, message, sizeof(message), signature),
				 ERR_TAMPERED);
		flip(signature, bit);
	}
	for (size_t bit = 0; bit < 8 * sizeof(message); bit++) {
		flip(message, bit);
		ck_assert_int_eq(sign_verify(pub, message, sizeof(message), signature),
				 ERR_TAMPERED);
		flip(message, bit);
	}
	ck_assert_int_eq(sign_verify(pub, message, sizeof(message) - 1, signature), ERR_TAMPERED);
	ck_assert_int_eq(sign_verify(other, message, sizeof(message), signature), ERR_TAMPERED);
	ck_assert_ok(sign_verify(pub, message, sizeof(message), signature));
}
END_TEST

/* RFC 7748 section 6.1. */
START_TEST(test_x25519)
{
	static const char *const pairs[][2] = {
		{"77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
		 "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"},
		{"5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
		 "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"},
	};
	uint8_t sec[BOX_SECRET_LEN], pub[BOX_PUBLIC_LEN];

	ck_assert_ok(crypto_init());
	for (int i = 0; i < 2; i++) {
		from_hex(pairs[i][0], sec, sizeof(sec));
		box_public_from_secret(sec, pub);
		assert_hex(pub, sizeof(pub), pairs[i][1]);
	}
	box_keypair(pub, sec);
	box_public_from_secret(sec, sec);
	ck_assert_mem_eq(pub, sec, sizeof(pub));
}
END_TEST

#define MESSAGE_LEN 32

START_TEST(test_box)
{
	uint8_t pub[BOX_PUBLIC_LEN], sec[BOX_SECRET_LEN], other[BOX_SECRET_LEN], out[MESSAGE_LEN];
	uint8_t box[MESSAGE_LEN + BOX_SEAL_OVERHEAD], again[sizeof(box)];
	const uint8_t message[MESSAGE_LEN] = "a volume key, thirty-two bytes.";

	ck_assert_ok(crypto_init());
	box_keypair(pub, other);
	box_keypair(pub, sec);
	ck_assert_ok(box_seal(pub, message, MESSAGE_LEN, box));
	ck_assert_ok(box_seal(pub, message, MESSAGE_LEN, again));
	ck_assert_mem_ne(box, again, sizeof(box));
	ck_assert_ok(box_open(pub, sec, box, sizeof(box), out));
	ck_assert_mem_eq(out, message, MESSAGE_LEN);
	ck_assert_int_eq(box_open(pub, other, box, sizeof(box), out), ERR_TAMPERED);
	for (size_t len = 0; len < sizeof(box); len++)
		ck_assert_int_eq(box_open(pub, sec, box, len, out), ERR_TAMPERED);
	for (size_t byte = 0; byte < sizeof(box); byte++) {
		/* Bit 255 of an X25519 public key means nothing (RFC 7748 section 5). */
		box[byte] ^= 0x01;
		ck_assert_int_eq(box_open(pub, sec, box, sizeof(box), out), ERR_TAMPERED);
		box[byte] ^= 0x01;
	}
	ck_assert_ok(box_open(pub, sec, box, sizeof(box), out));
}
END_TEST

/* The empty message, and a public key nobody can have. */
START_TEST(test_box_edges)
{
	uint8_t pub[BOX_PUBLIC_LEN], sec[BOX_SECRET_LEN], box[BOX_SEAL_OVERHEAD + 1], out[1];
	static const uint8_t small_order[BOX_PUBLIC_LEN];

	ck_assert_ok(crypto_init());
	box_keypair(pub, sec);
	ck_assert_ok(box_seal(pub, "", 0, box));
	ck_assert_ok(box_open(pub, sec, box, BOX_SEAL_OVERHEAD, out));
	ck_assert_int_eq(box_seal(small_order, "x", 1, box), ERR_INVALID);
}
END_TEST

UNIT_MAIN("crypto public keys", test_ed25519, test_edited_signatures, test_x25519, test_box,
	  test_box_edges)
