/*
 * The redo journal's file: two halves that are filled in turn, and the anchor.
 *
 * The committer appends and flushes; the applier frees a half after a
 * checkpoint (R7).  Which half is free is protected by a mutex; everything
 * else belongs to the committer.  FORMAT.md, "Journal", "Anchor".
 */
#ifndef PHIFS_STORE_JOURNAL_H
#define PHIFS_STORE_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "format/journal_record.h"
#include "keys/keyring.h"
#include "store/backing.h"
#include "store/ledger.h"

struct journal;
struct txn;

/* Make the zero-filled file and an empty anchor (seq 0). */
enum err journal_create(struct backing *ciphertext, struct backing *state,
			const struct keyring *keyring) MUST_CHECK;

/* Where a journal goes on. */
struct journal_start {
	uint64_t seq;                     /* last one that is durable */
	uint8_t mac[JOURNAL_MAC_LEN];     /* its MAC */
	uint8_t session[JOURNAL_SESSION_LEN];
	uint32_t half;                    /* empty half to begin in */
};
enum err journal_open(struct backing *ciphertext, struct backing *state,
		      const struct keyring *keyring, const struct journal_start *start,
		      struct journal **journal) MUST_CHECK;
/* Of a store that is given up: what is appended from here on verifies under no key. */
void journal_wipe_keys(struct journal *journal);
/* Wipes its keys. */
void journal_close(struct journal *journal);

/*
 * Fit `len` bytes: switches to the other half if this one is full.  ERR_AGAIN:
 * the other half is not free yet, the applier must check-point first.
 */
enum err journal_place(struct journal *journal, size_t len) MUST_CHECK;
/* Append the transaction whose records and pages are complete; sets its MAC and half. */
enum err journal_append(struct journal *journal, struct txn *txn) MUST_CHECK;
/* Make all that was appended durable, then move the anchor (not flushed). */
enum err journal_flush(struct journal *journal) MUST_CHECK;
enum err journal_write_anchor(struct journal *journal) MUST_CHECK;
/* Flush the anchor if it was written since the last time; any thread. */
enum err journal_sync_anchor(struct journal *journal) MUST_CHECK;

uint64_t journal_seq(const struct journal *journal);
void journal_last(struct journal *journal, uint64_t *seq, uint8_t mac[JOURNAL_MAC_LEN]);

/*
 * Begin the other half if this one has anything (before an idle checkpoint or
 * a lock).  False: the other half is not free.
 */
bool journal_switch(struct journal *journal);

/*
 * The half that is full and not yet free: its last seq, and the position that
 * recovery starts from once it is free.  False if there is none.
 */
bool journal_full_half(struct journal *journal, uint64_t *last_seq,
		       struct ledger_position *position);
/* Its checkpoint is done. */
void journal_free_half(struct journal *journal);

/* --- for recovery ----------------------------------------------------------- */

/* The newest valid anchor of this volume.  ERR_UNPROVEN: there is none. */
enum err journal_read_anchor(struct backing *state, const struct keyring *keyring,
			     struct anchor *anchor) MUST_CHECK;

/* One transaction found by a scan; all pointers into malloc'd `data`. */
struct journal_txn {
	struct journal_header header;
	uint8_t mac[JOURNAL_MAC_LEN];
	uint8_t *data;
	const uint8_t *records;
	const uint8_t *pages;
};
struct journal_scan;
/* Scan from `position`: sequence, session and MAC chain are checked. */
enum err journal_scan_new(struct backing *ciphertext, const struct keyring *keyring,
			  const struct ledger_position *position,
			  struct journal_scan **scan) MUST_CHECK;
/* The next one; ERR_NOT_FOUND where the chain ends.  The caller frees txn->data. */
enum err journal_scan_next(struct journal_scan *scan, struct journal_txn *txn) MUST_CHECK;
/* The half in which the chain ended. */
uint32_t journal_scan_half(const struct journal_scan *scan);
void journal_scan_free(struct journal_scan *scan);

#endif
