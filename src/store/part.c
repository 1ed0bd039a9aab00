#include "store/part.h"

#include <stdlib.h>
#include <string.h>

#include "store/node.h"

void part_free(struct store *store, struct part *part)
{
	if (part == NULL)
		return;
	overlay_clear(&part->overlay);
	for (size_t i = 0; i < part->page_count; i++)
		tree_page_put(part->pages[i].page);
	free(part->pages);
	free(part->blocks);
	secmem_wipe(part->name, sizeof(part->name));
	node_put(store, part->node);
	free(part);
}

bool parts_have_block(const struct content *content, uint64_t block)
{
	for (const struct part *part = content->parts_first; part != NULL;
	     part = part->content_next)
		if (overlay_find(&part->overlay, block) != NULL)
			return true;
	return false;
}

void txn_free(struct store *store, struct txn *txn)
{
	if (txn == NULL)
		return;
	while (txn->parts_first != NULL) {
		struct part *part = txn->parts_first;

		txn->parts_first = part->next;
		part_free(store, part);
	}
	free(txn->records);
	free(txn->pages);
	free(txn);
}

enum err txn_add_page(struct txn *txn, uint32_t *page)
{
	if (txn->page_count == txn->page_room) {
		uint32_t room = txn->page_room == 0 ? 16 : txn->page_room * 2;
		uint8_t *pages = realloc(txn->pages, (size_t)room * BLOCK_SIZE);

		if (pages == NULL)
			return ERR_NO_MEMORY;
		txn->pages = pages;
		txn->page_room = room;
	}
	*page = txn->page_count++;
	return ERR_OK;
}

/* Room for `len` more bytes of records, and for the MAC and padding behind them. */
static enum err reserve(struct txn *txn, size_t len)
{
	size_t needed = txn->records_len + len + JOURNAL_MAC_LEN + BLOCK_SIZE;
	size_t room = txn->records_room == 0 ? 16384 : txn->records_room;
	uint8_t *records;

	if (needed <= txn->records_room)
		return ERR_OK;
	while (room < needed)
		room *= 2;
	records = realloc(txn->records, room);
	if (records == NULL)
		return ERR_NO_MEMORY;
	txn->records = records;
	txn->records_room = room;
	return ERR_OK;
}

struct txn *txn_new(uint64_t seq)
{
	struct txn *txn = calloc(1, sizeof(*txn));

	if (txn == NULL)
		return NULL;
	txn->seq = seq;
	txn->records_len = JOURNAL_HEADER_LEN;
	/* Header, MAC and padding have room even if every part is left out. */
	if (reserve(txn, 0) != ERR_OK) {
		free(txn);
		return NULL;
	}
	return txn;
}

enum err txn_add_record(struct txn *txn, const struct journal_record *record)
{
	size_t len = journal_record_len(record);
	enum err err = reserve(txn, len);
	struct writer w;

	if (err != ERR_OK)
		return err;
	writer_init(&w, txn->records + txn->records_len, len);
	journal_record_encode(&w, record);
	if (w.failed || w.len != len)
		return ERR_TOO_LARGE;
	txn->records_len += len;
	return ERR_OK;
}

size_t txn_len(const struct txn *txn)
{
	size_t records = (txn->records_len + JOURNAL_MAC_LEN + BLOCK_SIZE - 1) & ~(size_t)(BLOCK_SIZE - 1);

	return records + (size_t)txn->page_count * BLOCK_SIZE;
}
