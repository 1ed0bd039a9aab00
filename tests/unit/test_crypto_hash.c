/* Hashes and derivation against the vectors their standards publish. */
#include "crypto_unit.h"

#include "crypto/hash.h"

#define INPUT_MAX 256

START_TEST(test_sha256)
{
	/* FIPS 180-4 examples (NIST "SHA256.pdf") and SHA256ShortMsg.rsp, Len 0. */
	static const char *const vectors[][2] = {
		{"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
		{"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
		{"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		 "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
	};

	ck_assert_ok(crypto_init());
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		struct hash_part part = {vectors[i][0], strlen(vectors[i][0])};
		uint8_t out[SHA256_LEN];

		sha256(&part, 1, out);
		assert_hex(out, sizeof(out), vectors[i][1]);
	}
}
END_TEST

/* Wherever a message is cut, also into empty pieces, it is the same message. */
START_TEST(test_sha256_of_parts)
{
	static const char text[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
	const size_t len = sizeof(text) - 1;
	uint8_t out[SHA256_LEN];

	ck_assert_ok(crypto_init());
	for (size_t a = 0; a <= len; a++)
		for (size_t b = a; b <= len; b++) {
			struct hash_part parts[] = {
				{text, a}, {text + a, b - a}, {text + b, len - b}};

			sha256(parts, 3, out);
			assert_hex(out, sizeof(out),
				   "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
		}
	sha256(NULL, 0, out);
	assert_hex(out, sizeof(out),
		   "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}
END_TEST

/* RFC 4231 section 4, test cases 1 to 4, 6 and 7 (5 is a truncated output). */
struct mac_vector {
	const char *key; /* hexadecimal, or "aa*131": so many times that byte */
	const char *text, *mac;
};
static const struct mac_vector mac_vectors[] = {
	{"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "Hi There",
	 "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
	{"4a656665", "what do ya want for nothing?",
	 "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
	{"aa*20",
	 "\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd"
	 "\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd"
	 "\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd",
	 "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
	{"0102030405060708090a0b0c0d0e0f10111213141516171819",
	 "\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd"
	 "\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd"
	 "\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd",
	 "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
	{"aa*131", "Test Using Larger Than Block-Size Key - Hash Key First",
	 "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
	{"aa*131",
	 "This is a test using a larger than block-size key and a larger than block-size data. "
	 "The key needs to be hashed before being used by the HMAC algorithm.",
	 "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
};

static size_t mac_key(const struct mac_vector *v, uint8_t key[INPUT_MAX])
{
	const char *star = strchr(v->key, '*');
	size_t len;

	if (star == NULL)
		return from_hex(v->key, key, INPUT_MAX);
	len = strtoul(star + 1, NULL, 10);
	memset(key, 0xaa, len);
	return len;
}

START_TEST(test_hmac)
{
	ck_assert_ok(crypto_init());
	for (size_t i = 0; i < sizeof(mac_vectors) / sizeof(mac_vectors[0]); i++) {
		const struct mac_vector *v = &mac_vectors[i];
		struct hash_part parts[] = {{v->text, 3}, {v->text + 3, strlen(v->text) - 3}};
		uint8_t key[INPUT_MAX], out[SHA256_LEN];
		size_t key_len = mac_key(v, key);
		struct hmac *hmac;

		hmac_sha256(key, key_len, parts, 2, out);
		assert_hex(out, sizeof(out), v->mac);
		ck_assert_ok(hmac_new(key, key_len, &hmac));
		for (size_t k = 0; k < strlen(v->text); k++)
			hmac_add(hmac, v->text + k, 1);
		hmac_finish(hmac, out);
		assert_hex(out, sizeof(out), v->mac);
	}
}
END_TEST

/* RFC 5869 appendix A.1 to A.3. */
struct hkdf_vector {
	const char *key, *salt, *info, *out;
};
static const struct hkdf_vector hkdf_vectors[] = {
	{"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "000102030405060708090a0b0c",
	 "f0f1f2f3f4f5f6f7f8f9",
	 "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"},
	{"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
	 "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f"
	 "404142434445464748494a4b4c4d4e4f",
	 "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f"
	 "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f"
	 "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
	 "b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecf"
	 "d0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeef"
	 "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
	 "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c"
	 "59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71"
	 "cc30c58179ec3e87c14c01d5c1f3434f1d87"},
	{"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "", "",
	 "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"},
};

START_TEST(test_hkdf)
{
	ck_assert_ok(crypto_init());
	for (size_t i = 0; i < sizeof(hkdf_vectors) / sizeof(hkdf_vectors[0]); i++) {
		const struct hkdf_vector *v = &hkdf_vectors[i];
		uint8_t key[INPUT_MAX], salt[INPUT_MAX], info[INPUT_MAX], out[INPUT_MAX];
		size_t key_len = from_hex(v->key, key, sizeof(key));
		size_t salt_len = from_hex(v->salt, salt, sizeof(salt));
		size_t info_len = from_hex(v->info, info, sizeof(info));
		struct hash_part parts[] = {{info, info_len / 2},
					    {info + info_len / 2, info_len - info_len / 2}};

		ck_assert_ok(hkdf_sha256(key, key_len, salt, salt_len, parts, 2, out,
					 strlen(v->out) / 2));
		assert_hex(out, strlen(v->out) / 2, v->out);
	}
}
END_TEST

START_TEST(test_hkdf_limits)
{
	struct hash_part parts[16] = {{"", 0}};
	uint8_t *out = malloc(255 * SHA256_LEN + 1);

	ck_assert_ok(crypto_init());
	ck_assert_ptr_nonnull(out);
	out[255 * SHA256_LEN] = 0x5a;
	ck_assert_ok(hkdf_sha256("key", 3, NULL, 0, parts, 1, out, 255 * SHA256_LEN));
	ck_assert_uint_eq(out[255 * SHA256_LEN], 0x5a);
	ck_assert_int_eq(hkdf_sha256("key", 3, NULL, 0, parts, 1, out, 255 * SHA256_LEN + 1),
			 ERR_INVALID);
	ck_assert_ok(hkdf_sha256("key", 3, NULL, 0, parts, 14, out, 32));
	ck_assert_int_eq(hkdf_sha256("key", 3, NULL, 0, parts, 15, out, 32), ERR_INVALID);
	free(out);
}
END_TEST

/* blake2b keyed test vectors (blake2-kat.h of the reference), inputs "" and 00. */
START_TEST(test_keyed_hash)
{
	static const uint8_t zero[1];
	struct hash_part parts[] = {{zero, 0}, {zero, 1}};
	uint8_t key[64], out[64], other[64];

	ck_assert_ok(crypto_init());
	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)i;
	keyed_hash(key, sizeof(key), parts, 1, out, sizeof(out));
	assert_hex(out, sizeof(out),
		   "10ebb67700b1868efb4417987acf4690ae9d972fb7a590c2f02871799aaa4786"
		   "b5e996e8f0f4eb981fc214b005f42d2ff4233499391653df7aefcbc13fc51568");
	keyed_hash(key, sizeof(key), parts, 2, out, sizeof(out));
	assert_hex(out, sizeof(out),
		   "961f6dd1e4dd30f63901690c512e78e4b45e4742ed197c3c5e45c549fd25f2e4"
		   "187b0bc9fe30492b16b0d0bc4ef9b0f34c7003fac09a5ef1532e69430234cebd");
	/* A shorter output is not a prefix of a longer one. */
	keyed_hash(key, sizeof(key), parts, 2, other, 16);
	ck_assert_mem_ne(out, other, 16);
}
END_TEST

/* SipHash-2-4: Aumasson and Bernstein, appendix A, and vectors.h of the reference (length 0). */
START_TEST(test_short_hash)
{
	uint8_t key[SHORT_HASH_KEY_LEN], input[15];

	ck_assert_ok(crypto_init());
	for (uint8_t i = 0; i < sizeof(key); i++)
		key[i] = i;
	for (uint8_t i = 0; i < sizeof(input); i++)
		input[i] = i;
	ck_assert_uint_eq(short_hash(key, input, sizeof(input)), 0xa129ca6149be45e5);
	ck_assert_uint_eq(short_hash(key, input, 0), 0x726fdb47dd0e0e31);
}
END_TEST

UNIT_MAIN("crypto hash", test_sha256, test_sha256_of_parts, test_hmac, test_hkdf,
	  test_hkdf_limits, test_keyed_hash, test_short_hash)
