/*
 * The encrypted file system without FUSE.
 *
 * Objects, directories, journal, commit, recovery, ledger and anchor; DESIGN.md
 * "Store", FORMAT.md.  The store checks no roles and writes no audit records:
 * its callers do.
 *
 * Life of a store: store_open (locked) -> store_unlock -> operations ->
 * store_lock -> store_unlock ... -> store_close.  Nodes, their numbers and
 * their reference counts survive a lock, so that descriptors work again after
 * unlock; keys, names and content do not.
 *
 * Numbers.  A node is named by its object's number (st_ino, FUSE node id); the
 * root directory is STORE_ROOT.  A number is never used twice.
 *
 * References.  store_lookup and the calls that make a name (create, link,
 * symlink) add one lookup reference to the node they return, store_forget
 * takes them away: the kernel's nlookup.  store_open_node and
 * store_release_node count open handles; a node without a name lives until
 * the last of both is given back: who has its number can still open it.
 *
 * Waiting.  No call waits for a flush.  Calls that must (store_fsync,
 * store_sync, durable writes, rename over a target, writers over the dirty
 * limit) take a completion: it is called exactly once, possibly before the
 * call returns, on any thread, with no lock of the store held.  Only when more
 * has piled up in memory than a transaction can carry, a call that changes
 * something sleeps until a commit has taken it: so a completion must not make
 * such a call.
 *
 * Threads.  All calls are thread-safe.  Between store_lock and store_unlock
 * every call but store_getattr (frozen), store_forget, store_release_node and
 * store_statfs gives ERR_LOCKED.
 */
#ifndef PHIFS_STORE_STORE_H
#define PHIFS_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/err.h"
#include "format/object_header.h"
#include "keys/keyring.h"
#include "store/backing.h"

#define STORE_ROOT       1u
#define STORE_NAME_MAX   255u
#define STORE_PATH_MAX   4096u
#define STORE_TARGET_MAX 4095u  /* symlink */
#define STORE_XATTR_NAME_MAX  255u
#define STORE_XATTR_VALUE_MAX 65536u
#define STORE_XATTR_TOTAL_MAX (256u << 10) /* all attributes of a file together */

struct store;

/* What the commit waits for besides the journal: the audit trail's flush. */
struct store_hooks {
	void *ctx;
	/* Start making durable what was recorded up to now; returns a ticket. */
	uint64_t (*flush_begin)(void *ctx);
	/* Wait for it. */
	enum err (*flush_wait)(void *ctx, uint64_t ticket);
	/*
	 * An object did not verify: TAMPERED, ROLLBACK, LEDGER_OLD, DELETED or
	 * UNKNOWN.  Called once for each discovery, on any thread, with node
	 * locks held: must not call back into the store.
	 */
	void (*integrity)(void *ctx, uint64_t number, enum err what, uint64_t block);
	/* The store froze after an I/O error of the backing (I24). */
	void (*frozen)(void *ctx, enum err why);
};

struct store_config {
	struct backing *ciphertext;   /* owned by the store after store_open succeeded */
	struct backing *state;        /* likewise; anchor and ballast */
	const char *state_path;       /* for SQLite */
	bool read_only;               /* write nothing; recovery is then refused if needed */
	struct store_hooks hooks;     /* zeroes: none */
	/* 0: the default of DESIGN.md, "Numbers" */
	uint32_t commit_interval_ms;  /* 1000 */
	uint64_t dirty_max;           /* 32 MiB */
	uint64_t stream_threshold;    /* 256 KiB of fresh data of a file; above, it streams */
};

/* Completion: err and, for writes, the bytes written. */
typedef void store_done(void *ctx, enum err err, size_t bytes);

struct store_attr {
	uint64_t number;
	struct object_attr object; /* mode, nlink, uid, gid, rdev, size, times, blocks */
};

/* --- life ------------------------------------------------------------------ */

/*
 * Make an empty volume: objects/00..ff, objects/new, the zero-filled journal,
 * ledger, anchor and the root directory with the given owner and mode.
 * Refuses (ERR_EXISTS) a directory that already has any of them.
 */
enum err store_create(struct backing *ciphertext, struct backing *state, const char *state_path,
		      const struct keyring *keyring, uint32_t uid, uint32_t gid,
		      uint32_t mode) MUST_CHECK;

/*
 * Take the volume's directories (one mounter: a lock file in each; ERR_BUSY) and
 * show the root's frozen attributes.  The store is locked.  ERR_NOT_FOUND: one of
 * them holds no volume (a disk that is not mounted); nothing was written.
 */
enum err store_open(const struct store_config *config, struct store **store) MUST_CHECK;

/* Locks if necessary, frees everything. */
void store_close(struct store *store);

struct store_recovery {
	bool was_clean;          /* nothing had to be replayed */
	uint64_t transactions;   /* replayed */
	uint64_t adopted;        /* of them: beyond the anchor, complete and authentic */
	uint64_t objects;        /* touched */
	uint64_t damaged;        /* whose root does not fit after replay (I13) */
	uint64_t deleted;        /* unlinked objects removed at mount (I23) */
};

/*
 * Check the anchor, replay the journal, start the threads.  The keyring must
 * outlive the time until store_lock.  ERR_ROLLBACK: journal or ledger are
 * older than what was acknowledged.  ERR_UNPROVEN: the anchor is missing.
 */
enum err store_unlock(struct store *store, const struct keyring *keyring,
		      struct store_recovery *recovery) MUST_CHECK;

/*
 * The generation of the slot file that the next store_unlock's keyring came
 * from: older than the newest ever seen is ERR_ROLLBACK there, newer is
 * remembered.  0 (the state after store_open): not checked.
 */
void store_set_slots_generation(struct store *store, uint64_t generation);

struct store_lock_report {
	uint64_t bytes_given_up; /* un-fsynced bytes lost to the deadline */
	enum err err;            /* ERR_OK or why the last commit failed */
};

/*
 * Commit everything, checkpoint (recovery is never needed while locked), stop
 * the threads, wipe keys, names, plaintext.  No operation may be running.
 * After `deadline_ms` of waiting for the backing it wipes anyway and the store
 * can only be closed.
 */
void store_lock(struct store *store, uint32_t deadline_ms, struct store_lock_report *report);

/*
 * The same when operations still hang in the store: what they use is wiped, not
 * freed, and the store can only be closed, even if everything was committed.
 */
void store_abandon(struct store *store, uint32_t deadline_ms, struct store_lock_report *report);

/* --- nodes ------------------------------------------------------------------ */

enum err store_lookup(struct store *store, uint64_t dir, const char *name,
		      struct store_attr *attr) MUST_CHECK;
void store_forget(struct store *store, uint64_t number, uint64_t count);

/* Works while locked (frozen attributes). */
enum err store_getattr(struct store *store, uint64_t number, struct store_attr *attr) MUST_CHECK;

/*
 * While locked: the attributes of `name` in `dir` if that very name was looked
 * up before the lock and its node is still referenced (a keyed hash is kept,
 * not the name); adds a lookup reference.  Else ERR_LOCKED.
 */
enum err store_lookup_frozen(struct store *store, uint64_t dir, const char *name,
			     struct store_attr *attr) MUST_CHECK;

#define STORE_SET_MODE  0x01u
#define STORE_SET_UID   0x02u
#define STORE_SET_GID   0x04u
#define STORE_SET_SIZE  0x08u
#define STORE_SET_ATIME 0x10u
#define STORE_SET_MTIME 0x20u
#define STORE_SET_CTIME 0x40u
struct store_setattr {
	uint32_t valid;
	uint32_t mode; /* permission bits */
	uint32_t uid, gid;
	uint64_t size;
	struct timespec atime, mtime, ctime;
};
enum err store_setattr(struct store *store, uint64_t number, const struct store_setattr *set,
		       struct store_attr *attr) MUST_CHECK;

/*
 * The path of a node below the root ("/a/b"); for hard links by the one name
 * that its header has; of one without a name the last that it had, until the next
 * lock.  ERR_STALE: it is not known.
 */
enum err store_path(struct store *store, uint64_t number, char *path, size_t size) MUST_CHECK;

/*
 * Every name of a node: one for most, several for hard links; of one without a name
 * the last, as above.  `each` gets the directory and the name (NUL-terminated) and
 * must not call the store.
 */
typedef void store_each_name(void *ctx, uint64_t dir, const char *name);
enum err store_names(struct store *store, uint64_t number, store_each_name *each,
		     void *ctx) MUST_CHECK;

/*
 * The node of an absolute path; empty components are skipped, "." and ".." are
 * names like others.  Takes no lookup reference.  ERR_NOT_FOUND, ERR_NAME_LENGTH.
 */
enum err store_find_path(struct store *store, const char *path,
			 struct store_attr *attr) MUST_CHECK;

#define STORE_PATHS_MAX 1024u /* of one file; more hard links are not told */

/*
 * Every path of a node, "/" of the root.  `each` may call the store; what it
 * returns other than ERR_OK ends the walk and is returned.  ERR_STALE: no name.
 */
typedef enum err store_each_path(void *ctx, const char *path);
enum err store_paths(struct store *store, uint64_t number, store_each_path *each,
		     void *ctx) MUST_CHECK;

/* The object's id: for pseudonyms and "locate". */
enum err store_object_id(struct store *store, uint64_t number, struct object_id *id) MUST_CHECK;

/* --- names ------------------------------------------------------------------ */

/* mode has the type: regular, directory, fifo, socket, device (rdev). */
enum err store_create_node(struct store *store, uint64_t dir, const char *name, uint32_t mode,
			   uint64_t rdev, uint32_t uid, uint32_t gid,
			   struct store_attr *attr) MUST_CHECK;
enum err store_symlink(struct store *store, uint64_t dir, const char *name, const char *target,
		       uint32_t uid, uint32_t gid, struct store_attr *attr) MUST_CHECK;
enum err store_link(struct store *store, uint64_t number, uint64_t dir, const char *name,
		    struct store_attr *attr) MUST_CHECK;
enum err store_unlink(struct store *store, uint64_t dir, const char *name) MUST_CHECK;
enum err store_rmdir(struct store *store, uint64_t dir, const char *name) MUST_CHECK;

#define STORE_RENAME_NOREPLACE 0x1u
#define STORE_RENAME_EXCHANGE  0x2u
/* Parked while a replaced target waits for the source's data (R3). */
void store_rename(struct store *store, uint64_t dir, const char *name, uint64_t new_dir,
		  const char *new_name, uint32_t flags, store_done *done, void *ctx);

enum err store_readlink(struct store *store, uint64_t number, char *target,
			size_t size) MUST_CHECK;

struct store_dirent {
	const char *name; /* NUL-terminated */
	uint64_t number;
	uint32_t type;    /* S_IF* */
	uint64_t next;    /* cookie that continues behind this entry */
};
/*
 * Entries behind `cookie` (0: from the start), without "." and "..".  With
 * `with_attr`, `attr` of the callback is set and a lookup reference is taken
 * for each entry that was taken (READDIRPLUS); NULL attr otherwise.  The
 * callback returns false to stop: that entry was then not taken.
 */
typedef bool store_each_dirent_plus(void *ctx, const struct store_dirent *entry,
				    const struct store_attr *attr);
enum err store_readdir(struct store *store, uint64_t dir, uint64_t cookie, bool with_attr,
		       store_each_dirent_plus *each, void *ctx) MUST_CHECK;
/* The parent of a directory (itself for the root). */
enum err store_parent(struct store *store, uint64_t dir, uint64_t *parent) MUST_CHECK;

/* --- content ---------------------------------------------------------------- */

enum err store_open_node(struct store *store, uint64_t number, bool truncate) MUST_CHECK;
void store_release_node(struct store *store, uint64_t number);
/*
 * For who answers a truncation.  Where much was cut off that is durable, what is
 * written next could not go in place before the truncation is applied (R4): it
 * would be written twice, through the journal.  `done` is called, always with
 * ERR_OK, when that is over: at once if there is nothing to wait for.
 */
void store_settle(struct store *store, uint64_t number, store_done *done, void *ctx);

enum err store_read(struct store *store, uint64_t number, uint64_t offset, void *data, size_t len,
		    size_t *got) MUST_CHECK;

/*
 * All or nothing of at most 1 MiB.  The data is taken before the call returns;
 * `done` is called when the reply may go out: at once, or when dirty memory is
 * below its limit, or with `durable` (O_SYNC, O_DSYNC) when it is committed.
 */
void store_write(struct store *store, uint64_t number, uint64_t offset, const void *data,
		 size_t len, bool durable, store_done *done, void *ctx);

#define STORE_FALLOCATE_KEEP_SIZE 0x1u
#define STORE_FALLOCATE_PUNCH     0x2u
#define STORE_FALLOCATE_ZERO      0x4u
enum err store_fallocate(struct store *store, uint64_t number, uint32_t mode, uint64_t offset,
			 uint64_t len) MUST_CHECK;
/* SEEK_DATA / SEEK_HOLE; ERR_NO_OFFSET. */
enum err store_seek(struct store *store, uint64_t number, uint64_t offset, bool data,
		    uint64_t *found) MUST_CHECK;
/* At most 8 MiB a call; short otherwise. */
void store_copy_range(struct store *store, uint64_t from, uint64_t from_offset, uint64_t to,
		      uint64_t to_offset, uint64_t len, store_done *done, void *ctx);

/* Content, attributes and name of one node; R2. */
void store_fsync(struct store *store, uint64_t number, store_done *done, void *ctx);
/* Everything that was done before the call. */
void store_sync(struct store *store, store_done *done, void *ctx);

/* --- extended attributes ----------------------------------------------------- */

#define STORE_XATTR_CREATE  0x1u
#define STORE_XATTR_REPLACE 0x2u
enum err store_setxattr(struct store *store, uint64_t number, const char *name, const void *value,
			size_t len, uint32_t flags) MUST_CHECK;
/* `*len` in: room; out: length of the value.  Room 0 asks for the length. ERR_RANGE, ERR_NO_ATTR. */
enum err store_getxattr(struct store *store, uint64_t number, const char *name, void *value,
			size_t *len) MUST_CHECK;
/* Names one after another, each with its NUL. */
enum err store_listxattr(struct store *store, uint64_t number, char *names,
			 size_t *len) MUST_CHECK;
enum err store_removexattr(struct store *store, uint64_t number, const char *name) MUST_CHECK;

/* --- the volume --------------------------------------------------------------- */

struct store_statfs {
	uint64_t block_size; /* 4096 */
	uint64_t blocks, blocks_free;
	uint64_t files, files_free;
};
enum err store_statfs(struct store *store, struct store_statfs *st) MUST_CHECK;

struct store_status {
	bool is_locked;
	bool is_frozen;
	uint64_t objects;
	uint64_t dirty_bytes;
	uint64_t journal_seq;           /* last appended */
	uint8_t journal_mac[32];        /* its MAC: goes into audit seals */
	uint64_t commits, checkpoints;
	uint64_t damaged;               /* integrity failures seen since unlock */
};
void store_status(struct store *store, struct store_status *status);

/*
 * Offline, read-only check of a whole volume: every object, every block, the
 * ledger against the files and the other way round, and, if all names could be
 * read, names against link counts.  `report` is called for each finding:
 * TAMPERED, FORMAT, ROLLBACK, LEDGER_OLD, DELETED (no file), UNKNOWN (a file
 * that is not in the ledger, or in a wrong place; the id is zero if its name is
 * none), STALE (more or fewer names lead to it than it counts).  A row that
 * does not verify is reported with a zero id.  The store must be unlocked and
 * nothing else may run.
 */
struct store_check_counts {
	uint64_t objects, blocks, bytes, damaged, missing, unknown, rolled_back, unreferenced;
};
typedef void store_check_report(void *ctx, const struct object_id *id, enum err what,
				uint64_t block);
typedef void store_check_progress(void *ctx, uint64_t done, uint64_t total);
enum err store_check(struct store *store, store_check_report *report,
		     store_check_progress *progress, void *ctx,
		     struct store_check_counts *counts) MUST_CHECK;

#endif
