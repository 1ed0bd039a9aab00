/* What must never repeat, and keys from passphrases. */
#include "crypto_unit.h"

#include <pthread.h>

#include "crypto/nonce.h"
#include "crypto/passphrase_kdf.h"
#include "crypto/random.h"

/*
 * argon2 20171227 (the reference's command line):
 * printf password | argon2 somesaltsomesalt -id -t OPS -m 16 -p 1 -l 32 -r
 * (The vector of RFC 9106 has a secret and associated data, which libsodium lacks.)
 */
START_TEST(test_argon2id)
{
	const uint8_t *salt = (const uint8_t *)"somesaltsomesalt";
	uint8_t out[32];

	ck_assert_ok(crypto_init());
	ck_assert_ok(passphrase_kdf("password", 8, salt, 1, 64 << 20, out));
	assert_hex(out, sizeof(out),
		   "ec2b46acb6f8aec6804bf8df88feeca36a4412df3bea8d2cc99c08a9e8977a72");
	ck_assert_ok(passphrase_kdf("password", 8, salt, 3, 64 << 20, out));
	assert_hex(out, sizeof(out),
		   "7664ad4ba1a3c999fcdd0991ffc2270f78302d2383233db5e7befc85d1bb1819");
}
END_TEST

/* An edited file can neither make guessing cheap nor exhaust the host. */
START_TEST(test_argon2id_limits)
{
	static const struct {
		uint32_t ops;
		uint64_t mem;
	} refused[] = {
		{0, PASSPHRASE_KDF_MEM_MIN},	 {PASSPHRASE_KDF_OPS_MAX + 1, PASSPHRASE_KDF_MEM_MIN},
		{UINT32_MAX, PASSPHRASE_KDF_MEM_MIN}, {1, 0},
		{1, PASSPHRASE_KDF_MEM_MIN - 1}, {1, PASSPHRASE_KDF_MEM_MAX + 1},
		{1, UINT64_MAX},
	};
	const uint8_t salt[PASSPHRASE_KDF_SALT_LEN] = {0};
	uint8_t out[32];

	ck_assert_ok(crypto_init());
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		ck_assert_int_eq(passphrase_kdf("p", 1, salt, refused[i].ops, refused[i].mem, out),
				 ERR_INVALID);
}
END_TEST

START_TEST(test_random)
{
	uint8_t seen[256] = {0}, data[16384];
	uint64_t a, b;

	ck_assert_ok(crypto_init());
	random_bytes(data, sizeof(data));
	for (size_t i = 0; i < sizeof(data); i++)
		seen[data[i]] = 1;
	/* That a value is missing has a probability below 2^-80. */
	for (int i = 0; i < 256; i++)
		ck_assert_uint_eq(seen[i], 1);
	a = random_u64();
	b = random_u64();
	ck_assert_uint_ne(a, b);
	memset(data, 0x5a, 8);
	random_bytes(data, 0);
	ck_assert_uint_eq(data[0], 0x5a);
}
END_TEST

#define THREADS 4
#define NONCES	20000

static struct nonce_source shared;
static uint8_t nonces[THREADS * NONCES][AEAD_NONCE_LEN];

static void *draw(void *arg)
{
	uint8_t(*mine)[AEAD_NONCE_LEN] = arg;

	for (int i = 0; i < NONCES; i++)
		nonce_next(&shared, mine[i]);
	return NULL;
}

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, AEAD_NONCE_LEN);
}

/* One salt used by several threads at once: no nonce twice. */
START_TEST(test_nonces_are_unique)
{
	pthread_t threads[THREADS];

	ck_assert_ok(crypto_init());
	ck_assert_ok(nonce_source_init(&shared));
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, draw, nonces[i * NONCES]), 0);
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	qsort(nonces, THREADS * NONCES, AEAD_NONCE_LEN, compare);
	for (size_t i = 1; i < THREADS * NONCES; i++)
		ck_assert_int_ne(compare(nonces[i - 1], nonces[i]), 0);
}
END_TEST

/* Salt and counter are where the header says; a new source does not set the counter back. */
START_TEST(test_nonce_construction)
{
	struct nonce_source a, b;
	uint8_t first[AEAD_NONCE_LEN], second[AEAD_NONCE_LEN];

	ck_assert_ok(crypto_init());
	ck_assert_ok(nonce_source_init(&a));
	nonce_next(&a, first);
	ck_assert_ok(nonce_source_init(&b));
	nonce_next(&b, second);
	ck_assert_mem_eq(first, a.salt, sizeof(a.salt));
	ck_assert_mem_eq(second, b.salt, sizeof(b.salt));
	ck_assert_mem_ne(a.salt, b.salt, sizeof(a.salt));
	ck_assert_uint_eq(load_u32(second + 8), load_u32(first + 8) + 1);
}
END_TEST

UNIT_MAIN("crypto random", test_argon2id, test_argon2id_limits, test_random,
	  test_nonces_are_unique, test_nonce_construction)
