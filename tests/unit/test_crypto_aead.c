/* AES-256-GCM against published vectors, and that nothing edited opens. */
#include "crypto_unit.h"

#include <pthread.h>

#include "crypto/aead.h"

struct vector {
	const char *name, *key, *nonce, *ad, *plain, *cipher, *tag;
};

#define GCM_KEY	  "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308"
#define GCM_PLAIN "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72" \
		  "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
#define GCM_CIPHER "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa" \
		   "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
#define ZERO_KEY   "0000000000000000000000000000000000000000000000000000000000000000"

/*
 * Test cases 13 to 16 of McGrew and Viega, "The Galois/Counter Mode of
 * Operation (GCM)", appendix B (the examples of SP 800-38D), and count 0 of three groups of
 * gcmEncryptExtIV256.rsp (NIST CAVP).
 */
static const struct vector vectors[] = {
	{"GCM 13", ZERO_KEY, "000000000000000000000000", "", "", "",
	 "530f8afbc74536b9a963b4f1c4cb738b"},
	{"GCM 14", ZERO_KEY, "000000000000000000000000", "", "00000000000000000000000000000000",
	 "cea7403d4d606b6e074ec5d3baf39d18", "d0d1c8a799996bf0265b98b5d48ab919"},
	{"GCM 15", GCM_KEY, "cafebabefacedbaddecaf888", "", GCM_PLAIN "1aafd255",
	 GCM_CIPHER "898015ad", "b094dac5d93471bdec1a502270e3cc6c"},
	{"GCM 16", GCM_KEY, "cafebabefacedbaddecaf888", "feedfacedeadbeeffeedfacedeadbeefabaddad2",
	 GCM_PLAIN, GCM_CIPHER, "76fc6ece0f4e1768cddf8853bb2d551b"},
	{"CAVP PTlen 0 AADlen 0",
	 "b52c505a37d78eda5dd34f20c22540ea1b58963cf8e5bf8ffa85f9f2492505b4",
	 "516c33929df5a3284ff463d7", "", "", "", "bdc1ac884d332457a1d2664f168c76f0"},
	{"CAVP PTlen 128 AADlen 0",
	 "31bdadd96698c204aa9ce1448ea94ae1fb4a9a0b3c9d773b51bb1822666b8f22",
	 "0d18e06c7c725ac9e362e1ce", "", "2db5168e932556f8089a0622981d017d",
	 "fa4362189661d163fcd6a56d8bf0405a", "d636ac1bbedd5cc3ee727dc2ab4a9489"},
	{"CAVP PTlen 128 AADlen 128",
	 "92e11dcdaa866f5ce790fd24501f92509aacf4cb8b1339d50c9c1240935dd08b",
	 "ac93a1a6145299bde902f21a", "1e0889016f67601c8ebea4943bc23ad6",
	 "2d71bcfa914e4ac045b2aa60955fad24", "8995ae2e6df3dbf96fac7b7137bae67f",
	 "eca5aa77d51d4a0a14d9c51e1da474ab"},
};
#define VECTORS (sizeof(vectors) / sizeof(vectors[0]))

/* A vector in bytes. */
struct message {
	uint8_t key[AEAD_KEY_LEN], nonce[AEAD_NONCE_LEN], ad[64], plain[64], cipher[64];
	uint8_t tag[AEAD_TAG_LEN];
	size_t ad_len, len;
};

static struct message load(const struct vector *v)
{
	struct message m;

	ck_assert_ok(crypto_init());
	memset(&m, 0, sizeof(m));
	ck_assert_uint_eq(from_hex(v->key, m.key, sizeof(m.key)), sizeof(m.key));
	ck_assert_uint_eq(from_hex(v->nonce, m.nonce, sizeof(m.nonce)), sizeof(m.nonce));
	ck_assert_uint_eq(from_hex(v->tag, m.tag, sizeof(m.tag)), sizeof(m.tag));
	m.ad_len = from_hex(v->ad, m.ad, sizeof(m.ad));
	m.len = from_hex(v->plain, m.plain, sizeof(m.plain));
	ck_assert_uint_eq(from_hex(v->cipher, m.cipher, sizeof(m.cipher)), m.len);
	return m;
}

static enum err open_message(struct aead *aead, const struct message *m, uint8_t *out)
{
	return aead_open(aead, m->key, m->nonce, m->ad, m->ad_len, m->cipher, m->len, m->tag, out);
}

/* One context for all: the key changes, and comes back, under way. */
START_TEST(test_vectors)
{
	struct aead *aead;

	ck_assert_ok(crypto_init());
	ck_assert_ok(aead_new(&aead));
	for (size_t i = 0; i < 2 * VECTORS; i++) {
		const struct vector *v = &vectors[i % VECTORS];
		struct message m = load(v);
		uint8_t out[64], tag[AEAD_TAG_LEN];

		ck_assert_ok(aead_seal(aead, m.key, m.nonce, m.ad, m.ad_len, m.plain, m.len, out,
				       tag));
		ck_assert_msg(memcmp(out, m.cipher, m.len) == 0, "%s: ciphertext", v->name);
		ck_assert_msg(memcmp(tag, m.tag, sizeof(tag)) == 0, "%s: tag", v->name);
		ck_assert_ok(open_message(aead, &m, out));
		ck_assert_msg(memcmp(out, m.plain, m.len) == 0, "%s: plaintext", v->name);
	}
	aead_free(aead);
	aead_free(NULL);
}
END_TEST

START_TEST(test_in_place)
{
	struct message m = load(&vectors[3]);
	struct aead *aead = aead_thread();
	uint8_t data[64], tag[AEAD_TAG_LEN];

	memcpy(data, m.plain, m.len);
	ck_assert_ok(aead_seal(aead, m.key, m.nonce, m.ad, m.ad_len, data, m.len, data, tag));
	ck_assert_mem_eq(data, m.cipher, m.len);
	ck_assert_mem_eq(tag, m.tag, sizeof(tag));
	ck_assert_ok(aead_open(aead, m.key, m.nonce, m.ad, m.ad_len, data, m.len, tag, data));
	ck_assert_mem_eq(data, m.plain, m.len);
}
END_TEST

/* Flips every bit of a part, expects a refusal and zeroes, flips it back. */
static void refuse_flips(struct message *m, uint8_t *part, size_t len)
{
	struct aead *aead = aead_thread();
	static const uint8_t zeroes[64];
	uint8_t out[64];

	for (size_t bit = 0; bit < 8 * len; bit++) {
		part[bit / 8] ^= (uint8_t)(1u << bit % 8);
		memset(out, 0xee, sizeof(out));
		ck_assert_int_eq(open_message(aead, m, out), ERR_TAMPERED);
		ck_assert_mem_eq(out, zeroes, m->len);
		part[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	ck_assert_ok(open_message(aead, m, out));
}

START_TEST(test_every_bit_is_authenticated)
{
	struct message m = load(&vectors[3]);

	refuse_flips(&m, m.cipher, m.len);
	refuse_flips(&m, m.ad, m.ad_len);
	refuse_flips(&m, m.tag, sizeof(m.tag));
	refuse_flips(&m, m.nonce, sizeof(m.nonce));
	refuse_flips(&m, m.key, sizeof(m.key));
}
END_TEST

START_TEST(test_lengths_are_authenticated)
{
	struct message m = load(&vectors[3]);
	const struct message whole = m;
	struct aead *aead = aead_thread();
	uint8_t out[64];

	for (m.len = 0; m.len < whole.len; m.len++)
		ck_assert_int_eq(open_message(aead, &m, out), ERR_TAMPERED);
	m = whole;
	for (m.ad_len = 0; m.ad_len < whole.ad_len; m.ad_len++)
		ck_assert_int_eq(open_message(aead, &m, out), ERR_TAMPERED);
	/* A byte moved from the associated data to the text. */
	m = whole;
	m.ad_len--;
	memmove(m.cipher + 1, m.cipher, m.len);
	m.cipher[0] = m.ad[m.ad_len];
	m.len++;
	ck_assert_int_eq(open_message(aead, &m, out), ERR_TAMPERED);
}
END_TEST

/* A wiped context works again with a key given anew, wrong ones are still told. */
START_TEST(test_wipe_all)
{
	struct message m = load(&vectors[3]);
	struct aead *aead = aead_thread(), *exempt;
	uint8_t out[64];

	ck_assert_ok(aead_new(&exempt));
	aead_exempt(exempt);
	aead_exempt(exempt);
	ck_assert_ok(open_message(aead, &m, out));
	ck_assert_ok(open_message(exempt, &m, out));
	aead_wipe_all();
	ck_assert_ok(open_message(aead, &m, out));
	ck_assert_mem_eq(out, m.plain, m.len);
	ck_assert_ok(open_message(exempt, &m, out));
	aead_wipe_all();
	/* The key of zeroes is in the handle now, but not known as the current one. */
	m = load(&vectors[1]);
	ck_assert_ok(open_message(aead, &m, out));
	ck_assert_mem_eq(out, m.plain, m.len);
	aead_free(exempt);
}
END_TEST

START_TEST(test_no_context)
{
	struct message m = load(&vectors[3]);
	uint8_t out[64], tag[AEAD_TAG_LEN];

	ck_assert_int_eq(open_message(NULL, &m, out), ERR_NO_MEMORY);
	ck_assert_int_eq(aead_seal(NULL, m.key, m.nonce, NULL, 0, m.plain, m.len, out, tag),
			 ERR_NO_MEMORY);
}
END_TEST

static void *open_many(void *arg)
{
	const struct message *m = arg;
	struct aead *aead = aead_thread();
	uint8_t out[64];

	if (aead != aead_thread())
		return NULL;
	for (int i = 0; i < 1000; i++)
		if (open_message(aead, m, out) != ERR_OK || memcmp(out, m->plain, m->len) != 0)
			return NULL;
	return aead;
}

START_TEST(test_one_context_for_each_thread)
{
	struct message m[2] = {load(&vectors[2]), load(&vectors[6])};
	pthread_t threads[2];
	void *used[2];

	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, open_many, &m[i]), 0);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(pthread_join(threads[i], &used[i]), 0);
		ck_assert_ptr_nonnull(used[i]);
	}
	/* Theirs were freed with them: nothing of them is met here. */
	aead_wipe_all();
	ck_assert_ptr_nonnull(open_many(&m[0]));
}
END_TEST

UNIT_MAIN("crypto aead", test_vectors, test_in_place, test_every_bit_is_authenticated,
	  test_lengths_are_authenticated, test_wipe_all, test_no_context,
	  test_one_context_for_each_thread)
