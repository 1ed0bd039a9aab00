/* Journal headers, records and the anchor: bytes <-> structs. */
#include "unit.h"

#include <string.h>

#include "crypto/crypto.h"
#include "format/journal_record.h"

/* --- the header -------------------------------------------------------------------- */

static struct journal_header sample_header(void)
{
	struct journal_header header = {
		.seq = 0x0102030405060708, .records_len = 5000, .pages = 17, .epoch = 2};

	memset(header.session, 0x5e, sizeof(header.session));
	memset(header.previous_mac, 0x3a, sizeof(header.previous_mac));
	return header;
}

START_TEST(test_header_round_trip)
{
	struct journal_header header = sample_header(), back;
	uint8_t bytes[JOURNAL_HEADER_LEN];

	journal_header_encode(&header, bytes);
	memset(&back, 0, sizeof(back));
	ck_assert_ok(journal_header_decode(bytes, &back));
	ck_assert_uint_eq(back.seq, header.seq);
	ck_assert_uint_eq(back.records_len, header.records_len);
	ck_assert_uint_eq(back.pages, header.pages);
	ck_assert_uint_eq(back.epoch, header.epoch);
	ck_assert_mem_eq(back.session, header.session, sizeof(back.session));
	ck_assert_mem_eq(back.previous_mac, header.previous_mac, sizeof(back.previous_mac));
	/* 128 + 5000 + 32 bytes are two pages. */
	ck_assert_uint_eq(journal_pages_offset(&back), 8192);
	ck_assert_uint_eq(journal_txn_len(&back), 8192 + 17 * 4096);
}
END_TEST

/* A header has no seal of its own: an edit is refused here or is a value somewhere. */
START_TEST(test_header_every_byte_is_read)
{
	struct journal_header header = sample_header(), back;
	uint8_t bytes[JOURNAL_HEADER_LEN], again[JOURNAL_HEADER_LEN];

	journal_header_encode(&header, bytes);
	for (size_t i = 0; i < sizeof(bytes); i++) {
		bytes[i] ^= 0x01;
		if (journal_header_decode(bytes, &back) == ERR_OK) {
			journal_header_encode(&back, again);
			ck_assert_mem_eq(bytes, again, sizeof(bytes));
			ck_assert(i >= 12 && i < 80);
		}
		bytes[i] ^= 0x01;
	}
}
END_TEST

static enum err decode_as(const struct journal_header *header)
{
	struct journal_header back;
	uint8_t bytes[JOURNAL_HEADER_LEN];

	journal_header_encode(header, bytes);
	return journal_header_decode(bytes, &back);
}

START_TEST(test_header_limits)
{
	struct journal_header header = sample_header();

	header.seq = 0;
	ck_assert_int_eq(decode_as(&header), ERR_FORMAT);
	header = sample_header();
	header.epoch = 0;
	ck_assert_int_eq(decode_as(&header), ERR_FORMAT);
	header = sample_header();
	header.records_len = JOURNAL_TXN_MAX - JOURNAL_HEADER_LEN - JOURNAL_MAC_LEN;
	header.pages = 0;
	ck_assert_ok(decode_as(&header));
	header.pages = 1;
	ck_assert_int_eq(decode_as(&header), ERR_FORMAT);
	header.pages = 0;
	header.records_len++;
	ck_assert_int_eq(decode_as(&header), ERR_FORMAT);
	header.records_len = UINT32_MAX;
	ck_assert_int_eq(decode_as(&header), ERR_FORMAT);
	header = sample_header();
	header.records_len = 0;
	header.pages = JOURNAL_TXN_MAX / BLOCK_SIZE - 1;
	ck_assert_ok(decode_as(&header));
	header.pages++;
	ck_assert_int_eq(decode_as(&header), ERR_FORMAT);
	header.pages = UINT32_MAX;
	ck_assert_int_eq(decode_as(&header), ERR_FORMAT);
	ck_assert_uint_le(JOURNAL_TXN_MAX, JOURNAL_HALF_LEN);
}
END_TEST

/* --- records ------------------------------------------------------------------------- */

#define PAGES	    9u
#define RECORDS	    7u
#define BUFFER_LEN  16384u

static uint8_t content[ENTRY_LEN + INLINE_MAX];
static struct object_id id;

/* One of each kind, at the limits. */
static void sample_records(struct journal_record records[RECORDS])
{
	memset(records, 0, RECORDS * sizeof(*records));
	memset(&id, 0x1d, sizeof(id));
	for (size_t i = 0; i < sizeof(content); i++)
		content[i] = (uint8_t)(i * 31 + 7);
	records[0].type = JOURNAL_INODE;
	records[0].inode = (struct journal_inode){
		.id = id, .base = 41, .shrink = FILE_SIZE_MAX,
		.flags = JOURNAL_INODE_CREATE | JOURNAL_INODE_STREAM,
		.levels_before = TREE_LEVELS_MAX};
	memcpy(records[0].inode.header, content, OBJECT_HEADER_LEN);
	records[1].type = JOURNAL_INODE;
	records[1].inode = (struct journal_inode){.id = id, .shrink = JOURNAL_NO_SHRINK};
	records[2].type = JOURNAL_ENTRIES;
	records[2].entries = (struct journal_entries){
		.id = id, .first = FILE_SIZE_MAX / BLOCK_SIZE - TREE_FANOUT, .count = TREE_FANOUT,
		.entries = content};
	records[3].type = JOURNAL_DATA;
	records[3].data = (struct journal_data){
		.id = id, .block = FILE_SIZE_MAX / BLOCK_SIZE - 1, .page = PAGES - 1};
	records[4].type = JOURNAL_INLINE;
	records[4].inlined = (struct journal_inline){.id = id, .size = INLINE_MAX,
						     .content = content};
	records[5].type = JOURNAL_FRESH;
	records[5].fresh = (struct journal_fresh){.id = id, .level = TREE_LEVELS_MAX, .index = 0};
	records[6].type = JOURNAL_DELETE;
	records[6].deleted = id;
}

static size_t encode(const struct journal_record *record, uint8_t *bytes)
{
	struct writer w;

	writer_init(&w, bytes, BUFFER_LEN);
	journal_record_encode(&w, record);
	ck_assert(!w.failed);
	ck_assert_uint_eq(w.len, journal_record_len(record));
	return w.len;
}

static enum err decode(const uint8_t *bytes, size_t len, struct journal_record *record)
{
	struct reader r;

	reader_init(&r, bytes, len);
	return journal_record_decode(&r, PAGES, record);
}

/* Encoding what was decoded gives the same bytes: nothing was lost or invented. */
START_TEST(test_records_round_trip)
{
	struct journal_record records[RECORDS], back;
	uint8_t bytes[BUFFER_LEN], again[BUFFER_LEN];
	struct reader r;
	struct writer w;

	sample_records(records);
	writer_init(&w, bytes, sizeof(bytes));
	for (size_t i = 0; i < RECORDS; i++)
		journal_record_encode(&w, &records[i]);
	ck_assert(!w.failed);
	reader_init(&r, bytes, w.len);
	for (size_t i = 0; i < RECORDS; i++) {
		size_t at = r.pos, len;

		ck_assert_ok(journal_record_decode(&r, PAGES, &back));
		ck_assert_int_eq(back.type, records[i].type);
		len = encode(&back, again);
		ck_assert_uint_eq(len, r.pos - at);
		ck_assert_mem_eq(bytes + at, again, len);
	}
	ck_assert(reader_done(&r));
}
END_TEST

START_TEST(test_records_cut_or_longer)
{
	struct journal_record records[RECORDS], back;
	uint8_t bytes[BUFFER_LEN];

	sample_records(records);
	for (size_t i = 0; i < RECORDS; i++) {
		size_t len = encode(&records[i], bytes);
		uint32_t body = load_u32(bytes + 1);

		for (size_t cut = 0; cut < len; cut++)
			ck_assert_int_eq(decode(bytes, cut, &back), ERR_FORMAT);
		/* The length says less or more than the body has. */
		bytes[len] = 0;
		store_u32(bytes + 1, body + 1);
		ck_assert_int_eq(decode(bytes, len + 1, &back), ERR_FORMAT);
		store_u32(bytes + 1, body - 1);
		ck_assert_int_eq(decode(bytes, len, &back), ERR_FORMAT);
		store_u32(bytes + 1, UINT32_MAX);
		ck_assert_int_eq(decode(bytes, len, &back), ERR_FORMAT);
		store_u32(bytes + 1, body);
		ck_assert_ok(decode(bytes, len, &back));
	}
}
END_TEST

/* Whatever is edited: refused, or exactly what the bytes say. */
START_TEST(test_records_edited)
{
	struct journal_record records[RECORDS], back;
	uint8_t bytes[BUFFER_LEN], again[BUFFER_LEN];

	sample_records(records);
	for (size_t i = 0; i < RECORDS; i++) {
		size_t len = encode(&records[i], bytes);

		for (size_t bit = 0; bit < 8 * len; bit++) {
			bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
			if (decode(bytes, len, &back) == ERR_OK) {
				ck_assert_uint_eq(encode(&back, again), len);
				ck_assert_mem_eq(bytes, again, len);
			}
			bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
	}
}
END_TEST

static enum err code(const struct journal_record *record)
{
	struct journal_record back;
	uint8_t bytes[BUFFER_LEN];

	return decode(bytes, encode(record, bytes), &back);
}

START_TEST(test_records_limits)
{
	struct journal_record records[RECORDS], bad;

	sample_records(records);
	bad = records[0];
	bad.inode.flags = 0x04;
	ck_assert_int_eq(code(&bad), ERR_FORMAT);
	bad = records[0];
	bad.inode.levels_before = TREE_LEVELS_MAX + 1;
	ck_assert_int_eq(code(&bad), ERR_FORMAT);
	bad = records[0];
	bad.inode.shrink = FILE_SIZE_MAX + 1;
	ck_assert_int_eq(code(&bad), ERR_FORMAT);
	bad = records[2];
	bad.entries.count = 0;
	ck_assert_int_eq(code(&bad), ERR_FORMAT);
	bad = records[2];
	bad.entries.first++; /* crosses into the next leaf */
	ck_assert_int_eq(code(&bad), ERR_FORMAT);
	bad.entries.count--;
	ck_assert_ok(code(&bad));
	bad.entries.first = FILE_SIZE_MAX / BLOCK_SIZE;
	ck_assert_int_eq(code(&bad), ERR_FORMAT);
	bad = records[3];
	bad.data.page = PAGES;
	ck_assert_int_eq(code(&bad), ERR_FORMAT);
	bad = records[3];
	bad.data.block++;
	ck_assert_int_eq(code(&bad), ERR_FORMAT);
	bad = records[5];
	bad.fresh.level = 0;
	ck_assert_int_eq(code(&bad), ERR_FORMAT);
	bad.fresh.level = TREE_LEVELS_MAX + 1;
	ck_assert_int_eq(code(&bad), ERR_FORMAT);
	bad.fresh.level = 1;
	bad.fresh.index = FILE_SIZE_MAX / BLOCK_SIZE;
	ck_assert_int_eq(code(&bad), ERR_FORMAT);
}
END_TEST

/* Content longer than page 0 takes, with all of its bytes there; types nobody knows. */
START_TEST(test_records_too_long_or_unknown)
{
	uint8_t bytes[BUFFER_LEN] = {JOURNAL_INLINE};
	struct journal_record back;

	store_u32(bytes + 1, 16 + 4 + ENTRY_LEN + INLINE_MAX + 1);
	store_u32(bytes + 5 + 16, INLINE_MAX + 1);
	ck_assert_int_eq(decode(bytes, sizeof(bytes), &back), ERR_FORMAT);
	memset(bytes, 0, sizeof(bytes));
	store_u32(bytes + 1, 16);
	for (int type = 0; type < 256; type++) {
		bytes[0] = (uint8_t)type;
		ck_assert_int_eq(decode(bytes, sizeof(bytes), &back),
				 type == JOURNAL_DELETE ? ERR_OK : ERR_FORMAT);
	}
}
END_TEST

/* --- the anchor ------------------------------------------------------------------------ */

START_TEST(test_anchor)
{
	struct anchor anchor = {.seq = 77, .epoch = 5}, back;
	uint8_t key[32] = "the key of the anchor of epoch 5", bytes[ANCHOR_LEN];
	uint8_t other_fs[16] = "another volume";

	ck_assert_ok(crypto_init());
	memcpy(anchor.fs_id, "this file system", 16);
	memset(anchor.journal_mac, 0x7e, sizeof(anchor.journal_mac));
	anchor_encode(&anchor, key, bytes);
	ck_assert_uint_eq(anchor_peek_epoch(bytes), 5);
	memset(&back, 0, sizeof(back));
	ck_assert_ok(anchor_decode(bytes, anchor.fs_id, key, &back));
	ck_assert_uint_eq(back.seq, 77);
	ck_assert_uint_eq(back.epoch, 5);
	ck_assert_mem_eq(back.fs_id, anchor.fs_id, sizeof(back.fs_id));
	ck_assert_mem_eq(back.journal_mac, anchor.journal_mac, sizeof(back.journal_mac));
	ck_assert_int_eq(anchor_decode(bytes, other_fs, key, &back), ERR_TAMPERED);
	for (size_t bit = 0; bit < 8 * sizeof(bytes); bit++) {
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		ck_assert_int_eq(anchor_decode(bytes, anchor.fs_id, key, &back),
				 bit < 32 ? ERR_FORMAT : ERR_TAMPERED);
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	for (size_t i = 0; i < sizeof(key); i++) {
		key[i] ^= 0x80;
		ck_assert_int_eq(anchor_decode(bytes, anchor.fs_id, key, &back), ERR_TAMPERED);
		key[i] ^= 0x80;
	}
	memset(bytes, 0, sizeof(bytes));
	ck_assert_uint_eq(anchor_peek_epoch(bytes), 0);
	ck_assert_int_eq(anchor_decode(bytes, anchor.fs_id, key, &back), ERR_FORMAT);
}
END_TEST

UNIT_MAIN("journal record", test_header_round_trip, test_header_every_byte_is_read,
	  test_header_limits, test_records_round_trip, test_records_cut_or_longer,
	  test_records_edited, test_records_limits, test_records_too_long_or_unknown, test_anchor)
