/*
 * What happens between a power cut and the first request: the anchor, the
 * journal's chain, replay of every object it touches, objects/new.
 * Rules I11 to I15, R7, R8.
 */
#ifndef PHIFS_STORE_RECOVER_H
#define PHIFS_STORE_RECOVER_H

#include "store/journal.h"
#include "store/volume.h"

/*
 * Bring the volume to the last durable state and begin a new session.  Needs
 * the ledger's key; the threads do not run yet.  ERR_ROLLBACK: the journal does
 * not reach what the anchor acknowledges; ERR_UNPROVEN: no anchor;
 * ERR_READ_ONLY: there is something to replay and the mount may not write.
 */
enum err recover(struct store *store, struct journal_start *start,
		 struct store_recovery *recovery) MUST_CHECK;

/* I23: objects without a name are deleted; the threads run. */
enum err delete_unlinked(struct store *store, struct store_recovery *recovery) MUST_CHECK;

/* --- replay.c ----------------------------------------------------------------------- */

/* All records of one object, oldest first. */
struct replay_record {
	uint64_t seq;
	const uint8_t *pages;          /* of its transaction */
	struct journal_record record;
};
struct replay_object {
	struct object_id id;
	struct replay_record *records; /* malloc'd */
	size_t count, room;
	UT_hash_handle hh;
};

/*
 * Redo one object (idempotent, I12): I13 compares the root at the end.
 * `*damaged`: its root does not fit, or its file is gone; nothing was written.
 */
enum err replay(struct store *store, const struct replay_object *object,
		bool *damaged) MUST_CHECK;

/*
 * Do all data pages of a transaction open under its own entries (I14)?  All the
 * rest of it is in the records, which its MAC covers.
 */
enum err replay_verify_tags(struct store *store, const struct journal_txn *txn) MUST_CHECK;

#endif
