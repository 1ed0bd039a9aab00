/* Object headers: what is sealed comes back, what was edited does not open. */
#include "unit.h"

#include <string.h>

#include "base/buf.h"
#include "crypto/crypto.h"
#include "crypto/random.h"
#include "format/object_header.h"

static uint8_t key[64], nonce[AEAD_NONCE_LEN], sealed[OBJECT_HEADER_LEN];

static struct object_header sample(void)
{
	struct object_header header;

	ck_assert_ok(crypto_init());
	memset(&header, 0, sizeof(header));
	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)(i * 7 + 1);
	random_bytes(nonce, sizeof(nonce));
	header.epoch = 3;
	for (int i = 0; i < 16; i++) {
		header.id.bytes[i] = (uint8_t)(0x10 + i);
		header.attributes.bytes[i] = (uint8_t)(0x40 + i);
		header.parent.bytes[i] = (uint8_t)(0x80 + i);
	}
	memset(header.attr.root, 0xc3, sizeof(header.attr.root));
	header.attr.version = 0x0123456789abcdef;
	header.attr.size = FILE_SIZE_MAX;
	header.attr.mode = 0100640;
	header.attr.uid = UINT32_MAX;
	header.attr.gid = 65534;
	header.attr.nlink = 2;
	header.attr.rdev = 0x0102030405060708;
	header.attr.blocks = 12345;
	header.attr.atime = (struct timespec){.tv_sec = -1, .tv_nsec = 999999999};
	header.attr.mtime = (struct timespec){.tv_sec = 1ll << 40, .tv_nsec = 0};
	header.attr.ctime = (struct timespec){.tv_sec = 1700000000, .tv_nsec = 1};
	header.attr.btime = (struct timespec){.tv_sec = 0, .tv_nsec = 500};
	header.name_len = 9;
	memcpy(header.name, "scan.dcm\xff", 9);
	return header;
}

static void seal(const struct object_header *header)
{
	ck_assert_ok(object_header_seal(header, key, nonce, sealed));
}

static enum err reopen(struct object_header *header)
{
	memset(header, 0, sizeof(*header));
	return object_header_open(sealed, key, header);
}

/* Field by field: padding is nobody's. */
static void assert_same(const struct object_header *a, const struct object_header *b)
{
	ck_assert_uint_eq(a->epoch, b->epoch);
	ck_assert_int_eq(a->is_inline, b->is_inline);
	ck_assert_mem_eq(&a->id, &b->id, sizeof(a->id));
	ck_assert_mem_eq(&a->attributes, &b->attributes, sizeof(a->attributes));
	ck_assert_mem_eq(&a->parent, &b->parent, sizeof(a->parent));
	ck_assert_mem_eq(a->attr.root, b->attr.root, sizeof(a->attr.root));
	ck_assert_uint_eq(a->attr.version, b->attr.version);
	ck_assert_uint_eq(a->attr.size, b->attr.size);
	ck_assert_uint_eq(a->attr.mode, b->attr.mode);
	ck_assert_uint_eq(a->attr.uid, b->attr.uid);
	ck_assert_uint_eq(a->attr.gid, b->attr.gid);
	ck_assert_uint_eq(a->attr.nlink, b->attr.nlink);
	ck_assert_uint_eq(a->attr.rdev, b->attr.rdev);
	ck_assert_uint_eq(a->attr.blocks, b->attr.blocks);
	ck_assert_mem_eq(&a->attr.atime, &b->attr.atime, sizeof(struct timespec));
	ck_assert_mem_eq(&a->attr.mtime, &b->attr.mtime, sizeof(struct timespec));
	ck_assert_mem_eq(&a->attr.ctime, &b->attr.ctime, sizeof(struct timespec));
	ck_assert_mem_eq(&a->attr.btime, &b->attr.btime, sizeof(struct timespec));
	ck_assert_uint_eq(a->name_len, b->name_len);
	ck_assert_mem_eq(a->name, b->name, a->name_len);
	ck_assert_int_eq(b->name[b->name_len], '\0');
}

START_TEST(test_round_trip)
{
	struct object_header header = sample(), back;

	seal(&header);
	ck_assert_ok(reopen(&back));
	assert_same(&header, &back);
	header.is_inline = true;
	header.attr.size = INLINE_MAX;
	header.name_len = OBJECT_NAME_MAX;
	memset(header.name, 'n', OBJECT_NAME_MAX);
	seal(&header);
	ck_assert_ok(reopen(&back));
	assert_same(&header, &back);
	header.name_len = 0;
	memset(header.name, 0, sizeof(header.name));
	seal(&header);
	ck_assert_ok(reopen(&back));
	assert_same(&header, &back);
}
END_TEST

START_TEST(test_peek)
{
	struct object_header header = sample(), back;

	seal(&header);
	memset(&back, 0, sizeof(back));
	ck_assert_ok(object_header_peek(sealed, &back));
	ck_assert_uint_eq(back.epoch, header.epoch);
	ck_assert_mem_eq(&back.id, &header.id, sizeof(back.id));
	ck_assert(!back.is_inline);
}
END_TEST

/* Neither names nor sizes nor who owns it can be seen. */
START_TEST(test_nothing_in_clear)
{
	struct object_header header = sample();

	header.name_len = 16;
	memcpy(header.name, "Mustermann, Erna", 16);
	seal(&header);
	for (size_t at = 0; at + 8 <= sizeof(sealed); at++) {
		ck_assert_mem_ne(sealed + at, header.name, 8);
		ck_assert_mem_ne(sealed + at, header.attr.root, 8);
		ck_assert_uint_ne(load_u64(sealed + at), header.attr.version);
	}
}
END_TEST

START_TEST(test_every_bit_counts)
{
	struct object_header header = sample(), back;

	seal(&header);
	for (size_t bit = 0; bit < 8 * sizeof(sealed); bit++) {
		enum err err;

		sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
		err = reopen(&back);
		ck_assert_msg(err == ERR_TAMPERED || (bit < 8 * 80 && err == ERR_FORMAT) ||
			      (bit < 8 * 80 && err == ERR_VERSION), "bit %zu: %s", bit,
			      err_name(err));
		sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	ck_assert_ok(reopen(&back));
}
END_TEST

START_TEST(test_every_bit_of_the_key_counts)
{
	struct object_header header = sample(), back;

	seal(&header);
	/* The first half is the data key. */
	for (size_t bit = 8 * 32; bit < 8 * 64; bit++) {
		key[bit / 8] ^= (uint8_t)(1u << bit % 8);
		ck_assert_int_eq(reopen(&back), ERR_TAMPERED);
		key[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}
END_TEST

START_TEST(test_what_is_not_known)
{
	struct object_header header = sample(), back;

	seal(&header);
	sealed[8]++; /* format */
	ck_assert_int_eq(object_header_peek(sealed, &back), ERR_VERSION);
	seal(&header);
	sealed[10]++; /* block size */
	ck_assert_int_eq(object_header_peek(sealed, &back), ERR_VERSION);
	seal(&header);
	sealed[60]++; /* cipher */
	ck_assert_int_eq(object_header_peek(sealed, &back), ERR_VERSION);
	seal(&header);
	sealed[11] = OBJECT_FLAG_PUBLIC; /* reserved, not understood yet */
	ck_assert_int_eq(object_header_peek(sealed, &back), ERR_FORMAT);
	header.epoch = 0;
	seal(&header);
	ck_assert_int_eq(object_header_peek(sealed, &back), ERR_FORMAT);
	memset(sealed, 0, sizeof(sealed));
	ck_assert_int_eq(object_header_peek(sealed, &back), ERR_FORMAT);
}
END_TEST

/* Values that nobody writes, under a good seal. */
START_TEST(test_bad_values)
{
	struct object_header good = sample(), bad, back;
	struct timespec *const times[] = {&bad.attr.atime, &bad.attr.mtime, &bad.attr.ctime,
					  &bad.attr.btime};

	bad = good;
	bad.attr.size = FILE_SIZE_MAX + 1;
	seal(&bad);
	ck_assert_int_eq(reopen(&back), ERR_FORMAT);
	bad = good;
	bad.is_inline = true;
	bad.attr.size = INLINE_MAX + 1;
	seal(&bad);
	ck_assert_int_eq(reopen(&back), ERR_FORMAT);
	for (size_t i = 0; i < 4; i++) {
		bad = good;
		times[i]->tv_nsec = 1000000000;
		seal(&bad);
		ck_assert_int_eq(reopen(&back), ERR_FORMAT);
	}
	bad = good;
	bad.name[3] = '\0';
	seal(&bad);
	ck_assert_int_eq(reopen(&back), ERR_FORMAT);
}
END_TEST

START_TEST(test_paths)
{
	struct object_id id = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0xfe}}, none = {{0}};
	char path[OBJECT_PATH_LEN];

	object_path(&id, path);
	ck_assert_str_eq(path, "objects/fe/0102030405060708090a0b0c0d0e0ffe");
	object_path_new(&id, path);
	ck_assert_str_eq(path, "objects/new/0102030405060708090a0b0c0d0e0ffe");
	ck_assert_uint_eq(object_id_number(&id), 0x0807060504030201);
	ck_assert(!object_id_is_zero(&id));
	ck_assert(object_id_is_zero(&none));
}
END_TEST

/* --- tree pages -------------------------------------------------------------------- */

START_TEST(test_node_hash_covers_everything)
{
	const struct object_header header = sample();
	struct object_id id = header.id;
	uint8_t body[NODE_BODY_LEN], first[OBJECT_ROOT_LEN], other[OBJECT_ROOT_LEN];

	random_bytes(body, sizeof(body));
	node_hash(&id, 3, 1, 5, body, first);
	node_hash(&id, 3, 1, 5, body, other);
	ck_assert_mem_eq(first, other, sizeof(first));
	node_hash(&id, 4, 1, 5, body, other);
	ck_assert_mem_ne(first, other, sizeof(first));
	node_hash(&id, 3, 2, 5, body, other);
	ck_assert_mem_ne(first, other, sizeof(first));
	node_hash(&id, 3, 1, 6, body, other);
	ck_assert_mem_ne(first, other, sizeof(first));
	id.bytes[15] ^= 1;
	node_hash(&id, 3, 1, 5, body, other);
	ck_assert_mem_ne(first, other, sizeof(first));
	id.bytes[15] ^= 1;
	for (size_t i = 0; i < sizeof(body); i += 97) {
		body[i] ^= 1;
		node_hash(&id, 3, 1, 5, body, other);
		ck_assert_mem_ne(first, other, sizeof(first));
		body[i] ^= 1;
	}
}
END_TEST

START_TEST(test_node_header_and_block_ad)
{
	const struct object_header header = sample();
	uint8_t node[NODE_HEADER_LEN], a[BLOCK_AD_LEN], b[BLOCK_AD_LEN];

	node_header_encode(&header.id, 3, 2, 0x0102030405060708, node);
	ck_assert_mem_eq(node, "phifsTRE", 8);
	ck_assert_uint_eq(load_u32(node + 8), 2);
	ck_assert_uint_eq(load_u64(node + 12), 0x0102030405060708);
	ck_assert_uint_eq(load_u32(node + 20), 3);
	ck_assert_mem_eq(node + 24, &header.id, 16);
	for (size_t i = 40; i < sizeof(node); i++)
		ck_assert_uint_eq(node[i], 0);
	block_ad(7, BLOCK_KIND_DATA, a);
	block_ad(7, BLOCK_KIND_INLINE, b);
	ck_assert_mem_ne(a, b, sizeof(a));
	block_ad(8, BLOCK_KIND_DATA, b);
	ck_assert_mem_ne(a, b, sizeof(a));
	block_ad(7ull << 56, BLOCK_KIND_DATA, b);
	ck_assert_mem_ne(a, b, sizeof(a));
}
END_TEST

UNIT_MAIN("object header", test_round_trip, test_peek, test_nothing_in_clear,
	  test_every_bit_counts, test_every_bit_of_the_key_counts, test_what_is_not_known,
	  test_bad_values, test_paths, test_node_hash_covers_everything,
	  test_node_header_and_block_ad)
