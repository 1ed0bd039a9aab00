/*
 * The redo journal's transactions.  FORMAT.md, "Journal".
 *
 * The file `journal` is one 4 KiB page of nothing (reserved) followed by two
 * halves of JOURNAL_HALF_LEN bytes.  A transaction starts on a 4 KiB boundary:
 *
 *     header 128 bytes   magic, format, seq, record bytes, page count, epoch,
 *                        session id, MAC of the transaction before
 *     records            one after another, each {type u8, length u32, body}
 *     MAC 32 bytes       HMAC-SHA256 under the journal key over header and records
 *     zeroes             to the next 4 KiB boundary
 *     pages              ciphertext blocks, each authenticated by its own tag
 *
 * Pure: bytes <-> structs.  All counts and lengths are checked.
 */
#ifndef PHIFS_FORMAT_JOURNAL_RECORD_H
#define PHIFS_FORMAT_JOURNAL_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "format/layout.h"
#include "format/object_header.h"

#define JOURNAL_HALF_LEN    (64u << 20)
#define JOURNAL_START       4096u
#define JOURNAL_FILE_LEN    (JOURNAL_START + 2ull * JOURNAL_HALF_LEN)
#define JOURNAL_HEADER_LEN  128u
#define JOURNAL_MAC_LEN     32u
#define JOURNAL_SESSION_LEN 16u
#define JOURNAL_TXN_MAX     (56u << 20) /* a transaction longer than this is refused */
#define JOURNAL_NO_SHRINK   UINT64_MAX

struct journal_header {
	uint64_t seq;
	uint32_t records_len; /* bytes of all records together */
	uint32_t pages;       /* number of 4 KiB pages behind the MAC */
	uint32_t epoch;       /* of the journal key */
	uint8_t session[JOURNAL_SESSION_LEN];
	uint8_t previous_mac[JOURNAL_MAC_LEN];
};

/* Offset of the first page, counted from the transaction's start. */
size_t journal_pages_offset(const struct journal_header *header);
/* Length of the whole transaction: a multiple of 4096. */
size_t journal_txn_len(const struct journal_header *header);

void journal_header_encode(const struct journal_header *header, uint8_t out[JOURNAL_HEADER_LEN]);
/* ERR_FORMAT: no transaction starts here. */
enum err journal_header_decode(const uint8_t in[JOURNAL_HEADER_LEN],
			       struct journal_header *header) MUST_CHECK;

enum journal_type {
	JOURNAL_INODE = 1,   /* an object's new header */
	JOURNAL_ENTRIES = 2, /* tree entries of consecutive blocks */
	JOURNAL_DATA = 3,    /* a ciphertext page that replaces a block in place */
	JOURNAL_INLINE = 4,  /* the whole body of page 0 of an inline object */
	JOURNAL_FRESH = 5,   /* a tree page starts from zeroes in this transaction */
	JOURNAL_DELETE = 6,  /* the object is no more */
};

#define JOURNAL_INODE_CREATE 0x01u /* first record of this object: starts from nothing */
#define JOURNAL_INODE_STREAM 0x02u /* unflushed blocks may exist; informational */

struct journal_inode {
	struct object_id id;
	uint64_t base;          /* highest seq whose changes of it are applied and synced (I11) */
	uint64_t shrink;        /* smallest size it had since its last record, or JOURNAL_NO_SHRINK */
	uint8_t flags;
	uint8_t levels_before;  /* tree levels in its last record; 0 if created here */
	uint8_t header[OBJECT_HEADER_LEN];
};

struct journal_entries {
	struct object_id id;
	uint64_t first;         /* block */
	uint32_t count;         /* 1 to 128, within one leaf */
	const uint8_t *entries; /* count * ENTRY_LEN bytes, in the transaction's buffer */
};

struct journal_data {
	struct object_id id;
	uint64_t block;
	uint32_t page;          /* index among the transaction's pages */
};

struct journal_inline {
	struct object_id id;
	uint32_t size;          /* bytes of ciphertext behind entry 0, <= INLINE_MAX */
	const uint8_t *content; /* ENTRY_LEN + size bytes, in the transaction's buffer */
};

struct journal_fresh {
	struct object_id id;
	uint8_t level;
	uint64_t index;
};

struct journal_record {
	enum journal_type type;
	union {
		struct journal_inode inode;
		struct journal_entries entries;
		struct journal_data data;
		struct journal_inline inlined;
		struct journal_fresh fresh;
		struct object_id deleted;
	};
};

/* Appends one record. */
void journal_record_encode(struct writer *w, const struct journal_record *record);
/* Bytes journal_record_encode will append. */
size_t journal_record_len(const struct journal_record *record);
/*
 * Takes the next record off `r`.  Pointers in it point into r's buffer.
 * ERR_FORMAT for anything malformed; `pages` is the header's page count.
 */
enum err journal_record_decode(struct reader *r, uint32_t pages,
			       struct journal_record *record) MUST_CHECK;

/* --- the anchor: two slots of 4 KiB, 96 bytes used, written alternately --- */

#define ANCHOR_SLOT_LEN 4096u
#define ANCHOR_LEN      96u

struct anchor {
	uint8_t fs_id[16];
	uint64_t seq;
	uint32_t epoch;
	uint8_t journal_mac[JOURNAL_MAC_LEN];
};

/* {magic, fs id, seq, epoch, journal MAC, HMAC under the anchor key}. */
void anchor_encode(const struct anchor *anchor, const uint8_t key[32], uint8_t out[ANCHOR_LEN]);
/* The epoch named in a slot, needed to derive the key; 0 if malformed. */
uint32_t anchor_peek_epoch(const uint8_t in[ANCHOR_LEN]);
/* ERR_FORMAT (empty or torn) or ERR_TAMPERED (HMAC, fs id). */
enum err anchor_decode(const uint8_t in[ANCHOR_LEN], const uint8_t fs_id[16],
		       const uint8_t key[32], struct anchor *anchor) MUST_CHECK;

#endif
