/*
 * The only way the store touches files: a table of the backing system calls.
 *
 * Three implementations: the real one (backing_real.c), one that fails or
 * kills at the n-th call (backing_fault.c, tests) and a simulated disk that
 * keeps every version of every sector for the crash tests (backing_sim.c,
 * tests).  All paths are relative to the directory the backing was opened
 * for ("." is that directory itself); absolute paths and ".." are ERR_INVALID,
 * none is ever followed through a symbolic link.  A path that meets a link, or
 * something else than a regular file where one is opened, is ERR_TAMPERED:
 * the store makes neither.  Thread-safe.
 *
 * A full pread past the end of the file gives zeroes for what is missing: an
 * object's holes and its end look alike, the tree tells them apart.
 */
#ifndef PHIFS_STORE_BACKING_H
#define PHIFS_STORE_BACKING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct backing;

struct backing_space {
	uint64_t free_bytes; /* for us: what is reserved for root is not counted */
	uint64_t total_bytes;
	uint64_t free_inodes;
	uint64_t total_inodes; /* 0: this file system does not count them */
};

#define BACKING_CREATE    0x1 /* create (mode 0600), must not exist */
#define BACKING_READ_ONLY 0x2

typedef void backing_name(void *ctx, const char *name);

struct backing_ops {
	/* A small non-negative file number. */
	enum err (*open)(struct backing *b, const char *path, int flags, int *file);
	void (*close)(struct backing *b, int file);
	/* Exactly `len` bytes, zeroes behind the end. */
	enum err (*pread)(struct backing *b, int file, void *data, size_t len, uint64_t offset);
	enum err (*pwrite)(struct backing *b, int file, const void *data, size_t len,
			   uint64_t offset);
	enum err (*fdatasync)(struct backing *b, int file);
	/*
	 * The disk gets what was written to the range, and the call waits for that,
	 * without making it durable: the next fdatasync has less to do.  Its error is
	 * one that fdatasync then need not give again.
	 */
	enum err (*write_out)(struct backing *b, int file, uint64_t offset, uint64_t len);
	enum err (*truncate)(struct backing *b, int file, uint64_t size);
	/* Free the blocks of a range; unsupported is not an error. */
	enum err (*punch)(struct backing *b, int file, uint64_t offset, uint64_t len);
	enum err (*size)(struct backing *b, int file, uint64_t *size);
	/* Replaces `to` if it exists. */
	enum err (*rename)(struct backing *b, const char *from, const char *to);
	enum err (*unlink)(struct backing *b, const char *path);
	/* One directory, mode 0700; ERR_EXISTS. */
	enum err (*mkdir)(struct backing *b, const char *path);
	enum err (*sync_dir)(struct backing *b, const char *path);
	/* Everything of the file system that holds the directory. */
	enum err (*sync_all)(struct backing *b);
	enum err (*space)(struct backing *b, struct backing_space *space);
	/* Every name but "." and ".."; `each` must not call into the backing. */
	enum err (*list)(struct backing *b, const char *path, backing_name *each, void *ctx);
	void (*free)(struct backing *b);
};

/* Implementations embed this as their first member. */
struct backing {
	const struct backing_ops *ops;
};

static inline void backing_free(struct backing *b)
{
	if (b != NULL)
		b->ops->free(b);
}

/* Was it an object's path, the object is gone: nothing is there, or something else. */
static inline bool backing_is_gone(enum err err)
{
	return err == ERR_NOT_FOUND || err == ERR_TAMPERED || err == ERR_IS_DIR;
}

/* The real thing, below directory `path`, which must exist. */
enum err backing_real_new(const char *path, struct backing **backing) MUST_CHECK;

/* --- for tests: in tests/libstoretest.a, never part of a program --------------- */

/*
 * Wraps another backing (owned from then on): the n-th call from now that
 * changes or syncs something (1 is the next; 0 disarms) fails with `err`, and
 * all later ones if `sticky`.  A write that fails has written its first half.
 */
enum err backing_fault_new(struct backing *inner, struct backing **backing) MUST_CHECK;
void backing_fault_arm(struct backing *backing, uint64_t calls, enum err err, bool sticky);
/* The n-th call from now kills the process (SIGKILL) instead, a write when half of it is made. */
void backing_fault_arm_kill(struct backing *backing, uint64_t calls);
/* The first call that failed since it was armed, "pwrite"; NULL: none has. */
const char *backing_fault_struck(struct backing *backing);
/* Changing calls so far. */
uint64_t backing_fault_calls(struct backing *backing);

/*
 * A simulated disk in memory.  Each 512-byte sector keeps all versions since
 * its last durable one, so does each file's size; each change of a name
 * (create, mkdir, rename, unlink) is an event of its own, a rename one of the
 * target's directory.  fdatasync makes durable what was written to that file
 * before it began (not its name), sync_dir what happened to names of that
 * directory and what those events need (the same name, file or directory,
 * earlier), sync_all everything.  Pages of zeroes take no memory.
 */
enum err backing_sim_new(struct backing **backing) MUST_CHECK;
/*
 * The disk after a power cut: for every sector, size and name one of its
 * versions, picked by `choice`: 0 all oldest, 1 all newest, else from that
 * seed one of several styles (independent, all but one, as of one moment, file
 * by file ...).  What a name needs happened before it.  The original is
 * unchanged; pages are shared.  After sync_all a crash is a cheap copy.
 */
enum err backing_sim_crash(struct backing *backing, uint64_t choice,
			   struct backing **after) MUST_CHECK;
/* Sectors, sizes and names that have more than one possible outcome now. */
uint64_t backing_sim_pending(struct backing *backing);
/*
 * Called before each changing call, without a lock: the place where a crash
 * test looks.  What other threads write while the hook of a sync runs is not
 * made durable by that sync.
 */
typedef void backing_sim_hook(void *ctx);
void backing_sim_set_hook(struct backing *backing, backing_sim_hook *hook, void *ctx);
/* Changing calls so far. */
uint64_t backing_sim_calls(struct backing *backing);
/* Changing calls under way, those whose hook has not returned included. */
unsigned int backing_sim_active(struct backing *backing);
/*
 * A file system without a journal: a rename is two events, the new name (of
 * its directory) and then the removal of the old (of its own); both may be
 * found after a crash.
 */
void backing_sim_rename_in_two(struct backing *backing, bool in_two);
/*
 * What lies in pages of a file within the range becomes what another disk's
 * file has there; both exist.  For attacks: as fast as what is in the files.
 */
enum err backing_sim_copy(struct backing *from, const char *from_path, struct backing *to,
			  const char *to_path, uint64_t offset, uint64_t len) MUST_CHECK;
/* Bytes (sizes of all files together) and inodes there are; ERR_FULL beyond. */
void backing_sim_set_space(struct backing *backing, uint64_t bytes, uint64_t inodes);

#endif
