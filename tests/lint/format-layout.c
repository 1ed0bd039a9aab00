/*
 * Prints where the fields of every structure of src/format lie, as FORMAT.md
 * must say: "section field at bytes", and "number NAME value".  Found out by
 * encoding twice, with one field of zeroes and of ones.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/crypto.h"
#include "format/dir_block.h"
#include "format/journal_record.h"
#include "format/layout.h"
#include "format/object_header.h"

#define BYTES_MAX 4096u

static uint8_t first[BYTES_MAX], second[BYTES_MAX];

/* Where the two encodings differ. */
static void tell(const char *section, const char *field)
{
	size_t begin = 0, end = BYTES_MAX;

	while (begin < BYTES_MAX && first[begin] == second[begin])
		begin++;
	while (end > begin && first[end - 1] == second[end - 1])
		end--;
	printf("%s %s %zu %zu\n", section, field, begin, end - begin);
}

static void tell_at(const char *section, const char *field, size_t at, size_t bytes)
{
	printf("%s %s %zu %zu\n", section, field, at, bytes);
}

/* --- object header -------------------------------------------------------------------- */

static uint8_t key[64];

/* The header in `bytes`, and its sealed part, opened as FORMAT.md says, in `plain`. */
static void encode_header(const struct object_header *header, uint8_t nonce_byte,
			  uint8_t bytes[OBJECT_HEADER_LEN], uint8_t plain[432])
{
	uint8_t nonce[AEAD_NONCE_LEN], ad[52];

	memset(nonce, nonce_byte, sizeof(nonce));
	if (object_header_seal(header, key, nonce, bytes) != ERR_OK)
		abort();
	memcpy(ad, bytes, 32);
	memcpy(ad + 32, bytes + 60, 20);
	if (aead_open(aead_thread(), key + 32, bytes + 32, ad, sizeof(ad), bytes + 80, 432,
		      bytes + 44, plain) != ERR_OK)
		abort();
}

/* A field of the clear part: all but what follows from it is cut away. */
static void clear_field(const char *field, const struct object_header *a,
			const struct object_header *b, uint8_t nonce_b, size_t to)
{
	uint8_t plain[432];

	memset(first, 0, sizeof(first));
	memset(second, 0, sizeof(second));
	encode_header(a, 0, first, plain);
	encode_header(b, nonce_b, second, plain);
	memset(first + to, 0, sizeof(first) - to);
	memset(second + to, 0, sizeof(second) - to);
	tell("object-header", field);
}

static void sealed_field(const char *field, const struct object_header *b)
{
	struct object_header a = {.epoch = 1};
	uint8_t bytes[OBJECT_HEADER_LEN];

	memset(first, 0, sizeof(first));
	memset(second, 0, sizeof(second));
	encode_header(&a, 0, bytes, first);
	encode_header(b, 0, bytes, second);
	tell("sealed-header", field);
}

static void ones(void *field, size_t len)
{
	memset(field, 0xff, len);
}

#define SEALED(name, member)                                                          \
	do {                                                                          \
		struct object_header set = {.epoch = 1};                              \
		ones(&set.member, sizeof(set.member));                                \
		sealed_field(name, &set);                                             \
	} while (0)

static void sealed_time(const char *name, size_t offset)
{
	struct object_header b = {.epoch = 1};

	ones((uint8_t *)&b + offset, sizeof(struct timespec));
	sealed_field(name, &b);
}

static void tell_header(void)
{
	struct object_header a = {.epoch = 0}, b = {.epoch = UINT32_MAX};

	tell_at("object-header", "magic", 0, strlen("phifsOBJ"));
	tell_at("object-header", "format", 8, 2);
	tell_at("object-header", "block_log2", 10, 1);
	clear_field("epoch", &a, &b, 0, 32);
	b = (struct object_header){.is_inline = true};
	clear_field("flags", &a, &b, 0, 32);
	b = (struct object_header){.is_inline = false};
	ones(&b.id, sizeof(b.id));
	clear_field("id", &a, &b, 0, 32);
	clear_field("nonce", &a, &a, 0xff, 44);
	tell_at("object-header", "tag", 44, AEAD_TAG_LEN);
	tell_at("object-header", "cipher", 60, 4);
	tell_at("object-header", "key_check", 64, 16);
	tell_at("object-header", "sealed", 80, OBJECT_HEADER_LEN - 80);
}

static void tell_sealed(void)
{
	struct object_header b = {.epoch = 1, .name_len = UINT8_MAX};

	SEALED("version", attr.version);
	SEALED("size", attr.size);
	SEALED("root", attr.root);
	SEALED("mode", attr.mode);
	SEALED("uid", attr.uid);
	SEALED("gid", attr.gid);
	SEALED("nlink", attr.nlink);
	SEALED("rdev", attr.rdev);
	SEALED("blocks", attr.blocks);
	sealed_time("atime", offsetof(struct object_header, attr.atime));
	sealed_time("mtime", offsetof(struct object_header, attr.mtime));
	sealed_time("ctime", offsetof(struct object_header, attr.ctime));
	sealed_time("btime", offsetof(struct object_header, attr.btime));
	SEALED("attributes", attributes);
	SEALED("parent", parent);
	/* Its length comes with it. */
	sealed_field("name_len", &b);
	ones(b.name, OBJECT_NAME_MAX);
	memset(first, 0, sizeof(first));
	memset(second, 0, sizeof(second));
	{
		struct object_header a = {.epoch = 1, .name_len = UINT8_MAX};
		uint8_t bytes[OBJECT_HEADER_LEN];

		encode_header(&a, 0, bytes, first);
		encode_header(&b, 0, bytes, second);
	}
	tell("sealed-header", "name");
}

/* --- the others -------------------------------------------------------------------------- */

static void tell_node(void)
{
	struct object_id id = {{0}}, all;

	ones(&all, sizeof(all));
	tell_at("node-header", "magic", 0, strlen("phifsTRE"));
#define NODE(name, id_b, epoch_b, level_b, index_b)                                   \
	memset(first, 0, sizeof(first));                                              \
	memset(second, 0, sizeof(second));                                            \
	node_header_encode(&id, 0, 0, 0, first);                                      \
	node_header_encode(id_b, epoch_b, level_b, index_b, second);                  \
	tell("node-header", name)
	NODE("level", &id, 0, -1, 0);
	NODE("index", &id, 0, 0, UINT64_MAX);
	NODE("epoch", &id, UINT32_MAX, 0, 0);
	NODE("id", &all, 0, 0, 0);
}

static void tell_directory(void)
{
	char name[UINT8_MAX + 1];
	struct dir_entry entry = {.type = 0xf, .name_len = UINT8_MAX, .name = name};

	memset(name, 'n', sizeof(name));
	tell_at("directory-record", "length", 0, 2);
#define RECORD(field, change)                                                         \
	do {                                                                          \
		struct dir_entry b = entry;                                           \
		dir_block_init(first);                                                \
		dir_block_init(second);                                               \
		dir_block_insert(first, &entry);                                      \
		change;                                                               \
		dir_block_insert(second, &b);                                         \
		tell("directory-record", field);                                      \
	} while (0)
	RECORD("type", b.type = 0);
	RECORD("id", ones(&b.id, sizeof(b.id)));
	memset(name, 'n', sizeof(name));
	{
		char other[sizeof(name)];

		memset(other, 'o', sizeof(other));
		RECORD("name", b.name = other);
	}
	tell_at("directory-record", "name_len", 2, 1);
}

static void tell_transaction(void)
{
	struct journal_header a, b;

	tell_at("transaction-header", "magic", 0, strlen("phifsTXN"));
	tell_at("transaction-header", "format", 8, 4);
#define TXN(name, member)                                                             \
	memset(&a, 0, sizeof(a));                                                     \
	memset(&b, 0, sizeof(b));                                                     \
	memset(first, 0, sizeof(first));                                              \
	memset(second, 0, sizeof(second));                                            \
	ones(&b.member, sizeof(b.member));                                            \
	journal_header_encode(&a, first);                                             \
	journal_header_encode(&b, second);                                            \
	tell("transaction-header", name)
	TXN("seq", seq);
	TXN("records_len", records_len);
	TXN("pages", pages);
	TXN("epoch", epoch);
	TXN("session", session);
	TXN("previous_mac", previous_mac);
}

static void encode_record(const struct journal_record *record, uint8_t bytes[BYTES_MAX])
{
	struct writer w;

	memset(bytes, 0, BYTES_MAX);
	writer_init(&w, bytes, BYTES_MAX);
	journal_record_encode(&w, record);
	if (w.failed || w.len != journal_record_len(record))
		abort();
}

static void tell_records(void)
{
	static const uint8_t zeroes[ENTRY_LEN];
	uint8_t set[ENTRY_LEN];
	struct journal_record a, b;

	ones(set, sizeof(set));
#define REC(section, TYPE, name, member, prepare)                                     \
	memset(&a, 0, sizeof(a));                                                     \
	a.type = TYPE;                                                                \
	prepare;                                                                      \
	b = a;                                                                        \
	ones(&b.member, sizeof(b.member));                                            \
	encode_record(&a, first);                                                     \
	encode_record(&b, second);                                                    \
	tell(section, name)
	REC("inode-record", JOURNAL_INODE, "id", inode.id, );
	REC("inode-record", JOURNAL_INODE, "base", inode.base, );
	REC("inode-record", JOURNAL_INODE, "shrink", inode.shrink, );
	REC("inode-record", JOURNAL_INODE, "flags", inode.flags, );
	REC("inode-record", JOURNAL_INODE, "levels_before", inode.levels_before, );
	REC("inode-record", JOURNAL_INODE, "header", inode.header, );
#define ONE_ENTRY a.entries.count = 1, a.entries.entries = zeroes
	REC("entries-record", JOURNAL_ENTRIES, "id", entries.id, ONE_ENTRY);
	REC("entries-record", JOURNAL_ENTRIES, "first", entries.first, ONE_ENTRY);
	b.entries = a.entries;
	b.entries.entries = set;
	encode_record(&b, second);
	tell("entries-record", "entries");
	tell_at("entries-record", "count", 29, 4);
	REC("data-record", JOURNAL_DATA, "id", data.id, );
	REC("data-record", JOURNAL_DATA, "block", data.block, );
	REC("data-record", JOURNAL_DATA, "page", data.page, );
#define NOTHING a.inlined.content = zeroes
	REC("inline-record", JOURNAL_INLINE, "id", inlined.id, NOTHING);
	b = a;
	b.inlined.content = set;
	encode_record(&b, second);
	tell("inline-record", "entry");
	tell_at("inline-record", "size", 21, 4);
	REC("fresh-record", JOURNAL_FRESH, "id", fresh.id, );
	REC("fresh-record", JOURNAL_FRESH, "level", fresh.level, );
	REC("fresh-record", JOURNAL_FRESH, "index", fresh.index, );
	REC("delete-record", JOURNAL_DELETE, "id", deleted, );
}

static void tell_anchor(void)
{
	struct anchor a, b;

	tell_at("anchor-slot", "magic", 0, strlen("phiA"));
	/* Cut before the MAC, which changes with everything. */
#define ANCHOR(name, member)                                                          \
	memset(&a, 0, sizeof(a));                                                     \
	memset(&b, 0, sizeof(b));                                                     \
	memset(first, 0, sizeof(first));                                              \
	memset(second, 0, sizeof(second));                                            \
	ones(&b.member, sizeof(b.member));                                            \
	anchor_encode(&a, key, first);                                                \
	anchor_encode(&b, key, second);                                               \
	memset(first + ANCHOR_LEN - 32, 0, 32);                                       \
	memset(second + ANCHOR_LEN - 32, 0, 32);                                      \
	tell("anchor-slot", name)
	ANCHOR("fs_id", fs_id);
	ANCHOR("seq", seq);
	ANCHOR("epoch", epoch);
	ANCHOR("journal_mac", journal_mac);
	tell_at("anchor-slot", "mac", ANCHOR_LEN - 32, 32);
}

static void tell_numbers(void)
{
#define NUMBER(name) printf("number " #name " %" PRIu64 "\n", (uint64_t)(name))
	NUMBER(BLOCK_SIZE);
	NUMBER(OBJECT_HEADER_LEN);
	NUMBER(OBJECT_NAME_MAX);
	NUMBER(INLINE_MAX);
	NUMBER(FILE_SIZE_MAX);
	NUMBER(TREE_FANOUT);
	NUMBER(TREE_LEVELS_MAX);
	NUMBER(ENTRY_LEN);
	NUMBER(NODE_BODY_LEN);
	NUMBER(NODE_HEADER_LEN);
	NUMBER(BLOCK_AD_LEN);
	NUMBER(JOURNAL_START);
	NUMBER(JOURNAL_HALF_LEN);
	NUMBER(JOURNAL_FILE_LEN);
	NUMBER(JOURNAL_HEADER_LEN);
	NUMBER(JOURNAL_MAC_LEN);
	NUMBER(JOURNAL_SESSION_LEN);
	NUMBER(JOURNAL_TXN_MAX);
	NUMBER(ANCHOR_SLOT_LEN);
	NUMBER(ANCHOR_LEN);
}

int main(void)
{
	if (crypto_init() != ERR_OK)
		return 1;
	tell_header();
	tell_sealed();
	tell_node();
	tell_directory();
	tell_transaction();
	tell_records();
	tell_anchor();
	tell_numbers();
	return 0;
}
