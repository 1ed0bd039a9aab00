#include "audit/segment.h"

#include <string.h>

#include "base/buf.h"
#include "base/secmem.h"
#include "crypto/sign.h"

static const char segment_magic[8] = "phifsAJ1";
static const char header_context[] = "phifs audit segment 1";
static const char seal_context[] = "phifs audit seal 1";

_Static_assert(AUDIT_TYPE_COUNT <= 32, "struct seal counts up to 32 types");

static void put_evidence(struct writer *w, const struct audit_evidence *evidence)
{
	writer_u64(w, evidence->store_seq);
	writer_bytes(w, evidence->store_mac, 32);
	writer_u64(w, evidence->slots_generation);
	writer_bytes(w, evidence->policy_digest, 32);
	writer_bytes(w, evidence->config_digest, 32);
}

static void get_evidence(struct reader *r, struct audit_evidence *evidence)
{
	evidence->store_seq = reader_u64(r);
	reader_bytes(r, evidence->store_mac, 32);
	evidence->slots_generation = reader_u64(r);
	reader_bytes(r, evidence->policy_digest, 32);
	reader_bytes(r, evidence->config_digest, 32);
}

void evidence_encode(const struct audit_evidence *evidence, uint8_t out[EVIDENCE_LEN])
{
	struct writer w;

	writer_init(&w, out, EVIDENCE_LEN);
	put_evidence(&w, evidence);
}

static void put_auditors(struct writer *w, const struct segment_header *header)
{
	for (size_t i = 0; i < header->auditor_count; i++) {
		const struct auditor_boxes *boxes = &header->auditors[i];

		writer_bytes(w, boxes->auditor, sizeof(boxes->auditor));
		writer_bytes(w, boxes->segment_key, sizeof(boxes->segment_key));
		writer_bytes(w, boxes->path_key, sizeof(boxes->path_key));
	}
}

/* The domain keeps a signature of a header from passing for one of a seal. */
static void sign_in_context(const char *context, const void *data, size_t len,
			    const uint8_t secret[SIGN_SECRET_LEN],
			    uint8_t signature[SIGN_SIGNATURE_LEN])
{
	uint8_t digest[SHA256_LEN];
	const struct hash_part parts[] = {{context, strlen(context) + 1}, {data, len}};

	sha256(parts, 2, digest);
	sign_detached(secret, digest, sizeof(digest), signature);
}

static enum err verify_in_context(const char *context, const void *data, size_t len,
				  const uint8_t public_key[SIGN_PUBLIC_LEN],
				  const uint8_t signature[SIGN_SIGNATURE_LEN])
{
	uint8_t digest[SHA256_LEN];
	const struct hash_part parts[] = {{context, strlen(context) + 1}, {data, len}};

	sha256(parts, 2, digest);
	return sign_verify(public_key, digest, sizeof(digest), signature);
}

size_t segment_header_encode(const struct segment_header *header,
			     const uint8_t sign_secret[SIGN_SECRET_LEN], uint8_t *out, size_t size)
{
	struct writer w;
	uint8_t *signature;

	writer_init(&w, out, size);
	writer_bytes(&w, segment_magic, sizeof(segment_magic));
	writer_u16(&w, AUDIT_VERSION);
	writer_u16(&w, 0);
	writer_u16(&w, header->auditor_count);
	writer_u16(&w, 0);
	writer_bytes(&w, header->journal_id, AUDIT_ID_LEN);
	writer_u32(&w, header->number);
	writer_u32(&w, header->epoch);
	writer_u64(&w, header->first_seq);
	writer_u64(&w, (uint64_t)header->wall_ns);
	writer_u64(&w, (uint64_t)header->boot_ns);
	writer_bytes(&w, header->boot_id, AUDIT_ID_LEN);
	writer_bytes(&w, header->previous_hash, SHA256_LEN);
	writer_bytes(&w, header->sign_public, SIGN_PUBLIC_LEN);
	put_evidence(&w, &header->evidence);
	put_auditors(&w, header);
	signature = writer_space(&w, SIGN_SIGNATURE_LEN);
	if (w.failed)
		return 0;
	store_u16(out + 10, (uint16_t)w.len);
	sign_in_context(header_context, out, w.len - SIGN_SIGNATURE_LEN, sign_secret, signature);
	return w.len;
}

static void get_header_fields(struct reader *r, struct segment_header *header)
{
	reader_bytes(r, header->journal_id, AUDIT_ID_LEN);
	header->number = reader_u32(r);
	header->epoch = reader_u32(r);
	header->first_seq = reader_u64(r);
	header->wall_ns = (int64_t)reader_u64(r);
	header->boot_ns = (int64_t)reader_u64(r);
	reader_bytes(r, header->boot_id, AUDIT_ID_LEN);
	reader_bytes(r, header->previous_hash, SHA256_LEN);
	reader_bytes(r, header->sign_public, SIGN_PUBLIC_LEN);
	get_evidence(r, &header->evidence);
	for (size_t i = 0; i < header->auditor_count; i++) {
		struct auditor_boxes *boxes = &header->auditors[i];

		reader_bytes(r, boxes->auditor, sizeof(boxes->auditor));
		reader_bytes(r, boxes->segment_key, sizeof(boxes->segment_key));
		reader_bytes(r, boxes->path_key, sizeof(boxes->path_key));
	}
}

enum err segment_header_decode(const uint8_t *data, size_t available, struct segment_header *header,
			       size_t *len)
{
	struct reader r;
	const uint8_t *magic, *signature;
	uint16_t version, header_len;
	enum err err;

	reader_init(&r, data, available);
	magic = reader_view(&r, sizeof(segment_magic));
	version = reader_u16(&r);
	header_len = reader_u16(&r);
	if (r.failed || memcmp(magic, segment_magic, sizeof(segment_magic)) != 0)
		return ERR_FORMAT;
	if (version != AUDIT_VERSION)
		return ERR_VERSION;
	if (header_len > available || header_len > SEGMENT_HEADER_MAX ||
	    header_len < SIGN_SIGNATURE_LEN + r.pos)
		return ERR_FORMAT;
	r.len = header_len;
	header->auditor_count = reader_u16(&r);
	if (reader_u16(&r) != 0 || header->auditor_count == 0 ||
	    header->auditor_count > AUDITORS_MAX)
		return ERR_FORMAT;
	get_header_fields(&r, header);
	signature = reader_view(&r, SIGN_SIGNATURE_LEN);
	if (!reader_done(&r) || header->number == 0)
		return ERR_FORMAT;
	err = verify_in_context(header_context, data, header_len - SIGN_SIGNATURE_LEN,
				header->sign_public, signature);
	if (err == ERR_OK)
		*len = header_len;
	return err;
}

void chain_add(struct chain *chain, const void *data, size_t len)
{
	const struct hash_part parts[] = {{chain->hash, SHA256_LEN}, {data, len}};
	uint8_t hash[SHA256_LEN];

	sha256(parts, 2, hash);
	memcpy(chain->hash, hash, SHA256_LEN);
}

static enum err derive(const uint8_t segment_key[AUDIT_KEY_LEN], const char *use,
		       uint8_t out[AUDIT_KEY_LEN])
{
	const struct hash_part info[] = {{"phifs audit ", 12}, {use, strlen(use)}};

	return hkdf_sha256(segment_key, AUDIT_KEY_LEN, NULL, 0, info, 2, out, AUDIT_KEY_LEN);
}

enum err segment_keys_derive(const uint8_t segment_key[AUDIT_KEY_LEN], struct segment_keys *keys)
{
	enum err err = derive(segment_key, "record", keys->record);

	if (err == ERR_OK)
		err = derive(segment_key, "nonce", keys->nonce);
	if (err == ERR_OK)
		err = derive(segment_key, "path", keys->path);
	return err;
}

bool record_header_decode(const uint8_t *data, size_t available, struct record_header *header)
{
	struct reader r;
	size_t least;

	reader_init(&r, data, available);
	header->len = reader_u16(&r);
	header->type = reader_u8(&r);
	header->flags = reader_u8(&r);
	header->seq = reader_u64(&r);
	header->wall_ns = (int64_t)reader_u64(&r);
	if (r.failed || (header->flags & ~RECORD_CLEAR) != 0)
		return false;
	/* Only seals are clear: a record cannot be passed off without its key. */
	if (((header->flags & RECORD_CLEAR) != 0) != (header->type == AUDIT_SEAL))
		return false;
	least = header->type == AUDIT_SEAL ? RECORD_HEADER_LEN + SIGN_SIGNATURE_LEN : RECORD_OVERHEAD;
	return header->len >= least && header->len <= RECORD_MAX && header->len <= available;
}

void record_header_encode(const struct record_header *header, uint8_t out[RECORD_HEADER_LEN])
{
	store_u16(out, header->len);
	out[2] = header->type;
	out[3] = header->flags;
	store_u64(out + 4, header->seq);
	store_u64(out + 12, (uint64_t)header->wall_ns);
}

/* What a record's tag covers besides its body: its header and all that came before. */
static void additional_data(const uint8_t *record, const struct chain *chain,
			    uint8_t out[RECORD_HEADER_LEN + SHA256_LEN])
{
	memcpy(out, record, RECORD_HEADER_LEN);
	memcpy(out + RECORD_HEADER_LEN, chain->hash, SHA256_LEN);
}

enum err record_seal(struct aead *aead, const struct segment_keys *keys, struct chain *chain,
		     enum audit_type type, int64_t wall_ns, const uint8_t *body, size_t len,
		     uint8_t *out)
{
	const struct record_header header = {.len = (uint16_t)(len + RECORD_OVERHEAD),
					     .type = (uint8_t)type,
					     .seq = chain->seq + 1,
					     .wall_ns = wall_ns};
	uint8_t ad[RECORD_HEADER_LEN + SHA256_LEN], hash[AEAD_NONCE_LEN + 4];
	const struct hash_part parts[] = {{ad, sizeof(ad)}, {body, len}};
	uint8_t *nonce = out + RECORD_HEADER_LEN, *cipher = nonce + AEAD_NONCE_LEN;
	enum err err;

	if (len > BODY_MAX)
		return ERR_TOO_LARGE;
	record_header_encode(&header, out);
	additional_data(out, chain, ad);
	keyed_hash(keys->nonce, AUDIT_KEY_LEN, parts, 2, hash, sizeof(hash));
	memcpy(nonce, hash, AEAD_NONCE_LEN);
	err = aead_seal(aead, keys->record, nonce, ad, sizeof(ad), body, len, cipher, cipher + len);
	if (err != ERR_OK)
		return err;
	chain_add(chain, out, header.len);
	chain->seq++;
	return ERR_OK;
}

enum err record_open(struct aead *aead, const struct segment_keys *keys, struct chain *chain,
		     const struct record_header *header, const uint8_t *record, uint8_t *body,
		     size_t *len)
{
	uint8_t ad[RECORD_HEADER_LEN + SHA256_LEN];
	const uint8_t *nonce = record + RECORD_HEADER_LEN, *cipher = nonce + AEAD_NONCE_LEN;
	size_t body_len = 0;
	enum err err;

	if (header->seq != chain->seq + 1)
		return ERR_TAMPERED;
	if (keys != NULL && (header->flags & RECORD_CLEAR) == 0) {
		body_len = header->len - RECORD_OVERHEAD;
		additional_data(record, chain, ad);
		err = aead_open(aead, keys->record, nonce, ad, sizeof(ad), cipher, body_len,
				cipher + body_len, body);
		if (err != ERR_OK)
			return err;
	}
	chain_add(chain, record, header->len);
	chain->seq++;
	*len = body_len;
	return ERR_OK;
}

static void put_seal(struct writer *w, const struct seal *seal)
{
	writer_u8(w, AUDIT_VERSION);
	writer_u8(w, (uint8_t)seal->kind);
	writer_u16(w, (uint16_t)seal->type_count);
	writer_u32(w, seal->epoch);
	writer_u32(w, seal->segment);
	writer_u64(w, seal->seq);
	writer_bytes(w, seal->hash, SHA256_LEN);
	writer_u64(w, (uint64_t)seal->boot_ns);
	writer_bytes(w, seal->boot_id, AUDIT_ID_LEN);
	for (uint32_t i = 0; i < seal->type_count; i++)
		writer_u32(w, seal->counts[i]);
	put_evidence(w, &seal->evidence);
	writer_bytes(w, seal->next_public, SIGN_PUBLIC_LEN);
}

/* The signature covers the journal's id, the record's header and the seal. */
static void seal_message(const uint8_t journal_id[AUDIT_ID_LEN], const uint8_t *record, size_t len,
			 uint8_t digest[SHA256_LEN])
{
	const struct hash_part parts[] = {{journal_id, AUDIT_ID_LEN}, {record, len}};

	sha256(parts, 2, digest);
}

size_t seal_encode(const struct seal *seal, const uint8_t journal_id[AUDIT_ID_LEN],
		   const uint8_t sign_secret[SIGN_SECRET_LEN], int64_t wall_ns, struct chain *chain,
		   uint8_t out[SEAL_RECORD_MAX])
{
	struct record_header header = {.type = AUDIT_SEAL, .flags = RECORD_CLEAR,
				       .seq = chain->seq + 1, .wall_ns = wall_ns};
	uint8_t digest[SHA256_LEN];
	struct writer w;
	uint8_t *signature;

	writer_init(&w, out, SEAL_RECORD_MAX);
	writer_zero(&w, RECORD_HEADER_LEN);
	put_seal(&w, seal);
	signature = writer_space(&w, SIGN_SIGNATURE_LEN);
	if (w.failed)
		return 0;
	header.len = (uint16_t)w.len;
	record_header_encode(&header, out);
	seal_message(journal_id, out, w.len - SIGN_SIGNATURE_LEN, digest);
	sign_in_context(seal_context, digest, sizeof(digest), sign_secret, signature);
	chain_add(chain, out, w.len);
	chain->seq++;
	return w.len;
}

enum err seal_decode(const uint8_t *record, const struct record_header *header,
		     const uint8_t journal_id[AUDIT_ID_LEN],
		     const uint8_t sign_public[SIGN_PUBLIC_LEN], struct seal *seal)
{
	uint8_t digest[SHA256_LEN];
	struct reader r;
	const uint8_t *signature;
	uint8_t kind;

	memset(seal, 0, sizeof(*seal));
	reader_init(&r, record, header->len);
	reader_skip(&r, RECORD_HEADER_LEN);
	if (reader_u8(&r) != AUDIT_VERSION)
		return ERR_VERSION;
	kind = reader_u8(&r);
	seal->type_count = reader_u16(&r);
	if (kind >= SEAL_KIND_COUNT || seal->type_count > 32)
		return ERR_FORMAT;
	seal->kind = (enum seal_kind)kind;
	seal->epoch = reader_u32(&r);
	seal->segment = reader_u32(&r);
	seal->seq = reader_u64(&r);
	reader_bytes(&r, seal->hash, SHA256_LEN);
	seal->boot_ns = (int64_t)reader_u64(&r);
	reader_bytes(&r, seal->boot_id, AUDIT_ID_LEN);
	for (uint32_t i = 0; i < seal->type_count; i++)
		seal->counts[i] = reader_u32(&r);
	get_evidence(&r, &seal->evidence);
	reader_bytes(&r, seal->next_public, SIGN_PUBLIC_LEN);
	signature = reader_view(&r, SIGN_SIGNATURE_LEN);
	if (!reader_done(&r))
		return ERR_FORMAT;
	seal_message(journal_id, record, header->len - SIGN_SIGNATURE_LEN, digest);
	return verify_in_context(seal_context, digest, sizeof(digest), sign_public, signature);
}
