/*
 * A backing that keeps a log of what changes the one below it, and stops a
 * chosen call so that a test can look at exactly that moment.
 *
 * Calls are chosen by kind and by the beginning of the path (of the file that
 * is written, of the directory that is synced, of the old name in a rename).
 * All watches of a process share one clock, so that their logs compare.
 * Whatever does not happen within a few seconds ends the process: a test that
 * hangs has failed.  Thread-safe.
 */
#ifndef PHIFS_TESTS_BACKING_WATCH_H
#define PHIFS_TESTS_BACKING_WATCH_H

#include <stdatomic.h>

#include "store/backing.h"

enum watch_call {
	WATCH_CREATE,
	WATCH_PWRITE,
	WATCH_FDATASYNC,
	WATCH_TRUNCATE,
	WATCH_PUNCH,
	WATCH_RENAME,
	WATCH_UNLINK,
	WATCH_MKDIR,
	WATCH_SYNC_DIR,
	WATCH_SYNC_ALL,
	WATCH_ANY,
	WATCH_READ, /* changes nothing: can be held, is not in the log */
	WATCH_WRITE_OUT, /* neither, but it is in the log */
};

/* Owns `inner` from then on. */
struct backing *watch_new(struct backing *inner);

/* --- holding --------------------------------------------------------------------- */

/*
 * The next call of that kind is held: before it is done, or (`after`) when it
 * is done and has not returned.  Later ones pass.  The number of the hold.
 */
int watch_hold(struct backing *watch, enum watch_call call, const char *path, bool after);
/* Wait until something is held there; false: `unless` (NULL: never) came first. */
bool watch_wait_held(struct backing *watch, int hold, const atomic_bool *unless);
/* Let it go on; one that has not caught anything yet is taken away. */
void watch_release(struct backing *watch, int hold);
void watch_release_all(struct backing *watch);

/* The next such call fails with `err` and does nothing. */
void watch_fail(struct backing *watch, enum watch_call call, const char *path, enum err err);

/* --- the log ----------------------------------------------------------------------- */

/* The clock: everything from now on is later. */
uint64_t watch_now(void);
/* When the first such call that began after `since` was done; 0: none was. */
uint64_t watch_first(struct backing *watch, uint64_t since, enum watch_call call,
		     const char *path);
/* The same for the last one, and when it began. */
uint64_t watch_last_begin(struct backing *watch, uint64_t since, enum watch_call call,
			  const char *path);
/* How many were done. */
unsigned int watch_count(struct backing *watch, uint64_t since, enum watch_call call,
			 const char *path);
/* Wait until one is done. */
void watch_wait(struct backing *watch, uint64_t since, enum watch_call call, const char *path);

#endif
