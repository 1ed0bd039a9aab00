/* Audit journal: segment headers, record headers, bodies, texts. */
#include "fuzz.h"

#include "audit/base64.h"
#include "audit/body.h"
#include "audit/escape.h"
#include "audit/segment.h"
#include "base/buf.h"
#include "crypto/crypto.h"

const unsigned int fuzz_iterations = 60000;
bool fuzz_accepted;

static uint8_t sign_public[SIGN_PUBLIC_LEN], sign_secret[SIGN_SECRET_LEN];

static void add_header(void)
{
	static struct segment_header header;
	uint8_t bytes[SEGMENT_HEADER_MAX];
	size_t len;

	header.number = 1;
	header.first_seq = 1;
	header.epoch = 1;
	memcpy(header.sign_public, sign_public, sizeof(sign_public));
	header.auditor_count = 2;
	len = segment_header_encode(&header, sign_secret, bytes, sizeof(bytes));
	FUZZ_CHECK(len > 0);
	fuzz_seed(bytes, len);
}

/* The first byte is the event's type, the rest its body. */
static void add_body(enum audit_type type)
{
	static const struct audit_person person = {.uid = 1, .login_uid = 2, .pid = 3,
						   .user = "nurse", .exe = "/usr/bin/cat"};
	const struct audit_event event = {
		.type = type, .person = &person, .handle = 7, .number = 12, .path = "/a/b",
		.new_path = "/c", .class_name = "archive", .role = "radiology", .rule = 3,
		.action = "read", .offset = 4096, .length = 512, .bytes = 512, .detail = "why"};
	uint8_t bytes[1 + BODY_MAX] = {(uint8_t)type};

	fuzz_seed(bytes, 1 + body_encode(&event, 123456, bytes + 1, BODY_MAX));
}

void fuzz_corpus(void)
{
	const uint8_t seed[SIGN_SEED_LEN] = {1};

	FUZZ_CHECK(crypto_init() == ERR_OK);
	sign_keypair_from_seed(seed, sign_public, sign_secret);
	add_header();
	for (int type = 0; type < AUDIT_TYPE_COUNT; type++)
		if (type != AUDIT_SEAL && type != AUDIT_SEGMENT)
			add_body((enum audit_type)type);
}

static void decode_body(enum audit_type type, const uint8_t *data, size_t size)
{
	struct body *body = body_new();
	uint8_t again[BODY_MAX];

	FUZZ_CHECK(body != NULL);
	if (body_decode(type, data, size, body) == ERR_OK) {
		fuzz_accepted = true;
		FUZZ_CHECK(body_encode(&body->event, body->boot_us, again, sizeof(again)) <=
			   sizeof(again));
	}
	body_free(body);
}

static void decode_text(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size), out[512];
	uint8_t bytes[128];
	size_t len = 0;
	bool is_cut = false;

	FUZZ_CHECK(text != NULL);
	FUZZ_CHECK(escape_value(text, out, sizeof(out), &is_cut) < sizeof(out));
	FUZZ_CHECK(strpbrk(out, "\n\r\t") == NULL);
	if (base64_decode(text, strlen(text), bytes, sizeof(bytes), &len)) {
		FUZZ_CHECK(len <= sizeof(bytes));
		base64_encode(bytes, len, out);
		FUZZ_CHECK(strcmp(out, text) == 0);
	}
	unescape_percent(text);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct segment_header header;
	struct record_header record;
	size_t len;

	if (segment_header_decode(data, size, &header, &len) == ERR_OK) {
		fuzz_accepted = true;
		FUZZ_CHECK(len <= size && header.auditor_count <= AUDITORS_MAX);
	}
	if (record_header_decode(data, size, &record))
		FUZZ_CHECK(record.len >= RECORD_HEADER_LEN && record.len <= size);
	if (size == 0)
		return 0;
	decode_body((enum audit_type)(data[0] % AUDIT_TYPE_COUNT), data + 1, size - 1);
	decode_text(data, size);
	return 0;
}
