#include "format/journal_record.h"

#include <string.h>

#define JOURNAL_MAGIC  "phifsTXN"
#define JOURNAL_FORMAT 1u
#define RECORD_HEAD    5u /* type u8, length u32 */
#define HEADER_USED    (8u + 4 + 8 + 4 + 4 + 4 + JOURNAL_SESSION_LEN + JOURNAL_MAC_LEN)

static size_t padded(size_t len)
{
	return (len + BLOCK_SIZE - 1) & ~(size_t)(BLOCK_SIZE - 1);
}

size_t journal_pages_offset(const struct journal_header *header)
{
	return padded((size_t)JOURNAL_HEADER_LEN + header->records_len + JOURNAL_MAC_LEN);
}

size_t journal_txn_len(const struct journal_header *header)
{
	return journal_pages_offset(header) + (size_t)header->pages * BLOCK_SIZE;
}

void journal_header_encode(const struct journal_header *header, uint8_t out[JOURNAL_HEADER_LEN])
{
	struct writer w;

	writer_init(&w, out, JOURNAL_HEADER_LEN);
	writer_bytes(&w, JOURNAL_MAGIC, 8);
	writer_u32(&w, JOURNAL_FORMAT);
	writer_u64(&w, header->seq);
	writer_u32(&w, header->records_len);
	writer_u32(&w, header->pages);
	writer_u32(&w, header->epoch);
	writer_bytes(&w, header->session, JOURNAL_SESSION_LEN);
	writer_bytes(&w, header->previous_mac, JOURNAL_MAC_LEN);
	writer_zero(&w, JOURNAL_HEADER_LEN - HEADER_USED);
}

enum err journal_header_decode(const uint8_t in[JOURNAL_HEADER_LEN], struct journal_header *header)
{
	struct reader r;

	if (memcmp(in, JOURNAL_MAGIC, 8) != 0)
		return ERR_FORMAT;
	reader_init(&r, in + 8, JOURNAL_HEADER_LEN - 8);
	if (reader_u32(&r) != JOURNAL_FORMAT)
		return ERR_FORMAT;
	header->seq = reader_u64(&r);
	header->records_len = reader_u32(&r);
	header->pages = reader_u32(&r);
	header->epoch = reader_u32(&r);
	reader_bytes(&r, header->session, JOURNAL_SESSION_LEN);
	reader_bytes(&r, header->previous_mac, JOURNAL_MAC_LEN);
	if (header->seq == 0 || header->epoch == 0 || header->records_len > JOURNAL_TXN_MAX ||
	    header->pages > JOURNAL_TXN_MAX / BLOCK_SIZE ||
	    journal_txn_len(header) > JOURNAL_TXN_MAX)
		return ERR_FORMAT;
	for (const uint8_t *zero = reader_view(&r, 1); zero != NULL; zero = reader_view(&r, 1))
		if (*zero != 0)
			return ERR_FORMAT;
	return ERR_OK;
}

/* --- records ------------------------------------------------------------------------ */

static size_t body_len(const struct journal_record *record)
{
	switch (record->type) {
	case JOURNAL_INODE:
		return 16 + 8 + 8 + 1 + 1 + OBJECT_HEADER_LEN;
	case JOURNAL_ENTRIES:
		return 16 + 8 + 4 + (size_t)record->entries.count * ENTRY_LEN;
	case JOURNAL_DATA:
		return 16 + 8 + 4;
	case JOURNAL_INLINE:
		return 16 + 4 + ENTRY_LEN + (size_t)record->inlined.size;
	case JOURNAL_FRESH:
		return 16 + 1 + 8;
	case JOURNAL_DELETE:
		return 16;
	}
	return 0;
}

size_t journal_record_len(const struct journal_record *record)
{
	return RECORD_HEAD + body_len(record);
}

static void put_id(struct writer *w, const struct object_id *id)
{
	writer_bytes(w, id->bytes, sizeof(id->bytes));
}

void journal_record_encode(struct writer *w, const struct journal_record *record)
{
	writer_u8(w, (uint8_t)record->type);
	writer_u32(w, (uint32_t)body_len(record));
	switch (record->type) {
	case JOURNAL_INODE:
		put_id(w, &record->inode.id);
		writer_u64(w, record->inode.base);
		writer_u64(w, record->inode.shrink);
		writer_u8(w, record->inode.flags);
		writer_u8(w, record->inode.levels_before);
		writer_bytes(w, record->inode.header, OBJECT_HEADER_LEN);
		break;
	case JOURNAL_ENTRIES:
		put_id(w, &record->entries.id);
		writer_u64(w, record->entries.first);
		writer_u32(w, record->entries.count);
		writer_bytes(w, record->entries.entries, (size_t)record->entries.count * ENTRY_LEN);
		break;
	case JOURNAL_DATA:
		put_id(w, &record->data.id);
		writer_u64(w, record->data.block);
		writer_u32(w, record->data.page);
		break;
	case JOURNAL_INLINE:
		put_id(w, &record->inlined.id);
		writer_u32(w, record->inlined.size);
		writer_bytes(w, record->inlined.content, ENTRY_LEN + (size_t)record->inlined.size);
		break;
	case JOURNAL_FRESH:
		put_id(w, &record->fresh.id);
		writer_u8(w, record->fresh.level);
		writer_u64(w, record->fresh.index);
		break;
	case JOURNAL_DELETE:
		put_id(w, &record->deleted);
		break;
	}
}

static void get_id(struct reader *r, struct object_id *id)
{
	reader_bytes(r, id->bytes, sizeof(id->bytes));
}

static bool get_inode(struct reader *r, struct journal_inode *inode)
{
	get_id(r, &inode->id);
	inode->base = reader_u64(r);
	inode->shrink = reader_u64(r);
	inode->flags = reader_u8(r);
	inode->levels_before = reader_u8(r);
	reader_bytes(r, inode->header, OBJECT_HEADER_LEN);
	return (inode->flags & ~(JOURNAL_INODE_CREATE | JOURNAL_INODE_STREAM)) == 0 &&
	       inode->levels_before <= TREE_LEVELS_MAX &&
	       (inode->shrink == JOURNAL_NO_SHRINK || inode->shrink <= FILE_SIZE_MAX);
}

static bool get_entries(struct reader *r, struct journal_entries *entries)
{
	get_id(r, &entries->id);
	entries->first = reader_u64(r);
	entries->count = reader_u32(r);
	if (entries->count == 0 || entries->count > TREE_FANOUT ||
	    entries->first % TREE_FANOUT + entries->count > TREE_FANOUT ||
	    entries->first >= FILE_SIZE_MAX / BLOCK_SIZE)
		return false;
	entries->entries = reader_view(r, (size_t)entries->count * ENTRY_LEN);
	return entries->entries != NULL;
}

static bool get_data(struct reader *r, uint32_t pages, struct journal_data *data)
{
	get_id(r, &data->id);
	data->block = reader_u64(r);
	data->page = reader_u32(r);
	return data->page < pages && data->block < FILE_SIZE_MAX / BLOCK_SIZE;
}

static bool get_inline(struct reader *r, struct journal_inline *inlined)
{
	get_id(r, &inlined->id);
	inlined->size = reader_u32(r);
	if (inlined->size > INLINE_MAX)
		return false;
	inlined->content = reader_view(r, ENTRY_LEN + (size_t)inlined->size);
	return inlined->content != NULL;
}

static bool get_fresh(struct reader *r, struct journal_fresh *fresh)
{
	get_id(r, &fresh->id);
	fresh->level = reader_u8(r);
	fresh->index = reader_u64(r);
	return fresh->level >= 1 && fresh->level <= TREE_LEVELS_MAX &&
	       fresh->index < FILE_SIZE_MAX / BLOCK_SIZE;
}

enum err journal_record_decode(struct reader *r, uint32_t pages, struct journal_record *record)
{
	uint8_t type = reader_u8(r);
	uint32_t len = reader_u32(r);
	const uint8_t *body = reader_view(r, len);
	struct reader inner;
	bool good = false;

	if (body == NULL)
		return ERR_FORMAT;
	reader_init(&inner, body, len);
	switch (type) {
	case JOURNAL_INODE:
		good = get_inode(&inner, &record->inode);
		break;
	case JOURNAL_ENTRIES:
		good = get_entries(&inner, &record->entries);
		break;
	case JOURNAL_DATA:
		good = get_data(&inner, pages, &record->data);
		break;
	case JOURNAL_INLINE:
		good = get_inline(&inner, &record->inlined);
		break;
	case JOURNAL_FRESH:
		good = get_fresh(&inner, &record->fresh);
		break;
	case JOURNAL_DELETE:
		get_id(&inner, &record->deleted);
		good = true;
		break;
	}
	if (!good || !reader_done(&inner))
		return ERR_FORMAT;
	record->type = (enum journal_type)type;
	return ERR_OK;
}
