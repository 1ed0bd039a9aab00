/*
 * One object's share of a transaction: the state it takes the object to.
 * Made by gather.c, sealed by seal.c, put in place by apply.c; in that order
 * by the committer (first two) and the applier.
 */
#ifndef PHIFS_STORE_PART_H
#define PHIFS_STORE_PART_H

#include "store/volume.h"

/* A block whose ciphertext is in the transaction's pages. */
struct part_block {
	uint64_t block;
	uint32_t page;
};

/* A tree page as this transaction leaves it; referenced. */
struct part_page {
	struct tree_page *page;
	bool fresh;                /* started from zeroes in it */
};

struct part {
	struct part *next;         /* of the transaction */
	struct part *content_next; /* of the content, by rising seq */
	struct node *node;         /* pinned */
	struct content *content;
	uint64_t seq;
	uint64_t op;
	bool is_create, is_delete;
	bool is_left_out;          /* its tree could not be read: nothing is written */
	bool is_inline;            /* after it */
	uint64_t base, shrink;
	int levels_before;
	struct object_attr attr;
	struct object_id parent, attributes;
	char name[OBJECT_NAME_MAX + 1];
	struct overlay overlay;

	uint8_t header[OBJECT_HEADER_LEN];
	struct part_page *pages;   /* changed ones */
	size_t page_count, page_room;
	struct part_block *blocks;
	size_t block_count, block_room;
};

/* Wiped; drops its references (node, overlay, pages). */
void part_free(struct store *store, struct part *part);

/* Does any part of the content not applied yet have `block`?  node->mutex held. */
bool parts_have_block(const struct content *content, uint64_t block);

struct txn {
	struct txn *next;
	uint64_t seq;
	uint8_t mac[JOURNAL_MAC_LEN];
	uint32_t half;
	struct part *parts_first, *parts_last;
	size_t part_count;
	uint64_t names_op;         /* namespace changes it has */
	bool has_left_over;        /* it was full: another one is due at once */
	uint8_t *records;          /* malloc'd: header, records, MAC, padding */
	size_t records_len, records_room;
	uint8_t *pages;            /* malloc'd: ciphertext blocks */
	uint32_t page_count, page_room;
};

struct txn *txn_new(uint64_t seq);
void txn_free(struct store *store, struct txn *txn);
/* Room for one more ciphertext page; its number. */
enum err txn_add_page(struct txn *txn, uint32_t *page) MUST_CHECK;
enum err txn_add_record(struct txn *txn, const struct journal_record *record) MUST_CHECK;
size_t txn_len(const struct txn *txn);

#endif
