#include <stdio.h>
#include <string.h>

#include "audit/base64.h"
#include "audit/body.h"
#include "audit/escape.h"
#include "audit/pseudonym.h"
#include "audit/segment.h"
#include "base/buf.h"
#include "crypto/crypto.h"
#include "crypto/random.h"
#include "tests/unit/unit.h"

static const struct audit_person alice = {
	.uid = 1001, .login_uid = 1002, .session = 7, .pid = 4242, .user = "alice",
	.login_user = "root", .exe = "/usr/bin/cat", .from = "pts/3", .unit = "session-7.scope"};
static const uint8_t object_id[OBJECT_ID_LEN] = {1, 2, 3};

static struct audit_event full_event(enum audit_type type)
{
	return (struct audit_event){.type = type, .err = ERR_DENIED, .person = &alice,
				    .thread = 4243, .handle = UINT64_MAX, .number = 17,
				    .object_id = object_id, .path = "/a/b c", .new_path = "/d",
				    .patient = 2, .class_name = "archive",
				    .new_class_name = "inbox", .role = "radiology", .rule = 41,
				    .action = "read", .offset = 1ull << 40, .length = 1 << 20,
				    .bytes = 4096, .via = AUDIT_VIA_FILL, .count = 3,
				    .detail = "why"};
}

/* --- base64: RFC 4648 section 10 ---------------------------------------- */

START_TEST(test_base64_vectors)
{
	static const struct {
		const char *plain, *text;
	} vectors[] = {{"", ""},         {"f", "Zg"},         {"fo", "Zm8"},       {"foo", "Zm9v"},
		       {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		char text[16], plain[16];
		size_t len = 99;

		base64_encode(vectors[i].plain, strlen(vectors[i].plain), text);
		ck_assert_str_eq(text, vectors[i].text);
		ck_assert_uint_eq(strlen(text), BASE64_LEN(strlen(vectors[i].plain)));
		ck_assert(base64_decode(text, strlen(text), plain, sizeof(plain), &len));
		ck_assert_uint_eq(len, strlen(vectors[i].plain));
		ck_assert_mem_eq(plain, vectors[i].plain, len);
	}
}
END_TEST

START_TEST(test_base64_refuses)
{
	static const char *const bad[] = {"Z", "Zh", "Zm9vY", "Zg==", "Z g", "Zm9", "Zm-v"};
	uint8_t out[8];
	size_t len;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!base64_decode(bad[i], strlen(bad[i]), out, sizeof(out), &len), "%s",
			      bad[i]);
	ck_assert(!base64_decode("Zm9vYmFy", 8, out, 5, &len));
}
END_TEST

START_TEST(test_base32_vector)
{
	/* RFC 4648: BASE32("foobar") = MZXW6YTBOI======; the first ten bytes of more. */
	char text[BASE32_10_LEN + 1];

	base32_encode_10((const uint8_t *)"foobarfoob", text);
	ck_assert_str_eq(text, "mzxw6ytbojtg633c");
}
END_TEST

/* --- bodies ---------------------------------------------------------------- */

START_TEST(test_body_round_trip)
{
	struct audit_event event = full_event(AUDIT_RENAME);
	uint8_t data[BODY_MAX];
	size_t len = body_encode(&event, 123456789, data, sizeof(data));
	struct body *body = body_new();
	const struct audit_event *got = &body->event;

	ck_assert_ok(body_decode(AUDIT_RENAME, data, len, body));
	ck_assert_int_eq(body->boot_us, 123456789);
	ck_assert(!body->is_cut);
	ck_assert_int_eq(got->type, AUDIT_RENAME);
	ck_assert_int_eq(got->err, ERR_DENIED);
	ck_assert_int_eq(got->thread, 4243);
	ck_assert(got->handle == UINT64_MAX && got->number == 17);
	ck_assert_mem_eq(got->object_id, object_id, OBJECT_ID_LEN);
	ck_assert_str_eq(got->path, "/a/b c");
	ck_assert_str_eq(got->new_path, "/d");
	ck_assert_int_eq(got->patient, 2);
	ck_assert_str_eq(got->class_name, "archive");
	ck_assert_str_eq(got->new_class_name, "inbox");
	ck_assert_str_eq(got->role, "radiology");
	ck_assert_int_eq(got->rule, 41);
	ck_assert_str_eq(got->action, "read");
	ck_assert(got->offset == 1ull << 40 && got->length == 1 << 20 && got->bytes == 4096);
	ck_assert(got->via == AUDIT_VIA_FILL && got->count == 3);
	ck_assert_str_eq(got->detail, "why");
	ck_assert_mem_eq(got->person, &alice, sizeof(alice));
	body_free(body);
}
END_TEST

START_TEST(test_body_unset)
{
	struct audit_person service = alice;
	struct audit_event event = {.type = AUDIT_OPEN, .person = &service};
	uint8_t data[BODY_MAX];
	struct body *body = body_new();
	size_t len;

	service.login_uid = (uid_t)-1;
	service.session = UINT32_MAX;
	service.uid = 0;
	len = body_encode(&event, 0, data, sizeof(data));
	ck_assert_ok(body_decode(AUDIT_OPEN, data, len, body));
	ck_assert(body->person.login_uid == (uid_t)-1 && body->person.session == UINT32_MAX);
	ck_assert_uint_eq(body->person.uid, 0);
	ck_assert_ptr_null(body->event.path);
	event.person = NULL;
	len = body_encode(&event, 0, data, sizeof(data));
	ck_assert_ok(body_decode(AUDIT_OPEN, data, len, body));
	ck_assert_ptr_null(body->event.person);
	body_free(body);
}
END_TEST

START_TEST(test_body_read_is_brief)
{
	struct audit_event event = full_event(AUDIT_READ);
	uint8_t data[BODY_MAX];
	struct body *body = body_new();
	size_t len;

	event.detail = NULL;
	event.handle = 1ull << 34;
	event.number = 1ull << 34;
	len = body_encode(&event, 90ll * 86400 * 1000000, data, sizeof(data));
	ck_assert_uint_le(len + RECORD_OVERHEAD, 128);
	ck_assert_ok(body_decode(AUDIT_READ, data, len, body));
	ck_assert_ptr_null(body->event.path);
	ck_assert_str_eq(body->person.user, "");
	ck_assert_uint_eq(body->person.uid, 1001);
	ck_assert(body->event.handle == 1ull << 34);
	body_free(body);
}
END_TEST

START_TEST(test_body_long_texts)
{
	char path[BODY_PATH_MAX + 100], role[200];
	struct audit_event event = full_event(AUDIT_OPEN);
	uint8_t data[BODY_MAX];
	struct body *body = body_new();
	size_t len;

	memset(path, 'p', sizeof(path));
	memcpy(path + sizeof(path) - 5, "/end", 5);
	memset(role, 'r', sizeof(role));
	role[sizeof(role) - 1] = '\0';
	event.path = event.new_path = path;
	event.role = event.class_name = event.new_class_name = event.detail = role;
	len = body_encode(&event, 1, data, sizeof(data));
	ck_assert_uint_lt(len, BODY_MAX);
	ck_assert_ok(body_decode(AUDIT_OPEN, data, len, body));
	ck_assert(body->is_cut);
	ck_assert_uint_eq(strlen(body->event.path), BODY_PATH_MAX);
	ck_assert_str_eq(body->event.path + BODY_PATH_MAX - 4, "/end");
	ck_assert_uint_eq(strlen(body->event.role), 64);
	body_free(body);
}
END_TEST

START_TEST(test_body_hostile)
{
	struct audit_event event = full_event(AUDIT_RENAME);
	uint8_t data[BODY_MAX], bad[BODY_MAX];
	size_t len = body_encode(&event, 5, data, sizeof(data));
	struct body *body = body_new();

	for (size_t cut = 0; cut < len; cut++)
		ck_assert_int_eq(body_decode(AUDIT_RENAME, data, cut, body), ERR_FORMAT);
	memcpy(bad, data, len);
	bad[len] = 0;
	ck_assert_int_eq(body_decode(AUDIT_RENAME, bad, len + 1, body), ERR_FORMAT);
	/* Flipped bits may give another body, never one outside of its buffers. */
	for (size_t bit = 0; bit < 8 * len; bit++) {
		memcpy(bad, data, len);
		bad[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (body_decode(AUDIT_RENAME, bad, len, body) == ERR_OK && body->event.path != NULL)
			ck_assert_uint_le(strlen(body->event.path), BODY_PATH_MAX);
	}
	for (unsigned round = 0; round < 20000; round++) {
		random_bytes(bad, 200);
		(void)!body_decode(AUDIT_OPEN, bad, 200, body);
	}
	/* A body without its time stamp is none. */
	memcpy(bad, data, len);
	bad[3] &= 0xdf;
	ck_assert_int_eq(body_decode(AUDIT_RENAME, bad, len, body), ERR_FORMAT);
	body_free(body);
}
END_TEST

/* --- records and seals ------------------------------------------------------- */

struct fixture {
	struct aead *aead;
	struct segment_keys keys;
	struct chain chain;
	uint8_t key[AUDIT_KEY_LEN];
};

static void set_up(struct fixture *fixture)
{
	ck_assert_ok(crypto_init());
	memset(fixture, 0, sizeof(*fixture));
	memset(fixture->key, 0x5a, sizeof(fixture->key));
	ck_assert_ok(aead_new(&fixture->aead));
	ck_assert_ok(segment_keys_derive(fixture->key, &fixture->keys));
}

START_TEST(test_record_round_trip)
{
	struct fixture f;
	struct chain chain;
	struct record_header header;
	uint8_t record[RECORD_MAX], body[BODY_MAX];
	size_t len;

	set_up(&f);
	chain = f.chain;
	ck_assert_ok(record_seal(f.aead, &f.keys, &f.chain, AUDIT_OPEN, 77, (uint8_t *)"body", 4,
				 record));
	ck_assert_uint_eq(f.chain.seq, 1);
	ck_assert(record_header_decode(record, sizeof(record), &header));
	ck_assert_uint_eq(header.len, RECORD_OVERHEAD + 4);
	ck_assert(header.type == AUDIT_OPEN && header.seq == 1 && header.wall_ns == 77);
	ck_assert_ok(record_open(f.aead, &f.keys, &chain, &header, record, body, &len));
	ck_assert_uint_eq(len, 4);
	ck_assert_mem_eq(body, "body", 4);
	ck_assert_mem_eq(&chain, &f.chain, sizeof(chain));
	/* Once more does not fit: the sequence has gone on. */
	ck_assert_int_eq(record_open(f.aead, &f.keys, &chain, &header, record, body, &len),
			 ERR_TAMPERED);
	aead_free(f.aead);
}
END_TEST

START_TEST(test_record_every_bit_counts)
{
	struct fixture f;
	struct chain start, chain;
	struct record_header header;
	uint8_t record[RECORD_MAX], bad[RECORD_MAX], body[BODY_MAX];
	size_t len, total;

	set_up(&f);
	start = f.chain;
	ck_assert_ok(record_seal(f.aead, &f.keys, &f.chain, AUDIT_OPEN, 77, (uint8_t *)"body", 4,
				 record));
	total = RECORD_OVERHEAD + 4;
	for (size_t bit = 0; bit < 8 * total; bit++) {
		memset(bad, 0, sizeof(bad));
		memcpy(bad, record, total);
		bad[bit / 8] ^= (uint8_t)(1u << bit % 8);
		chain = start;
		if (!record_header_decode(bad, sizeof(bad), &header))
			continue;
		ck_assert_int_eq(record_open(f.aead, &f.keys, &chain, &header, bad, body, &len),
				 ERR_TAMPERED);
		ck_assert_mem_eq(&chain, &start, sizeof(chain));
	}
	/* The same record after another past. */
	chain = start;
	chain.hash[0] ^= 1;
	ck_assert(record_header_decode(record, total, &header));
	ck_assert_int_eq(record_open(f.aead, &f.keys, &chain, &header, record, body, &len),
			 ERR_TAMPERED);
	aead_free(f.aead);
}
END_TEST

START_TEST(test_record_nonce_differs)
{
	struct fixture f;
	struct chain chain;
	uint8_t one[RECORD_MAX], two[RECORD_MAX];

	/* Two resumed copies of one machine: same key, same place, different records. */
	set_up(&f);
	chain = f.chain;
	ck_assert_ok(record_seal(f.aead, &f.keys, &f.chain, AUDIT_OPEN, 7, (uint8_t *)"a", 1, one));
	ck_assert_ok(record_seal(f.aead, &f.keys, &chain, AUDIT_OPEN, 7, (uint8_t *)"b", 1, two));
	ck_assert_mem_ne(one + RECORD_HEADER_LEN, two + RECORD_HEADER_LEN, AEAD_NONCE_LEN);
	aead_free(f.aead);
}
END_TEST

START_TEST(test_record_header_hostile)
{
	struct record_header header = {.len = RECORD_OVERHEAD, .type = AUDIT_OPEN};
	uint8_t data[RECORD_MAX] = {0};

	record_header_encode(&header, data);
	ck_assert(record_header_decode(data, sizeof(data), &header));
	for (size_t available = 0; available < RECORD_OVERHEAD; available++)
		ck_assert(!record_header_decode(data, available, &header));
	header.len = RECORD_OVERHEAD - 1;
	record_header_encode(&header, data);
	ck_assert(!record_header_decode(data, sizeof(data), &header));
	header.len = RECORD_MAX + 1;
	record_header_encode(&header, data);
	ck_assert(!record_header_decode(data, UINT16_MAX, &header));
	/* A clear record that is no seal, a seal that is not clear. */
	header = (struct record_header){.len = 200, .type = AUDIT_OPEN, .flags = RECORD_CLEAR};
	record_header_encode(&header, data);
	ck_assert(!record_header_decode(data, sizeof(data), &header));
	header = (struct record_header){.len = 200, .type = AUDIT_SEAL};
	record_header_encode(&header, data);
	ck_assert(!record_header_decode(data, sizeof(data), &header));
}
END_TEST

static void make_header(struct segment_header *header, uint8_t secret[SIGN_SECRET_LEN])
{
	memset(header, 0, sizeof(*header));
	sign_keypair(header->sign_public, secret);
	header->number = 3;
	header->first_seq = 1000;
	header->epoch = 9;
	header->auditor_count = 2;
	header->evidence.store_seq = 55;
	random_bytes(header->auditors, sizeof(header->auditors));
}

START_TEST(test_segment_header)
{
	struct segment_header header, got;
	uint8_t secret[SIGN_SECRET_LEN], data[SEGMENT_HEADER_MAX], bad[SEGMENT_HEADER_MAX];
	size_t len, got_len;

	ck_assert_ok(crypto_init());
	make_header(&header, secret);
	len = segment_header_encode(&header, secret, data, sizeof(data));
	ck_assert_uint_gt(len, 0);
	ck_assert_ok(segment_header_decode(data, sizeof(data), &got, &got_len));
	ck_assert_uint_eq(got_len, len);
	ck_assert(got.number == 3 && got.first_seq == 1000 && got.epoch == 9);
	ck_assert(got.evidence.store_seq == 55 && got.auditor_count == 2);
	ck_assert_mem_eq(got.auditors, header.auditors, 2 * sizeof(header.auditors[0]));
	for (size_t cut = 0; cut < len; cut++)
		ck_assert_int_ne(segment_header_decode(data, cut, &got, &got_len), ERR_OK);
	for (size_t bit = 0; bit < 8 * len; bit++) {
		memcpy(bad, data, sizeof(bad));
		bad[bit / 8] ^= (uint8_t)(1u << bit % 8);
		ck_assert_int_ne(segment_header_decode(bad, sizeof(bad), &got, &got_len), ERR_OK);
	}
	ck_assert_uint_eq(segment_header_encode(&header, secret, data, len - 1), 0);
	header.auditor_count = AUDITORS_MAX;
	ck_assert_uint_gt(segment_header_encode(&header, secret, data, sizeof(data)), 0);
}
END_TEST

START_TEST(test_seal)
{
	static const uint8_t jid[AUDIT_ID_LEN] = {7}, other[AUDIT_ID_LEN] = {8};
	struct chain chain = {.seq = 41};
	struct seal seal = {.kind = SEAL_LOCK, .epoch = 5, .segment = 2, .seq = 41,
			    .type_count = AUDIT_TYPE_COUNT, .counts = {1, 2, 3}};
	struct seal got;
	struct record_header header;
	uint8_t public_key[SIGN_PUBLIC_LEN], secret[SIGN_SECRET_LEN];
	uint8_t record[SEAL_RECORD_MAX], bad[SEAL_RECORD_MAX];
	size_t len;

	ck_assert_ok(crypto_init());
	sign_keypair(public_key, secret);
	len = seal_encode(&seal, jid, secret, 99, &chain, record);
	ck_assert_uint_gt(len, 0);
	ck_assert_uint_eq(chain.seq, 42);
	ck_assert(record_header_decode(record, len, &header));
	ck_assert_uint_eq(header.seq, 42);
	ck_assert_ok(seal_decode(record, &header, jid, public_key, &got));
	ck_assert(got.kind == SEAL_LOCK && got.epoch == 5 && got.segment == 2 && got.seq == 41);
	ck_assert_mem_eq(got.counts, seal.counts, sizeof(got.counts));
	ck_assert_int_eq(seal_decode(record, &header, other, public_key, &got), ERR_TAMPERED);
	for (size_t bit = 0; bit < 8 * len; bit++) {
		memcpy(bad, record, len);
		bad[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (record_header_decode(bad, len, &header))
			ck_assert_int_ne(seal_decode(bad, &header, jid, public_key, &got), ERR_OK);
	}
}
END_TEST

/* --- text that leaves ---------------------------------------------------------- */

START_TEST(test_escape)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{"plain", "plain"},
		{"a\nb", "a%0Ab"},
		{"\" ] \\", "\\\" \\] \\\\"},
		{"50%", "50%25"},
		{"caf\xc3\xa9", "caf\xc3\xa9"},
		{"\xff\xfe", "%FF%FE"},
		{"\xc3", "%C3"},                        /* cut off */
		{"\xc0\xaf", "%C0%AF"},                 /* overlong '/' */
		{"\xed\xa0\x80", "%ED%A0%80"},          /* a surrogate */
		{"\xf4\x90\x80\x80", "%F4%90%80%80"},   /* above U+10FFFF */
		{"\xe2\x80\xae", "%E2%80%AE"},          /* right-to-left override */
		{"\xe2\x80\xa8", "%E2%80%A8"},          /* line separator */
		{"\xc2\x85", "%C2%85"},                 /* next line */
		{"\xef\xbb\xbf", "%EF%BB%BF"},          /* byte order mark */
		{"\x7f\x1b[2J", "%7F%1B[2J"},
		{"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},
	};
	bool is_cut = false;
	char out[64];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ck_assert_uint_eq(escape_value(cases[i].in, out, sizeof(out), &is_cut),
				  strlen(cases[i].out));
		ck_assert_str_eq(out, cases[i].out);
	}
	ck_assert(!is_cut);
	/* Never half an escape or half a character. */
	ck_assert_uint_eq(escape_value("ab\n", out, 5, &is_cut), 2);
	ck_assert(is_cut);
	ck_assert_uint_eq(escape_value("a\xc3\xa9", out, 3, &is_cut), 1);
	ck_assert_uint_eq(escape_value("a]", out, 3, &is_cut), 1);
	is_cut = false;
	ck_assert_uint_eq(escape_value("abcd", out, 5, &is_cut), 4);
	ck_assert(!is_cut);
	ck_assert_uint_eq(escape_value("abcdef", out, 5, &is_cut), 4);
	ck_assert_str_eq(out, "abcd");
	ck_assert(is_cut);
	strcpy(out, "a%0Ab%25%zz%");
	unescape_percent(out);
	ck_assert_str_eq(out, "a\nb%%zz%");
}
END_TEST

START_TEST(test_pseudonyms)
{
	static const uint8_t key[AUDIT_KEY_LEN] = {1}, other[AUDIT_KEY_LEN] = {2};
	pseudonym_text one, two;
	size_t len;

	pseudonym(key, PSEUDONYM_PATH, "/a", 2, one);
	pseudonym(key, PSEUDONYM_PATH, "/a", 2, two);
	ck_assert_str_eq(one, two);
	ck_assert_uint_eq(strlen(one), 16);
	pseudonym(key, PSEUDONYM_FILE, "/a", 2, two);
	ck_assert_str_ne(one, two);
	pseudonym(other, PSEUDONYM_PATH, "/a", 2, two);
	ck_assert_str_ne(one, two);
	ck_assert_str_eq(path_component("/archive/MRN1/x", 3, &len), "x");
	ck_assert_mem_eq(path_component("//archive//MRN1/x", 2, &len), "MRN1", 4);
	ck_assert_uint_eq(len, 4);
	ck_assert_ptr_null(path_component("/archive", 2, &len));
	ck_assert_ptr_null(path_component("", 1, &len));
}
END_TEST

UNIT_MAIN("audit-format", test_base64_vectors, test_base64_refuses, test_base32_vector,
	  test_body_round_trip, test_body_unset, test_body_read_is_brief, test_body_long_texts,
	  test_body_hostile, test_record_round_trip, test_record_every_bit_counts,
	  test_record_nonce_differs, test_record_header_hostile, test_segment_header, test_seal,
	  test_escape, test_pseudonyms)
