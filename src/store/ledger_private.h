/*
 * What the ledger's files share; nothing outside src/store/ledger*.c includes it.
 *
 *     ledger.c          life, key, position, lookups
 *     ledger_commit.c   the overlay's way to the disk
 *     ledger_changes.c  rows changed since the last commit: the overlay
 *     ledger_rows.c     struct <-> columns, and the HMACs
 *     ledger_sql.c      connections, schema, statements, error codes
 *     ledger_walk.c     rows in order
 */
#ifndef PHIFS_STORE_LEDGER_PRIVATE_H
#define PHIFS_STORE_LEDGER_PRIVATE_H

#include <pthread.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/ledger.h"

#define LEDGER_FILE	      "ledger.db"
#define LEDGER_KEY_LEN	      32u
#define LEDGER_MAC_LEN	      32u
#define LEDGER_FS_ID_LEN      16u
#define LEDGER_TAIL_LEN	      8u	 /* random half of an object id */
#define LEDGER_APPLICATION_ID 0x7068694c /* "phiL" */
#define LEDGER_FORMAT	      1		 /* PRAGMA user_version */
#define LEDGER_BUSY_MS	      10000	 /* somebody else's sqlite3(1) holds the lock */
#define LEDGER_NUMBER_MAX     INT64_MAX	 /* SQLite's integers are signed */

/* --- overlay ------------------------------------------------------------- */

struct ledger_change;

struct ledger_changes {
	struct ledger_change *table; /* uthash */
};

/* What the overlay says about a number. */
enum change_kind { CHANGE_NONE, CHANGE_PUT, CHANGE_REMOVED };

enum change_kind ledger_changes_find(const struct ledger_changes *changes, uint64_t number,
				     const struct ledger_row **row);
/*
 * Put (row) or remove (row NULL).  `below` tells whether a row of that number
 * exists under this overlay; it is looked at only if the overlay has none.
 */
enum err ledger_changes_set(struct ledger_changes *changes, uint64_t number,
			    const struct ledger_row *row, bool below) MUST_CHECK;
size_t ledger_changes_count(const struct ledger_changes *changes);
void ledger_changes_clear(struct ledger_changes *changes);
/* `newer` wins; `older` is empty afterwards.  Cannot fail. */
void ledger_changes_merge(struct ledger_changes *older, struct ledger_changes *newer);
/* Numbers of both, rising, each once; malloc'd. */
enum err ledger_changes_numbers(const struct ledger_changes *a, const struct ledger_changes *b,
				uint64_t **numbers, size_t *count) MUST_CHECK;

/* --- statements ------------------------------------------------------------ */

enum ledger_read {
	READ_ROW,
	READ_EXISTS,
	READ_WALK,
	READ_WALK_UNLINKED,
	READ_POSITION,
	READ_COUNT,
};

enum ledger_write {
	WRITE_BEGIN,
	WRITE_ROW,
	WRITE_REMOVE,
	WRITE_POSITION,
	WRITE_COMMIT,
	WRITE_ROLLBACK,
	WRITE_COUNT,
};

/*
 * Locks.  `commit_lock` is taken first: it owns the writer connection, the
 * `committing` overlay's removal and the key's removal.  `lock` protects
 * everything else, the reader connection included; nobody waits for a disk
 * flush while holding it.  `committing` itself is constant while it is there.
 */
struct ledger {
	pthread_mutex_t commit_lock;
	pthread_mutex_t lock;
	bool read_only;
	char *path; /* of the database */
	uint8_t fs_id[LEDGER_FS_ID_LEN];
	uint8_t *key; /* secmem; NULL without */
	sqlite3 *reader; /* NULL without a key, unless read_only */
	sqlite3 *writer; /* NULL if read_only, and without a key */
	sqlite3_stmt *read[READ_COUNT];
	sqlite3_stmt *write[WRITE_COUNT];
	struct ledger_position position; /* on disk */
	uint64_t count;			 /* rows now, overlays included */
	struct object_attr root;	 /* of object 1, when the connections were closed */
	enum err root_err;		 /* ... or why there are none */
	struct ledger_changes changed;
	struct ledger_changes committing;
};

/* --- SQL --------------------------------------------------------------------- */

/* The error of the last call on `db`, logged where an operator should know. */
enum err ledger_sql_error(sqlite3 *db, int rc);
enum err ledger_sql_exec(sqlite3 *db, const char *sql) MUST_CHECK;
/* Steps a statement without result and resets it. */
enum err ledger_sql_run(sqlite3 *db, sqlite3_stmt *statement) MUST_CHECK;
/* Makes the tables in the new file `path`, with the given fs id. */
enum err ledger_sql_create(const char *path, const uint8_t fs_id[LEDGER_FS_ID_LEN],
			   sqlite3 **db) MUST_CHECK;
/* Opens connections, checks format and schema, prepares, reads the fs id. */
enum err ledger_sql_open(struct ledger *ledger, const char *path) MUST_CHECK;
void ledger_sql_close(struct ledger *ledger);
/* The statement that writes the position, for ledger_create. */
enum err ledger_sql_prepare_position(sqlite3 *db, sqlite3_stmt **statement) MUST_CHECK;

/* --- rows ---------------------------------------------------------------------- */

/* ERR_INVALID if a field does not fit its column. */
enum err ledger_row_check(const struct ledger_row *row) MUST_CHECK;
enum err ledger_row_bind(sqlite3_stmt *statement, const uint8_t fs_id[LEDGER_FS_ID_LEN],
			 const uint8_t key[LEDGER_KEY_LEN],
			 const struct ledger_row *row) MUST_CHECK;
/* `key` NULL: not verified.  ERR_TAMPERED. */
enum err ledger_row_read(sqlite3_stmt *statement, const uint8_t fs_id[LEDGER_FS_ID_LEN],
			 const uint8_t *key, struct ledger_row *row) MUST_CHECK;
enum err ledger_position_check(const struct ledger_position *position) MUST_CHECK;
enum err ledger_position_bind(sqlite3_stmt *statement, const uint8_t fs_id[LEDGER_FS_ID_LEN],
			      const uint8_t key[LEDGER_KEY_LEN],
			      const struct ledger_position *position, uint64_t objects) MUST_CHECK;
enum err ledger_position_read(sqlite3_stmt *statement, const uint8_t fs_id[LEDGER_FS_ID_LEN],
			      const uint8_t *key, struct ledger_position *position,
			      uint64_t *objects) MUST_CHECK;

/* --- lookups, with ledger->lock held ------------------------------------------ */

/* In the overlays only. */
enum change_kind ledger_find_change(const struct ledger *ledger, uint64_t number,
				    const struct ledger_row **row);
/* Position and count as they are on disk; verified if there is a key. */
enum err ledger_load_position(struct ledger *ledger) MUST_CHECK;

#endif
