#include "audit/identity.h"

#include <stdlib.h>
#include <string.h>

#include "audit/base64.h"
#include "base/buf.h"
#include "base/io.h"
#include "crypto/sign.h"

#define IDENTITY_MAX 1024

static const char identity_name[] = "journal";
static const char identity_magic[8] = "phifsAI1";

static void hash_file(struct identity *identity, const uint8_t *data, size_t len)
{
	const struct hash_part part = {data, len};

	sha256(&part, 1, identity->hash);
}

enum err identity_create(int dir_fd, struct identity *identity,
			 const uint8_t sign_secret[SIGN_SECRET_LEN])
{
	uint8_t data[IDENTITY_MAX];
	struct writer w;
	uint8_t *signature;

	writer_init(&w, data, sizeof(data));
	writer_bytes(&w, identity_magic, sizeof(identity_magic));
	writer_u16(&w, AUDIT_VERSION);
	writer_u16(&w, identity->auditor_count);
	writer_bytes(&w, identity->journal_id, AUDIT_ID_LEN);
	writer_bytes(&w, identity->genesis, SIGN_PUBLIC_LEN);
	writer_u64(&w, (uint64_t)identity->created_ns);
	for (size_t i = 0; i < identity->auditor_count; i++)
		writer_bytes(&w, identity->auditors[i], BOX_PUBLIC_LEN);
	signature = writer_space(&w, SIGN_SIGNATURE_LEN);
	if (w.failed)
		return ERR_TOO_LARGE;
	sign_detached(sign_secret, data, w.len - SIGN_SIGNATURE_LEN, signature);
	hash_file(identity, data, w.len);
	return io_create_file(dir_fd, identity_name, data, w.len, 0644);
}

static enum err decode(const uint8_t *data, size_t len, struct identity *identity)
{
	struct reader r;
	const uint8_t *magic, *signature;
	uint16_t version;

	reader_init(&r, data, len);
	magic = reader_view(&r, sizeof(identity_magic));
	version = reader_u16(&r);
	if (r.failed || memcmp(magic, identity_magic, sizeof(identity_magic)) != 0)
		return ERR_FORMAT;
	if (version != AUDIT_VERSION)
		return ERR_VERSION;
	identity->auditor_count = reader_u16(&r);
	if (identity->auditor_count == 0 || identity->auditor_count > AUDITORS_MAX)
		return ERR_FORMAT;
	reader_bytes(&r, identity->journal_id, AUDIT_ID_LEN);
	reader_bytes(&r, identity->genesis, SIGN_PUBLIC_LEN);
	identity->created_ns = (int64_t)reader_u64(&r);
	for (size_t i = 0; i < identity->auditor_count; i++)
		reader_bytes(&r, identity->auditors[i], BOX_PUBLIC_LEN);
	signature = reader_view(&r, SIGN_SIGNATURE_LEN);
	if (!reader_done(&r))
		return ERR_FORMAT;
	return sign_verify(identity->genesis, data, len - SIGN_SIGNATURE_LEN, signature);
}

enum err identity_load(int dir_fd, struct identity *identity)
{
	uint8_t *data;
	size_t len;
	enum err err = io_read_file(dir_fd, identity_name, IDENTITY_MAX, &data, &len);

	if (err != ERR_OK)
		return err == ERR_TOO_LARGE ? ERR_FORMAT : err;
	memset(identity, 0, sizeof(*identity));
	err = decode(data, len, identity);
	if (err == ERR_OK)
		hash_file(identity, data, len);
	free(data);
	return err;
}

void fingerprint_text(const uint8_t hash[SHA256_LEN], char text[FINGERPRINT_LEN])
{
	memcpy(text, "SHA256:", 7);
	base64_encode(hash, SHA256_LEN, text + 7);
}
