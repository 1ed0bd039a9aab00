#include "format/object_header.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/secmem.h"
#include "crypto/hash.h"

#define OBJECT_MAGIC   "phifsOBJ"
#define NODE_MAGIC     "phifsTRE"
#define CLEAR_LEN      80u
#define SEALED_LEN     (OBJECT_HEADER_LEN - CLEAR_LEN)
#define NONCE_AT       32u
#define TAG_AT         44u
#define CIPHER_AT      60u /* cipher id u32; was padding */
#define KEYCHECK_AT    64u
#define KEYCHECK_LEN   16u
#define FLAGS_KNOWN    OBJECT_FLAG_INLINE
#define NSEC_MAX       999999999u

uint64_t object_id_number(const struct object_id *id)
{
	return load_u64(id->bytes);
}

bool object_id_is_zero(const struct object_id *id)
{
	static const struct object_id zero;

	return memcmp(id, &zero, sizeof(zero)) == 0;
}

void object_path(const struct object_id *id, char path[OBJECT_PATH_LEN])
{
	char digits[33];

	hex_encode(id->bytes, sizeof(id->bytes), digits);
	snprintf(path, OBJECT_PATH_LEN, "objects/%.2s/%s", digits + 30, digits);
}

void object_path_new(const struct object_id *id, char path[OBJECT_PATH_LEN])
{
	char digits[33];

	hex_encode(id->bytes, sizeof(id->bytes), digits);
	snprintf(path, OBJECT_PATH_LEN, "objects/new/%s", digits);
}

static bool time_equal(const struct timespec *one, const struct timespec *other)
{
	return one->tv_sec == other->tv_sec && one->tv_nsec == other->tv_nsec;
}

bool object_attr_equal(const struct object_attr *one, const struct object_attr *other)
{
	return one->version == other->version && one->size == other->size &&
	       memcmp(one->root, other->root, OBJECT_ROOT_LEN) == 0 && one->mode == other->mode &&
	       one->uid == other->uid && one->gid == other->gid && one->nlink == other->nlink &&
	       one->rdev == other->rdev && one->blocks == other->blocks &&
	       time_equal(&one->atime, &other->atime) && time_equal(&one->mtime, &other->mtime) &&
	       time_equal(&one->ctime, &other->ctime) && time_equal(&one->btime, &other->btime);
}

static void put_time(struct writer *w, const struct timespec *time)
{
	writer_u64(w, (uint64_t)time->tv_sec);
	writer_u32(w, (uint32_t)time->tv_nsec);
}

static bool get_time(struct reader *r, struct timespec *time)
{
	uint32_t nsec;

	time->tv_sec = (time_t)reader_u64(r);
	nsec = reader_u32(r);
	time->tv_nsec = nsec;
	return nsec <= NSEC_MAX;
}

static void put_attr(struct writer *w, const struct object_attr *attr)
{
	writer_u64(w, attr->version);
	writer_u64(w, attr->size);
	writer_bytes(w, attr->root, OBJECT_ROOT_LEN);
	writer_u32(w, attr->mode);
	writer_u32(w, attr->uid);
	writer_u32(w, attr->gid);
	writer_u32(w, attr->nlink);
	writer_u64(w, attr->rdev);
	writer_u64(w, attr->blocks);
	put_time(w, &attr->atime);
	put_time(w, &attr->mtime);
	put_time(w, &attr->ctime);
	put_time(w, &attr->btime);
}

static bool get_attr(struct reader *r, struct object_attr *attr)
{
	bool times_ok;

	attr->version = reader_u64(r);
	attr->size = reader_u64(r);
	reader_bytes(r, attr->root, OBJECT_ROOT_LEN);
	attr->mode = reader_u32(r);
	attr->uid = reader_u32(r);
	attr->gid = reader_u32(r);
	attr->nlink = reader_u32(r);
	attr->rdev = reader_u64(r);
	attr->blocks = reader_u64(r);
	times_ok = get_time(r, &attr->atime);
	times_ok &= get_time(r, &attr->mtime);
	times_ok &= get_time(r, &attr->ctime);
	times_ok &= get_time(r, &attr->btime);
	return times_ok && attr->size <= FILE_SIZE_MAX;
}

/*
 * Sixteen bytes that commit to the object's key: a wrong epoch's key and an
 * edited header are told apart, and no ciphertext opens under two keys.
 */
static void key_check(const uint8_t key[64], const uint8_t *id, uint8_t out[KEYCHECK_LEN])
{
	const struct hash_part parts[] = {{"keycheck", 8}, {id, 16}};
	uint8_t mac[SHA256_LEN];

	hmac_sha256(key + 32, 32, parts, 2, mac);
	memcpy(out, mac, KEYCHECK_LEN);
}

/* What the tag covers in clear: bytes 0..31 and 60..79 (cipher id and key check). */
static size_t gather_ad(const uint8_t *header, uint8_t ad[52])
{
	memcpy(ad, header, NONCE_AT);
	memcpy(ad + NONCE_AT, header + CIPHER_AT, CLEAR_LEN - CIPHER_AT);
	return NONCE_AT + CLEAR_LEN - CIPHER_AT;
}

static void put_sealed(const struct object_header *header, uint8_t plain[SEALED_LEN])
{
	struct writer w;

	memset(plain, 0, SEALED_LEN);
	writer_init(&w, plain, SEALED_LEN);
	put_attr(&w, &header->attr);
	writer_bytes(&w, header->attributes.bytes, 16);
	writer_bytes(&w, header->parent.bytes, 16);
	writer_u8(&w, header->name_len);
	writer_bytes(&w, header->name, header->name_len);
}

static enum err get_sealed(const uint8_t plain[SEALED_LEN], struct object_header *header)
{
	struct reader r;
	bool attr_ok;

	reader_init(&r, plain, SEALED_LEN);
	attr_ok = get_attr(&r, &header->attr);
	reader_bytes(&r, header->attributes.bytes, 16);
	reader_bytes(&r, header->parent.bytes, 16);
	header->name_len = reader_u8(&r);
	memset(header->name, 0, sizeof(header->name));
	reader_bytes(&r, header->name, header->name_len);
	if (r.failed || !attr_ok || strlen(header->name) != header->name_len)
		return ERR_FORMAT;
	return ERR_OK;
}

enum err object_header_seal(const struct object_header *header, const uint8_t key[64],
			    const uint8_t nonce[AEAD_NONCE_LEN], uint8_t out[OBJECT_HEADER_LEN])
{
	uint8_t plain[SEALED_LEN], ad[52];
	struct writer w;
	size_t ad_len;
	enum err err;

	memset(out, 0, CLEAR_LEN);
	writer_init(&w, out, CLEAR_LEN);
	writer_bytes(&w, OBJECT_MAGIC, 8);
	writer_u16(&w, OBJECT_FORMAT);
	writer_u8(&w, BLOCK_SIZE_LOG2);
	writer_u8(&w, header->is_inline ? OBJECT_FLAG_INLINE : 0);
	writer_u32(&w, header->epoch);
	writer_bytes(&w, header->id.bytes, 16);
	memcpy(out + NONCE_AT, nonce, AEAD_NONCE_LEN);
	store_u32(out + CIPHER_AT, OBJECT_CIPHER_AES256_GCM);
	key_check(key, header->id.bytes, out + KEYCHECK_AT);
	put_sealed(header, plain);
	ad_len = gather_ad(out, ad);
	err = aead_seal(aead_thread(), key + 32, nonce, ad, ad_len, plain, SEALED_LEN,
			out + CLEAR_LEN, out + TAG_AT);
	secmem_wipe(plain, sizeof(plain));
	return err;
}

enum err object_header_peek(const uint8_t in[OBJECT_HEADER_LEN], struct object_header *header)
{
	struct reader r;
	uint16_t format;
	uint8_t block_log2, flags;

	if (memcmp(in, OBJECT_MAGIC, 8) != 0)
		return ERR_FORMAT;
	reader_init(&r, in + 8, CLEAR_LEN - 8);
	format = reader_u16(&r);
	block_log2 = reader_u8(&r);
	flags = reader_u8(&r);
	header->epoch = reader_u32(&r);
	reader_bytes(&r, header->id.bytes, 16);
	header->is_inline = (flags & OBJECT_FLAG_INLINE) != 0;
	if (format != OBJECT_FORMAT || block_log2 != BLOCK_SIZE_LOG2 ||
	    load_u32(in + CIPHER_AT) != OBJECT_CIPHER_AES256_GCM)
		return ERR_VERSION;
	return flags & ~FLAGS_KNOWN || header->epoch == 0 ? ERR_FORMAT : ERR_OK;
}

enum err object_header_open(const uint8_t in[OBJECT_HEADER_LEN], const uint8_t key[64],
			    struct object_header *header)
{
	uint8_t plain[SEALED_LEN], check[KEYCHECK_LEN], ad[52];
	size_t ad_len;
	enum err err = object_header_peek(in, header);

	if (err != ERR_OK)
		return err;
	key_check(key, header->id.bytes, check);
	if (!secmem_equal(check, in + KEYCHECK_AT, KEYCHECK_LEN))
		return ERR_TAMPERED;
	ad_len = gather_ad(in, ad);
	err = aead_open(aead_thread(), key + 32, in + NONCE_AT, ad, ad_len, in + CLEAR_LEN,
			SEALED_LEN, in + TAG_AT, plain);
	if (err == ERR_OK)
		err = get_sealed(plain, header);
	if (err == ERR_OK && header->is_inline && header->attr.size > INLINE_MAX)
		err = ERR_FORMAT;
	secmem_wipe(plain, sizeof(plain));
	return err;
}

void node_header_encode(const struct object_id *id, uint32_t epoch, int level, uint64_t index,
			uint8_t out[NODE_HEADER_LEN])
{
	struct writer w;

	memset(out, 0, NODE_HEADER_LEN);
	writer_init(&w, out, NODE_HEADER_LEN);
	writer_bytes(&w, NODE_MAGIC, 8);
	writer_u32(&w, (uint32_t)level);
	writer_u64(&w, index);
	writer_u32(&w, epoch);
	writer_bytes(&w, id->bytes, 16);
}

void node_hash(const struct object_id *id, uint32_t epoch, int level, uint64_t index,
	       const uint8_t body[NODE_BODY_LEN], uint8_t out[OBJECT_ROOT_LEN])
{
	uint8_t prefix[4 + 16 + 1 + 8 + 4];
	struct hash_part parts[] = {{prefix, sizeof(prefix)}, {body, NODE_BODY_LEN}};
	struct writer w;

	writer_init(&w, prefix, sizeof(prefix));
	writer_bytes(&w, "node", 4);
	writer_bytes(&w, id->bytes, 16);
	writer_u8(&w, (uint8_t)level);
	writer_u64(&w, index);
	writer_u32(&w, epoch);
	sha256(parts, 2, out);
}

void block_ad(uint64_t block, enum block_kind kind, uint8_t ad[BLOCK_AD_LEN])
{
	store_u64(ad, block);
	ad[8] = (uint8_t)kind;
}
