/*
 * The ledger: one SQLite row for each object in the state directory, the
 * "hash stored apart from the file", and the journal's starting point.
 *
 * Rows changed since the last commit live in memory and are looked up first
 * (R7): ledger_put and ledger_remove touch no disk.  ledger_commit writes them
 * all, with the journal position, in one transaction with a full flush.
 *
 * Every row, and the position row, carries an HMAC under the ledger key, so
 * that a row edited by someone without the keys is ERR_TAMPERED.
 *
 * Locks: thread-safe; one mutex, held during a lookup (about 5 us), never
 * during a commit's flush.
 */
#ifndef PHIFS_STORE_LEDGER_H
#define PHIFS_STORE_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "format/journal_record.h"
#include "format/object_header.h"

struct ledger;

struct ledger_row {
	struct object_id id;
	struct object_attr attr;
	uint32_t epoch;
};

/* Where recovery begins. */
struct ledger_position {
	uint64_t start_seq;		       /* first seq that may not be in the rows */
	uint8_t previous_mac[JOURNAL_MAC_LEN]; /* MAC of start_seq - 1 */
	uint8_t session[JOURNAL_SESSION_LEN];  /* of the transactions from start_seq on */
	uint32_t half;			       /* 0 or 1: start_seq begins it at offset 0 */
	uint64_t next_number;		       /* all object numbers below are or were in use */
	uint64_t slots_generation;	       /* of the newest slot file seen */
};

/*
 * Make an empty ledger in directory `state` (file "ledger.db"); ERR_EXISTS if
 * there is one.  `key` is the ledger key.
 */
enum err ledger_create(const char *state, const uint8_t fs_id[16], const uint8_t key[32],
		       const struct ledger_position *position) MUST_CHECK;

/*
 * Without a key the file is not held, and others may write it: what is known of it
 * then is what it had.  Who has the key holds it alone.
 *
 * Open without a key: only ledger_root_attr, ledger_fs_id and ledger_count
 * work, what a locked mount shows; the rest is ERR_LOCKED.  ERR_NOT_FOUND,
 * ERR_FORMAT (not a ledger, damaged, foreign tables in it), ERR_VERSION.
 * With `read_only` nothing is written to the state directory, which may be on a
 * read-only medium; changes stay in memory and ledger_commit is ERR_READ_ONLY.
 */
enum err ledger_open(const char *state, bool read_only, struct ledger **ledger) MUST_CHECK;
/* Uncommitted changes are dropped.  NULL is harmless. */
void ledger_close(struct ledger *ledger);

/*
 * Give (ERR_TAMPERED: the position row does not verify under it) or (NULL)
 * take away the key; ERR_BUSY while there are uncommitted changes.
 */
enum err ledger_set_key(struct ledger *ledger, const uint8_t key[32]) MUST_CHECK;
/*
 * Take the key away and drop uncommitted changes: after a recovery that failed.
 * The journal still has what they came from.
 */
void ledger_abandon(struct ledger *ledger);

const uint8_t *ledger_fs_id(const struct ledger *ledger);
/* Attributes of object 1 without verification, for a mount that is locked from the start. */
enum err ledger_root_attr(struct ledger *ledger, struct object_attr *attr) MUST_CHECK;

enum err ledger_position(struct ledger *ledger, struct ledger_position *position) MUST_CHECK;

/* Overlay first, then disk.  ERR_NOT_FOUND, ERR_TAMPERED. */
enum err ledger_get(struct ledger *ledger, uint64_t number, struct ledger_row *row) MUST_CHECK;

/*
 * These change the overlay only.  ledger_put replaces; ERR_INVALID: number 0, a
 * size above FILE_SIZE_MAX, a version, rdev, blocks or number above INT64_MAX,
 * nanoseconds that are none.  Removing what is not there is no error (redo).
 */
enum err ledger_put(struct ledger *ledger, const struct ledger_row *row) MUST_CHECK;
enum err ledger_remove(struct ledger *ledger, uint64_t number) MUST_CHECK;

/*
 * Rows and position in one transaction (synchronous = FULL); empties the
 * overlay.  Takes what was put before the call; lookups, puts and removes go
 * on meanwhile, commits wait for each other.  After an error the disk is as
 * before, nothing is lost from the overlay, and the commit may be tried again:
 * ERR_FULL, ERR_IO, ERR_FORMAT (damaged), ERR_BUSY (somebody else writes),
 * ERR_INVALID (a row's number is not below next_number).
 */
enum err ledger_commit(struct ledger *ledger, const struct ledger_position *position) MUST_CHECK;

/* Rows now, overlay included; a row of its own, never COUNT(*). */
uint64_t ledger_count(struct ledger *ledger);

/*
 * Each row by rising number (overlay included); stops when `each` fails.  A row
 * that does not verify is logged and left out, and the walk ends with
 * ERR_TAMPERED after the others.  `each` runs without locks and may call any
 * function here; of what changes during a walk it sees the old or the new.
 */
typedef enum err ledger_each(void *ctx, const struct ledger_row *row);
enum err ledger_walk(struct ledger *ledger, ledger_each *each, void *ctx) MUST_CHECK;
/* Rows with nlink 0: deleted at mount (I23). */
enum err ledger_walk_unlinked(struct ledger *ledger, ledger_each *each, void *ctx) MUST_CHECK;

#endif
