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
	uint64_t start_seq;                    /* first seq that may not be in the rows */
	uint8_t previous_mac[JOURNAL_MAC_LEN]; /* MAC of start_seq - 1 */
	uint8_t session[JOURNAL_SESSION_LEN];  /* of the transactions from start_seq on */
	uint32_t half;                         /* 0 or 1: start_seq begins it at offset 0 */
	uint64_t next_number;                  /* all object numbers below are or were in use */
	uint64_t slots_generation;             /* of the newest slot file seen */
};

/*
 * Make an empty ledger in directory `state` (file "ledger.db"); ERR_EXISTS if
 * there is one.  `key` is the ledger key.
 */
enum err ledger_create(const char *state, const uint8_t fs_id[16], const uint8_t key[32],
		       const struct ledger_position *position) MUST_CHECK;

/*
 * Open without a key: only ledger_root_attr and ledger_fs_id work, what a
 * locked mount shows.  ERR_NOT_FOUND, ERR_FORMAT, ERR_VERSION.
 */
enum err ledger_open(const char *state, bool read_only, struct ledger **ledger) MUST_CHECK;
void ledger_close(struct ledger *ledger);

/* Give or (NULL) take away the key. The overlay must be empty when it is taken. */
enum err ledger_set_key(struct ledger *ledger, const uint8_t key[32]) MUST_CHECK;

const uint8_t *ledger_fs_id(const struct ledger *ledger);
/* Attributes of object 1 without verification, for a mount that is locked from the start. */
enum err ledger_root_attr(struct ledger *ledger, struct object_attr *attr) MUST_CHECK;

enum err ledger_position(struct ledger *ledger, struct ledger_position *position) MUST_CHECK;

/* Overlay first, then disk.  ERR_NOT_FOUND, ERR_TAMPERED. */
enum err ledger_get(struct ledger *ledger, uint64_t number, struct ledger_row *row) MUST_CHECK;

/* Changes the overlay only. */
enum err ledger_put(struct ledger *ledger, const struct ledger_row *row) MUST_CHECK;
enum err ledger_remove(struct ledger *ledger, uint64_t number) MUST_CHECK;

/* Rows and position in one transaction (synchronous = FULL); empties the overlay. */
enum err ledger_commit(struct ledger *ledger, const struct ledger_position *position) MUST_CHECK;

/* Rows now, overlay included; a row of its own, never COUNT(*). */
uint64_t ledger_count(struct ledger *ledger);

/* Each row by rising number (overlay included); stops when `each` fails. */
typedef enum err ledger_each(void *ctx, const struct ledger_row *row);
enum err ledger_walk(struct ledger *ledger, ledger_each *each, void *ctx) MUST_CHECK;
/* Rows with nlink 0: deleted at mount (I23). */
enum err ledger_walk_unlinked(struct ledger *ledger, ledger_each *each, void *ctx) MUST_CHECK;

#endif
